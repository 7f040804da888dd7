//! What may be added to a chain. Pure: frontier, log bounds and what arrived give a plan.
//!
//! Both sources go through here. A **drain** pulls from Kafka, beginning at the frontier: [`plan_pulled`] takes one batch
//! after the other. A **Kafka event** brings records of its own choice, and neither says which were left out nor whether they
//! were committed: [`plan_event`] says up to where the writer must pull the range itself.

use crate::{
    record::{Millis, Offset, Record},
    segment::{Gap, GapCause},
};

/// What to do about the records that an event brought for a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventPlan {
    /// Pull [frontier, `to`) from Kafka: what is committed there is what was meant. Nothing where it is stored already.
    Pull {
        /// The offset after the last one that arrived.
        to: Offset,
    },
    /// The last one lies above the stable end: pull what is committed, and have the event come again.
    Uncommitted,
    /// The last one lies at or above the log's end: they are none of this log.
    Foreign,
}

/// Plans what to do about records up to `last` that an event brought. `stable_end` and `log_end` are the last stable offset
/// and the high watermark, read after the event arrived.
#[must_use]
pub fn plan_event(stable_end: Offset, log_end: Offset, last: Offset) -> EventPlan {
    if last >= log_end {
        EventPlan::Foreign
    } else if last < stable_end {
        EventPlan::Pull { to: last.next() }
    } else {
        EventPlan::Uncommitted
    }
}

/// How records that were pulled go on from `position`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PulledPlan {
    /// So many leading records are below the position: skip them.
    pub skip: usize,
    /// Ranges that the broker no longer has, in order; to be declared with the records after them.
    pub gaps: Vec<Gap>,
}

/// Whether pulled records leave out offsets after `position`, so that the log's start must be read **now** to tell
/// losses from offsets that never existed.
#[must_use]
pub fn has_holes(position: Offset, records: &[Record]) -> bool {
    holes(position, records).next().is_some()
}

/// Plans how pulled records (ascending) are appended at `position`, the offset expected next.
///
/// `log_start` was read after the last of the records was fetched: of an offset that was left out, the broker lost only
/// what is below it. The rest never existed (compacted, transaction markers, aborted transactions). `first_ever` says that
/// the chain has no segment yet: then what is gone was never the backup's to keep.
#[must_use]
pub fn plan_pulled(
    position: Offset,
    records: &[Record],
    log_start: Offset,
    first_ever: bool,
    now: Millis,
) -> PulledPlan {
    let cause =
        |from: Offset| if first_ever && from == position { GapCause::BeforeBackup } else { GapCause::BelowLogStart };
    let gaps = holes(position, records)
        .map(|(from, to)| (from, to.min(log_start)))
        .filter(|(from, to)| from < to)
        .map(|(from, to)| Gap { from, to, cause: cause(from), declared_at: now })
        .collect();
    PulledPlan { skip: stale(position, records), gaps }
}

/// The gaps, told apart where they lie in a range [from, to) that was stored once and went missing from the storage.
#[must_use]
pub fn tell_accepted(gaps: Vec<Gap>, accepted: &[(Offset, Offset)]) -> Vec<Gap> {
    let mut told: Vec<Gap> = vec![];
    for gap in gaps {
        let inside = |at: &Offset| gap.from < *at && *at < gap.to;
        let mut cuts: Vec<Offset> = accepted.iter().flat_map(|(from, to)| [*from, *to]).filter(inside).collect();
        cuts.extend([gap.from, gap.to]);
        cuts.sort_unstable();
        for part in cuts.windows(2).filter(|part| part[0] < part[1]) {
            let (from, to) = (part[0], part[1]);
            let was_stored = accepted.iter().any(|range| range.0 <= from && from < range.1);
            let cause = if was_stored { GapCause::TailMissingAccepted } else { gap.cause };
            match told.last_mut() {
                Some(last) if last.to == from && last.cause == cause => last.to = to,
                _ => told.push(Gap { from, to, cause, ..gap }),
            }
        }
    }
    told
}

fn stale(position: Offset, records: &[Record]) -> usize {
    records.partition_point(|record| record.offset < position)
}

