//! The families of backups: what there is a series for, and where its value comes from.

use std::{collections::BTreeMap, sync::Arc};

use prometheus::proto::{LabelPair, MetricFamily};

use super::{Sample, encode, family, label, number, seconds};
use crate::{
    job::Word,
    metrics::{
        registry,
        view::{PartitionView, TopicView},
    },
};

/// One backup and its topics, as the page shows them.
pub type BackupView = (Arc<str>, BTreeMap<Arc<str>, TopicView>);

/// The page for these backups. Only when there are several does every series carry the label `backup`. With more than so many
/// partitions none has series of its own.
#[must_use]
pub fn page(backups: &[BackupView], partition_series_max: usize) -> String {
    let partitions: usize = backups.iter().map(|(_, topics)| partitions(topics)).sum();
    let by_topic = partitions > partition_series_max;
    encode(FAMILIES.iter().map(|(metric, series)| series.of(*metric, backups, by_topic)))
}

fn partitions(topics: &BTreeMap<Arc<str>, TopicView>) -> usize {
    topics.values().filter(|topic| topic.live).map(|topic| topic.partitions.len()).sum()
}

/// What a metric has a series for, and where its value comes from.
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

/// The metrics, in the order of the page.
const FAMILIES: &[(registry::Metric, Series)] = &[
    (registry::BACKUP_SINK_BYTES_COUNT, Series::Count(|topic| topic.present.stored_bytes)),
    (registry::BACKUP_SINK_BYTES_COUNT_TOTAL, Series::Count(|topic| topic.totals.stored_bytes)),
    (registry::BACKUP_SINK_JOBS_COUNT, Series::Topic(|topic| number(topic.running?.jobs_count))),
    (registry::BACKUP_SINK_JOBS_IDLERATIO, Series::Topic(|topic| Some(topic.running?.idle_ratio))),
    (registry::BACKUP_SINK_OFFSET, Series::Partition(|partition| Some(partition.last_offset?.0 as f64), None)),
    (registry::BACKUP_SINK_RECORDS_COUNT, Series::Count(|topic| topic.present.records)),
    (registry::BACKUP_SINK_RECORDS_COUNT_TOTAL, Series::Count(|topic| topic.totals.records)),
    (registry::BACKUP_SINK_RECORDS_FILTERED_COUNT, Series::Count(|topic| topic.totals.filtered)),
    (registry::BACKUP_SINK_RECORDS_SIZE, Series::Count(|topic| topic.present.record_bytes)),
    (registry::BACKUP_SINK_RECORDS_SIZE_TOTAL, Series::Count(|topic| topic.totals.record_bytes)),
    (registry::BACKUP_SINK_SEGMENTS_COUNT, Series::Count(|topic| topic.present.segments)),
    (registry::BACKUP_SINK_SEGMENTS_COUNT_TOTAL, Series::Count(|topic| topic.totals.segments)),
    (registry::BACKUP_STATE, Series::Topic(|topic| topic.live.then(|| topic.state.code().into()))),
    (registry::BACKUP_TOPIC_PARTITION_PROGRESS, Series::Partition(|partition| partition.progress, None)),
    (registry::BACKUP_TOPIC_PROGRESS, Series::Topic(|topic| topic.progress)),
    (registry::BACKUP_GAP_OFFSETS_TOTAL, Series::Count(|topic| topic.totals.gap_offsets)),
    (registry::BACKUP_GAPS_TOTAL, Series::Count(|topic| topic.totals.gaps)),
    (registry::BACKUP_LAG_BYTES, Series::Partition(|partition| partition.lag?.bytes, Some(|a, b| a + b))),
    (registry::BACKUP_LAG_RECORDS, Series::Partition(|partition| number(partition.lag?.records), Some(|a, b| a + b))),
    (registry::BACKUP_LAG_SECONDS, Series::Partition(|partition| partition.lag?.seconds, Some(f64::max))),
    (registry::BACKUP_LAST_GAP_TIMESTAMP_SECONDS, Series::Topic(|topic| topic.last_gap_at.map(seconds))),
    (
        registry::BACKUP_LAST_SEGMENT_TIMESTAMP_SECONDS,
        Series::Partition(|partition| partition.last_segment_at.map(seconds), None),
    ),
    (
        registry::BACKUP_LOG_DIVERGED_OFFSET,
        Series::Partition(|partition| Some(partition.diverged_from?.0 as f64), None),
    ),
    (
        registry::BACKUP_OPEN_TRANSACTION_SECONDS,
        Series::Partition(
            |partition| partition.lag.map(|_| partition.open_transaction.map_or(0.0, |open| open.seconds)),
            Some(f64::max),
        ),
    ),
    (registry::BACKUP_SECONDS_TO_LOSS, Series::Partition(|partition| partition.lag?.seconds_to_loss, Some(f64::min))),
    (registry::FILTER_ERRORS_TOTAL, Series::Topic(|topic| number(topic.totals.filter_errors))),
    (registry::BACKUP_UNREADABLE_PARTITIONS, Series::Topic(|topic| Some(topic.unreadable as f64))),
    (registry::JOB_STALE, Series::Topic(|topic| topic.live.then(|| f64::from(u8::from(topic.stale))))),
    (
        registry::PARTITION_SERIES_LEFT_OUT,
        Series::Backup(|topics, by_topic| if by_topic { partitions(topics) as f64 } else { 0.0 }),
    ),
    (
        registry::JOBS_STATE,
        Series::Word(|topics, word| {
            topics.values().filter(|topic| topic.live && topic.state.word() == word).count() as f64
        }),
    ),
];

impl Series {
    fn of(&self, metric: registry::Metric, backups: &[BackupView], by_topic: bool) -> MetricFamily {
        let several = backups.len() > 1;
        let samples = backups.iter().flat_map(|(backup, topics)| {
            let shared = several.then(|| label("backup", backup));
            self.samples(shared.as_slice(), topics, by_topic)
        });
        family(metric, samples)
    }

    fn samples(&self, shared: &[LabelPair], topics: &BTreeMap<Arc<str>, TopicView>, by_topic: bool) -> Vec<Sample> {
        let sample = |own: &[(&str, &str)], value: f64| {
            let own = own.iter().map(|(name, text)| label(name, text));
            (shared.iter().cloned().chain(own).collect(), value)
        };
        match self {
            Series::Topic(value) => {
                topics.iter().filter_map(|(name, topic)| Some(sample(&[("topic", name)], value(topic)?))).collect()
            }
            Series::Count(value) => topics
                .iter()
                .filter(|(_, topic)| topic.unreadable == 0)
                .filter_map(|(name, topic)| Some(sample(&[("topic", name)], number(value(topic))?)))
                .collect(),
            Series::Backup(_) if topics.is_empty() => vec![],
            Series::Backup(value) => vec![sample(&[], value(topics, by_topic))],
            Series::Partition(_, None) if by_topic => vec![],
            Series::Partition(value, Some(together)) if by_topic => topics
                .iter()
                .filter(|(_, topic)| topic.live)
                .filter_map(|(name, topic)| {
                    let values: Option<Vec<f64>> = topic.partitions.values().map(value).collect();
                    Some(sample(&[("topic", name)], values?.into_iter().reduce(together)?))
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
                    Some(sample(&[("topic", name), ("partition", &number)], value(partition)?))
                })
                .collect(),
            Series::Word(value) => {
                Word::ALL.into_iter().map(|word| sample(&[("state", &word.to_string())], value(topics, word))).collect()
            }
        }
    }
}
