//! How far a backup is behind its log, and how long until Kafka deletes what is not backed up yet.
//!
//! Everything here errs to the safe side, since the last of these figures is what people are woken by:
//! - **Records** are the offsets from the oldest one not stored to the log's end as it was last observed: at most so many.
//! - **Bytes** are estimated: these records, each as large as the chain's stored ones in the mean (keys, values, headers).
//! - **Seconds** are the age of the oldest record not stored. When it was stored since it was looked for, its timestamp
//!   stands in for that of the next one, which is hardly older, until the next look.
//! - **Seconds to loss**: the oldest record is deleted no earlier than `retention.ms` after its own timestamp, and no
//!   earlier than when `retention.bytes` are behind it. Kafka deletes whole segments, the first ones first, each by its
//!   greatest timestamp, and keeps a log at least as large as the limit: so in truth it is later, by up to a segment.
//!   By size, what the log grows by is taken from two observations of its end, and each record to be as large in the log
//!   as if it lay there alone and uncompressed. Infinite where all is stored, or Kafka keeps it; 0 where the log begins
//!   behind what is stored.

use super::{registers::LogEnds, standing::Oldest};
use crate::{
    chain::Totals,
    ports::records::Retention,
    record::{Millis, Offset},
};

/// What a record takes in the log at most beside its key, value and headers: the head of its batch (61 bytes), and its
/// own lengths and differences.
const RECORD_OVERHEAD_BYTES: f64 = 72.0;

/// How far a partition's backup is behind its log.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lag {
    /// Offsets that are not stored.
    pub records: u64,
    /// About so many bytes of keys, values and headers; `None` while nothing tells how large records are.
    pub bytes: Option<f64>,
    /// The age of the oldest record not stored; `None` while it was not looked for.
    pub seconds: Option<f64>,
    /// How long until Kafka may delete it; `None` while that is not known.
    pub seconds_to_loss: Option<f64>,
}

/// How far a chain that is stored up to `next` and counts `totals` is behind its log at `now`; `next` is `None` of one
/// that has stored nothing.
#[must_use]
pub fn lag(next: Option<Offset>, totals: Totals, ends: &LogEnds, now: Millis) -> Lag {
    let begin = next.unwrap_or_default().max(ends.log_start);
    // One that was looked for behind the frontier of now says nothing about what is before it.
    let oldest = ends.oldest.filter(|oldest| oldest.from <= begin);
    let first = oldest.map_or(begin, |oldest| oldest.offset.max(begin));
    let records = u64::try_from(ends.log_end.0 - first.0).unwrap_or(0);
    if records == 0 {
        return Lag { records, bytes: Some(0.0), seconds: Some(0.0), seconds_to_loss: Some(f64::INFINITY) };
    }
    let record_bytes = record_bytes(totals, oldest);
    let is_overtaken = next.is_some_and(|next| next < ends.log_start);
    Lag {
        records,
        bytes: record_bytes.map(|bytes| bytes * records as f64),
        seconds: oldest.map(|oldest| seconds(oldest.timestamp, now).max(0.0)),
        seconds_to_loss: if is_overtaken { Some(0.0) } else { to_loss(oldest, record_bytes, records, ends, now) },
    }
}

/// The mean of the chain's stored records, or the one that was looked at.
fn record_bytes(totals: Totals, oldest: Option<Oldest>) -> Option<f64> {
    if totals.records > 0 {
        return Some(totals.record_bytes as f64 / totals.records as f64);
    }
    oldest.filter(|oldest| oldest.bytes > 0).map(|oldest| oldest.bytes as f64)
}

fn to_loss(
    oldest: Option<Oldest>,
    record_bytes: Option<f64>,
    records: u64,
    ends: &LogEnds,
    now: Millis,
) -> Option<f64> {
    let Retention { ms, bytes } = ends.retention?;
    let by_time = match ms {
        None => f64::INFINITY,
        Some(ms) => ms as f64 / 1_000.0 - seconds(oldest?.timestamp, now),
    };
    let by_size = match bytes {
        None => f64::INFINITY,
        Some(limit) => to_loss_by_size(limit as f64, record_bytes? + RECORD_OVERHEAD_BYTES, records, ends, now),
    };
    Some(by_time.min(by_size).max(0.0))
}

