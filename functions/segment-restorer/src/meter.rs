//! How far a restore is, for whoever shows it while it runs: what is committed, from all runs together.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use shared::{
    record::{Offset, Partition},
    restore::{
        Selection, SourcePartition,
        progress::{Counts, Position},
    },
};

/// How far a restore is.
#[derive(Debug, Default)]
pub struct Meter {
    topics: Mutex<BTreeMap<Arc<str>, TopicMeter>>,
}

/// How far a topic is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TopicMeter {
    /// Its source partitions that are restored.
    pub partitions: BTreeMap<Partition, PartitionMeter>,
    /// The same when this run began.
    pub begun: BTreeMap<Partition, PartitionMeter>,
    /// What failed in this run.
    pub errors: u64,
}

/// How far a source partition is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionMeter {
    /// Where the restore of it begins.
    pub from: Offset,
    /// Everything below is committed, or is not restored.
    pub next: Offset,
    /// Where it is done.
    pub end: Offset,
    /// What is committed.
    pub counts: Counts,
    /// Records of the segments that are read.
    pub records_max: u64,
    /// Their bytes.
    pub record_bytes_max: u64,
    /// Where each segment that is read ends.
    pub segment_ends: Arc<[Offset]>,
}

impl Meter {
    /// Records that are done, and how many there are at most.
    #[must_use]
    pub fn records(&self) -> (u64, u64) {
        let topics = self.topics();
        let all = || topics.iter().flat_map(|(_, topic)| topic.partitions.values());
        let done = |it: &PartitionMeter| it.counts.records + it.counts.filtered;
        (all().map(done).sum(), all().map(|it| it.records_total() + it.counts.filtered).sum())
    }

    /// The topics that were begun, by the names of their targets.
    #[must_use]
    pub fn topics(&self) -> Vec<(Arc<str>, TopicMeter)> {
        self.by_topic().iter().map(|(topic, meter)| (topic.clone(), meter.clone())).collect()
    }

    /// How far one topic is; `None` before it was begun.
    pub(crate) fn topic(&self, target: &str) -> Option<TopicMeter> {
        self.by_topic().get(target).cloned()
    }

    /// What was restored before belongs to another run.
    pub(crate) fn begin(&self) {
        self.by_topic().clear();
    }

    /// A topic is begun.
    pub(crate) fn expect(&self, target: &Arc<str>, partitions: BTreeMap<Partition, PartitionMeter>) {
        self.by_topic().insert(target.clone(), TopicMeter { begun: partitions.clone(), partitions, errors: 0 });
    }

    /// A transaction is committed.
    pub(crate) fn committed(&self, target: &str, moved: &BTreeMap<Partition, Position>) {
        let mut topics = self.by_topic();
        let Some(topic) = topics.get_mut(target) else { return };
        for (partition, position) in moved {
            if let Some(meter) = topic.partitions.get_mut(partition) {
                (meter.next, meter.counts) = (position.next, position.counts);
            }
        }
    }

    /// Something failed.
    pub(crate) fn failed(&self, target: &Arc<str>) {
        self.by_topic().entry(target.clone()).or_default().errors += 1;
    }

    fn by_topic(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, TopicMeter>> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PartitionMeter {
    /// A partition as its restore begins or goes on.
    pub(crate) fn new(source: &SourcePartition, selection: &Selection, position: Option<&Position>) -> Self {
        let bound = source.upper_bound(selection);
        let from = selection.offsets.from.unwrap_or(source.floor.base);
        PartitionMeter {
            from,
            next: position.map_or(from, |it| it.next),
            end: source.end(selection),
            counts: position.map(|it| it.counts).unwrap_or_default(),
            records_max: bound.records,
            record_bytes_max: bound.record_bytes,
            segment_ends: source.needed(selection).map(|segment| segment.metadata.next).collect(),
        }
    }

    /// Whether everything that was asked for is committed.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.next >= self.end
    }

    /// How many records there are to restore: at most so many until it is done, then exactly.
    #[must_use]
    pub fn records_total(&self) -> u64 {
        match self.is_done() {
            true => self.counts.records,
            false => self.records_max.saturating_sub(self.counts.filtered).max(self.counts.records),
        }
    }

    /// Their bytes.
    #[must_use]
    pub fn record_bytes_total(&self) -> u64 {
        if self.is_done() { self.counts.record_bytes } else { self.record_bytes_max.max(self.counts.record_bytes) }
    }

    /// How many segments are restored to their end.
    #[must_use]
    pub fn segments(&self) -> u64 {
        let done = self.is_done();
        self.segment_ends.iter().filter(|end| done || **end <= self.next).count() as u64
    }

    /// From 0 to 1, by offsets.
    #[must_use]
    pub fn progress(&self) -> f64 {
        share(self.done(), self.length(), self.is_done())
    }

    fn done(&self) -> u64 {
        u64::try_from(self.next.0.min(self.end.0) - self.from.0).unwrap_or(0)
    }

    fn length(&self) -> u64 {
        u64::try_from(self.end.0 - self.from.0).unwrap_or(0)
    }
}

impl TopicMeter {
    /// From 0 to 1, by offsets: 1 when, and only when, everything that was asked for is committed.
    #[must_use]
    pub fn progress(&self) -> f64 {
        let sum = |of: fn(&PartitionMeter) -> u64| self.sum(of);
        let done = self.partitions.values().all(PartitionMeter::is_done);
        share(sum(PartitionMeter::done), sum(PartitionMeter::length), done)
    }

