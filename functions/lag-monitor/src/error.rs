//! Why something could not be looked at.

use std::{fmt, sync::Arc};

use serde::{Serialize, Serializer};
use shared::{
    archive::ArchiveError,
    function::HandlerError,
    ports::{records::RecordsError, store::StoreError},
    record::Partition,
    runs::{Failed, FailureKind},
};

/// Why something could not be looked at, or said.
#[derive(Debug, thiserror::Error)]
pub enum MonitorError {
    /// The storage holds a backup that cannot be read, or does not answer.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// Kafka failed.
    #[error(transparent)]
    Records(#[from] RecordsError),
    /// The store of figures failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The prefix belongs to another cluster.
    #[error(
        "backup {backup:?} in the storage is of cluster {owner:?}, kafka is cluster {cluster:?}: \
         set another storage.url, backup name or kafka.bootstrap_servers"
    )]
    OtherCluster {
        /// The backup.
        backup: Arc<str>,
        /// The cluster it is of.
        owner: String,
        /// The cluster that was asked.
        cluster: String,
    },
    /// There is no metrics topic.
    #[error(
        "there is no topic {0:?}: start highwater again, which makes it, or create it, or set metrics.topic to the one that \
         backbeat writes to"
    )]
    NoMetricsTopic(Arc<str>),
    /// No backup of that name is configured.
    #[error("no backup {0:?} is configured: add [backups.{0}], or name one that is")]
    UnknownBackup(String),
}

impl MonitorError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub fn retry(&self) -> bool {
        match self {
            MonitorError::Archive(error) => error.retry(),
            MonitorError::Records(error) => error.retry(),
            MonitorError::Store(error) => error.retry(),
            MonitorError::NoMetricsTopic(_) => true,
            MonitorError::OtherCluster { .. } | MonitorError::UnknownBackup(_) => false,
        }
    }
}

impl HandlerError for MonitorError {
    fn retry(&self) -> bool {
        MonitorError::retry(self)
    }
}

impl MonitorError {
    /// What is to blame.
    #[must_use]
    pub fn kind(&self) -> FailureKind {
        match self {
            MonitorError::Archive(error) => error.into(),
            MonitorError::Records(_) | MonitorError::NoMetricsTopic(_) => FailureKind::Kafka,
            MonitorError::Store(_) => FailureKind::Store,
            MonitorError::OtherCluster { .. } | MonitorError::UnknownBackup(_) => FailureKind::Settings,
        }
    }
}

/// What could not be looked at, and why.
#[derive(Debug, Serialize)]
pub struct Failure {
    /// The topic, where it concerns one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<Arc<str>>,
    /// The partition, where it concerns one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition: Option<Partition>,
    /// Why.
    #[serde(serialize_with = "text")]
    pub error: MonitorError,
}

impl Failure {
    pub(crate) fn of_backup(error: impl Into<MonitorError>) -> Self {
        Failure { topic: None, partition: None, error: error.into() }
    }

    pub(crate) fn of_topic(topic: &Arc<str>, error: impl Into<MonitorError>) -> Self {
        Failure { topic: Some(topic.clone()), partition: None, error: error.into() }
    }

    pub(crate) fn of_partition(topic: &Arc<str>, partition: Partition, error: impl Into<MonitorError>) -> Self {
        Failure { topic: Some(topic.clone()), partition: Some(partition), error: error.into() }
    }
}

impl From<&Failure> for Failed {
    fn from(failure: &Failure) -> Self {
        let Failure { topic, partition, error } = failure;
        Failed { topic: topic.clone(), partition: *partition, kind: error.kind(), error: error.to_string() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.topic, self.partition) {
            (Some(topic), Some(partition)) => write!(f, "{topic}-{partition}: {}", self.error),
            (Some(topic), None) => write!(f, "{topic}: {}", self.error),
            _ => self.error.fmt(f),
        }
    }
}

fn text<S: Serializer>(error: &MonitorError, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(error)
}
