//! The store of figures: Redis, or memory.
//!
//! It holds what can be rebuilt from Kafka and the object storage. Rust decides; the store compares positions, adds,
//! and takes maxima, all of one [`Store::apply`] or nothing of it.

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::record::Millis;

/// A store of figures.
#[async_trait]
pub trait Store: Send + Sync {
    /// Applies `operations` in their order in one atomic step, if every position stands where `advances` say; else
    /// changes nothing and answers where the positions stand. After [`StoreError::Unavailable`] it is unknown whether
    /// it took effect: the positions tell.
    async fn apply(&self, advances: &[Advance], operations: &[Operation]) -> Result<Applied, StoreError>;

    /// Reads values in one round trip and at one moment, in the order asked for.
    async fn read(&self, queries: &[Query]) -> Result<Vec<Value>, StoreError>;
}

/// Moves a position from where it must stand to where it shall.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advance {
    /// The position's key.
    pub key: String,
    /// Where it must stand; `None`: not set yet.
    pub from: Option<i64>,
    /// Where it shall stand.
    pub to: i64,
}

/// One change. What another program left in the way never fails it: the change counts, and so does the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Adds to a counter (a plain Redis string, as `INCRBY` makes it). A text that is no integer counts as the integer
    /// it begins with (`12abc` is 12, `abc` is 0), as readers take it; a counter that would leave 64 bits stays.
    Add {
        /// Its key.
        key: String,
        /// By how much.
        by: i64,
        /// When the counter ends, in milliseconds since 1970 by the store's clock; a time that has passed ends it now.
        /// `None` leaves what is set.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires: Option<Millis>,
    },
    /// Sets a register (a field of a Redis hash) if its order is greater than the one it has, or it has none.
    /// What is no hash at that key is replaced.
    Max {
        /// The hash's key.
        key: String,
        /// The register.
        field: String,
        /// Its order, compared number by number from the first; registers of one kind have orders of one length.
        order: Vec<u64>,
        /// Its value.
        value: String,
    },
    /// Sets a register whatever its order, if it is still what it was when it was read: puts right what is wrong.
    Replace {
        /// The hash's key.
        key: String,
        /// The register.
        field: String,
        /// The order it must have.
        was_order: Vec<u64>,
        /// The value it must have.
        was_value: String,
        /// Its order from now on.
        order: Vec<u64>,
        /// Its value from now on.
        value: String,
    },
    /// Sets what one thing adds to counters: if its order is greater than the one it has, or it has none, what it added
    /// so far is taken back, and this is added. So counters are sums over things, whatever is said of each how often and
    /// in which order.
    Contribute {
        /// The key of the thing.
        key: String,
        /// Its order, as of [`Operation::Max`].
        order: Vec<u64>,
        /// What it adds.
        adds: Vec<Contribution>,
        /// What is added for good: it is not taken back when something greater is said of the thing.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        keeps: Vec<Contribution>,
        /// In which sets of waiting things it is now, and in which it is not.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        waits: Vec<Waiting>,
        /// When the thing is forgotten: what it added then stays. `None`: never. A time that has passed is ten minutes from
        /// now: who counts old messages anew counts what comes twice once.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires: Option<Millis>,
        /// Whether nothing is done where the thing is not known: it may be forgotten already.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        only_known: bool,
    },
    /// Removes registers of a hash.
    Remove {
        /// The hash's key.
        key: String,
        /// The registers.
        fields: Vec<String>,
    },
    /// Removes a key, whatever it holds.
    Forget {
        /// The key.
        key: String,
    },
    /// Removes a register of a hash, unless something greater was said there.
    RemoveUpTo {
        /// The hash's key.
        key: String,
        /// The register.
        field: String,
        /// The greatest order that is removed.
        order: Vec<u64>,
    },
}

/// What a thing adds to one counter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contribution {
    /// The counter's key. Many things add to few counters.
    pub key: Arc<str>,
    /// How much.
    pub by: i64,
    /// When the counter ends, as of [`Operation::Add`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Millis>,
}

/// Whether a thing is in a set of waiting things (a sorted set in Redis).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// The set's key.
    pub set: Arc<str>,
    /// Since when it waits; `None`: it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Millis>,
}

impl Operation {
    /// The key that it changes.
    #[must_use]
    pub fn key(&self) -> &str {
        match self {
            Operation::Add { key, .. }
            | Operation::Max { key, .. }
            | Operation::Replace { key, .. }
            | Operation::Contribute { key, .. }
            | Operation::Remove { key, .. }
            | Operation::Forget { key }
            | Operation::RemoveUpTo { key, .. } => key,
        }
    }
}

/// What came of an [`Store::apply`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Applied {
    /// Everything was applied.
    Done,
    /// Nothing was: a position stood elsewhere. The stored positions, in the order of the advances.
    Elsewhere(Vec<Option<i64>>),
}

/// What to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    /// A counter or position, as text.
    Text(String),
    /// All registers of a hash.
    Registers(String),
    /// Since when the thing waits that waits longest in a set ([`Waiting`]), in milliseconds since 1970, as text.
    Longest(String),
    /// The run of the store: a text that changes when its process starts again or another one takes over, both of which
    /// can take it back to an earlier moment. No text where the store does not tell.
    Run,
}

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A text; `None` when the key is not there. Anyone may have written it, so it need not be a number.
    Text(Option<String>),
    /// The registers of a hash, empty when the key is not there.
    Registers(Vec<Register>),
}

impl Value {
    /// The registers; none of a text.
    #[must_use]
    pub fn into_registers(self) -> Vec<Register> {
        match self {
            Value::Registers(registers) => registers,
            Value::Text(_) => vec![],
        }
    }
}

/// A register as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Register {
    /// Its name in the hash.
    pub field: String,
    /// Its order.
    pub order: Vec<u64>,
    /// Its value.
    pub value: String,
}

/// Why a call to the store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store cannot be reached, is loading or did not answer in time; the same call may succeed later.
    #[error("{operation}: redis at {url} does not answer")]
    Unavailable {
        /// What was tried.
        operation: &'static str,
        /// Where it is, without credentials.
        url: String,
        /// What the client said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The store answered and refuses; trying again does not help.
    #[error("{operation}: redis at {url} refuses: {message}")]
    Refused {
        /// What was tried.
        operation: &'static str,
        /// Where it is, without credentials.
        url: String,
        /// What is wrong, with the setting and the remedy.
        message: String,
    },
}

impl StoreError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub fn retry(&self) -> bool {
        matches!(self, StoreError::Unavailable { .. })
    }
}
