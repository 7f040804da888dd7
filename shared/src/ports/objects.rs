//! Object storage: the truth of every backup.

use std::{collections::BTreeMap, ops::Range};

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::record::Millis;

/// An object store under one prefix. Keys are relative to it.
#[async_trait]
pub trait Objects: Send + Sync {
    /// Writes an object whole, under a condition that the store checks atomically.
    async fn put(&self, key: &str, body: Bytes, condition: PutCondition) -> Result<ETag, ObjectsError>;

    /// Reads an object or a range of it; `None` when there is no such object.
    async fn get(&self, key: &str, range: GetRange) -> Result<Option<Object>, ObjectsError>;

    /// One page of the keys that begin with `request.prefix`, in byte order.
    async fn list(&self, request: ListRequest<'_>) -> Result<ListPage, ObjectsError>;

    /// Deletes an object; deleting none is no error.
    async fn delete(&self, key: &str) -> Result<(), ObjectsError>;

    /// Deletes objects; deleting none is no error. Where it fails, some of them may be gone.
    async fn delete_all(&self, keys: &[String]) -> Result<(), ObjectsError> {
        for key in keys {
            self.delete(key).await?;
        }
        Ok(())
    }

    /// Objects written in parts, where the store has that.
    fn multipart(&self) -> Option<&dyn Multipart> {
        None
    }

    /// What was asked of it so far, where somebody counts.
    fn counts(&self) -> Option<RequestCounts> {
        None
    }

    /// By how many milliseconds this machine's clock is ahead of the store's (behind: negative), by its last answer. `None`
    /// where nobody knows.
    fn clock_ahead_ms(&self) -> Option<i64> {
        None
    }
}

/// Objects written in parts: nobody sees anything of them before they are finished.
#[async_trait]
pub trait Multipart: Send + Sync {
    /// Begins an upload; answers its id.
    async fn begin(&self, key: &str) -> Result<String, ObjectsError>;

    /// Writes a part, numbered from 1. All but the last have 5 MiB or more.
    ///
    /// # Errors
    /// [`ObjectsError::PreconditionFailed`] when there is no such upload any more.
    async fn part(&self, key: &str, upload: &str, number: u32, body: Bytes) -> Result<ETag, ObjectsError>;

    /// Makes an object of the parts, in their order, under a condition that the store checks atomically.
    ///
    /// # Errors
    /// [`ObjectsError::PreconditionFailed`] when the condition does not hold, or there is no such upload any more.
    async fn finish(
        &self,
        key: &str,
        upload: &str,
        parts: &[ETag],
        condition: PutCondition,
    ) -> Result<ETag, ObjectsError>;
}

/// The buckets of one server, by name.
#[async_trait]
pub trait Buckets: Send + Sync {
    /// A bucket as a store of its own: keys are whole keys. Whether it exists is seen when it is used.
    ///
    /// # Errors
    /// Refused when nothing of that name can be a bucket.
    async fn bucket(&self, name: &str) -> Result<std::sync::Arc<dyn Objects>, ObjectsError>;
}

/// What can be asked of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// To write an object.
    Put,
    /// To read one.
    Get,
    /// A page of keys.
    List,
    /// To delete objects.
    Delete,
}

/// How a request can fail: [`ObjectsError`] without what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// [`ObjectsError::PreconditionFailed`]
    PreconditionFailed,
    /// [`ObjectsError::Conflict`]
    Conflict,
    /// [`ObjectsError::Unavailable`]
    Unavailable,
    /// [`ObjectsError::Refused`]
    Refused,
}

impl Operation {
    /// All of them, in their order.
    pub const ALL: [Operation; 4] = [Operation::Put, Operation::Get, Operation::List, Operation::Delete];

    /// As series have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Operation::Put => "put",
            Operation::Get => "get",
            Operation::List => "list",
            Operation::Delete => "delete",
        }
    }
}

impl ErrorKind {
    /// All of them, in their order.
    pub const ALL: [ErrorKind; 4] =
        [ErrorKind::PreconditionFailed, ErrorKind::Conflict, ErrorKind::Unavailable, ErrorKind::Refused];

    /// As series have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            ErrorKind::PreconditionFailed => "precondition_failed",
            ErrorKind::Conflict => "conflict",
            ErrorKind::Unavailable => "unavailable",
            ErrorKind::Refused => "refused",
        }
    }
}

/// Requests, and those of them that failed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RequestCounts {
    /// All requests.
    pub requests: BTreeMap<Operation, u64>,
    /// The failed ones; kinds that never occurred are left out.
    pub errors: BTreeMap<(Operation, ErrorKind), u64>,
}

/// Two clocks that are closer than this are not told apart: a store's dates are of whole seconds.
pub const CLOCKS_APART_MS: i64 = 5_000;

/// What to say of a clock that is off.
#[must_use]
pub fn clock_warning(ahead_ms: Option<i64>) -> Option<String> {
    let ahead = ahead_ms.filter(|ahead| ahead.abs() > CLOCKS_APART_MS)?;
    let (seconds, side) = (ahead.abs() / 1_000, if ahead > 0 { "ahead of" } else { "behind" });
    Some(format!(
        "this machine's clock is {seconds} s {side} the store's: times, ages and lags that are shown are off by as much, and states may look \
         as if nobody renewed them. Nothing is lost: segments are closed by intervals and expire by the store's dates. Set the clock (NTP)"
    ))
}

