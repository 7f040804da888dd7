//! Where a consumer group goes on in the target.

use std::{collections::BTreeMap, ops::Range};

use serde::Serialize;

use super::{MappingRun, progress::Progress};
use crate::record::{Offset, Partition};

/// How exact a translated offset is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Exactness {
    /// The next record the group would have read, or the place where that would be.
    Exact,
    /// What the group would have read next is not restored; this is the first record behind it that is.
    NearestLater,
    /// The group had read more than is restored: the end of what is restored.
    End,
    /// Nothing that the group has not read lies before it, and some records behind it were read already.
    MayRepeat,
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
    #[error("nothing of this partition was restored: restore its records first")]
    Unknown,
    /// The restore of the partition is not done.
    #[error("its records are not restored up to this offset: end the restore of the records first")]
    NotYet,
}

/// What a group's offset is translated by.
#[derive(Debug, Clone, Copy)]
pub struct Restored<'a> {
    /// What is known of the restore.
    pub progress: &'a Progress,
    /// Where the target partition's log starts.
    pub log_start: Offset,
    /// Where it ends.
    pub log_end: Offset,
}

/// One source partition.
#[derive(Debug, Clone, Copy)]
pub struct Origin {
    /// Its number.
    pub partition: Partition,
    /// The first offset that was to be restored.
    pub from: Offset,
    /// Where the restore of it is done.
    pub end: Offset,
}

/// Where a group goes on that committed `committed` in a source partition whose records kept their partition.
///
/// A committed offset whose record does not exist (compaction, markers, filters) goes to the next one that does: it is the
/// record the group would have read.
///
/// # Errors
/// [`Untranslatable`]
pub fn translate(restored: Restored<'_>, origin: Origin, committed: Offset) -> Result<Translated, Untranslatable> {
    let Restored { progress, log_end, .. } = restored;
    let next = next_of(progress, origin, committed)?;
    let runs: Vec<_> = runs(progress, origin.partition).filter(|(target, _)| *target == origin.partition).collect();
    let at = |offset: Offset, exactness| Translated { offset: offset.min(log_end), exactness };
    if let Some((_, run)) = runs.iter().find(|(_, run)| committed < behind(run.source, run)) {
        let is_gone = committed < run.source
            && (committed < origin.from || was_skipped(progress, origin.partition, committed..run.source));
        let exactness = if is_gone { Exactness::NearestLater } else { Exactness::Exact };
        return Ok(at(Offset(run.target.0 + (committed.0 - run.source.0).max(0)), exactness));
    }
    let exactness = if committed <= next { Exactness::Exact } else { Exactness::End };
    Ok(match runs.last() {
        Some((_, run)) => at(behind(run.target, run), exactness),
        None => without_records(restored, exactness),
    })
}

/// Where a group goes on in `target` whose records came from several partitions by their keys: at the first record that it has
/// not read. Of a source partition that it committed nothing for it has read nothing.
///
/// # Errors
/// [`Untranslatable`]
pub fn translate_spread(
    restored: Restored<'_>,
    origins: &[Origin],
    committed: &BTreeMap<Partition, Offset>,
    target: Partition,
) -> Result<Translated, Untranslatable> {
    let Restored { progress, log_end, .. } = restored;
    let (mut unread, mut read, mut is_beyond): (Option<Offset>, Option<Offset>, bool) = (None, None, false);
    for origin in origins {
        let committed = committed.get(&origin.partition).copied().unwrap_or(Offset(0));
        is_beyond |= committed > next_of(progress, *origin, committed)?;
        for (_, run) in runs(progress, origin.partition).filter(|(to, _)| *to == target) {
            let were_read = (committed.0 - run.source.0).clamp(0, run.count.try_into().unwrap_or(i64::MAX));
            if were_read > 0 {
                read = read.max(Some(Offset(run.target.0 + were_read - 1)));
            }
            if were_read.unsigned_abs() < run.count {
                let first = Offset(run.target.0 + were_read);
                unread = Some(unread.map_or(first, |unread| unread.min(first)));
            }
        }
    }
    let ended = if is_beyond { Exactness::End } else { Exactness::Exact };
    Ok(match (unread, read) {
        (Some(unread), Some(read)) if read > unread => {
            Translated { offset: unread.min(log_end), exactness: Exactness::MayRepeat }
        }
        (Some(unread), _) => Translated { offset: unread.min(log_end), exactness: Exactness::Exact },
        (None, Some(read)) => Translated { offset: read.next().min(log_end), exactness: ended },
        (None, None) => without_records(restored, ended),
    })
}

