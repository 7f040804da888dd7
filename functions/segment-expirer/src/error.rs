//! Why something did not expire.

use std::{fmt, sync::Arc};

use serde::{Serialize, Serializer};
use shared::{
    archive::ArchiveError,
    chain::ChainIdentity,
    function::{BadField, HandlerError},
    ports::objects::ObjectsError,
    record::{Offset, Partition},
    runs::{Failed, FailureKind},
};

/// Why something did not expire.
#[derive(Debug, thiserror::Error)]
pub enum ExpireError {
    /// The storage holds a backup that cannot be read, or does not answer.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// Objects could not be deleted.
    #[error(transparent)]
    Objects(#[from] ObjectsError),
    /// The folder of a backup is another's.
    #[error("the owner of backup {backup:?} in the storage says that it is backup {owner:?}: set another storage.url")]
    OtherOwner {
        /// The backup.
        backup: String,
        /// What the owner object says.
        owner: String,
    },
    /// What would expire is not whole. Expiring it would delete the evidence.
    #[error(
        "{folder}: from its floor at {floor} to {to} the chain counts {counted} segments, and {listed} are listed: nothing \
         of it expires before `highwater verify` has told what is missing"
    )]
    NotWhole {
        /// The chain's folder.
        folder: String,
        /// Where it begins.
        floor: Offset,
        /// Where it would begin.
        to: Offset,
        /// How many segments the footers count.
        counted: u64,
        /// How many there are.
        listed: u64,
    },
    /// Something was written by somebody without the key. Believing it could delete good segments.
    #[error(
        "{key} is not believed: {why}. Nothing of its chain expires or is deleted meanwhile; `highwater verify` tells more"
    )]
    NotBelieved {
        /// The object.
        key: String,
        /// Why.
        why: String,
    },
    /// The input has a field with a value that it cannot have.
    #[error(transparent)]
    BadInput(#[from] BadField),
    /// No backup of that name is configured.
    #[error("no backup {0:?} is configured: add [backups.{0}], or name one that is")]
    UnknownBackup(String),
}

impl ExpireError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub fn retry(&self) -> bool {
        match self {
            ExpireError::Archive(error) => error.retry(),
            ExpireError::Objects(error) => error.retry(),
            ExpireError::OtherOwner { .. }
            | ExpireError::NotWhole { .. }
            | ExpireError::NotBelieved { .. }
            | ExpireError::BadInput(_)
            | ExpireError::UnknownBackup(_) => false,
        }
    }
}

impl HandlerError for ExpireError {
    fn retry(&self) -> bool {
        ExpireError::retry(self)
    }
}

impl ExpireError {
    /// What is to blame.
    #[must_use]
    pub fn kind(&self) -> FailureKind {
        match self {
            ExpireError::Archive(error) => error.into(),
            ExpireError::Objects(_) => FailureKind::Storage,
            ExpireError::NotWhole { .. } | ExpireError::NotBelieved { .. } => FailureKind::Damaged,
            ExpireError::OtherOwner { .. } | ExpireError::BadInput(_) | ExpireError::UnknownBackup(_) => {
                FailureKind::Settings
            }
        }
    }
}

impl From<&Failure> for Failed {
    fn from(failure: &Failure) -> Self {
        let Failure { topic, partition, error, .. } = failure;
        Failed { topic: topic.clone(), partition: *partition, kind: error.kind(), error: failure.to_string() }
    }
}

/// What could not be looked at, and why.
#[derive(Debug, Serialize)]
pub struct Failure {
    /// The topic, where it concerns one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<Arc<str>>,
    /// Its incarnation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incarnation: Option<u32>,
    /// The partition, where it concerns one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition: Option<Partition>,
    /// Why.
    #[serde(serialize_with = "text")]
    pub error: ExpireError,
}

impl Failure {
    pub(crate) fn of_backup(error: impl Into<ExpireError>) -> Self {
        Failure { topic: None, incarnation: None, partition: None, error: error.into() }
    }

    pub(crate) fn of_topic(topic: &str, error: impl Into<ExpireError>) -> Self {
        Failure { topic: Some(topic.into()), ..Failure::of_backup(error) }
    }

    pub(crate) fn of_chain(chain: &ChainIdentity, error: impl Into<ExpireError>) -> Self {
        let (incarnation, partition) = (Some(chain.incarnation), Some(chain.partition));
        Failure { incarnation, partition, ..Failure::of_topic(&chain.topic, error) }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.topic, self.incarnation, self.partition) {
            (Some(topic), Some(n), Some(partition)) => write!(f, "{topic} {n}-{partition}: {}", self.error),
            (Some(topic), ..) => write!(f, "{topic}: {}", self.error),
            _ => self.error.fmt(f),
        }
    }
}

fn text<S: Serializer>(error: &ExpireError, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(error)
}
