//! What the function has at hand.

use std::{sync::Arc, time::Duration};

use shared::{
    config::{BackupName, BackupSettings, Settings, selection::TopicSelection},
    metrics::backbeat::keys::Windows,
    ports::{
        clock::Clock,
        objects::Objects,
        records::Kafka,
        store::{Operation, Store},
    },
    runs::RunLog,
};

use crate::{MonitorError, NAME};

/// The function's ports and settings.
pub struct Context {
    /// Kafka.
    pub kafka: Arc<dyn Kafka>,
    /// The object storage.
    pub objects: Arc<dyn Objects>,
    /// The store of figures.
    pub store: Arc<dyn Store>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The configured backups.
    pub backups: Vec<Backup>,
    /// The topic that changes and standings come from.
    pub metrics_topic: Arc<str>,
    /// Our own topics: no pattern selects them.
    pub own_topics: Vec<Arc<str>>,
    /// The replication locations, whose figures are noted for their history.
    pub locations: Vec<String>,
    /// How the time of their figures is cut.
    pub windows: Windows,
    /// With more partitions none has a history of its own.
    pub partition_series_max: usize,
    /// How long and how much.
    pub limits: Limits,
    /// What is told of the runs.
    pub runs: RunLog,
}

/// One configured backup.
#[derive(Debug, Clone)]
pub struct Backup {
    /// Its name.
    pub name: Arc<str>,
    /// Which topics it takes.
    pub topics: TopicSelection,
}

impl Backup {
    /// The consumer group for which segment-writer commits how far it has stored.
    pub(crate) fn group(&self) -> String {
        format!("highwater.{}", self.name)
    }
}

/// How long and how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The time between two refreshes.
    pub refresh: Duration,
    /// Requests to the storage at the same time.
    pub requests_max: usize,
    /// Operations that the store gets at once.
    pub operations_max: usize,
    /// In which time every chain is looked at in the storage, whether anything says that it has moved or not.
    pub full_look: Duration,
    /// How often the store is asked, within a refresh, whether everything is there that an epoch needs.
    pub polls_max: u32,
    /// The time between two such questions.
    pub poll_wait: Duration,
    /// In how many partitions the oldest record that is not stored is looked for in a refresh.
    pub peeks_max: usize,
    /// How long they are waited for together.
    pub peek_wait: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            refresh: Duration::from_secs(15),
            requests_max: 16,
            operations_max: 1_000,
            full_look: Duration::from_secs(3_600),
            polls_max: 30,
            poll_wait: Duration::from_millis(100),
            peeks_max: 256,
            peek_wait: Duration::from_secs(3),
        }
    }
}

impl Context {
    /// A context by the settings.
    #[must_use]
    pub fn new(
        settings: &Settings,
        kafka: Arc<dyn Kafka>,
        objects: Arc<dyn Objects>,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let backup = |(name, backup): (&BackupName, &BackupSettings)| Backup {
            name: name.as_str().into(),
            topics: backup.topics.clone(),
        };
        Context {
            kafka,
            objects,
            clock,
            backups: settings.backups.iter().map(backup).collect(),
            metrics_topic: settings.metrics.topic.as_str().into(),
            own_topics: settings.own_topics().map(Into::into).to_vec(),
            locations: settings.locations.keys().map(|name| name.as_str().to_owned()).collect(),
            windows: settings.metrics.windows(),
            partition_series_max: settings.metrics.partition_series_max as usize,
            runs: RunLog::new(NAME, Some(store.clone())),
            store,
            limits: Limits { refresh: Duration::from_secs(settings.metrics.refresh_s.into()), ..Limits::default() },
        }
    }

    pub(crate) fn selects(&self, backup: &Backup, topic: &str) -> bool {
        let own: Vec<&str> = self.own_topics.iter().map(|topic| &**topic).collect();
        backup.topics.selects(topic, &own)
    }

    /// Writes to the store, a bounded number of operations at a time.
    pub(crate) async fn apply(&self, operations: &[Operation]) -> Result<(), MonitorError> {
        for part in operations.chunks(self.limits.operations_max.max(1)) {
            self.store.apply(&[], part).await?;
        }
        Ok(())
    }

    pub(crate) fn refresh_ms(&self) -> i64 {
        i64::try_from(self.limits.refresh.as_millis()).unwrap_or(i64::MAX)
    }
}
