//! Backbeat's keys in Redis, as the original makes them.
//!
//! ```text
//! site     <location>:bb:crr:<ops|bytes|opsdone|bytesdone|opsfail|bytesfail>:requests:<interval>
//! object   <location>:<bucket>:<key>:<versionId>:bb:crr:object:<bytes|bytesdone>:requests:<interval>
//! pending  <location>:bb:crr:<opspending|bytespending>
//! ```
//! `<interval>` is its beginning in milliseconds since 1970.

use crate::record::Millis;

/// How time is cut and how far back it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    /// The length of an interval, in seconds. Backbeat's is 300.
    pub interval_s: u32,
    /// How far back completions and failures of a location go, in seconds.
    pub window_s: u32,
    /// How far back the progress of an object goes, in seconds.
    pub object_window_s: u32,
}

impl Default for Windows {
    fn default() -> Self {
        Windows { interval_s: 300, window_s: 900, object_window_s: 86_400 }
    }
}

impl Windows {
    /// The beginning of the interval that holds `at`. A message may name any time: there is none before the first.
    #[must_use]
    pub fn interval_of(&self, at: Millis) -> Millis {
        Millis(at.0.saturating_sub(at.0.rem_euclid(self.interval_ms())))
    }

    /// The beginnings of the latest `count` intervals, the current one first.
    pub fn latest(&self, now: Millis, count: usize) -> impl Iterator<Item = Millis> + use<> {
        let (current, length) = (self.interval_of(now).0, self.interval_ms());
        (0..count as i64).map(move |back| Millis(current.saturating_sub(back * length)))
    }

    /// How many intervals a window of so many seconds has.
    #[must_use]
    pub fn count(&self, window_s: u32) -> usize {
        (window_s / self.interval_s.max(1)).max(1) as usize
    }

    /// The length of an interval.
    #[must_use]
    pub fn interval_ms(&self) -> i64 {
        i64::from(self.interval_s.max(1)) * 1_000
    }

    /// When a counter of this interval has no reader any more: one interval after the window has passed it.
    /// The original's time to live (1200 s for a location) after a write at the interval's very beginning.
    #[must_use]
    pub fn expiry(&self, interval: Millis, window_s: u32) -> Millis {
        Millis(interval.0.saturating_add(i64::from(window_s) * 1_000 + self.interval_ms()))
    }
}

/// What is counted for a location and an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SiteCounter {
    /// Operations queued.
    Ops,
    /// Bytes queued.
    Bytes,
    /// Operations completed.
    OpsDone,
    /// Bytes completed.
    BytesDone,
    /// Operations failed.
    OpsFail,
    /// Bytes failed.
    BytesFail,
}

/// What is counted for an object and an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ObjectCounter {
    /// Bytes to be replicated.
    Bytes,
    /// Bytes replicated.
    BytesDone,
}

/// What is counted for a location without expiry (generation B).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pending {
    /// Operations queued and neither completed nor failed.
    Ops,
    /// Their bytes.
    Bytes,
}

/// An object's version at a location. No two are called alike as long as location, bucket and version have no colon,
/// which [`super::message`] sees to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Object {
    /// The location.
    pub location: String,
    /// The bucket.
    pub bucket: String,
    /// The object's key; any text.
    pub key: String,
    /// The version.
    pub version_id: String,
}

impl Object {
    /// The part with a colon, by its name in a message: with it the object's counters could be another object's. Nothing
    /// is counted for such an object, so reading answers it as unknown.
    #[must_use]
    pub fn ambiguous_part(&self) -> Option<&'static str> {
        let parts = [("site", &self.location), ("bucketName", &self.bucket), ("versionId", &self.version_id)];
        parts.into_iter().find(|(_, text)| text.contains(':')).map(|(name, _)| name)
    }
}

/// The key of a location's counter.
#[must_use]
pub fn site(location: &str, counter: SiteCounter, interval: Millis) -> String {
    let name = match counter {
        SiteCounter::Ops => "ops",
        SiteCounter::Bytes => "bytes",
        SiteCounter::OpsDone => "opsdone",
        SiteCounter::BytesDone => "bytesdone",
        SiteCounter::OpsFail => "opsfail",
        SiteCounter::BytesFail => "bytesfail",
    };
    format!("{location}:bb:crr:{name}:requests:{interval}")
}

/// The key of an object's counter.
#[must_use]
pub fn object(object: &Object, counter: ObjectCounter, interval: Millis) -> String {
    let Object { location, bucket, key, version_id } = object;
    let name = match counter {
        ObjectCounter::Bytes => "bytes",
        ObjectCounter::BytesDone => "bytesdone",
    };
    format!("{location}:{bucket}:{key}:{version_id}:bb:crr:object:{name}:requests:{interval}")
}

/// The key of a location's pending counter.
#[must_use]
pub fn pending(location: &str, pending: Pending) -> String {
    match pending {
        Pending::Ops => format!("{location}:bb:crr:opspending"),
        Pending::Bytes => format!("{location}:bb:crr:bytespending"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Millis = Millis(1_531_432_000_000);

    #[test]
    fn keys_are_the_originals() {
        let windows = Windows::default();
        let interval = windows.interval_of(AT);
        assert_eq!(site("site1", SiteCounter::OpsDone, interval), "site1:bb:crr:opsdone:requests:1531431900000");
        let o = Object { location: "site1".into(), bucket: "b".into(), key: "a/b:c".into(), version_id: "v1".into() };
        assert_eq!(
            object(&o, ObjectCounter::Bytes, interval),
            "site1:b:a/b:c:v1:bb:crr:object:bytes:requests:1531431900000"
        );
        assert_eq!(pending("site1", Pending::Bytes), "site1:bb:crr:bytespending");
    }

    #[test]
    fn the_latest_intervals_begin_with_the_current_one() {
        let latest: Vec<i64> = Windows::default().latest(AT, 3).map(|m| m.0).collect();
        assert_eq!(latest, [1_531_431_900_000, 1_531_431_600_000, 1_531_431_300_000]);
        assert_eq!(Windows::default().interval_of(Millis(-1)), Millis(-300_000));
    }

    #[test]
    fn a_counter_lives_as_long_as_a_formula_can_read_it() {
        let windows = Windows::default();
        let interval = windows.interval_of(AT);
        let last_reader = Millis(windows.expiry(interval, windows.window_s).0 - 1);
        assert!(
            windows.latest(last_reader, 4).any(|read| read == interval),
            "throughput reads the fourth interval back"
        );
        assert!(!windows.latest(Millis(last_reader.0 + 1), 4).any(|read| read == interval));
    }
}
