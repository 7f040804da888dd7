//! When a segment expires: pure.
//!
//! A segment's time is the earlier of its latest record timestamp and the time it was written, so that a record dated 2099
//! does not keep it. Only a prefix of a chain expires: a younger segment keeps all behind it. The last segment of a chain
//! never does, whatever its age: it is where a writer goes on, and what tells an old chain from one that lost its end. This
//! holds for chains of topics that were deleted, too: nobody goes on there, but what they counted stays provable.

use std::time::Duration;

use crate::{record::Millis, segment::metadata::TimestampRange};

/// For how long a backup keeps its segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// A segment older than this expires.
    pub delete_after: Duration,
    /// Expired segments are deleted so long after the floor moved above them, for those who are reading them.
    pub grace: Duration,
}

impl Retention {
    /// Whether what is of `time` has expired.
    #[must_use]
    pub fn has_expired(&self, time: Millis, now: Millis) -> bool {
        is_older(time, self.delete_after, now)
    }

    /// Whether what lies below a floor that moved at `moved_at` may be deleted.
    #[must_use]
    pub fn grace_is_over(&self, moved_at: Millis, now: Millis) -> bool {
        is_older(moved_at, self.grace, now)
    }
}

/// A segment's time. What has no timestamp (-1) has no time of its own.
#[must_use]
pub fn segment_time(modified: Millis, timestamps: Option<TimestampRange>) -> Millis {
    let latest = timestamps.map(|range| range.max).filter(|latest| latest.0 >= 0);
    latest.map_or(modified, |latest| latest.min(modified))
}

fn is_older(time: Millis, span: Duration, now: Millis) -> bool {
    let span_ms = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
    time.0.saturating_add(span_ms) < now.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITTEN: Millis = Millis(1_700_000_000_000);
    const DAY_MS: i64 = 86_400_000;

    fn range(min: i64, max: i64) -> Option<TimestampRange> {
        Some(TimestampRange { min: Millis(min), max: Millis(max) })
    }

    #[test]
    fn a_segment_is_as_old_as_its_latest_record() {
        assert_eq!(segment_time(WRITTEN, range(5, WRITTEN.0 - DAY_MS)), Millis(WRITTEN.0 - DAY_MS));
        assert_eq!(segment_time(WRITTEN, range(0, 0)), Millis(0));
    }

    #[test]
    fn a_record_dated_2099_makes_no_segment_younger_than_it_is() {
        assert_eq!(segment_time(WRITTEN, range(5, 4_080_000_000_000)), WRITTEN);
    }

    #[test]
    fn what_has_no_timestamp_is_as_old_as_its_file() {
        assert_eq!(segment_time(WRITTEN, range(-1, -1)), WRITTEN);
        assert_eq!(segment_time(WRITTEN, None), WRITTEN);
    }

    #[test]
    fn a_segment_expires_when_its_time_is_over_and_not_before() {
        let retention = Retention { delete_after: Duration::from_secs(10), grace: Duration::from_secs(2) };
        let at = |ms| Millis(WRITTEN.0 + ms);
        assert!(!retention.has_expired(WRITTEN, at(10_000)) && retention.has_expired(WRITTEN, at(10_001)));
        assert!(!retention.grace_is_over(WRITTEN, at(2_000)) && retention.grace_is_over(WRITTEN, at(2_001)));
        assert!(!retention.has_expired(WRITTEN, at(-DAY_MS)), "a clock that goes back expires nothing");
        let forever = Retention { delete_after: Duration::MAX, ..retention };
        assert!(!forever.has_expired(Millis(0), Millis(i64::MAX)));
    }
}
