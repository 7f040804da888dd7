//! What one message of the metrics topic changes in the store. Decided from the record alone, never by a clock, so that a
//! replay decides the same.

use super::{
    backbeat::{
        keys::{self, ObjectCounter, Pending, SiteCounter, Windows},
        message::{self, Change, Counts, Decoded, EventKind, OperationRef},
    },
    registers,
    replication::counters::{self, Said},
};
use crate::{
    ports::store::{Contribution, Operation},
    record::{Millis, Record},
};

/// An event that is older than its interval is readable: its interval counters are skipped, pending is not.
pub const TOO_OLD: &str = "too_old";
/// A message that metrics-aggregator can never apply.
pub const NEVER_APPLIES: &str = "never_applies";

/// An operation that is over is known for so long.
const OPERATION_KEPT_S: u32 = 86_400;
/// An end that is written so long after it came is told again, or told late: it counts where the operation is known, as it is
/// from when it is queued until a day after its end.
const TOLD_LATE_S: u32 = 600;

/// Every reason that a message, or a part of it, is counted by and passed over for: of a message that is none
/// ([`message::Malformed`]), of one of ours ([`super::reason::Reason`]), of one that came too late.
pub const REASONS: [&str; 14] = [
    "ambiguous",
    "inconsistent",
    "malformed",
    "missing_field",
    "missing_site",
    NEVER_APPLIES,
    "not_an_object",
    "not_json",
    "null",
    "out_of_range",
    "tombstone",
    TOO_OLD,
    "unknown_type",
    "wrong_type",
];

/// What a message changes.
#[derive(Debug, PartialEq)]
pub enum Effects {
    /// The counters of its group, by so many operations and bytes.
    Grouped(Group, i64, i64),
    /// This.
    Operations(Vec<Operation>),
}

impl Effects {
    /// As operations.
    #[must_use]
    pub fn operations(self) -> Vec<Operation> {
        match self {
            Effects::Grouped(group, ops, bytes) => group.operations(ops, bytes),
            Effects::Operations(operations) => operations,
        }
    }
}

/// What messages have in common that change the same counters: messages of a location, without an id. Most messages are of few
/// groups, so that the names of the counters are made once for many.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Group {
    location: String,
    kind: EventKind,
    /// The interval that they count in, and when that ends; `None`: they are too old for one.
    interval: Option<(Millis, Millis)>,
    /// The size of a completed object.
    size: Option<&'static str>,
}

impl Group {
    /// What a message of the group changes.
    #[must_use]
    pub fn operations(&self, ops: i64, bytes: i64) -> Vec<Operation> {
        self.counters().into_iter().zip(self.amounts(ops, bytes)).map(|((key, ends), by)| add(key, by, ends)).collect()
    }

    /// The counters' keys, and when they end.
    fn counters(&self) -> Vec<(String, Option<Millis>)> {
        let mut counters = match self.interval {
            Some((interval, ends)) => {
                site_counters(self.kind).map(|it| (keys::site(&self.location, it, interval), Some(ends))).into()
            }
            None => vec![(super::keys::rejected(TOO_OLD), None)],
        };
        counters.extend([Pending::Ops, Pending::Bytes].map(|it| (keys::pending(&self.location, it), None)));
        let kept = counters::kept(&self.location, self.kind, self.size, None);
        counters.extend(kept.into_iter().flatten().map(|key| (key, None)));
        counters
    }

    /// By how much each of the counters changes, in their order.
    pub fn amounts(&self, ops: i64, bytes: i64) -> impl Iterator<Item = i64> + use<> {
        let (is_read, is_over) = (self.interval.is_some(), self.kind != EventKind::Queued);
        let sign = if is_over { -1 } else { 1 };
        let counted = [Some(if is_read { ops } else { 1 }), is_read.then_some(bytes)];
        let pending = [Some(sign * ops), Some(sign * bytes)];
        let kept = [is_over.then_some(ops), is_over.then_some(bytes)];
        [counted, pending, kept].into_iter().flatten().flatten()
    }
}

/// What the message changes; a message that is none changes the counter of its reason.
#[must_use]
pub fn of_record(record: &Record, windows: Windows) -> Effects {
    match message::decode(record.value.as_deref()) {
        Decoded::Change(change) => of_change(change, record.timestamp, windows),
        Decoded::Ours(value) => {
            Effects::Operations(registers::of_message(&value).unwrap_or_else(|reason| vec![rejected(reason.kind())]))
        }
        Decoded::Skipped => Effects::Operations(Vec::new()),
        Decoded::Malformed(malformed) => Effects::Operations(vec![rejected(malformed.reason())]),
    }
}

fn rejected(reason: &str) -> Operation {
    add(super::keys::rejected(reason), 1, None)
}

fn of_change(change: Change, recorded: Millis, windows: Windows) -> Effects {
    if let Some(operation) = &change.operation {
        return Effects::Operations(vec![of_operation(&change, operation, recorded, windows)]);
    }
    let Change { kind, timestamp, counts, .. } = change;
    match counts {
        Counts::Site { location, ops, bytes } => {
            let interval = interval(timestamp, recorded, windows, windows.window_s);
            let size = (kind == EventKind::Completed).then(|| counters::size(ops, bytes));
            Effects::Grouped(Group { location, kind, interval, size }, ops, bytes)
        }
        Counts::Object { object, bytes } => {
            let counter = if kind == EventKind::Queued { ObjectCounter::Bytes } else { ObjectCounter::BytesDone };
            Effects::Operations(match interval(timestamp, recorded, windows, windows.object_window_s) {
                Some((interval, ends)) => vec![add(keys::object(&object, counter, interval), bytes, Some(ends))],
                None => vec![rejected(TOO_OLD)],
            })
        }
    }
}

