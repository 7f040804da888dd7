//! Why a backup could not be read or written.

use crate::{
    ports::{objects::ObjectsError, records::RecordsError},
    record::{Offset, TopicId},
    segment::{decoder::DecodeError, metadata::SEGMENT_VERSION},
};

/// Why a backup could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The store failed.
    #[error(transparent)]
    Objects(#[from] ObjectsError),
    /// The log that it is compared with cannot be read.
    #[error(transparent)]
    Log(#[from] RecordsError),
    /// An object that is ours by its name cannot be read.
    #[error("read {key}: it is damaged or not ours; move it away only after `highwater verify` has named what is lost")]
    Damaged {
        /// Its key.
        key: String,
        /// What is wrong with it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A newer version of Highwater wrote an object.
    #[error(
        "{key} has format version {found}, and this version of highwater knows no version above {known}: a newer highwater wrote \
         it; use that one. Nothing was changed"
    )]
    Newer {
        /// Its key.
        key: String,
        /// Its version.
        found: u32,
        /// The newest version that this program knows.
        known: u32,
    },
    /// A segment describes another place in the backup than the one it lies in.
    #[error("{key} is foreign: it says it is {found}")]
    Foreign {
        /// Its key.
        key: String,
        /// What it says.
        found: String,
    },
    /// The prefix belongs to another backup or cluster.
    #[error(
        "{key} belongs to backup {owner_backup:?} of cluster {owner_cluster:?}, not to {backup:?} of {cluster:?}: \
         set another storage.url or backup name"
    )]
    OtherOwner {
        /// The owner object's key.
        key: String,
        /// Whose backup it is.
        owner_backup: String,
        /// Of which cluster.
        owner_cluster: String,
        /// Who asked.
        backup: String,
        /// For which cluster.
        cluster: String,
    },
    /// The storage holds no backup of this name.
    #[error("the storage holds no backup {backup:?}: `highwater topics` lists what it holds")]
    NoBackup {
        /// The name.
        backup: String,
    },
    /// An object that was listed is gone.
    #[error("read {key}: it was listed, and is not there")]
    Missing {
        /// Its key.
        key: String,
    },
    /// A chain of which a missing tail was to be accepted had gone on.
    #[error(
        "accept that what lay in {folder} from {frontier} on is missing: segments lie there, so the chain went on or they came back \
         meanwhile; nothing was changed, look again"
    )]
    WentOn {
        /// The chain's folder.
        folder: String,
        /// Where the chain ended.
        frontier: Offset,
    },
    /// Offsets lie in no segment, and segments lie behind them.
    #[error(
        "{folder} has a hole: no segment holds the offsets from {from} to before {to}, and the backup goes on behind them. Run \
         `highwater verify`, and bring the missing segments back"
    )]
    Hole {
        /// The chain's folder.
        folder: String,
        /// The first offset that is missing.
        from: Offset,
        /// The first one that is there again.
        to: Offset,
    },
    /// Offsets lie in two segments.
    #[error("{folder} has two segments with the offsets from {from} to before {to}: run `highwater verify`")]
    Overlap {
        /// The chain's folder.
        folder: String,
        /// The first offset that is there twice.
        from: Offset,
        /// The first one that is not.
        to: Offset,
    },
    /// A pin was not renewed in time, so what it held may have been deleted.
    #[error(
        "{key}: this pin was not renewed in time and does not hold any more: what it held may have expired meanwhile; \
         begin again"
    )]
    PinLost {
        /// The pin's key.
        key: String,
    },
    /// Others claimed incarnations faster than this one could, many times in a row.
    #[error("claim an incarnation of topic {topic} for id {id}: others were faster each time; try again")]
    Contended {
        /// The topic.
        topic: String,
        /// Its id.
        id: TopicId,
    },
}

impl ArchiveError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub fn retry(&self) -> bool {
        match self {
            ArchiveError::Objects(error) => error.retry(),
            ArchiveError::Log(error) => error.retry(),
            ArchiveError::Contended { .. } | ArchiveError::PinLost { .. } => true,
            _ => false,
        }
    }

    /// Whether an object is not what it should be, or is not there, and no retry mends it.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        matches!(self, ArchiveError::Damaged { .. } | ArchiveError::Foreign { .. } | ArchiveError::Missing { .. })
    }

    pub(super) fn damaged(key: &str, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        ArchiveError::Damaged { key: key.to_owned(), source: Box::new(source) }
    }
}

/// A segment's footer that does not decode.
pub fn undecodable(key: &str, source: DecodeError) -> ArchiveError {
    match source {
        DecodeError::Newer(found) => ArchiveError::Newer { key: key.to_owned(), found, known: SEGMENT_VERSION },
        source => ArchiveError::damaged(key, source),
    }
}
