//! Why a partition could not be written.

use shared::{
    archive::{ArchiveError, Divergence},
    config::units::ByteSize,
    function::{BadField, HandlerError},
    job::State,
    ports::{objects::ObjectsError, records::RecordsError},
    record::{Offset, TopicPartition, kafka_event::Fault},
    replication::QueueError,
    runs::FailureKind,
    segment::encoder::EncodeError,
};

/// Why a partition could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The storage holds a backup that cannot be read, or does not answer.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A segment could not be put.
    #[error(transparent)]
    Objects(#[from] ObjectsError),
    /// Kafka failed.
    #[error(transparent)]
    Records(#[from] RecordsError),
    /// A stored segment could not be asked for at the locations.
    #[error("ask for replication: {0}")]
    Replication(#[source] Box<QueueError>),
    /// A segment could not be encoded.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// Another writer's segment stands where this one's should: what is buffered is dropped and read again.
    #[error("{partition}: another writer stored from {base} on first")]
    LostRace {
        /// Which partition.
        partition: TopicPartition,
        /// The base of the segment that lost.
        base: Offset,
    },
    /// The topic was deleted and created again while it was read.
    #[error("topic {topic} is not the one that was read: it was created again meanwhile")]
    TopicChanged {
        /// The topic.
        topic: String,
    },
    /// The topic, or the partition, is not there.
    #[error("{partition} is not in kafka: its topic was deleted, or was created again with fewer partitions")]
    Gone {
        /// Which partition.
        partition: TopicPartition,
    },
    /// What an event brought is of a topic that is paused: nothing is acknowledged that is not stored.
    #[error(
        "{partition} is paused: the event must come again, until `highwater resume` or the event source mapping is disabled"
    )]
    Paused {
        /// Which partition.
        partition: TopicPartition,
    },
    /// A pause is over: the work begins anew.
    #[error("{partition}: its pause is over")]
    Resumed {
        /// Which partition.
        partition: TopicPartition,
    },
    /// No broker could be reached for a while: whether the log is still the same is looked at again.
    #[error("{partition}: kafka could not be reached for a while: comparing its log with the backup again")]
    Interrupted {
        /// Which partition.
        partition: TopicPartition,
    },
    /// An event brought records of a transaction that is still open, or that this reading does not show yet.
    #[error("{partition}: what the event brought is committed up to {position} only: it must come again")]
    Uncommitted {
        /// Which partition.
        partition: TopicPartition,
        /// Where the reading stood.
        position: Offset,
    },
    /// A record is larger than is allowed.
    #[error(
        "{partition}: the record at offset {offset} has {size_bytes} bytes, more than kafka.record_bytes_max = {bytes_max}: \
         it is not stored, nor what follows it in this partition; raise the setting (1GiB at most), and give the process some five times \
         that much memory"
    )]
    RecordTooLarge {
        /// Which partition.
        partition: TopicPartition,
        /// Where the record stands.
        offset: Offset,
        /// How large it is.
        size_bytes: u64,
        /// What is allowed.
        bytes_max: ByteSize,
    },
    /// The storage says less than was committed: the tail of the backup is missing (C5).
    #[error(
        "{partition}: the backup ends at {frontier}, but {committed} was committed: its last segments are missing from the storage, or \
         storage.url or the name of the backup is not that of before; correct these, bring the segments back, or accept the loss \
         with `highwater accept-loss`"
    )]
    TailMissing {
        /// Which partition.
        partition: TopicPartition,
        /// Where the storage ends.
        frontier: Offset,
        /// What the group committed.
        committed: Offset,
    },
    /// The log went back: it does not hold what the backup ends with (C7).
    #[error(
        "{partition}: kafka's log is not the one that was backed up: what the backup holds at offsets {from} to {to} is not in \
         the log, which ends at {log_end}; nothing more of it is stored until the log is back. To back up the log as it is now, exclude \
         the topic here and select it in a backup of another name (docs/loss.md shows how); what is stored stays readable",
        from = .divergence.from, to = .divergence.to.0 - 1, log_end = .divergence.log_end
    )]
    LogDiverged {
        /// Which partition.
        partition: TopicPartition,
        /// What is not in the log.
        divergence: Divergence,
    },
    /// The log went back behind what was read from it, and not behind what is stored.
    #[error(
        "{partition}: kafka's log went back below offset {position}, which was read already: reading again what is not stored"
    )]
    LogWentBack {
        /// Which partition.
        partition: TopicPartition,
        /// Where the reading stood.
        position: Offset,
    },
    /// The chain is sealed, and there is no key to go on with.
    #[error(
        "{partition}: its segments are sealed with a key, and none is configured: set \
         backups.{backup}.integrity.hmac_key"
    )]
    KeyMissing {
        /// Which partition.
        partition: TopicPartition,
        /// The backup.
        backup: String,
    },
    /// Segments were cut off by an accepted loss that is not sealed with the configured key.
    #[error(
        "{partition}: a loss was accepted that cuts off {key}, and not with the key of backups.{backup}.integrity.hmac_key: nothing is \
         written; let `highwater verify` tell what is there, and remove what is not yours"
    )]
    CutWithoutKey {
        /// Which partition.
        partition: TopicPartition,
        /// A segment that is cut off.
        key: String,
        /// The backup.
        backup: String,
    },
    /// The input has a field with a value that it cannot have.
    #[error(transparent)]
    BadInput(#[from] BadField),
    /// No backup of that name is configured.
    #[error("no backup {0:?} is configured: add [backups.{0}], or name one that is")]
    UnknownBackup(String),
    /// An event brought a topic that no backup takes.
    #[error(
        "an event brought topic {topic}, which no backup selects: add it to the topics of [backups.{example}], or remove \
         the event source mapping"
    )]
    NotSelected {
        /// The topic.
        topic: String,
        /// A backup that is configured.
        example: String,
    },
    /// An event brought a record that tells neither its topic nor its partition.
    #[error(
        "a record under {item:?} of the event belongs to no partition that can be told ({fault}): it cannot be backed up"
    )]
    Nowhere {
        /// The key under which the event had it.
        item: String,
        /// What is wrong with it.
        fault: Fault,
    },
    /// Time was up.
    #[error("{partition}: time was up at {position}; the next run goes on from the last segment")]
    OutOfTime {
        /// Which partition.
        partition: TopicPartition,
        /// Where the reading stood.
        position: Offset,
    },
    /// The session that fed the partition ended.
    #[error("{0}: nothing feeds it any more")]
    Abandoned(TopicPartition),
}

