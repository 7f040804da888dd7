//! Why a backup could not be verified.

use std::time::Duration;

use shared::{
    archive::ArchiveError,
    function::HandlerError,
    ports::{objects::ObjectsError, records::RecordsError, store::StoreError},
    runs::FailureKind,
};

/// Why a backup could not be verified. That something is wrong with it is no error.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The storage cannot be read.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The storage fails.
    #[error(transparent)]
    Objects(#[from] ObjectsError),
    /// Kafka fails.
    #[error(transparent)]
    Records(#[from] RecordsError),
    /// Redis fails.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Figures are to be repaired, and there are none.
    #[error("repair puts the figures in redis right, and no [redis] is configured: add it, or verify without repair")]
    NoFigures,
    /// The deadline came first.
    #[error(
        "not verified within {} s, the time until the deadline: verify one backup at a time (\"backup\"), without \"deep\", \
         or with `highwater verify`, which has no deadline",
        .left.as_secs()
    )]
    OutOfTime {
        /// How much time there was.
        left: Duration,
    },
}

impl HandlerError for VerifyError {
    fn retry(&self) -> bool {
        VerifyError::retry(self)
    }
}

impl VerifyError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub fn retry(&self) -> bool {
        match self {
            VerifyError::Archive(error) => error.retry(),
            VerifyError::Objects(error) => error.retry(),
            VerifyError::Records(error) => error.retry(),
            VerifyError::Store(error) => error.retry(),
            VerifyError::NoFigures | VerifyError::OutOfTime { .. } => false,
        }
    }

    /// What is to blame.
    #[must_use]
    pub fn kind(&self) -> FailureKind {
        match self {
            VerifyError::Archive(error) => error.into(),
            VerifyError::Objects(_) => FailureKind::Storage,
            VerifyError::Records(_) => FailureKind::Kafka,
            VerifyError::Store(_) => FailureKind::Store,
            VerifyError::NoFigures | VerifyError::OutOfTime { .. } => FailureKind::Settings,
        }
    }
}
