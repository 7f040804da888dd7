//! The families of what works on backups: processes, runs of functions, verifications, messages passed over.

use prometheus::proto::MetricType;

use super::{encode, family, label, metric, seconds};
use crate::{
    metrics::{
        drills::{self, DrillResult, Drills},
        processes::Processes,
        runs::{RunEnd, Runs},
        verifications::{self, Verification},
    },
    ports::objects::{ErrorKind, Operation},
};

/// The lines of the page about running processes, together; none where none is running.
#[must_use]
pub fn of_processes(processes: &Processes) -> String {
    if processes.count == 0 {
        return String::new();
    }
    let gauge = |name, help, bytes: u64| {
        family(name, MetricType::GAUGE, help, vec![metric(MetricType::GAUGE, vec![], bytes as f64)])
    };
    let counter = |name, help, count: u64| {
        family(name, MetricType::COUNTER, help, vec![metric(MetricType::COUNTER, vec![], count as f64)])
    };
    let kind = MetricType::COUNTER;
    let requests = &processes.requests;
    let requests = requests.iter().map(|(it, count)| metric(kind, vec![label("operation", it.name())], *count as f64));
    // Also those that never failed: a rate needs the 0 before the first failure.
    let pairs = Operation::ALL.into_iter().flat_map(|operation| ErrorKind::ALL.map(|error| (operation, error)));
    let errors = pairs.map(|(operation, error)| {
        let count = processes.errors.get(&(operation, error)).copied().unwrap_or_default();
        metric(kind, vec![label("kind", error.name()), label("operation", operation.name())], count as f64)
    });
    let missing = processes
        .missing_topics
        .iter()
        .map(|(backup, topic)| metric(MetricType::GAUGE, vec![label("backup", backup), label("topic", topic)], 1.0));
    let families = [
        gauge(
            "highwater_memory_budget_limit_bytes",
            "Memory that the running processes may use for records and unfinished segments",
            processes.memory_limit_bytes,
        ),
        gauge(
            "highwater_memory_budget_used_bytes",
            "Memory that the running processes use for records and unfinished segments",
            processes.memory_used_bytes,
        ),
        counter(
            "highwater_metrics_messages_dropped_total",
            "Messages for the metrics topic that the running processes gave up, because too many waited",
            processes.messages_dropped,
        ),
        counter(
            "highwater_metrics_publish_failures_total",
            "Attempts of the running processes to publish figures on the metrics topic that failed, since they started",
            processes.publish_failures,
        ),
        family(
            "highwater_storage_errors_total",
            kind,
            "Requests of the running processes to the storage that failed, since they started",
            errors.collect(),
        ),
        family(
            "highwater_storage_requests_total",
            kind,
            "Requests of the running processes to the storage, since they started",
            requests.collect(),
        ),
        family(
            "highwater_topic_missing",
            MetricType::GAUGE,
            "1 for a topic that a backup names and Kafka does not have",
            missing.collect(),
        ),
    ];
    let families: Vec<_> = families.into_iter().filter(|family| !family.get_metric().is_empty()).collect();
    encode(&families)
}

/// The lines of the page about the last verification of each backup; none where there was none.
#[must_use]
pub fn of_verifications(verifications: &[Verification]) -> String {
    let series = |name, help, value: fn(&Verification) -> f64| {
        let metric = |it: &Verification| {
            let labels = vec![label("backup", &it.backup), label("mode", verifications::mode(it.deep))];
            metric(MetricType::GAUGE, labels, value(it))
        };
        family(name, MetricType::GAUGE, help, verifications.iter().map(metric).collect())
    };
    let findings = series(
        "highwater_verify_findings",
        "What the last verification of a backup found wrong; 0: it is good",
        |verification| verification.findings as f64,
    );
    let at = series("highwater_verify_last_timestamp_seconds", "When a backup was last verified", |verification| {
        seconds(verification.at)
    });
    if verifications.is_empty() { String::new() } else { encode(&[findings, at]) }
}

/// The lines of the page about the last drills of each backup; none where there was none.
#[must_use]
pub fn of_drills(drills: &[Drills]) -> String {
    let labels = |it: &DrillResult| vec![label("backup", &it.backup), label("mode", drills::mode(it.sample))];
    let series = |name, help, value: fn(&Drills) -> Option<f64>| {
        let metric = |it: &Drills| Some(metric(MetricType::GAUGE, labels(&it.last), value(it)?));
        family(name, MetricType::GAUGE, help, drills.iter().filter_map(metric).collect())
    };
    let families = [
        series("highwater_drill_good", "Whether everything came back as it was stored in the last drill", |it| {
            Some(f64::from(u8::from(it.last.good)))
        }),
        series("highwater_drill_last_timestamp_seconds", "When a backup was last drilled", |it| {
            Some(seconds(it.last.at))
        }),
        series("highwater_drill_last_success_timestamp_seconds", "When a backup was last drilled and was good", |it| {
            Some(seconds(it.last_good.as_ref()?.at))
        }),
        series("highwater_drill_duration_seconds", "How long the last drill of a backup took", |it| {
            Some(it.last.seconds)
        }),
        series("highwater_drill_records", "Records that came back as they were stored in the last drill", |it| {
            Some(it.last.records as f64)
        }),
    ];
    let families: Vec<_> = families.into_iter().filter(|family| !family.get_metric().is_empty()).collect();
    if families.is_empty() { String::new() } else { encode(&families) }
}

/// The lines of the page about messages of the metrics topic that were passed over, by reason. They belong to no backup.
#[must_use]
pub fn skipped(counts: &[(&str, u64)]) -> String {
    const HELP: &str = "Messages of the metrics topic that could not be counted, or not in their interval";
    let kind = MetricType::COUNTER;
    let metrics = counts.iter().map(|(reason, count)| metric(kind, vec![label("reason", reason)], *count as f64));
    encode(&[family("highwater_metrics_messages_skipped_total", kind, HELP, metrics.collect())])
}

/// The lines of the page about runs of scheduled functions.
#[must_use]
pub fn of_runs(runs: &Runs) -> String {
    let failures = runs.failures.iter().map(|(function, kind, count)| {
        let labels = vec![label("function", function), label("kind", kind.name())];
        metric(MetricType::COUNTER, labels, *count as f64)
    });
    let of_end = |end: &RunEnd| {
        let backup = Some(label("backup", &end.backup)).filter(|_| !end.backup.is_empty());
        backup.into_iter().chain([label("function", &end.function)]).collect()
    };
    let successes = runs.successes.iter().map(|end| metric(MetricType::GAUGE, of_end(end), seconds(end.at)));
    let last_failures =
        runs.last_failures.iter().map(|(end, _)| metric(MetricType::GAUGE, of_end(end), seconds(end.at)));
    let families = [
        family(
            "highwater_function_failures_total",
            MetricType::COUNTER,
            "What runs of scheduled functions could not do, by what is to blame",
            failures.collect(),
        ),
        family(
            "highwater_function_last_success_timestamp_seconds",
            MetricType::GAUGE,
            "When a scheduled function last did all it had to",
            successes.collect(),
        ),
        family(
            "highwater_function_last_failure_timestamp_seconds",
            MetricType::GAUGE,
            "When a scheduled function last could not do something; it failed last where this is later than its last success",
            last_failures.collect(),
        ),
    ];
    let families: Vec<_> = families.into_iter().filter(|family| !family.get_metric().is_empty()).collect();
    encode(&families)
}