/// What to do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Nothing is wrong: look at the storage again and go on at once.
    Reopen,
    /// Try again later.
    Backoff,
    /// Trying again does not help until somebody mends the cause.
    Fail,
}

impl WriteError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> Remedy {
        let retry = match self {
            WriteError::LostRace { .. }
            | WriteError::TopicChanged { .. }
            | WriteError::Interrupted { .. }
            | WriteError::Resumed { .. } => {
                return Remedy::Reopen;
            }
            WriteError::Archive(error) => error.retry(),
            WriteError::Objects(error) => error.retry(),
            WriteError::Records(error) => error.retry(),
            WriteError::Replication(error) => error.retry(),
            WriteError::OutOfTime { .. }
            | WriteError::Abandoned(_)
            | WriteError::Gone { .. }
            | WriteError::LogWentBack { .. }
            | WriteError::Paused { .. }
            | WriteError::Uncommitted { .. } => true,
            _ => false,
        };
        if retry { Remedy::Backoff } else { Remedy::Fail }
    }

    /// What is to blame.
    #[must_use]
    pub fn kind(&self) -> FailureKind {
        match self {
            WriteError::Archive(error) => error.into(),
            WriteError::Replication(error) => (&**error).into(),
            WriteError::Objects(_) | WriteError::LostRace { .. } => FailureKind::Storage,
            WriteError::TailMissing { .. } | WriteError::CutWithoutKey { .. } | WriteError::Encode(_) => {
                FailureKind::Damaged
            }
            WriteError::RecordTooLarge { .. }
            | WriteError::KeyMissing { .. }
            | WriteError::BadInput(_)
            | WriteError::UnknownBackup(_)
            | WriteError::NotSelected { .. } => FailureKind::Settings,
            _ => FailureKind::Kafka,
        }
    }

    /// What the job is in while nobody mends it.
    #[must_use]
    pub fn failed_state(&self) -> State {
        match self {
            WriteError::TailMissing { .. } => State::TAIL_MISSING,
            WriteError::LogDiverged { .. } => State::LOG_DIVERGED,
            _ => State::FAILED,
        }
    }

    /// From where on the log is another one than the backup, where that is the error.
    #[must_use]
    pub fn diverged_from(&self) -> Option<Offset> {
        match self {
            WriteError::LogDiverged { divergence, .. } => Some(divergence.from),
            _ => None,
        }
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub fn retry(&self) -> bool {
        self.remedy() != Remedy::Fail
    }
}

impl HandlerError for WriteError {
    fn retry(&self) -> bool {
        WriteError::retry(self)
    }
}
