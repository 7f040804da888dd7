//! What an event adds to the counters of its location, and which operations wait.
//!
//! ```text
//! hw1:crr:<location>,<counter>,     done:<size>  done-bytes:<size>  failed:<reason>  failed-bytes
//!                                   latency:<bucket>  latency-ms  latency:<bucket>:<interval>
//! hw1:crr:<location>,pending,       the pending operations, by when they were queued
//! hw1:crr:<location>,missing,       those whose object is not at the location: pending ones, and failed ones
//! ```

use crate::{
    metrics::{backbeat::message::EventKind, registers::names::join},
    ports::store::{Contribution, Waiting},
    record::Millis,
};

/// The upper bounds of the latency histogram. What took longer is in one more bucket.
pub const LATENCY_BOUNDS_MS: [i64; 14] = [
    100, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 120_000, 300_000, 900_000, 3_600_000, 14_400_000, 86_400_000,
];

/// How many buckets the histogram has.
pub const LATENCY_BUCKETS: usize = LATENCY_BOUNDS_MS.len() + 1;

/// Classes of objects by size: up to so many bytes. The last two are of what is larger, and of several objects in one message.
pub const SIZES: [&str; 8] = ["1KiB", "64KiB", "1MiB", "16MiB", "128MiB", "1GiB", "larger", "unknown"];
const SIZE_BOUNDS: [i64; 6] = [1 << 10, 1 << 16, 1 << 20, 16 << 20, 128 << 20, 1 << 30];

/// Why attempts fail ([`crate::replication::ReasonKind`]); the last is of messages that say none.
pub const REASONS: [&str; 6] = ["unavailable", "refused", "differs", "source", "source_gone", "unknown"];

/// The reason of an object that is gone at its source: the location will never hold it.
const GONE: &str = "source_gone";

/// What an event says, as far as it matters here.
#[derive(Debug, Clone, Copy)]
pub struct Said<'a> {
    /// At which location.
    pub location: &'a str,
    /// What happened.
    pub kind: EventKind,
    /// To how many operations.
    pub ops: i64,
    /// Their bytes.
    pub bytes: i64,
    /// Why an attempt failed.
    pub reason: Option<&'a str>,
    /// How long it took, where that is known.
    pub latency_ms: Option<i64>,
    /// The interval that it counts in, and when that ends; `None`: none that is still read.
    pub interval: Option<(Millis, Millis)>,
}

/// The key of a counter of a location.
#[must_use]
pub fn key(location: &str, counter: &str) -> String {
    format!("hw1:crr:{}", join(&[location, counter]))
}

/// The hash that tells when each location was configured last whose events are on this metrics topic.
#[must_use]
pub fn configured(metrics_topic: &str) -> String {
    format!("hw1:locations:{}", join(&[metrics_topic]))
}

/// The set of the pending operations of a location.
#[must_use]
pub fn pending(location: &str) -> String {
    key(location, "pending")
}

/// The set of the operations whose object is not at a location.
#[must_use]
pub fn missing(location: &str) -> String {
    key(location, "missing")
}

/// The counters that only grow: of operations, and of their bytes.
#[must_use]
pub fn kept(location: &str, kind: EventKind, size: Option<&'static str>, reason: Option<&str>) -> Option<[String; 2]> {
    let size = size.unwrap_or(SIZES[SIZE_BOUNDS.len() + 1]);
    match kind {
        EventKind::Queued => None,
        EventKind::Failed => Some([key(location, &format!("failed:{}", known(reason))), key(location, "failed-bytes")]),
        EventKind::Completed => {
            Some([key(location, &format!("done:{size}")), key(location, &format!("done-bytes:{size}"))])
        }
    }
}