/// What an operation that has an id adds to the figures, from now on. Its state is the greatest by attempt, then queued,
/// failed, completed; so what comes twice, late or out of order changes nothing, pending is the number of operations in
/// state queued, and a retry takes a failure back.
fn of_operation(change: &Change, operation: &OperationRef, recorded: Millis, windows: Windows) -> Operation {
    let timestamp = change.timestamp.unwrap_or(recorded);
    let ends = |window_s| Some(Millis(recorded.0.saturating_add(i64::from(window_s) * 1_000)));
    match &change.counts {
        Counts::Site { location, ops, bytes } => {
            let queued_at = operation.queued_at.unwrap_or(timestamp);
            let mut adds =
                of_site(location, EventKind::Queued, (*ops, *bytes), interval_of(queued_at, recorded, windows));
            match change.kind {
                EventKind::Queued => adds.extend([
                    contribution(keys::pending(location, Pending::Ops), *ops, None),
                    contribution(keys::pending(location, Pending::Bytes), *bytes, None),
                ]),
                kind => adds.extend(of_site(location, kind, (*ops, *bytes), interval_of(timestamp, recorded, windows))),
            }
            let is_over = change.kind != EventKind::Queued;
            // Another program may tell when it began instead, and never that it was queued.
            let late_s = if operation.queued_at.is_some() { TOLD_LATE_S } else { OPERATION_KEPT_S };
            let latency_ms = timestamp.0.saturating_sub(queued_at.0).max(0);
            let interval = interval_of(timestamp, recorded, windows);
            let said = said(change, location, (*ops, *bytes), Some(latency_ms), interval);
            Operation::Contribute {
                key: super::keys::operation(location, &operation.id),
                order: vec![operation.attempt.into(), rank(change.kind)],
                adds,
                keeps: counters::keeps(&said),
                waits: counters::waits(&said, queued_at),
                expires: if is_over { ends(OPERATION_KEPT_S) } else { None },
                only_known: is_over && timestamp.0.saturating_add(i64::from(late_s) * 1_000) < recorded.0,
            }
        }
        Counts::Object { object, bytes } => {
            let counter =
                if change.kind == EventKind::Queued { ObjectCounter::Bytes } else { ObjectCounter::BytesDone };
            let interval = interval(Some(timestamp), recorded, windows, windows.object_window_s);
            let add = |(interval, ends)| contribution(keys::object(object, counter, interval), *bytes, Some(ends));
            Operation::Contribute {
                key: super::keys::operation_part(&object.location, &operation.id, operation.part),
                order: vec![operation.attempt.into()],
                adds: interval.map(add).into_iter().collect(),
                keeps: vec![],
                waits: vec![],
                expires: ends(windows.object_window_s),
                only_known: false,
            }
        }
    }
}

/// What an event of a location says, as far as it counts for good.
fn said<'a>(
    change: &'a Change,
    location: &'a str,
    (ops, bytes): (i64, i64),
    latency_ms: Option<i64>,
    interval: Option<(Millis, Millis)>,
) -> Said<'a> {
    let reason = change.operation.as_ref().and_then(|operation| operation.reason.as_deref());
    Said { location, kind: change.kind, ops, bytes, reason, latency_ms, interval }
}

fn interval_of(at: Millis, recorded: Millis, windows: Windows) -> Option<(Millis, Millis)> {
    interval(Some(at), recorded, windows, windows.window_s)
}

fn of_site(
    location: &str,
    kind: EventKind,
    (ops, bytes): (i64, i64),
    interval: Option<(Millis, Millis)>,
) -> Vec<Contribution> {
    let Some((interval, ends)) = interval else { return vec![] };
    let [ops_counter, bytes_counter] = site_counters(kind);
    let add = |counter, by| contribution(keys::site(location, counter, interval), by, Some(ends));
    vec![add(ops_counter, ops), add(bytes_counter, bytes)]
}

fn rank(kind: EventKind) -> u64 {
    match kind {
        EventKind::Queued => 0,
        EventKind::Failed => 1,
        EventKind::Completed => 2,
    }
}

fn contribution(key: String, by: i64, expires: Option<Millis>) -> Contribution {
    Contribution { key: key.into(), by, expires }
}

fn site_counters(kind: EventKind) -> [SiteCounter; 2] {
    match kind {
        EventKind::Queued => [SiteCounter::Ops, SiteCounter::Bytes],
        EventKind::Completed => [SiteCounter::OpsDone, SiteCounter::BytesDone],
        EventKind::Failed => [SiteCounter::OpsFail, SiteCounter::BytesFail],
    }
}

/// The interval an event counts in, and when that interval's counters end. Judged against the record's timestamp: too old
/// is what no reader of that moment could see any more; what claims to be more than an interval ahead counts in the
/// record's interval. Where one of the two timestamps is missing the other one stands for both.
fn interval(event: Option<Millis>, recorded: Millis, windows: Windows, window_s: u32) -> Option<(Millis, Millis)> {
    let recorded = Some(recorded).filter(|at| at.0 >= 0).or(event)?;
    let event = event.unwrap_or(recorded);
    let ahead = event.0 > recorded.0.saturating_add(windows.interval_ms());
    let interval = windows.interval_of(if ahead { recorded } else { event });
    let expires = windows.expiry(interval, window_s);
    (expires > recorded).then_some((interval, expires))
}

fn add(key: String, by: i64, expires: Option<Millis>) -> Operation {
    Operation::Add { key, by, expires }
}

#[cfg(test)]
mod tests;