/// Up to where the source partition is restored, where that is enough for this offset.
fn next_of(progress: &Progress, origin: Origin, committed: Offset) -> Result<Offset, Untranslatable> {
    let next = match (progress.positions.get(&origin.partition), &progress.started) {
        (Some(position), _) => position.next,
        // What has no record to restore never gets a position.
        (None, Some(_)) if origin.end <= origin.from => origin.end,
        (None, _) => return Err(Untranslatable::Unknown),
    };
    if committed > next && next < origin.end { Err(Untranslatable::NotYet) } else { Ok(next) }
}

/// Whether any of these offsets should have been restored and could not.
fn was_skipped(progress: &Progress, partition: Partition, offsets: Range<Offset>) -> bool {
    let skipped = progress.skipped.get(&partition).into_iter().flat_map(BTreeMap::values);
    skipped.into_iter().any(|missing| missing.from < offsets.end && offsets.start < missing.to)
}

/// Nothing was restored into the partition, so what lies in it is of others, and none of it was read.
fn without_records(restored: Restored<'_>, exactness: Exactness) -> Translated {
    let Restored { log_start, log_end, .. } = restored;
    let exactness = if log_start < log_end { Exactness::MayRepeat } else { exactness };
    Translated { offset: log_start, exactness }
}

/// The runs of a source partition, ascending, each with the target partition.
fn runs(progress: &Progress, partition: Partition) -> impl Iterator<Item = (Partition, &MappingRun)> {
    let mapped = progress.mapped.get(&partition).into_iter().flat_map(BTreeMap::values);
    mapped.flat_map(|mapped| mapped.runs.iter().map(|run| (mapped.target_partition, run)))
}