    /// The topic when this run began.
    #[must_use]
    pub fn as_begun(&self) -> TopicMeter {
        TopicMeter { partitions: self.begun.clone(), ..TopicMeter::default() }
    }

    /// A sum over the partitions.
    #[must_use]
    pub fn sum(&self, of: fn(&PartitionMeter) -> u64) -> u64 {
        self.partitions.values().map(of).fold(0, u64::saturating_add)
    }
}

/// Rounding never makes a whole of what is not.
fn share(part: u64, whole: u64, is_whole: bool) -> f64 {
    if is_whole { 1.0 } else { (part as f64 / whole as f64).min(1.0 - f64::EPSILON) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(from: i64, next: i64, end: i64) -> PartitionMeter {
        PartitionMeter {
            from: Offset(from),
            next: Offset(next),
            end: Offset(end),
            counts: Counts { records: 90, filtered: 10, record_bytes: 900, ..Counts::default() },
            records_max: 400,
            record_bytes_max: 4_000,
            segment_ends: [Offset(50), Offset(100), Offset(200)].into(),
        }
    }

    fn topic(partitions: &[PartitionMeter]) -> TopicMeter {
        let partitions = (0..).map(Partition).zip(partitions.iter().cloned()).collect();
        TopicMeter { partitions, ..TopicMeter::default() }
    }

    #[test]
    fn progress_goes_by_offsets_and_is_one_only_when_the_last_record_of_all_is_committed() {
        assert_eq!(topic(&[partition(0, 25, 100), partition(100, 125, 200)]).progress(), 0.25);
        let huge = partition(0, i64::MAX - 1, i64::MAX);
        assert!(huge.progress() < 1.0 && topic(&[huge.clone(), partition(0, 5, 5)]).progress() < 1.0);
        assert_eq!(topic(&[PartitionMeter { next: huge.end, ..huge }]).progress(), 1.0);
    }

    #[test]
    fn a_partition_without_anything_to_restore_is_done() {
        assert_eq!(partition(70, 70, 70).progress(), 1.0);
        assert_eq!(partition(70, 70, 20).progress(), 1.0, "it begins behind the end of the backup");
    }

    #[test]
    fn how_much_there_is_is_a_bound_that_filtered_records_lower_and_exact_in_the_end() {
        let under_way = partition(0, 100, 200);
        assert_eq!((under_way.records_total(), under_way.record_bytes_total(), under_way.segments()), (390, 4_000, 2));
        let done = partition(0, 200, 200);
        assert_eq!((done.records_total(), done.record_bytes_total(), done.segments()), (90, 900, 3));
    }

    #[test]
    fn a_restore_that_goes_on_counts_what_was_committed_before() {
        let meter = Meter::default();
        let target: Arc<str> = "copy".into();
        meter.expect(&target, BTreeMap::from([(Partition(0), partition(0, 100, 200))]));
        assert_eq!(meter.records(), (100, 400));
        let position = Position { next: Offset(200), counts: Counts { records: 300, ..Counts::default() } };
        meter.committed(&target, &BTreeMap::from([(Partition(0), position)]));
        assert_eq!(meter.records(), (300, 300));
    }
}