/// What is added for good.
#[must_use]
pub fn keeps(said: &Said<'_>) -> Vec<Contribution> {
    let add = |key: String, by| Contribution { key: key.into(), by, expires: None };
    let kept = kept(said.location, said.kind, Some(size(said.ops, said.bytes)), said.reason);
    let Some([ops, bytes]) = kept else { return vec![] };
    let mut adds = vec![add(ops, said.ops), add(bytes, said.bytes)];
    if let Some(latency_ms) = said.latency_ms.filter(|_| said.kind == EventKind::Completed) {
        let bucket = bucket(latency_ms);
        adds.push(add(key(said.location, &format!("latency:{bucket}")), 1));
        adds.push(add(key(said.location, "latency-ms"), latency_ms));
        adds.extend(said.interval.map(|(interval, ends)| Contribution {
            key: recent(said.location, bucket, interval).into(),
            by: 1,
            expires: Some(ends),
        }));
    }
    adds
}

/// Which sets an operation is in from now on.
#[must_use]
pub fn waits(said: &Said<'_>, queued_at: Millis) -> Vec<Waiting> {
    let is_missing = match said.kind {
        EventKind::Queued => true,
        EventKind::Failed => said.reason != Some(GONE),
        EventKind::Completed => false,
    };
    let since = |waits: bool| waits.then_some(queued_at);
    vec![
        Waiting { set: pending(said.location).into(), since: since(said.kind == EventKind::Queued) },
        Waiting { set: missing(said.location).into(), since: since(is_missing) },
    ]
}

/// The counter of a bucket in an interval.
#[must_use]
pub fn recent(location: &str, bucket: usize, interval: Millis) -> String {
    key(location, &format!("latency:{bucket}:{interval}"))
}

fn bucket(latency_ms: i64) -> usize {
    LATENCY_BOUNDS_MS.iter().position(|bound| latency_ms <= *bound).unwrap_or(LATENCY_BOUNDS_MS.len())
}

/// The class of an object by its size ([`SIZES`]).
#[must_use]
pub fn size(ops: i64, bytes: i64) -> &'static str {
    SIZES[match ops {
        1 => SIZE_BOUNDS.iter().position(|bound| bytes <= *bound).unwrap_or(SIZE_BOUNDS.len()),
        _ => SIZE_BOUNDS.len() + 1,
    }]
}

fn known(reason: Option<&str>) -> &'static str {
    REASONS.into_iter().find(|known| Some(*known) == reason).unwrap_or("unknown")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replication::ReasonKind;

    #[test]
    fn every_reason_has_a_counter_of_its_own() {
        use ReasonKind::{Differs, Refused, Source, SourceGone, Unavailable};
        let names: Vec<_> = [Unavailable, Refused, Differs, Source, SourceGone].map(ReasonKind::name).into();
        assert_eq!(names, REASONS[..5]);
        assert_eq!(
            (known(Some("differs")), known(Some("no such reason")), known(None)),
            ("differs", "unknown", "unknown")
        );
    }

    #[test]
    fn a_bound_belongs_to_the_bucket_below_it() {
        assert_eq!([0, 100, 101, 86_400_000, 86_400_001].map(bucket), [0, 0, 1, 13, 14]);
        assert_eq!(
            [(1, 0), (1, 1_024), (1, 1_025), (1, 1 << 30), (1, (1 << 30) + 1), (2, 1)].map(|(n, b)| size(n, b)),
            ["1KiB", "1KiB", "64KiB", "1GiB", "larger", "unknown"]
        );
    }

    #[test]
    fn what_is_gone_at_its_source_is_not_missing_at_the_location() {
        let said =
            |kind, reason| Said { location: "l", kind, ops: 1, bytes: 1, reason, latency_ms: None, interval: None };
        let waits = |kind, reason| {
            waits(&said(kind, reason), Millis(7)).into_iter().map(|it| it.since.is_some()).collect::<Vec<_>>()
        };
        assert_eq!(waits(EventKind::Queued, None), [true, true]);
        assert_eq!(waits(EventKind::Failed, Some("unavailable")), [false, true]);
        assert_eq!(waits(EventKind::Failed, Some("source_gone")), [false, false]);
        assert_eq!(waits(EventKind::Completed, None), [false, false]);
    }
}