/// When a PUT may take effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PutCondition {
    /// Only when there is no object of that key: `If-None-Match: *`.
    IfAbsent,
    /// Only when the object's entity tag is this one: `If-Match`.
    IfMatch(ETag),
}

/// An object's entity tag, as the store wrote it (quotes included). Stores may make it from the content, as S3 does, so
/// an object that is replaced by the same bytes may keep its tag.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ETag(pub String);

/// Which bytes of an object to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GetRange {
    /// All of it.
    Whole,
    /// From `start` to before `end`; an object that ends earlier gives what it has.
    Bytes(Range<u64>),
    /// The last so many bytes, or the whole of a shorter object.
    Last(u64),
}

impl GetRange {
    /// What this means for an object of `size_bytes`: never beyond its end, empty where nothing of it is asked for.
    #[must_use]
    pub fn within(&self, size_bytes: u64) -> Range<u64> {
        match self {
            GetRange::Whole => 0..size_bytes,
            GetRange::Bytes(range) => {
                let start = range.start.min(size_bytes);
                start..range.end.clamp(start, size_bytes)
            }
            GetRange::Last(bytes) => size_bytes.saturating_sub(*bytes)..size_bytes,
        }
    }
}

/// What a GET answers.
#[derive(Debug, Clone)]
pub struct Object {
    /// The bytes asked for.
    pub body: Bytes,
    /// The whole object's size.
    pub size_bytes: u64,
    /// Its entity tag.
    pub etag: ETag,
    /// When it was last written, by the store's clock, at least to the second.
    pub modified: Millis,
}

/// What to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListRequest<'a> {
    /// Keys begin with this.
    pub prefix: &'a str,
    /// Keys and folders are greater than this (byte order); empty: from the first. A folder that this lies in is
    /// behind already and not listed.
    pub after: &'a str,
    /// Fold keys below the next `/` into `folders`.
    pub folders: bool,
    /// At most so many keys and folders; the store may give fewer, 1,000 at most, and at least one where there is one.
    pub limit: usize,
}

impl<'a> ListRequest<'a> {
    /// Everything below `prefix`, a full page at a time.
    #[must_use]
    pub fn prefix(prefix: &'a str) -> Self {
        ListRequest { prefix, after: "", folders: false, limit: LIST_LIMIT_MAX }
    }

    /// The page size a store is asked for.
    #[must_use]
    pub fn limit_clamped(&self) -> usize {
        self.limit.clamp(1, LIST_LIMIT_MAX)
    }

    /// The folder that `key` is folded into, with its trailing `/`; `None` where it is listed itself.
    #[must_use]
    pub fn folder_of<'k>(&self, key: &'k str) -> Option<&'k str> {
        let below = key.strip_prefix(self.prefix).filter(|_| self.folders)?;
        let slash = below.find('/')?;
        Some(&key[..self.prefix.len() + slash + 1])
    }
}

/// S3 gives no more than this in one page.
pub const LIST_LIMIT_MAX: usize = 1_000;

/// One page of a listing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListPage {
    /// The objects, by key.
    pub objects: Vec<ObjectEntry>,
    /// The folded folders, each with its trailing `/`.
    pub folders: Vec<String>,
    /// Go on with `after` set to this; `None` when the listing is complete.
    pub next_after: Option<String>,
}

/// One object of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectEntry {
    /// Its key, relative to the store's prefix.
    pub key: String,
    /// Its size.
    pub size_bytes: u64,
    /// Its entity tag.
    pub etag: ETag,
    /// When it was last written, by the store's clock.
    pub modified: Millis,
}

/// Why an object store's call failed.
#[derive(Debug, thiserror::Error)]
pub enum ObjectsError {
    /// The condition of a PUT does not hold (412): something is there already, or not what was expected. Also the answer
    /// to one's own retry when the first try took effect.
    #[error("put {key}: the store does not hold what the put expects there (412)")]
    PreconditionFailed {
        /// The key.
        key: String,
    },
    /// A concurrent write was under way (409); the outcome is unknown, try again.
    #[error("put {key}: a concurrent write was under way (409)")]
    Conflict {
        /// The key.
        key: String,
    },
    /// The store could not be reached, was overloaded, or did not answer in time. A PUT may have taken effect.
    #[error("{operation} {key}: the store at {endpoint} does not answer")]
    Unavailable {
        /// What was tried.
        operation: &'static str,
        /// On which key.
        key: String,
        /// Where the store is.
        endpoint: String,
        /// What the client said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The object is not what was written: its checksum is another. Trying again does not help.
    #[error("{operation} {key}: the object was altered or cut since it was written")]
    Altered {
        /// What was tried.
        operation: &'static str,
        /// On which key.
        key: String,
        /// What the client said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The store answered and refuses: no such bucket, bad credentials, not supported. Trying again does not help.
    #[error("{operation} {key}: {message}")]
    Refused {
        /// What was tried.
        operation: &'static str,
        /// On which key.
        key: String,
        /// What is wrong, with the setting and the remedy.
        message: String,
        /// What the client said, where there is more.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
}

impl ObjectsError {
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            ObjectsError::PreconditionFailed { .. } => ErrorKind::PreconditionFailed,
            ObjectsError::Conflict { .. } => ErrorKind::Conflict,
            ObjectsError::Unavailable { .. } => ErrorKind::Unavailable,
            ObjectsError::Refused { .. } | ObjectsError::Altered { .. } => ErrorKind::Refused,
        }
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub fn retry(&self) -> bool {
        matches!(self, ObjectsError::Conflict { .. } | ObjectsError::Unavailable { .. })
    }
}
