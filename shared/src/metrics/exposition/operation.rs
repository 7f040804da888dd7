//! The metrics of what works on backups: processes, runs of functions, verifications, messages passed over.

use super::{encode, family, label, seconds};
use crate::{
    metrics::{
        drills::{self, DrillResult, Drills},
        processes::{Counts, Processes},
        registry,
        runs::{RunEnd, Runs},
        verifications::{self, Verification},
    },
    ports::objects::{ErrorKind, Operation},
};

/// The lines of the page about running processes; none where none is running.
#[must_use]
pub fn of_processes(processes: &Processes) -> String {
    if processes.count == 0 {
        return String::new();
    }
    let single = |of, value: u64| family(of, [(vec![], value as f64)]);
    let each = |of, count: fn(&Counts) -> u64| {
        family(of, processes.counts.iter().map(|(process, it)| (vec![label("process", process)], count(it) as f64)))
    };
    let requests = processes.counts.iter().flat_map(|(process, counts)| {
        let labels = |it: &Operation| vec![label("operation", it.name()), label("process", process)];
        counts.requests.iter().map(move |(it, count)| (labels(it), *count as f64))
    });
    // Also those that never failed: a rate needs the 0 before the first failure.
    let pairs = Operation::ALL.into_iter().flat_map(|operation| ErrorKind::ALL.map(|error| (operation, error)));
    let errors = processes.counts.iter().flat_map(|(process, counts)| {
        pairs.clone().map(move |pair @ (operation, error)| {
            let labels =
                vec![label("kind", error.name()), label("operation", operation.name()), label("process", process)];
            (labels, counts.errors.get(&pair).copied().unwrap_or_default() as f64)
        })
    });
    let missing = processes.missing_topics.iter();
    let missing = missing.map(|(backup, topic)| (vec![label("backup", backup), label("topic", topic)], 1.0));
    encode([
        single(registry::MEMORY_BUDGET_LIMIT_BYTES, processes.memory_limit_bytes),
        single(registry::MEMORY_BUDGET_USED_BYTES, processes.memory_used_bytes),
        each(registry::METRICS_MESSAGES_DROPPED_TOTAL, |it| it.messages_dropped),
        each(registry::METRICS_PUBLISH_FAILURES_TOTAL, |it| it.publish_failures),
        family(registry::STORAGE_ERRORS_TOTAL, errors),
        family(registry::STORAGE_REQUESTS_TOTAL, requests),
        family(registry::TOPIC_MISSING, missing),
    ])
}

/// The lines of the page about the last verifications of each backup; none where there was none.
#[must_use]
pub fn of_verifications<'a>(verifications: impl Iterator<Item = &'a Verification> + Clone) -> String {
    let labels = |it: &Verification| vec![label("backup", &it.backup), label("mode", verifications::mode(it.deep))];
    let series =
        |of, value: fn(&Verification) -> f64| family(of, verifications.clone().map(|it| (labels(it), value(it))));
    encode([
        series(registry::VERIFY_FINDINGS, |it| it.findings as f64),
        series(registry::VERIFY_LAST_TIMESTAMP_SECONDS, |it| seconds(it.at)),
    ])
}

/// The lines of the page about the last drills of each backup; none where there was none.
#[must_use]
pub fn of_drills(drills: &[Drills]) -> String {
    let labels = |it: &DrillResult| vec![label("backup", &it.backup), label("mode", drills::mode(it.sample))];
    let series = |of, value: fn(&Drills) -> Option<f64>| {
        family(of, drills.iter().filter_map(|it| Some((labels(&it.last), value(it)?))))
    };
    encode([
        series(registry::DRILL_GOOD, |it| Some(f64::from(u8::from(it.last.good)))),
        series(registry::DRILL_LAST_TIMESTAMP_SECONDS, |it| Some(seconds(it.last.at))),
        series(registry::DRILL_LAST_SUCCESS_TIMESTAMP_SECONDS, |it| Some(seconds(it.last_good.as_ref()?.at))),
        series(registry::DRILL_DURATION_SECONDS, |it| Some(it.last.seconds)),
        series(registry::DRILL_RECORDS, |it| Some(it.last.records as f64)),
    ])
}

/// The lines of the page about messages of the metrics topic that were passed over, by reason. They belong to no backup.
#[must_use]
pub fn skipped(counts: &[(&str, u64)]) -> String {
    let series = counts.iter().map(|(reason, count)| (vec![label("reason", reason)], *count as f64));
    encode([family(registry::METRICS_MESSAGES_SKIPPED_TOTAL, series)])
}

/// The lines of the page about runs of scheduled functions.
#[must_use]
pub fn of_runs(runs: &Runs) -> String {
    let failures = runs
        .failures
        .iter()
        .map(|(function, kind, count)| (vec![label("function", function), label("kind", kind.name())], *count as f64));
    let sample = |end: &RunEnd| {
        let backup = Some(label("backup", &end.backup)).filter(|_| !end.backup.is_empty());
        (backup.into_iter().chain([label("function", &end.function)]).collect(), seconds(end.at))
    };
    let last_failures = runs.last_failures.iter().map(|(end, _)| sample(end));
    encode([
        family(registry::FUNCTION_FAILURES_TOTAL, failures),
        family(registry::FUNCTION_LAST_SUCCESS_TIMESTAMP_SECONDS, runs.successes.iter().map(sample)),
        family(registry::FUNCTION_LAST_FAILURE_TIMESTAMP_SECONDS, last_failures),
    ])
}