fn to_loss_by_size(limit_bytes: f64, record_bytes: f64, records: u64, ends: &LogEnds, now: Millis) -> f64 {
    let room_bytes = limit_bytes - record_bytes * records as f64;
    if room_bytes <= 0.0 {
        return 0.0;
    }
    let growth = ends.earlier.map_or(0.0, |earlier| {
        let records = (ends.log_end.0 - earlier.log_end.0).max(0) as f64;
        let seconds = seconds(earlier.timestamp, ends.observed_at);
        if seconds > 0.0 { records * record_bytes / seconds } else { 0.0 }
    });
    // A log that does not grow is never too large.
    if growth > 0.0 { room_bytes / growth - seconds(ends.observed_at, now).max(0.0) } else { f64::INFINITY }
}

fn seconds(from: Millis, to: Millis) -> f64 {
    to.0.saturating_sub(from.0) as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::standing::Earlier;

    const DAY_MS: u64 = 86_400_000;
    const NOW: Millis = Millis(1_700_000_000_000);

    fn before(seconds: i64) -> Millis {
        Millis(NOW.0 - seconds * 1_000)
    }

    /// 1,000 stored records of 100 bytes each, and a log that ends at 1,500 whose oldest record not stored is a minute old.
    fn world() -> (Option<Offset>, Totals, LogEnds) {
        let totals = Totals { records: 1_000, record_bytes: 100_000, ..Totals::default() };
        let ends = LogEnds {
            observed_at: NOW,
            topic_id: "id".into(),
            log_start: Offset(0),
            log_end: Offset(1_500),
            behind_storage: false,
            oldest: Some(Oldest { from: Offset(1_000), offset: Offset(1_000), timestamp: before(60), bytes: 100 }),
            earlier: None,
            retention: Some(Retention { ms: Some(DAY_MS), bytes: None }),
            open_transaction: None,
        };
        (Some(Offset(1_000)), totals, ends)
    }

    #[test]
    fn what_is_behind_is_counted_weighed_and_dated() {
        let (next, totals, ends) = world();
        let lag = lag(next, totals, &ends, NOW);
        assert_eq!((lag.records, lag.bytes, lag.seconds), (500, Some(50_000.0), Some(60.0)));
        assert_eq!(lag.seconds_to_loss, Some(86_400.0 - 60.0));
    }

    #[test]
    fn nothing_is_behind_and_nothing_can_be_lost_where_all_is_stored() {
        let (_, totals, ends) = world();
        let none = Lag { records: 0, bytes: Some(0.0), seconds: Some(0.0), seconds_to_loss: Some(f64::INFINITY) };
        assert_eq!(lag(Some(Offset(1_500)), totals, &ends, NOW), none);
        assert_eq!(lag(Some(Offset(1_600)), totals, &ends, NOW), none, "the end was observed before");
        // Markers at the end: there is no record from the frontier on.
        let markers = LogEnds { oldest: ends.oldest.map(|it| Oldest { offset: Offset(1_500), ..it }), ..ends.clone() };
        assert_eq!(lag(Some(Offset(1_000)), totals, &markers, NOW), none);
        let empty = LogEnds { log_start: Offset(70), log_end: Offset(70), oldest: None, ..ends };
        assert_eq!(lag(None, Totals::default(), &empty, NOW), none);
    }

    #[test]
    fn time_passes_between_two_looks() {
        let (next, totals, ends) = world();
        let lag = lag(next, totals, &ends, Millis(NOW.0 + 90_000));
        assert_eq!((lag.seconds, lag.seconds_to_loss), (Some(150.0), Some(86_400.0 - 150.0)));
    }

    #[test]
    fn a_record_that_was_stored_since_the_look_stands_in_for_the_next_one() {
        let (_, totals, ends) = world();
        let lag = lag(Some(Offset(1_200)), totals, &ends, NOW);
        assert_eq!((lag.records, lag.seconds), (300, Some(60.0)));
    }

    #[test]
    fn a_look_from_behind_the_frontier_says_nothing() {
        let (_, totals, ends) = world();
        let lag = lag(Some(Offset(900)), totals, &ends, NOW);
        assert_eq!((lag.records, lag.seconds, lag.seconds_to_loss), (600, None, None));
    }

    #[test]
    fn by_size_it_is_the_room_that_is_left_over_the_growth() {
        let (next, totals, mut ends) = world();
        // 500 records of 172 bytes are behind: 86,000 bytes. 100 records in 10 s are 1,720 bytes a second.
        ends.earlier = Some(Earlier { timestamp: before(10), log_end: Offset(1_400) });
        ends.retention = Some(Retention { ms: None, bytes: Some(172_000) });
        assert_eq!(lag(next, totals, &ends, NOW).seconds_to_loss, Some(50.0));
        assert_eq!(lag(next, totals, &ends, Millis(NOW.0 + 20_000)).seconds_to_loss, Some(30.0));
        // The lesser of both.
        ends.retention = Some(Retention { ms: Some(100_000), bytes: Some(172_000) });
        assert_eq!(lag(next, totals, &ends, NOW).seconds_to_loss, Some(40.0));
        // More is behind already than Kafka keeps.
        ends.retention = Some(Retention { ms: None, bytes: Some(86_000) });
        assert_eq!(lag(next, totals, &ends, NOW).seconds_to_loss, Some(0.0));
    }

    #[test]
    fn a_log_that_does_not_grow_loses_nothing_by_size() {
        let (next, totals, mut ends) = world();
        ends.retention = Some(Retention { ms: None, bytes: Some(172_000) });
        for earlier in [None, Some(Earlier { timestamp: before(10), log_end: Offset(1_500) })] {
            ends.earlier = earlier;
            assert_eq!(lag(next, totals, &ends, NOW).seconds_to_loss, Some(f64::INFINITY));
        }
    }

    #[test]
    fn what_kafka_keeps_for_good_is_never_lost_and_what_nobody_asked_for_is_not_known() {
        let (next, totals, mut ends) = world();
        ends.retention = Some(Retention::default());
        assert_eq!(lag(next, totals, &ends, NOW).seconds_to_loss, Some(f64::INFINITY));
        ends.retention = None;
        assert_eq!(lag(next, totals, &ends, NOW).seconds_to_loss, None);
    }

    #[test]
    fn a_record_past_its_time_has_no_time_left_and_one_of_the_future_has_more() {
        let (next, totals, mut ends) = world();
        ends.oldest = ends.oldest.map(|it| Oldest { timestamp: Millis(0), ..it });
        assert_eq!(lag(next, totals, &ends, NOW).seconds_to_loss, Some(0.0));
        ends.oldest = ends.oldest.map(|it| Oldest { timestamp: before(-100), ..it });
        let lag = lag(next, totals, &ends, NOW);
        assert_eq!((lag.seconds, lag.seconds_to_loss), (Some(0.0), Some(86_500.0)));
    }

    #[test]
    fn a_log_that_begins_behind_the_frontier_is_losing_now_and_one_never_backed_up_is_not() {
        let (next, totals, ends) = world();
        let overtaken = LogEnds { log_start: Offset(1_100), ..ends };
        let lost = lag(next, totals, &overtaken, NOW);
        assert_eq!((lost.records, lost.seconds_to_loss), (400, Some(0.0)));

        let first = Oldest { from: Offset(1_100), offset: Offset(1_100), timestamp: before(60), bytes: 50 };
        let never = lag(None, Totals::default(), &LogEnds { oldest: Some(first), ..overtaken }, NOW);
        assert_eq!((never.records, never.bytes, never.seconds_to_loss), (400, Some(20_000.0), Some(86_340.0)));
    }
}
