//! From the settings to what the function works with.

use std::{sync::Arc, time::Duration};

use shared::{
    config::{Settings, kafka::RECORD_BYTES_MAX},
    ports::{clock::Clock, objects::Objects, records::Kafka},
    replication::Outgoing,
    rollover::Rollover,
};

use crate::{Backup, Context, Limits};

impl Context {
    /// A context by the settings. `instance` is this process's name, which no other run of it has.
    #[must_use]
    pub fn of(
        settings: &Settings,
        kafka: Arc<dyn Kafka>,
        objects: Arc<dyn Objects>,
        clock: Arc<dyn Clock>,
        instance: &str,
    ) -> Arc<Self> {
        let refresh = Duration::from_secs(settings.metrics.refresh_s.into());
        let partial_answers = settings.lambda.report_batch_item_failures;
        let record_bytes_max = settings.kafka.as_ref().map_or(RECORD_BYTES_MAX, |kafka| kafka.record_bytes_max).0;
        let memory_bytes_max = settings.writer.memory_bytes_max.0;
        let limits = Limits { refresh, partial_answers, record_bytes_max, memory_bytes_max, ..Limits::default() };
        let topic = &settings.metrics.topic;
        let outgoing = Outgoing::of(settings, kafka.clone(), objects.clone(), clock.clone());
        Context::new(kafka, objects, clock, Backup::all(settings), topic, instance, limits).replicating(outgoing)
    }
}

impl Backup {
    /// The configured backups.
    #[must_use]
    pub fn all(settings: &Settings) -> Vec<Backup> {
        let backup = |(name, backup): (&shared::config::BackupName, &shared::config::BackupSettings)| Backup {
            name: name.to_string(),
            topics: backup.topics.clone(),
            rollover: Rollover { bytes_max: backup.segment.bytes_max.0, age_max: backup.segment.age_max.0 },
            compression: backup.segment.compression,
            seal_key: backup.integrity.seal_key(),
            former_seal_keys: backup.integrity.rule().map_or_else(Vec::new, |mut rule| rule.keys.split_off(1)),
            filters: backup.filters.iter().map(|filter| (filter.topics.clone(), filter.keep.clone())).collect(),
        };
        settings.backups.iter().map(backup).collect()
    }
}