fn behind(first: Offset, run: &MappingRun) -> Offset {
    Offset(first.0.saturating_add_unsigned(run.count))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::restore::{
        Missing,
        progress::{Counts, MappedRuns, Position},
    };

    const P0: Partition = Partition(0);

    /// Runs by source partition: target partition, source offset, target offset and count.
    fn progress(next: i64, runs: &[(i32, i32, i64, i64, u64)]) -> Progress {
        let mut progress = Progress::default();
        for (source_partition, target_partition, source, target, count) in runs {
            let run = MappingRun { source: Offset(*source), target: Offset(*target), count: *count };
            let mapped = MappedRuns { target_partition: Partition(*target_partition), runs: vec![run] };
            progress.mapped.entry(Partition(*source_partition)).or_default().insert(run.source, mapped);
        }
        for partition in runs.iter().map(|run| run.0).chain([0]) {
            let position = Position { next: Offset(next), counts: Counts::default() };
            progress.positions.insert(Partition(partition), position);
        }
        progress
    }

    fn kept(next: i64, runs: &[(i64, i64, u64)]) -> Progress {
        progress(next, &runs.iter().map(|(source, target, count)| (0, 0, *source, *target, *count)).collect::<Vec<_>>())
    }

    fn origin(partition: i32, from: i64, end: i64) -> Origin {
        Origin { partition: Partition(partition), from: Offset(from), end: Offset(end) }
    }

    fn at(progress: &Progress, from: i64, committed: i64, log: (i64, i64)) -> (i64, Exactness) {
        let restored = Restored { progress, log_start: Offset(log.0), log_end: Offset(log.1) };
        let end = progress.positions[&P0].next.0;
        let translated = translate(restored, origin(0, from, end), Offset(committed)).unwrap();
        (translated.offset.0, translated.exactness)
    }

    #[test]
    fn an_offset_goes_to_its_record_or_to_the_next_that_exists() {
        // Offsets 0, 1, 2, a marker at 3, and 4: written at 10, 11, 12 and, behind a marker, at 14.
        let progress = kept(5, &[(0, 10, 3), (4, 14, 1)]);
        let log = (0, 16);
        assert_eq!(at(&progress, 0, 0, log), (10, Exactness::Exact), "0 is a commit");
        assert_eq!(at(&progress, 0, 2, log), (12, Exactness::Exact));
        assert_eq!(at(&progress, 0, 3, log), (14, Exactness::Exact), "the marker has no record: the next one");
        assert_eq!(at(&progress, 0, 4, log), (14, Exactness::Exact));
        assert_eq!(at(&progress, 0, 5, log), (15, Exactness::Exact), "everything was read");
    }

    #[test]
    fn what_is_beyond_the_restore_is_its_end_and_says_so() {
        assert_eq!(at(&kept(5, &[(0, 10, 5)]), 0, 9, (0, 16)), (15, Exactness::End));
    }

    #[test]
    fn what_was_before_the_restored_range_goes_to_the_first_record_behind() {
        let progress = kept(9, &[(5, 0, 4)]);
        assert_eq!(at(&progress, 5, 2, (0, 5)), (0, Exactness::NearestLater));
        assert_eq!(at(&progress, 7, 6, (0, 5)), (1, Exactness::Exact), "it expired after it was restored");
    }

    #[test]
    fn what_was_passed_over_as_damaged_goes_to_the_first_record_behind() {
        let mut progress = kept(9, &[(0, 0, 3), (6, 3, 3)]);
        let missing = Missing { from: Offset(3), to: Offset(5), key: String::new(), why: String::new() };
        progress.skipped.entry(P0).or_default().insert(Offset(3), missing);
        assert_eq!(at(&progress, 0, 4, (0, 7)), (3, Exactness::NearestLater));
        assert_eq!(at(&progress, 0, 5, (0, 7)), (3, Exactness::Exact), "there never was a record at 5");
    }

    #[test]
    fn where_everything_expired_it_is_the_targets_end_and_never_beyond() {
        assert_eq!(at(&kept(100, &[]), 100, 100, (0, 0)), (0, Exactness::Exact));
        assert_eq!(at(&kept(5, &[(0, 10, 5)]), 0, 5, (0, 12)), (12, Exactness::Exact), "the target was cut");
    }

    #[test]
    fn records_of_others_in_a_partition_without_restored_ones_are_not_passed_over() {
        assert_eq!(at(&kept(100, &[]), 100, 100, (3, 8)), (3, Exactness::MayRepeat));
    }

    #[test]
    fn what_is_not_restored_yet_is_an_error_and_no_end() {
        let (nothing, half) = (Progress::default(), kept(5, &[(0, 10, 5)]));
        let of = |progress, committed| {
            let restored = Restored { progress, log_start: Offset(0), log_end: Offset(16) };
            translate(restored, origin(0, 0, 9), Offset(committed))
        };
        assert_eq!(of(&nothing, 7), Err(Untranslatable::Unknown));
        assert_eq!(of(&half, 7), Err(Untranslatable::NotYet));
        assert_eq!(of(&half, 5).unwrap().offset, Offset(15), "all that it had read is there");
    }

    #[test]
    fn records_spread_by_their_keys_begin_again_at_the_first_that_was_not_read() {
        // Source 0 went to targets 0 and 1 in turn, source 1 to target 0.
        let progress =
            progress(4, &[(0, 0, 0, 0, 1), (0, 1, 1, 0, 1), (0, 0, 2, 1, 1), (0, 1, 3, 1, 1), (1, 0, 0, 2, 4)]);
        let at = |target, committed: &[(i32, i64)]| {
            let committed = committed.iter().map(|(partition, at)| (Partition(*partition), Offset(*at))).collect();
            let restored = Restored { progress: &progress, log_start: Offset(0), log_end: Offset(9) };
            let origins = [origin(0, 0, 4), origin(1, 0, 4)];
            let translated = translate_spread(restored, &origins, &committed, Partition(target)).unwrap();
            (translated.offset.0, translated.exactness)
        };
        assert_eq!(at(0, &[(0, 2), (1, 0)]), (1, Exactness::Exact));
        assert_eq!(at(0, &[(0, 2), (1, 3)]), (1, Exactness::MayRepeat), "source 1 was read up to 5");
        assert_eq!(at(0, &[(0, 3), (1, 3)]), (5, Exactness::Exact));
        assert_eq!(at(0, &[(1, 3)]), (0, Exactness::MayRepeat), "nothing was committed of source 0");
        assert_eq!(at(0, &[(0, 4), (1, 4)]), (6, Exactness::Exact));
        assert_eq!(at(1, &[(0, 9), (1, 4)]), (2, Exactness::End));
    }

    proptest! {
        /// However the offsets lie, what the group reads from there on is what it would have read.
        #[test]
        fn the_rest_is_the_same_records(steps in prop::collection::vec((1i64..4, 1i64..4), 1..40), committed in 0i64..160) {
            let (mut source, mut target, mut pairs) = (-1, 99, vec![]);
            for (up, over) in steps {
                (source, target) = (source + up, target + over);
                pairs.push((source, target));
            }
            let runs: Vec<_> = pairs.iter().map(|(source, target)| (*source, *target, 1)).collect();
            let (next, end) = (source + 1, target + 1);
            let committed = committed.min(next);
            let (offset, exactness) = at(&kept(next, &runs), 0, committed, (0, end));
            prop_assert_eq!(exactness, Exactness::Exact);
            let unread: Vec<_> = pairs.iter().filter(|(source, _)| *source >= committed).map(|(_, target)| *target).collect();
            let left: Vec<_> = pairs.iter().filter(|(_, target)| *target >= offset).map(|(_, target)| *target).collect();
            prop_assert_eq!(left, unread);
        }
    }
}
