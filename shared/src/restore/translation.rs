//! Where a consumer group goes on in the target.

use serde::Serialize;

use super::{
    MappingRun,
    progress::{Position, Progress},
};
use crate::record::{Offset, Partition};

/// How exact a translated offset is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Exactness {
    /// The next record the group would have read, or the place where that would be.
    Exact,
    /// What the group would have read next is not restored; this is the first record behind it that is.
    NearestLater,
    /// Everything that is restored lies before: the end of what is restored.
    End,
}

/// A committed offset in the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Translated {
    /// Where the group goes on.
    pub offset: Offset,
    /// How exact that is.
    pub exactness: Exactness,
}

/// Why an offset has no place in the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Untranslatable {
    /// Nothing is known of the partition.
    #[error("nothing of this partition was restored")]
    Unknown,
    /// Its records lie in several partitions.
    #[error("its records were spread over several partitions by their keys: no offset has them all before it")]
    Spread,
}

/// Where a group goes on that committed `committed` in a source partition, of which everything from `from` on was to be
/// restored. `end` is where the target partition's log ends.
///
/// A committed offset whose record does not exist (compaction, markers, filters) goes to the next one that does: it is the
/// record the group would have read.
///
/// # Errors
/// [`Untranslatable`]
pub fn translate(
    progress: &Progress,
    partition: Partition,
    from: Offset,
    committed: Offset,
    end: Offset,
) -> Result<Translated, Untranslatable> {
    let Some(position) = progress.positions.get(&partition) else {
        // The backup never had a record of this partition, so the restore put none into it.
        let exactness = if committed == Offset(0) { Exactness::Exact } else { Exactness::End };
        return progress.started.as_ref().map(|_| Translated { offset: end, exactness }).ok_or(Untranslatable::Unknown);
    };
    let mapped = progress.mapped.get(&partition);
    let all = mapped.into_iter().flat_map(|mapped| mapped.values());
    if all.clone().any(|mapped| mapped.target_partition != partition) {
        return Err(Untranslatable::Spread);
    }
    let runs = all.flat_map(|mapped| &mapped.runs);
    let next = runs.clone().find(|run| committed < behind(run.source, run));
    let exactness = if committed < from { Exactness::NearestLater } else { Exactness::Exact };
    Ok(match next {
        Some(run) => {
            let into = (committed.0 - run.source.0).max(0);
            Translated { offset: Offset(run.target.0 + into).min(end), exactness }
        }
        None => {
            let last = runs.last().map_or(end, |run| behind(run.target, run));
            Translated { offset: last.min(end), exactness: at_end(committed, position) }
        }
    })
}

/// A group that had read everything up to where the restore ended is exactly there.
fn at_end(committed: Offset, position: &Position) -> Exactness {
    if committed <= position.next { Exactness::Exact } else { Exactness::End }
}

fn behind(first: Offset, run: &MappingRun) -> Offset {
    Offset(first.0.saturating_add_unsigned(run.count))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::restore::progress::{Counts, MappedRuns};

    const P0: Partition = Partition(0);

    fn progress(next: i64, runs: &[(i64, i64, u64)]) -> Progress {
        let run = |(source, target, count): &(i64, i64, u64)| MappingRun {
            source: Offset(*source),
            target: Offset(*target),
            count: *count,
        };
        let runs: Vec<_> = runs.iter().map(run).collect();
        let first = runs.first().map_or(Offset(0), |run| run.source);
        let mapped = MappedRuns { target_partition: P0, runs };
        Progress {
            started: None,
            run: None,
            positions: BTreeMap::from([(P0, Position { next: Offset(next), counts: Counts::default() })]),
            mapped: BTreeMap::from([(P0, BTreeMap::from([(first, mapped)]))]),
        }
    }

    fn at(progress: &Progress, from: i64, committed: i64, end: i64) -> (i64, Exactness) {
        let translated = translate(progress, P0, Offset(from), Offset(committed), Offset(end)).unwrap();
        (translated.offset.0, translated.exactness)
    }

    #[test]
    fn an_offset_goes_to_its_record_or_to_the_next_that_exists() {
        // Offsets 0, 1, 2, a marker at 3, and 4: written at 10, 11, 12 and, behind a marker, at 14.
        let progress = progress(5, &[(0, 10, 3), (4, 14, 1)]);
        assert_eq!(at(&progress, 0, 0, 16), (10, Exactness::Exact), "0 is a commit");
        assert_eq!(at(&progress, 0, 2, 16), (12, Exactness::Exact));
        assert_eq!(at(&progress, 0, 3, 16), (14, Exactness::Exact), "the marker has no record: the next one");
        assert_eq!(at(&progress, 0, 4, 16), (14, Exactness::Exact));
        assert_eq!(at(&progress, 0, 5, 16), (15, Exactness::Exact), "everything was read");
    }

    #[test]
    fn what_is_beyond_the_restore_is_its_end_and_says_so() {
        assert_eq!(at(&progress(5, &[(0, 10, 5)]), 0, 9, 16), (15, Exactness::End));
    }

    #[test]
    fn what_was_before_the_restored_range_goes_to_the_first_record_behind() {
        assert_eq!(at(&progress(9, &[(5, 0, 4)]), 5, 2, 5), (0, Exactness::NearestLater));
    }

    #[test]
    fn where_everything_expired_it_is_the_targets_end_and_never_beyond() {
        let nothing = Progress {
            positions: BTreeMap::from([(P0, Position { next: Offset(100), counts: Counts::default() })]),
            ..Progress::default()
        };
        assert_eq!(at(&nothing, 100, 100, 0), (0, Exactness::Exact));
        assert_eq!(at(&progress(5, &[(0, 10, 5)]), 0, 5, 12), (12, Exactness::Exact), "the target was cut");
    }

    #[test]
    fn a_partition_of_which_nothing_is_known_is_an_error() {
        let unknown = translate(&Progress::default(), P0, Offset(0), Offset(7), Offset(0));
        assert_eq!(unknown, Err(Untranslatable::Unknown));
    }

    #[test]
    fn records_spread_by_their_keys_have_no_common_offset() {
        let mut spread = progress(5, &[(0, 10, 5)]);
        let other = MappedRuns { target_partition: Partition(1), runs: vec![] };
        spread.mapped.get_mut(&P0).unwrap().insert(Offset(3), other);
        assert_eq!(translate(&spread, P0, Offset(0), Offset(1), Offset(16)), Err(Untranslatable::Spread));
    }
}
