//! The families of backups: what there is a series for, and where its value comes from.

use std::{collections::BTreeMap, sync::Arc};

use prometheus::proto::{LabelPair, Metric, MetricFamily, MetricType};

use super::{encode, family, label, metric, number, seconds};
use crate::{
    job::Word,
    metrics::view::{PartitionView, TopicView},
};

/// One backup and its topics, as the page shows them.
pub type BackupView = (Arc<str>, BTreeMap<Arc<str>, TopicView>);

/// The page for these backups. Only when there are several does every series carry the label `backup`. With more than so many
/// partitions none has series of its own.
#[must_use]
pub fn page(backups: &[BackupView], partition_series_max: usize) -> String {
    let partitions: usize = backups.iter().map(|(_, topics)| partitions(topics)).sum();
    let by_topic = partitions > partition_series_max;
    let families: Vec<MetricFamily> = FAMILIES
        .iter()
        .map(|family| family.of(backups, by_topic))
        .filter(|family| !family.get_metric().is_empty())
        .collect();
    encode(&families)
}

fn partitions(topics: &BTreeMap<Arc<str>, TopicView>) -> usize {
    topics.values().filter(|topic| topic.live).map(|topic| topic.partitions.len()).sum()
}

struct Family {
    name: &'static str,
    kind: MetricType,
    help: &'static str,
    series: Series,
}

/// What a family has a series for, and where its value comes from.
enum Series {
    Topic(fn(&TopicView) -> Option<f64>),
    /// A count over all chains of a topic, which must all be known.
    Count(fn(&TopicView) -> u64),
    /// With too many of them, by topic: put together, or not at all.
    Partition(fn(&PartitionView) -> Option<f64>, Option<fn(f64, f64) -> f64>),
    /// One for a backup, where it has topics.
    Backup(fn(&BTreeMap<Arc<str>, TopicView>, bool) -> f64),
    Word(fn(&BTreeMap<Arc<str>, TopicView>, Word) -> f64),
}

/// What every family is called.
#[cfg(test)]
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    FAMILIES.iter().map(|family| family.name)
}

const FAMILIES: &[Family] = &[
    gauge(
        "backup_sink_bytes_count",
        "Total number of bytes present in the storage (affected by chosen compression algorithm)",
        Series::Count(|topic| topic.present.stored_bytes),
    ),
    counter(
        "backup_sink_bytes_count_total",
        "Total number of bytes present in the storage, including expired segments (affected by chosen compression algorithm)",
        Series::Count(|topic| topic.totals.stored_bytes),
    ),
    counter(
        "backup_sink_jobs_count",
        "Total number of records sent to the storage since program start",
        Series::Topic(|topic| number(topic.running?.jobs_count)),
    ),
    gauge(
        "backup_sink_jobs_idleratio",
        "Indicator of time spent idle: 0=fully busy, 1=fully idle",
        Series::Topic(|topic| Some(topic.running?.idle_ratio)),
    ),
    counter(
        "backup_sink_offset",
        "Last offset backed-up for each topic's partition",
        Series::Partition(|partition| Some(partition.last_offset?.0 as f64), None),
    ),
    gauge(
        "backup_sink_records_count",
        "Total number of records present in the storage sink",
        Series::Count(|topic| topic.present.records),
    ),
    counter(
        "backup_sink_records_count_total",
        "Total number of records written to the storage sink, including expired segments",
        Series::Count(|topic| topic.totals.records),
    ),
    counter(
        "backup_sink_records_filtered_count",
        "Total number of records filtered out (user-defined filters, plugins, ...)",
        Series::Count(|topic| topic.totals.filtered),
    ),
    gauge(
        "backup_sink_records_size",
        "Total size of backup'd records (key + headers + payload)",
        Series::Count(|topic| topic.present.record_bytes),
    ),
    counter(
        "backup_sink_records_size_total",
        "Total size of backup'd records (key + headers + payload), including expired segments",
        Series::Count(|topic| topic.totals.record_bytes),
    ),
    gauge(
        "backup_sink_segments_count",
        "Number of segments (.kan files) written to the storage",
        Series::Count(|topic| topic.present.segments),
    ),
    counter(
        "backup_sink_segments_count_total",
        "Number of segments (.kan files) written to the storage, including expired segments",
        Series::Count(|topic| topic.totals.segments),
    ),
    gauge(
        "backup_state",
        "State of this topic's backup task: 0=Created, 1xx=Running, 2xx=Paused, 3xx=Backoff, 8xx=Done, 9xx=Failed",
        Series::Topic(|topic| topic.live.then(|| topic.state.code().into())),
    ),
    gauge(
        "backup_topic_partition_progress",
        "Progress of a topic's partition backup as a number between 0 and 1",
        Series::Partition(|partition| partition.progress, None),
    ),
    gauge(
        "backup_topic_progress",
        "Overall progress of a topic's backup as a number between 0 and 1",
        Series::Topic(|topic| topic.progress),
    ),
    counter(
        "highwater_backup_gap_offsets_total",
        "Offsets in declared gaps: Kafka had deleted them before they were stored",
        Series::Count(|topic| topic.totals.gap_offsets),
    ),
    counter(
        "highwater_backup_gaps_total",
        "Declared gaps: ranges that Kafka had deleted before they were stored",
        Series::Count(|topic| topic.totals.gaps),
    ),
    gauge(
        "highwater_backup_lag_bytes",
        "Estimated size of what is in the log and not in the storage: its records times their mean size so far",
        Series::Partition(|partition| partition.lag?.bytes, Some(|a, b| a + b)),
    ),
    gauge(
        "highwater_backup_lag_records",
        "Offsets of the log, as it was last observed, that are not in the storage: at most so many records",
        Series::Partition(|partition| number(partition.lag?.records), Some(|a, b| a + b)),
    ),
    gauge(
        "highwater_backup_lag_seconds",
        "Age of the oldest record that is not in the storage",
        Series::Partition(|partition| partition.lag?.seconds, Some(f64::max)),
    ),
    gauge(
        "highwater_backup_last_gap_timestamp_seconds",
        "When the latest gap was declared",
        Series::Topic(|topic| topic.last_gap_at.map(seconds)),
    ),
    gauge(
        "highwater_backup_last_segment_timestamp_seconds",
        "When the last segment was written to the storage",
        Series::Partition(|partition| partition.last_segment_at.map(seconds), None),
    ),
    gauge(
        "highwater_backup_log_diverged_offset",
        "First offset at which the log is another one than what is stored: the backup waits for a person",
        Series::Partition(|partition| Some(partition.diverged_from?.0 as f64), None),
    ),
    gauge(
        "highwater_backup_open_transaction_seconds",
        "For how long an open transaction has held back what can be stored; 0: none does",
        Series::Partition(
            |partition| partition.lag.map(|_| partition.open_transaction.map_or(0.0, |open| open.seconds)),
            Some(f64::max),
        ),
    ),
    gauge(
        "highwater_backup_seconds_to_loss",
        "Time until Kafka's retention, by age and size, may delete the oldest record that is not in the storage: +Inf while nothing is at risk",
        Series::Partition(|partition| partition.lag?.seconds_to_loss, Some(f64::min)),
    ),
    counter(
        "highwater_filter_errors_total",
        "Records that the backup's filter could not judge, which are kept",
        Series::Topic(|topic| number(topic.totals.filter_errors)),
    ),
    gauge(
        "highwater_backup_unreadable_partitions",
        "Partitions whose last segment cannot be read in the storage: they have no figures, and their topic no counts",
        Series::Topic(|topic| Some(topic.unreadable as f64)),
    ),
    gauge(
        "highwater_job_stale",
        "1 when a backup task has not said in time how it is: its backup_state then leaves it out",
        Series::Topic(|topic| topic.live.then(|| f64::from(u8::from(topic.stale)))),
    ),
    gauge(
        "highwater_partition_series_left_out",
        "Partitions without series of their own, because there are more than metrics.partition_series_max",
        Series::Backup(|topics, by_topic| if by_topic { partitions(topics) as f64 } else { 0.0 }),
    ),
    gauge(
        "jobs_state",
        "Number of jobs in a given running state",
        Series::Word(|topics, word| {
            topics.values().filter(|topic| topic.live && topic.state.word() == word).count() as f64
        }),
    ),
];

