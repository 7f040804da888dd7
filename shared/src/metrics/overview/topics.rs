//! Topics and partitions as rows.

use serde::Serialize;

use super::{Seconds, Severity, findings};
use crate::{
    job::State,
    metrics::view::{PartitionView, TopicView},
    record::{Millis, Partition},
};

/// A topic of a backup.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TopicRow {
    /// Its name.
    pub topic: String,
    /// Which topic of that name this is, from 1; `null` while nothing of it is stored.
    pub incarnation: Option<u32>,
    /// How bad it is.
    pub level: Severity,
    /// Whether the topic is there, as far as is known.
    pub live: bool,
    /// The number of its state, as `backup_state` shows it.
    pub state: u16,
    /// The state in a word.
    pub state_word: String,
    /// Whether somebody who should say how it is has fallen silent.
    pub stale: bool,
    /// From 0 to 1.
    pub progress: Option<f64>,
    /// How many partitions it has.
    pub partitions: usize,
    /// Offsets of the log that are not stored, over all partitions.
    pub lag_records: Option<String>,
    /// The age of the oldest record that is not stored.
    pub lag_seconds: Option<f64>,
    /// Until Kafka may delete it.
    pub seconds_to_loss: Option<Seconds>,
    /// When its last segment was written.
    pub last_segment_at: Option<Millis>,
    /// Records in the storage.
    pub records: Option<String>,
    /// Their size in the storage.
    pub stored_bytes: Option<String>,
    /// Segments in the storage.
    pub segments: Option<String>,
    /// Declared gaps, ever.
    pub gaps: String,
    /// Offsets in them.
    pub gap_offsets: String,
    /// When the last one was declared.
    pub last_gap_at: Option<Millis>,
}

/// A partition of a topic.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PartitionRow {
    /// Its number.
    pub partition: Partition,
    /// The number of its state; `null` where nobody says how it is.
    pub state: Option<u16>,
    /// The state in a word.
    pub state_word: Option<String>,
    /// From 0 to 1.
    pub progress: Option<f64>,
    /// The last stored offset.
    pub last_offset: Option<String>,
    /// Where the log starts.
    pub log_start: Option<String>,
    /// Where the log ends.
    pub log_end: Option<String>,
    /// Offsets that are not stored.
    pub lag_records: Option<String>,
    /// The age of the oldest record that is not stored.
    pub lag_seconds: Option<f64>,
    /// Until Kafka may delete it.
    pub seconds_to_loss: Option<Seconds>,
    /// When its last segment was written.
    pub last_segment_at: Option<Millis>,
    /// The first record of the open transaction that holds its end back; `null` where none does.
    pub open_transaction_offset: Option<String>,
    /// For how long that has been open.
    pub open_transaction_seconds: Option<f64>,
}

impl TopicRow {
    /// The row of a topic.
    pub(super) fn of(name: &str, topic: &TopicView, now: Millis) -> Self {
        let lags = || topic.partitions.values().map(|partition| partition.lag);
        let records: Option<Vec<u64>> = lags().map(|lag| Some(lag?.records)).collect();
        let seconds: Option<Vec<f64>> = lags().map(|lag| lag?.seconds).collect();
        let to_loss: Option<Vec<f64>> = lags().map(|lag| lag?.seconds_to_loss).collect();
        let count = |number: u64| (topic.unreadable == 0).then(|| number.to_string());
        TopicRow {
            topic: name.to_owned(),
            incarnation: topic.incarnation,
            level: findings::level(topic, now),
            live: topic.live,
            state: topic.state.code(),
            state_word: word(topic.state),
            stale: topic.stale,
            progress: topic.progress,
            partitions: topic.partitions.len(),
            lag_records: records.map(|all| all.into_iter().fold(0, u64::saturating_add).to_string()),
            lag_seconds: seconds.and_then(|all| all.into_iter().reduce(f64::max)),
            seconds_to_loss: to_loss.and_then(|all| all.into_iter().reduce(f64::min)).map(Seconds),
            last_segment_at: topic.partitions.values().filter_map(|partition| partition.last_segment_at).max(),
            records: count(topic.present.records),
            stored_bytes: count(topic.present.stored_bytes),
            segments: count(topic.present.segments),
            gaps: topic.totals.gaps.to_string(),
            gap_offsets: topic.totals.gap_offsets.to_string(),
            last_gap_at: topic.last_gap_at,
        }
    }
}

impl PartitionRow {
    /// The row of a partition.
    pub(super) fn of(partition: Partition, view: &PartitionView) -> Self {
        PartitionRow {
            partition,
            state: view.state.map(State::code),
            state_word: view.state.map(word),
            progress: view.progress,
            last_offset: view.last_offset.map(|offset| offset.to_string()),
            log_start: view.log_start.map(|offset| offset.to_string()),
            log_end: view.log_end.map(|offset| offset.to_string()),
            lag_records: view.lag.map(|lag| lag.records.to_string()),
            lag_seconds: view.lag.and_then(|lag| lag.seconds),
            seconds_to_loss: view.lag.and_then(|lag| lag.seconds_to_loss).map(Seconds),
            last_segment_at: view.last_segment_at,
            open_transaction_offset: view.open_transaction.map(|open| open.offset.to_string()),
            open_transaction_seconds: view.open_transaction.map(|open| open.seconds),
        }
    }
}

/// A state as people call it.
fn word(state: State) -> String {
    match state {
        State::STREAMING => "Up to date".to_owned(),
        State::CATCHING_UP => "Catching up".to_owned(),
        other => other.word().to_string(),
    }
}
