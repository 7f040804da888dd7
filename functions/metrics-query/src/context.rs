//! What the function needs of the world.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use shared::{
    config::{BackupSettings, Settings},
    metrics::backbeat::keys::Windows,
    ports::{clock::Clock, store::Store},
    web::guard::Guard,
};

/// The world as the function sees it.
#[derive(Clone)]
pub struct Context {
    /// Where the figures are.
    pub store: Arc<dyn Store>,
    /// The time of a question.
    pub clock: Arc<dyn Clock>,
    /// The configured backups, by name.
    pub backups: Vec<Arc<str>>,
    /// The replication locations, by name.
    pub locations: Vec<String>,
    /// How time is cut.
    pub windows: Windows,
    /// Whether the counters of changes come from Kafka through metrics-consumer: then they are whole only in a complete
    /// epoch. Without Kafka they are what others wrote.
    pub counts_changes: bool,
    /// How many partitions have series of their own.
    pub partition_series_max: usize,
    /// Who may ask by an event. The runner's listeners have guards of their own.
    pub guard: Guard,
    /// What the configuration expects to see.
    pub expected: Expected,
}

/// What the configuration expects to see among the figures.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expected {
    /// The topics that each backup asks for by their names.
    pub topics: BTreeMap<Arc<str>, Vec<String>>,
    /// How often log ends are observed.
    pub refresh: Duration,
}

impl Context {
    /// A context by the settings.
    #[must_use]
    pub fn new(settings: &Settings, store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Context {
            store,
            clock,
            backups: settings.backups.keys().map(|name| name.as_str().into()).collect(),
            locations: settings.locations.keys().map(|name| name.as_str().to_owned()).collect(),
            windows: settings.metrics.windows(),
            counts_changes: settings.kafka.is_some(),
            partition_series_max: settings.metrics.partition_series_max as usize,
            guard: Guard::of_events(&settings.listen),
            expected: Expected::of(settings),
        }
    }
}

impl Expected {
    fn of(settings: &Settings) -> Self {
        let names = |backup: &BackupSettings| backup.topics.literal_names().map(str::to_owned).collect();
        let topics = settings.backups.iter().map(|(name, backup)| (name.as_str().into(), names(backup)));
        Expected { topics: topics.collect(), refresh: Duration::from_secs(settings.metrics.refresh_s.into()) }
    }
}