const fn gauge(name: &'static str, help: &'static str, series: Series) -> Family {
    Family { name, kind: MetricType::GAUGE, help, series }
}

const fn counter(name: &'static str, help: &'static str, series: Series) -> Family {
    Family { name, kind: MetricType::COUNTER, help, series }
}

impl Family {
    fn of(&self, backups: &[BackupView], by_topic: bool) -> MetricFamily {
        let several = backups.len() > 1;
        let metrics = backups.iter().flat_map(|(backup, topics)| {
            let shared = several.then(|| label("backup", backup));
            self.metrics(shared.as_slice(), topics, by_topic)
        });
        family(self.name, self.kind, self.help, metrics.collect())
    }

    fn metrics(&self, labels: &[LabelPair], topics: &BTreeMap<Arc<str>, TopicView>, by_topic: bool) -> Vec<Metric> {
        match self.series {
            Series::Topic(value) => topics
                .iter()
                .filter_map(|(name, topic)| Some(self.metric(labels, &[("topic", name)], value(topic)?)))
                .collect(),
            Series::Count(value) => topics
                .iter()
                .filter(|(_, topic)| topic.unreadable == 0)
                .filter_map(|(name, topic)| Some(self.metric(labels, &[("topic", name)], number(value(topic))?)))
                .collect(),
            Series::Backup(_) if topics.is_empty() => vec![],
            Series::Backup(value) => vec![self.metric(labels, &[], value(topics, by_topic))],
            Series::Partition(_, None) if by_topic => vec![],
            Series::Partition(value, Some(together)) if by_topic => topics
                .iter()
                .filter(|(_, topic)| topic.live)
                .filter_map(|(name, topic)| {
                    let values: Option<Vec<f64>> = topic.partitions.values().map(value).collect();
                    Some(self.metric(labels, &[("topic", name)], values?.into_iter().reduce(together)?))
                })
                .collect(),
            Series::Partition(value, _) => topics
                .iter()
                .filter(|(_, topic)| topic.live)
                .flat_map(|(name, topic)| {
                    topic.partitions.iter().map(move |(number, partition)| (name, number, partition))
                })
                .filter_map(|(name, number, partition)| {
                    let number = number.to_string();
                    Some(self.metric(labels, &[("topic", name), ("partition", &number)], value(partition)?))
                })
                .collect(),
            Series::Word(value) => Word::ALL
                .into_iter()
                .map(|word| self.metric(labels, &[("state", &word.to_string())], value(topics, word)))
                .collect(),
        }
    }

    fn metric(&self, shared: &[LabelPair], own: &[(&str, &str)], value: f64) -> Metric {
        let own = own.iter().map(|(name, text)| label(name, text));
        metric(self.kind, shared.iter().cloned().chain(own).collect(), value)
    }
}
