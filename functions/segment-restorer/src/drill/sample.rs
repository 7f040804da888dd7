//! Which segments a sample takes. Everything is chosen by the moment at which the drill began, so that drills on a schedule
//! come to see other parts of the backup each time.

use std::collections::BTreeMap;

use shared::{
    record::{Millis, Offset, Partition},
    restore::plan::PartitionRule,
};

/// So many topics at most.
const TOPICS_MAX: usize = 8;
/// So many partitions of each.
const PARTITIONS_MAX: usize = 4;
/// So many bytes of segments of each partition, but one segment at least.
const SEGMENT_BYTES_MAX: u64 = 32 << 20;

/// The segments of a partition in order: where each begins, and how large it is.
pub(super) type Listed = Vec<(Offset, u64)>;

/// Consecutive segments of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    /// Where the first begins; `None`: where the chain does.
    pub(super) from: Option<Offset>,
    /// Where the one behind the last begins; `None`: there is none.
    pub(super) until: Option<Offset>,
    /// How many segments the partition has.
    pub(super) segments_total: usize,
}

impl Window {
    /// All segments.
    pub(super) fn whole(listed: &Listed) -> Self {
        Window { from: None, until: None, segments_total: listed.len() }
    }

    /// The same for a plan.
    pub(super) fn rule(&self, number: Partition) -> PartitionRule {
        PartitionRule { number, from_offset: self.from, until_offset: self.until }
    }
}

/// Some of the topics.
pub(super) fn topics<T: Clone>(all: &[T], at: Millis) -> Vec<T> {
    some(all, TOPICS_MAX, at)
}

/// Some segments of some partitions.
pub(super) fn windows(listed: &BTreeMap<Partition, Listed>, at: Millis) -> BTreeMap<Partition, Window> {
    let partitions: Vec<_> = listed.iter().collect();
    some(&partitions, PARTITIONS_MAX, at).into_iter().map(|(number, all)| (*number, window(all, at))).collect()
}

fn window(listed: &Listed, at: Millis) -> Window {
    let first = beginning(listed.len(), at);
    let mut bytes = 0_u64;
    let fits = |(_, size): &&(Offset, u64)| {
        bytes = bytes.saturating_add(*size);
        bytes <= SEGMENT_BYTES_MAX
    };
    let segments = listed.iter().skip(first).take_while(fits).count().max(1);
    let base = |index: usize| listed.get(index).map(|(base, _)| *base);
    let from = if first == 0 { None } else { base(first) };
    Window { from, until: base(first + segments), segments_total: listed.len() }
}

/// At most `count` of them, one behind the other, and behind the last the first.
fn some<T: Clone>(all: &[T], count: usize, at: Millis) -> Vec<T> {
    all.iter().cycle().skip(beginning(all.len(), at)).take(count.min(all.len())).cloned().collect()
}

fn beginning(length: usize, at: Millis) -> usize {
    let length = i64::try_from(length).unwrap_or(i64::MAX).max(1);
    usize::try_from(at.0.rem_euclid(length)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn listed(sizes_mib: &[u64]) -> Listed {
        (0..).zip(sizes_mib).map(|(number, size)| (Offset(number * 10), size * MIB)).collect()
    }

    fn at(ms: i64, sizes_mib: &[u64]) -> (Option<i64>, Option<i64>) {
        let window = window(&listed(sizes_mib), Millis(ms));
        (window.from.map(|it| it.0), window.until.map(|it| it.0))
    }

    #[test]
    fn a_window_takes_what_fits_and_never_nothing() {
        assert_eq!(at(0, &[20, 12, 1]), (None, Some(20)));
        assert_eq!(at(1, &[20, 12, 1]), (Some(10), None));
        assert_eq!(at(2, &[20, 12, 1]), (Some(20), None));
        assert_eq!(at(3, &[500, 1]), (Some(10), None));
        assert_eq!(at(4, &[500, 1]), (None, Some(10)));
    }

    #[test]
    fn drills_at_all_moments_see_every_topic_partition_and_segment() {
        let all: BTreeMap<_, _> = (0..9).map(|number| (Partition(number), listed(&[30; 5]))).collect();
        let mut seen = std::collections::BTreeSet::new();
        for ms in 0..45 {
            let windows = windows(&all, Millis(ms));
            assert_eq!(windows.len(), PARTITIONS_MAX);
            seen.extend(windows.into_iter().map(|(number, window)| (number, window.from)));
            assert_eq!(topics(&[1, 2, 3], Millis(ms)).len(), 3);
        }
        assert_eq!(seen.len(), 45);
        assert!(topics::<u8>(&[], Millis(7)).is_empty());
    }
}
