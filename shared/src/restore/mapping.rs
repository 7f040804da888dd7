//! Where the records of a source partition came to lie in the target.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    ports::transactions::OffsetRun,
    record::{Offset, Partition},
};

/// Consecutive source offsets that are consecutive in the target too. Written as `[source, target, count]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(Offset, Offset, u64)", into = "(Offset, Offset, u64)")]
pub struct MappingRun {
    /// The first source offset.
    pub source: Offset,
    /// Where its record lies in the target.
    pub target: Offset,
    /// How many there are.
    pub count: u64,
}

impl From<(Offset, Offset, u64)> for MappingRun {
    fn from((source, target, count): (Offset, Offset, u64)) -> Self {
        MappingRun { source, target, count }
    }
}

impl From<MappingRun> for (Offset, Offset, u64) {
    fn from(run: MappingRun) -> Self {
        (run.source, run.target, run.count)
    }
}

/// Why acknowledgements do not belong to what was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// Another number of records.
    #[error("{acknowledged} records were acknowledged where {sent} were sent")]
    Count {
        /// How many were sent.
        sent: u64,
        /// How many were acknowledged.
        acknowledged: u64,
    },
    /// An order that the log does not have.
    #[error("a record was acknowledged at offset {offset}, behind one at {before}")]
    Order {
        /// The later acknowledgement.
        offset: Offset,
        /// The earlier one.
        before: Offset,
    },
}

/// Where a record came from: its source partition and offset.
pub type Origin = (Partition, Offset);

/// Lays the origins of the records that were sent to a partition, in their order, beside the offsets they got. Answers the runs
/// of each source partition.
///
/// The log keeps the order in which they were sent. So acknowledgements that ascend, and are as many, are those of the records
/// one by one.
///
/// # Errors
/// [`Mismatch`]
pub fn lay_side_by_side(
    sources: &[Origin],
    targets: &[OffsetRun],
) -> Result<BTreeMap<Partition, Vec<MappingRun>>, Mismatch> {
    let acknowledged = targets.iter().map(|run| run.count).sum();
    let sent = sources.len() as u64;
    if acknowledged != sent {
        return Err(Mismatch::Count { sent, acknowledged });
    }
    let ends = |run: &OffsetRun| Offset(run.first.0.saturating_add_unsigned(run.count));
    if let Some(pair) = targets.windows(2).find(|pair| pair[1].first < ends(&pair[0])) {
        return Err(Mismatch::Order { offset: pair[1].first, before: ends(&pair[0]) });
    }
    let each = targets.iter().flat_map(|run| (0..run.count).map(|n| Offset(run.first.0.saturating_add_unsigned(n))));
    let mut all: BTreeMap<Partition, Vec<MappingRun>> = BTreeMap::new();
    for ((partition, source), target) in sources.iter().copied().zip(each) {
        let runs = all.entry(partition).or_default();
        match runs.last_mut() {
            Some(run) if run.is_followed_by(source, target) => run.count += 1,
            _ => runs.push(MappingRun { source, target, count: 1 }),
        }
    }
    Ok(all)
}

impl MappingRun {
    fn is_followed_by(&self, source: Offset, target: Offset) -> bool {
        source.0 == self.source.0.saturating_add_unsigned(self.count)
            && target.0 == self.target.0.saturating_add_unsigned(self.count)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn run(first: i64, count: u64) -> OffsetRun {
        OffsetRun { first: Offset(first), count }
    }

    const P0: Partition = Partition(0);

    fn offsets(offsets: &[i64]) -> Vec<Origin> {
        offsets.iter().map(|offset| (P0, Offset(*offset))).collect()
    }

    #[test]
    fn a_hole_on_either_side_begins_a_new_run() {
        let runs = lay_side_by_side(&offsets(&[0, 1, 3, 4, 5]), &[run(10, 4), run(20, 1)]).unwrap();
        let runs: Vec<_> = runs[&P0].iter().map(|run| (run.source.0, run.target.0, run.count)).collect();
        assert_eq!(runs, [(0, 10, 2), (3, 12, 2), (5, 20, 1)]);
    }

    #[test]
    fn records_of_several_sources_in_one_target_are_told_apart() {
        let sources =
            [(0, 5), (1, 7), (0, 6), (1, 8)].map(|(partition, offset)| (Partition(partition), Offset(offset)));
        let runs = lay_side_by_side(&sources, &[run(10, 4)]).unwrap();
        let of =
            |partition| runs[&Partition(partition)].iter().map(|run| (run.source.0, run.target.0, run.count)).collect();
        let (first, second): (Vec<_>, Vec<_>) = (of(0), of(1));
        assert_eq!((first, second), (vec![(5, 10, 1), (6, 12, 1)], vec![(7, 11, 1), (8, 13, 1)]));
    }

    #[test]
    fn acknowledgements_of_other_records_are_refused() {
        assert_eq!(
            lay_side_by_side(&offsets(&[1, 2]), &[run(5, 3)]),
            Err(Mismatch::Count { sent: 2, acknowledged: 3 })
        );
        let order = Mismatch::Order { offset: Offset(4), before: Offset(6) };
        assert_eq!(lay_side_by_side(&offsets(&[1, 2]), &[run(5, 1), run(4, 1)]), Err(order));
    }

    #[test]
    fn a_run_is_written_as_three_numbers() {
        let run = MappingRun { source: Offset(7), target: Offset(9), count: 2 };
        assert_eq!(serde_json::to_string(&run).unwrap(), "[7,9,2]");
        assert_eq!(serde_json::from_str::<MappingRun>("[7,9,2]").unwrap(), run);
    }

    proptest! {
        #[test]
        fn every_source_offset_is_found_at_its_target(steps in prop::collection::vec((1i64..4, 1i64..4), 1..60)) {
            let (mut source, mut target, mut pairs, mut runs) = (0, 100, vec![], vec![]);
            for (up, over) in steps {
                (source, target) = (source + up, target + over);
                pairs.push((source, target));
                crate::ports::transactions::push_offset(&mut runs, Offset(target));
            }
            let sources: Vec<_> = pairs.iter().map(|(source, _)| (P0, Offset(*source))).collect();
            let mapped = lay_side_by_side(&sources, &runs).unwrap();
            let each = mapped[&P0].iter().flat_map(|run| (0..run.count as i64).map(|n| (run.source.0 + n, run.target.0 + n)));
            prop_assert_eq!(each.collect::<Vec<_>>(), pairs);
        }
    }
}
