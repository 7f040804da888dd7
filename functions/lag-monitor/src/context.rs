//! What the function has at hand.

use std::{sync::Arc, time::Duration};

use shared::{
    config::{BackupName, BackupSettings, Settings, selection::TopicSelection},
    ports::{clock::Clock, objects::Objects, records::Kafka, store::Store},
};

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
    /// The topic that standings and log ends go to.
    pub metrics_topic: Arc<str>,
    /// Our own topics: no pattern selects them.
    pub own_topics: Vec<Arc<str>>,
    /// How long and how much.
    pub limits: Limits,
}

/// One configured backup.
#[derive(Debug, Clone)]
pub struct Backup {
    /// Its name.
    pub name: Arc<str>,
    /// Which topics it takes.
    pub topics: TopicSelection,
}

/// How long and how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The time between two refreshes.
    pub refresh: Duration,
    /// Requests to the storage at the same time.
    pub requests_max: usize,
    /// Messages in one publication.
    pub messages_max: usize,
    /// How often the store is asked, within a refresh, whether what was sent has arrived.
    pub arrival_polls_max: u32,
    /// The time between two such questions.
    pub arrival_poll_wait: Duration,
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
            messages_max: 1_000,
            arrival_polls_max: 30,
            arrival_poll_wait: Duration::from_millis(100),
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
            store,
            clock,
            backups: settings.backups.iter().map(backup).collect(),
            metrics_topic: settings.metrics.topic.as_str().into(),
            own_topics: settings.own_topics().map(Into::into).to_vec(),
            limits: Limits { refresh: Duration::from_secs(settings.metrics.refresh_s.into()), ..Limits::default() },
        }
    }

    pub(crate) fn selects(&self, backup: &Backup, topic: &str) -> bool {
        let own: Vec<&str> = self.own_topics.iter().map(|topic| &**topic).collect();
        backup.topics.selects(topic, &own)
    }

    pub(crate) fn refresh_ms(&self) -> i64 {
        i64::try_from(self.limits.refresh.as_millis()).unwrap_or(i64::MAX)
    }
}
