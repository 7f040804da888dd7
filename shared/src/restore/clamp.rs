//! Records whose timestamps the target does not take, dated anew: for those who ask for it.

use bytes::Bytes;

use crate::{
    ports::records::TopicSettings,
    record::{Header, Millis, Record},
};

/// Kafka's own limit of how far ahead a record may be dated: an hour.
pub const AFTER_MAX_MS: i64 = 3_600_000;
/// A broker's clock is another one, and it looks a moment later.
const MARGIN_MS: i64 = 60_000;

/// Which timestamps a target takes, and the header that tells the one a record had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clamp {
    header: Bytes,
    /// The target's `message.timestamp.before.max.ms`.
    behind_ms: i64,
    /// Its `message.timestamp.after.max.ms`.
    ahead_ms: i64,
}

impl Clamp {
    /// For a target with these settings.
    #[must_use]
    pub fn new(header: &str, settings: &TopicSettings) -> Self {
        let number = |name: &str, default| settings.get(name).and_then(|text| text.parse().ok()).unwrap_or(default);
        Clamp {
            header: Bytes::copy_from_slice(header.as_bytes()),
            behind_ms: number("message.timestamp.before.max.ms", i64::MAX),
            ahead_ms: number("message.timestamp.after.max.ms", AFTER_MAX_MS),
        }
    }

    /// Dates a record within what the target takes now, and puts what it had into the header, which replaces others of that
    /// name. A record without a timestamp, and one that is dated well, stays as it is.
    pub fn put(&self, record: &mut Record, now: Millis) {
        let margin = |limit_ms: i64| MARGIN_MS.min(limit_ms / 2);
        let earliest = now.0.saturating_sub(self.behind_ms).saturating_add(margin(self.behind_ms));
        let latest = now.0.saturating_add(self.ahead_ms).saturating_sub(margin(self.ahead_ms));
        // A client writes 0 as the present time.
        let dated = record.timestamp.0.clamp(earliest.max(1).min(latest), latest);
        if record.timestamp.0 < 0 || dated == record.timestamp.0 {
            return;
        }
        record.headers.retain(|header| header.name != self.header);
        let value = Some(record.timestamp.0.to_string().into());
        record.headers.push(Header { name: self.header.clone(), value });
        record.timestamp = Millis(dated);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Offset, TimestampType};

    const NOW: Millis = Millis(1_800_000_000_000);
    const DAY_MS: i64 = 86_400_000;

    fn dated(settings: &[(&str, &str)], timestamp: i64) -> (i64, Vec<Header>) {
        let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let earlier = Header { name: "was".into(), value: Some("7".into()) };
        let mut record = Record {
            offset: Offset(0),
            timestamp: Millis(timestamp),
            timestamp_type: TimestampType::CreateTime,
            key: None,
            value: None,
            headers: vec![earlier],
        };
        Clamp::new("was", &settings).put(&mut record, NOW);
        (record.timestamp.0, record.headers)
    }

    fn was(timestamp: i64) -> Vec<Header> {
        vec![Header { name: "was".into(), value: Some(timestamp.to_string().into()) }]
    }

    #[test]
    fn a_date_that_the_target_takes_stays_and_so_does_none() {
        for timestamp in [NOW.0, 1, -1, NOW.0 + AFTER_MAX_MS / 2] {
            assert_eq!(dated(&[], timestamp), (timestamp, was(7)), "the header is of an earlier restore");
        }
    }

    #[test]
    fn a_date_too_far_back_or_ahead_moves_to_the_nearest_that_the_target_takes() {
        let day = [("message.timestamp.before.max.ms", "86400000"), ("message.timestamp.after.max.ms", "86400000")];
        assert_eq!(dated(&day, NOW.0 - 9 * DAY_MS), (NOW.0 - DAY_MS + MARGIN_MS, was(NOW.0 - 9 * DAY_MS)));
        assert_eq!(dated(&day, NOW.0 + 9 * DAY_MS), (NOW.0 + DAY_MS - MARGIN_MS, was(NOW.0 + 9 * DAY_MS)));
        assert_eq!(dated(&[], NOW.0 + 2 * AFTER_MAX_MS).0, NOW.0 + AFTER_MAX_MS - MARGIN_MS);
        let strict = [("message.timestamp.before.max.ms", "0"), ("message.timestamp.after.max.ms", "0")];
        assert_eq!(dated(&strict, 5), (NOW.0, was(5)));
    }

    #[test]
    fn zero_which_a_client_takes_for_the_present_time_becomes_the_next() {
        assert_eq!(dated(&[], 0), (1, was(0)));
    }
}
