//! Why nothing could be replicated, and why one object could not.

use shared::{
    archive::ArchiveError,
    function::HandlerError,
    ports::{objects::ObjectsError, records::RecordsError},
    replication::{QueueError, ReasonKind},
    runs::FailureKind,
};

/// Why the work cannot go on: the topic, or the storage of the statuses. Nothing is lost by it, and the same call again goes on.
#[derive(Debug, thiserror::Error)]
pub enum ReplicateError {
    /// Kafka failed.
    #[error(transparent)]
    Records(#[from] RecordsError),
    /// A status or an event could not be written.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The storage could not be read.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The storage could not be listed.
    #[error(transparent)]
    Objects(#[from] ObjectsError),
    /// A location could not be listed or written.
    #[error("location {location}: {source}")]
    Location {
        /// Which.
        location: String,
        /// Why.
        #[source]
        source: Box<CopyError>,
    },
    /// No location of that name is configured.
    #[error("no location {0:?} is configured: add [locations.{0}], or name one that is")]
    UnknownLocation(String),
    /// Kafka said nothing for too long.
    #[error("the replication topic: kafka sent nothing for {0} s; the next run goes on there")]
    Silence(u64),
}

impl ReplicateError {
    /// What is to blame.
    #[must_use]
    pub fn kind(&self) -> FailureKind {
        match self {
            ReplicateError::Records(_) | ReplicateError::Silence(_) => FailureKind::Kafka,
            ReplicateError::Queue(error) => error.into(),
            ReplicateError::Archive(error) => error.into(),
            ReplicateError::Objects(_) | ReplicateError::Location { .. } => FailureKind::Storage,
            ReplicateError::UnknownLocation(_) => FailureKind::Settings,
        }
    }
}

impl HandlerError for ReplicateError {
    /// What a person has to mend first is tried again too: the work stays where it is meanwhile.
    fn retry(&self) -> bool {
        !matches!(self, ReplicateError::UnknownLocation(_))
    }
}

/// Why an object could not be copied to a location.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// It could not be read.
    #[error("read the object: {0}")]
    Source(#[source] ArchiveError),
    /// The location failed.
    #[error("write to the location: {0}")]
    Location(#[source] ArchiveError),
    /// There is no such object any more.
    #[error("there is no object {0} to copy any more")]
    SourceGone(String),
    /// The location holds something else.
    #[error("the location holds another object at {0}, which is not overwritten: move it away")]
    Differs(String),
    /// The storage lacks a segment that the location needs before this one.
    #[error(
        "the storage holds no segment from offset {next} on before {key}: `highwater verify` tells what is missing"
    )]
    Hole {
        /// The segment that was to be copied.
        key: String,
        /// Where the location's copy of its chain ends.
        next: shared::record::Offset,
    },
    /// What belongs to the storage itself is not copied.
    #[error("{0} belongs to the storage itself and is not replicated")]
    NotReplicated(String),
}

impl CopyError {
    /// What of its kind is counted.
    #[must_use]
    pub fn kind(&self) -> ReasonKind {
        match self {
            CopyError::Location(ArchiveError::Damaged { .. } | ArchiveError::Foreign { .. }) => ReasonKind::Differs,
            CopyError::Location(error) if error.retry() => ReasonKind::Unavailable,
            CopyError::Location(_) | CopyError::NotReplicated(_) => ReasonKind::Refused,
            CopyError::Source(_) | CopyError::Hole { .. } => ReasonKind::Source,
            CopyError::SourceGone(_) => ReasonKind::SourceGone,
            CopyError::Differs(_) => ReasonKind::Differs,
        }
    }

    /// Whether it is tried again by itself. A wrong bucket or password, or an object in the way, is mended by a person, and
    /// then everything that waits for it should go on by itself.
    #[must_use]
    pub fn retry(&self) -> bool {
        !matches!(self, CopyError::SourceGone(_) | CopyError::NotReplicated(_))
    }

    /// Whether the location itself cannot be used now.
    #[must_use]
    pub fn is_of_location(&self) -> bool {
        matches!(self.kind(), ReasonKind::Unavailable | ReasonKind::Refused)
    }
}

/// Why a copy failed: the location did.
pub(crate) fn of_location(error: impl Into<ArchiveError>) -> CopyError {
    CopyError::Location(error.into())
}

/// Why a copy failed: the source did.
pub(crate) fn of_source(error: impl Into<ArchiveError>) -> CopyError {
    CopyError::Source(error.into())
}