/// The ranges [from, to) that lie between `position` and the records, and between one record and the next.
fn holes(position: Offset, records: &[Record]) -> impl Iterator<Item = (Offset, Offset)> + '_ {
    let mut expected = position;
    records[stale(position, records)..].iter().filter_map(move |record| {
        let from = std::mem::replace(&mut expected, record.offset.next());
        (from < record.offset).then_some((from, record.offset))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::record::TimestampType;

    fn records(offsets: &[i64]) -> Vec<Record> {
        let record = |offset: &i64| Record {
            offset: Offset(*offset),
            timestamp: Millis(0),
            timestamp_type: TimestampType::CreateTime,
            key: None,
            value: None,
            headers: vec![],
        };
        offsets.iter().map(record).collect()
    }

    fn lost(plan: &PulledPlan) -> Vec<(i64, i64, GapCause)> {
        plan.gaps.iter().map(|gap| (gap.from.0, gap.to.0, gap.cause)).collect()
    }

    fn pulled(position: i64, offsets: &[i64], log_start: i64, first_ever: bool) -> PulledPlan {
        plan_pulled(Offset(position), &records(offsets), Offset(log_start), first_ever, Millis(7))
    }

    #[test]
    fn an_event_is_pulled_to_its_last_record() {
        assert_eq!(plan_event(Offset(20), Offset(25), Offset(19)), EventPlan::Pull { to: Offset(20) });
    }

    #[test]
    fn an_event_with_an_open_transaction_comes_again_and_one_beyond_the_log_is_none_of_it() {
        let plan = |last| plan_event(Offset(20), Offset(25), Offset(last));
        assert_eq!(
            [plan(20), plan(24), plan(25)],
            [EventPlan::Uncommitted, EventPlan::Uncommitted, EventPlan::Foreign,]
        );
        // A log that was created again is shorter than what was stored of the one before.
        assert_eq!(plan_event(Offset(2), Offset(2), Offset(9)), EventPlan::Foreign);
    }

    #[test]
    fn offsets_that_never_existed_are_no_gap() {
        let plan = pulled(10, &[12, 13, 17], 10, false);
        assert_eq!((plan.skip, lost(&plan)), (0, vec![]));
    }

    #[test]
    fn what_lies_below_the_start_of_the_log_is_a_gap_up_to_there() {
        let plan = pulled(10, &[15, 16], 13, false);
        assert_eq!(lost(&plan), [(10, 13, GapCause::BelowLogStart)]);
    }

    #[test]
    fn retention_that_overtakes_a_batch_in_its_middle_is_a_gap_in_its_middle() {
        let plan = pulled(10, &[10, 11, 20], 18, false);
        assert_eq!(lost(&plan), [(12, 18, GapCause::BelowLogStart)]);
    }

    #[test]
    fn what_was_gone_before_the_first_backup_is_told_apart_from_a_loss() {
        let plan = pulled(0, &[40, 41, 50], 45, true);
        assert_eq!(lost(&plan), [(0, 40, GapCause::BeforeBackup), (42, 45, GapCause::BelowLogStart)]);
    }

    #[test]
    fn what_was_stored_once_and_went_missing_is_told_apart_from_what_never_was() {
        let told = |from: i64, to: i64, accepted: &[(i64, i64)]| {
            let gap =
                Gap { from: Offset(from), to: Offset(to), cause: GapCause::BelowLogStart, declared_at: Millis(7) };
            let accepted: Vec<_> = accepted.iter().map(|(from, to)| (Offset(*from), Offset(*to))).collect();
            let parts = tell_accepted(vec![gap], &accepted);
            parts.iter().map(|gap| (gap.from.0, gap.to.0, gap.cause)).collect::<Vec<_>>()
        };
        let (lost, missing) = (GapCause::BelowLogStart, GapCause::TailMissingAccepted);
        assert_eq!(told(100, 180, &[]), [(100, 180, lost)]);
        assert_eq!(told(100, 180, &[(100, 200)]), [(100, 180, missing)]);
        assert_eq!(told(100, 250, &[(100, 200)]), [(100, 200, missing), (200, 250, lost)]);
        assert_eq!(told(90, 120, &[(100, 110), (105, 115)]), [(90, 100, lost), (100, 115, missing), (115, 120, lost)]);
        assert_eq!(told(10, 20, &[(100, 200)]), [(10, 20, lost)]);
    }

    #[test]
    fn records_below_the_position_are_skipped() {
        let plan = pulled(10, &[8, 9, 10], 0, false);
        assert_eq!((plan.skip, lost(&plan)), (2, vec![]));
        assert!(!has_holes(Offset(10), &records(&[8, 9, 10])));
        assert!(has_holes(Offset(10), &records(&[8, 11])));
    }

    proptest! {
        #[test]
        fn kept_records_gaps_and_nothing_else_make_up_the_range(
            position in 0_i64..50, steps in prop::collection::vec(1_i64..5, 0..20), log_start in 0_i64..120, first in any::<bool>()
        ) {
            let offsets: Vec<i64> = steps.iter().scan(position - 3, |at, step| { *at += step; Some(*at) }).collect();
            let plan = pulled(position, &offsets, log_start, first);
            let kept = &offsets[plan.skip..];
            for gap in &plan.gaps {
                prop_assert!(gap.from < gap.to && gap.to.0 <= log_start && gap.from.0 >= position);
                prop_assert!(!kept.iter().any(|o| (gap.from.0..gap.to.0).contains(o)));
            }
            let end = kept.last().map_or(position, |last| last + 1);
            for offset in position..end.min(log_start) {
                let lost = plan.gaps.iter().any(|gap| (gap.from.0..gap.to.0).contains(&offset));
                prop_assert!(lost != kept.contains(&offset), "offset {} is either kept or lost", offset);
            }
        }
    }
}
