//! What runs of the scheduled functions came to, as the store has it: failures by function and kind, and when each last
//! succeeded and failed.

use super::registers::names::{join, split};
use crate::{
    ports::store::{Operation, Query, Register, Value},
    record::Millis,
};

/// The hash of the last successes: by function and backup; order the time.
const SUCCESSES: &str = "hw1:runs";
/// The hash of the last failures: by function and backup; order the time, value the kind.
const FAILURES: &str = "hw1:failed_runs";
/// A failure of longer ago is not told any more: its function may be gone from the settings, and nothing takes a failure back
/// but the next run. The alert rule HighwaterRunsFail has the same limit of eight days.
const FAILURE_AGE_MAX_MS: i64 = 8 * 86_400_000;
/// The functions that run on a schedule, on Lambda at least, and tell of it here.
pub const FUNCTIONS: [&str; 9] = [
    "backup-verifier",
    "cluster-archiver",
    "lag-monitor",
    "metrics-consumer",
    "object-replicator",
    "schema-archiver",
    "segment-expirer",
    "segment-restorer",
    "segment-writer",
];

/// What is to blame for a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailureKind {
    /// The storage holds something that cannot be read or believed.
    Damaged,
    /// Kafka did not answer, or refused.
    Kafka,
    /// The schema registry did not answer, or refused.
    Registry,
    /// What was asked for does not fit the settings, or the settings what is there.
    Settings,
    /// The storage did not answer, or refused.
    Storage,
    /// The store of figures did not answer, or refused.
    Store,
}

impl FailureKind {
    /// All of them, in the order of their names.
    pub const ALL: [FailureKind; 6] = [
        FailureKind::Damaged,
        FailureKind::Kafka,
        FailureKind::Registry,
        FailureKind::Settings,
        FailureKind::Storage,
        FailureKind::Store,
    ];

    /// As series have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            FailureKind::Damaged => "damaged",
            FailureKind::Kafka => "kafka",
            FailureKind::Registry => "registry",
            FailureKind::Settings => "settings",
            FailureKind::Storage => "storage",
            FailureKind::Store => "store",
        }
    }
}

/// What is known of the runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Runs {
    /// Failures, by function and kind; only those that there were.
    pub failures: Vec<(&'static str, FailureKind, u64)>,
    /// The last successes, by function and backup.
    pub successes: Vec<RunEnd>,
    /// The last failures, by function and backup, with what was to blame.
    pub last_failures: Vec<(RunEnd, String)>,
}

impl Runs {
    /// Leaves out what concerns a backup that is not kept, and failures that are too old at `now`.
    pub fn retain(&mut self, keeps: impl Fn(&str) -> bool, now: Millis) {
        let keeps = |end: &RunEnd| end.backup.is_empty() || keeps(&end.backup);
        self.successes.retain(keeps);
        self.last_failures.retain(|(end, _)| keeps(end) && now.0.saturating_sub(end.at.0) <= FAILURE_AGE_MAX_MS);
    }

    /// What failed when it last ran, with what was to blame. A failed run for no backup in particular is over with the next success
    /// of that kind; where the function has none, since it tells successes by backup, with one for any.
    pub fn failing(&self) -> impl Iterator<Item = &(RunEnd, String)> {
        let is_over = |failure: &RunEnd| {
            let of_function = || self.successes.iter().filter(|success| success.function == failure.function);
            let by_backup = !of_function().any(|success| success.backup == failure.backup);
            let same = |success: &&RunEnd| success.backup == failure.backup || failure.backup.is_empty() && by_backup;
            of_function().filter(same).any(|success| success.at > failure.at)
        };
        self.last_failures.iter().filter(move |(failure, _)| !is_over(failure))
    }
}

/// When a run of a function ended.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunEnd {
    /// The function.
    pub function: String,
    /// The backup; empty for what concerns none.
    pub backup: String,
    /// When.
    pub at: Millis,
}

/// What a failed run changes in the store.
#[must_use]
pub fn failed(function: &str, kind: FailureKind, count: u32) -> Operation {
    Operation::Add { key: failures_key(function, kind), by: count.into(), expires: None }
}

/// What a run with a failure changes in the store beside [`failed`]: when it was, and what was to blame.
#[must_use]
pub fn last_failed(function: &str, backup: &str, kind: FailureKind, at: Millis) -> Operation {
    let order = vec![u64::try_from(at.0).unwrap_or(0)];
    Operation::Max { key: FAILURES.to_owned(), field: join(&[function, backup]), order, value: kind.name().to_owned() }
}

/// What a run without a failure changes in the store. `backup` is empty for what concerns none.
#[must_use]
pub fn succeeded(function: &str, backup: &str, at: Millis) -> Operation {
    let order = vec![u64::try_from(at.0).unwrap_or(0)];
    Operation::Max { key: SUCCESSES.to_owned(), field: join(&[function, backup]), order, value: String::new() }
}

/// What to ask the store.
#[must_use]
pub fn queries() -> Vec<Query> {
    let failures = each().map(|(function, kind)| Query::Text(failures_key(function, kind)));
    failures.chain([SUCCESSES, FAILURES].map(|key| Query::Registers(key.to_owned()))).collect()
}

/// The answers to [`queries`].
#[must_use]
pub fn read(answers: &[Value]) -> Runs {
    let count = |value: &Value| match value {
        Value::Text(text) => text.as_deref().and_then(|text| text.parse().ok()).filter(|count| *count > 0),
        Value::Registers(_) => None,
    };
    let failures = each().zip(answers).filter_map(|((function, kind), value)| Some((function, kind, count(value)?)));
    let mut registers = answers.iter().filter_map(|answer| match answer {
        Value::Registers(registers) => Some(registers.as_slice()),
        Value::Text(_) => None,
    });
    let mut next = || registers.next().unwrap_or_default().iter();
    let mut successes: Vec<_> = next().filter_map(end).collect();
    successes.sort_unstable();
    let mut last_failures: Vec<_> =
        next().filter_map(|register| Some((end(register)?, register.value.clone()))).collect();
    last_failures.sort_unstable();
    Runs { failures: failures.collect(), successes, last_failures }
}

fn end(register: &Register) -> Option<RunEnd> {
    let [function, backup] = split::<2>(&register.field)?;
    let at = Millis(i64::try_from(*register.order.first()?).ok()?);
    Some(RunEnd { function: function.to_owned(), backup: backup.to_owned(), at })
}

fn each() -> impl Iterator<Item = (&'static str, FailureKind)> {
    FUNCTIONS.into_iter().flat_map(|function| FailureKind::ALL.map(|kind| (function, kind)))
}

fn failures_key(function: &str, kind: FailureKind) -> String {
    format!("hw1:run_failures:{}", join(&[function, kind.name()]))
}
