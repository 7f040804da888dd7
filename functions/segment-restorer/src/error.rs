//! Why something was not restored.

use std::{path::PathBuf, sync::Arc};

use shared::{
    archive::ArchiveError,
    function::HandlerError,
    ports::{objects::ObjectsError, records::RecordsError, transactions::TransactionError},
    record::{Offset, TopicId, TopicPartition},
    restore::{mapping::Mismatch, progress::Unreadable},
    runs::FailureKind,
    segment::decoder::DecodeError,
};

/// Why something was not restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The backup cannot be read.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The storage fails.
    #[error(transparent)]
    Objects(#[from] ObjectsError),
    /// The target cluster fails.
    #[error(transparent)]
    Records(#[from] RecordsError),
    /// A transaction fails.
    #[error(transparent)]
    Transaction(#[from] TransactionError),
    /// What is known of the restore cannot be read.
    #[error(transparent)]
    Progress(#[from] Unreadable),
    /// A record of the progress topic cannot be made.
    #[error("the progress of the restore cannot be written as JSON")]
    Json(#[from] serde_json::Error),
    /// The plan names no backup, and the storage does not hold exactly one.
    #[error(
        "the storage holds {} backups{}: name one, with --backup NAME or as backup = \"NAME\" in the plan", .0.len(), listed(.0)
    )]
    WhichBackup(Vec<String>),
    /// A segment cannot be decoded.
    #[error("{key} is damaged, offsets {from} to {to}: run `highwater verify --deep`")]
    Damaged {
        /// Its key.
        key: String,
        /// Its base.
        from: Offset,
        /// Where it ends.
        to: Offset,
        /// Why.
        #[source]
        source: DecodeError,
    },
    /// A segment is gone or changed since it was looked at.
    #[error("{key}, offsets {from} to {to}: {what}")]
    Changed {
        /// Its key.
        key: String,
        /// Its base.
        from: Offset,
        /// Where it ends.
        to: Offset,
        /// What happened to it.
        what: &'static str,
    },
    /// A record has the id of a schema that was not restored.
    #[error(
        "the {side} of the record at offset {offset} of {at} has schema id {id}, which is in no map: restore that schema too, say unknown = \"keep\" or \"drop\", or name the topic not among those with ids"
    )]
    UnknownSchemaId {
        /// The source.
        at: TopicPartition,
        /// Which record.
        offset: Offset,
        /// Key or value.
        side: &'static str,
        /// The id.
        id: u32,
    },
    /// The target does not take a record.
    #[error("{target} does not take the record at offset {offset} of {from}: {message}")]
    RecordRefused {
        /// Where it was to go.
        target: TopicPartition,
        /// Where it came from.
        from: TopicPartition,
        /// Which record.
        offset: Offset,
        /// What the cluster said.
        message: String,
    },
    /// The brokers acknowledged something else than what was sent.
    #[error("{partition}: what was acknowledged is not what was sent; nothing of it is committed")]
    Mismatch {
        /// Where.
        partition: TopicPartition,
        /// What is wrong.
        #[source]
        source: Mismatch,
    },
    /// The target was deleted, or created again, in the middle.
    #[error("the target {name:?} was deleted or created again meanwhile (its id was {id}): start the restore again")]
    TargetReplaced {
        /// Its name.
        name: Arc<str>,
        /// Its id when the restore began.
        id: TopicId,
    },
    /// The target has no leaders.
    #[error("the target {name:?} was created, and after {within_s} s not every partition has a leader")]
    NoLeaders {
        /// Its name.
        name: Arc<str>,
        /// How long was waited.
        within_s: u64,
    },
    /// It was found only after the target was created that it cannot be used.
    #[error("the target {name:?} was created and cannot be used, nothing is written: {why}")]
    Unsuitable {
        /// Its name.
        name: Arc<str>,
        /// Everything that is wrong.
        why: String,
    },
    /// Somebody began a restore into the same target with another plan, in this moment.
    #[error("a restore into {name:?} was begun with another plan: go on with that one, or delete the target")]
    OtherPlan {
        /// Its name.
        name: Arc<str>,
    },
    /// A file cannot be written or read.
    #[error("{} cannot be written or read", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Another process restores into the folder.
    #[error("another process restores into {}: wait for it", folder.display())]
    FolderBusy {
        /// Which.
        folder: PathBuf,
    },
    /// Another drill of the backup runs.
    #[error(
        "another drill of backup {backup:?} runs, or was killed within the last {lease_s} s ({key} says who): try again then"
    )]
    DrillUnderWay {
        /// Which backup.
        backup: String,
        /// The pin that it holds.
        key: String,
        /// How long it holds that without renewing it.
        lease_s: u64,
    },
    /// A drill did not end before its deadline.
    #[error(
        "the drill came to its deadline in topic {topic:?}, which proves nothing: drill a sample, fewer topics, or with `highwater drill`, which has no deadline"
    )]
    DrillOutOfTime {
        /// In which topic.
        topic: Arc<str>,
    },
    /// No topic is held that was to be drilled.
    #[error(
        "backup {backup:?} holds none of the topics that are to be drilled: `highwater topics` lists what it holds"
    )]
    NothingToDrill {
        /// Which backup.
        backup: String,
    },
    /// A drill takes no plan.
    #[error("a drill takes no plan, and is never dry: leave out `plan` and `dry_run`, or `drill`")]
    DrillWithPlan,
    /// What a drill had restored could not be read back.
    #[error("{partition} was not read back to its end: nothing came behind offset {position}")]
    NotReadBack {
        /// The scratch partition.
        partition: TopicPartition,
        /// How far the reading is.
        position: Offset,
    },
    /// The progress topic could not be read to its end.
    #[error("topic {topic} was not read to its end within {within_s} s: an open transaction is in the way; try again")]
    ProgressStalled {
        /// Its name.
        topic: &'static str,
        /// How long was waited.
        within_s: u64,
    },
}

impl HandlerError for RestoreError {
    fn retry(&self) -> bool {
        RestoreError::retry(self)
    }
}

impl RestoreError {
    /// What is to blame.
    #[must_use]
    pub fn kind(&self) -> FailureKind {
        match self {
            RestoreError::Archive(error) => error.into(),
            RestoreError::Objects(_) => FailureKind::Storage,
            RestoreError::Damaged { .. } | RestoreError::Changed { .. } => FailureKind::Damaged,
            RestoreError::Records(_)
            | RestoreError::Transaction(_)
            | RestoreError::Progress(_)
            | RestoreError::RecordRefused { .. }
            | RestoreError::Mismatch { .. }
            | RestoreError::TargetReplaced { .. }
            | RestoreError::NoLeaders { .. } => FailureKind::Kafka,
            _ => FailureKind::Settings,
        }
    }

    /// Whether the same transaction may succeed when it is begun again.
    #[must_use]
    pub fn retry(&self) -> bool {
        match self {
            RestoreError::Archive(error) => error.retry(),
            RestoreError::Objects(error) => error.retry(),
            RestoreError::Records(error) => error.retry(),
            RestoreError::Transaction(error) => error.retry(),
            _ => false,
        }
    }

    /// Whether a segment is not what it should be, so that it can be passed over.
    #[must_use]
    pub(crate) fn is_damage(&self) -> bool {
        match self {
            RestoreError::Damaged { .. } | RestoreError::Changed { .. } => true,
            RestoreError::Archive(error) => error.is_damage(),
            _ => false,
        }
    }

    /// Whether another run has taken over.
    #[must_use]
    pub fn is_fenced(&self) -> bool {
        matches!(self, RestoreError::Transaction(TransactionError::Fenced { .. }))
    }
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) }
}
