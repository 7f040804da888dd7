//! The `/metrics` page, as Prometheus' own tool reads it.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write,
    process::Stdio,
};

use integration_tests::programs::tool;
use shared::{
    chain::Totals,
    job::State,
    metrics::{
        exposition::{of_processes, page},
        lag::Lag,
        processes::{Counts, Processes},
        registry::{self, Kind, Metric},
        view::{PartitionView, RunningView, TopicView},
    },
    ports::objects::{ErrorKind, Operation},
    record::{Millis, Offset, Partition},
};

/// What promtool has against names that Kannika Armory's documentation fixes. Nothing else may be complained of.
pub const FIXED_BY_KANNIKA: [&str; 8] = [
    "backup_sink_bytes_count non-histogram and non-summary metrics should not have \"_count\" suffix",
    "backup_sink_jobs_count counter metrics should have \"_total\" suffix",
    "backup_sink_jobs_count non-histogram and non-summary metrics should not have \"_count\" suffix",
    "backup_sink_offset counter metrics should have \"_total\" suffix",
    "backup_sink_records_count non-histogram and non-summary metrics should not have \"_count\" suffix",
    "backup_sink_records_filtered_count counter metrics should have \"_total\" suffix",
    "backup_sink_records_filtered_count non-histogram and non-summary metrics should not have \"_count\" suffix",
    "backup_sink_segments_count non-histogram and non-summary metrics should not have \"_count\" suffix",
];

/// What promtool has against names of ours: counts that are called as Kannika calls its own, and gauges by quantile.
const OURS: [&str; 6] = [
    "highwater_replication_all_latency_recent_seconds non-summary metrics should not have \"quantile\" label",
    "highwater_replication_latency_recent_seconds non-summary metrics should not have \"quantile\" label",
    "highwater_restore_partition_records_count non-histogram and non-summary metrics should not have \"_count\" suffix",
    "highwater_restore_partition_records_total non-counter metrics should not have \"_total\" suffix",
    "highwater_schema_registry_job_versions_count non-histogram and non-summary metrics should not have \"_count\" suffix",
    "highwater_schema_registry_job_versions_total non-counter metrics should not have \"_total\" suffix",
];

/// What promtool's linter says of a page, line by line.
pub fn complaints(page: &str) -> Vec<String> {
    let mut promtool = std::process::Command::new(tool("promtool"));
    promtool.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = promtool.spawn().expect("promtool starts");
    process.stdin.take().expect("it reads a pipe").write_all(page.as_bytes()).expect("promtool takes the page");
    let output = process.wait_with_output().expect("promtool ends");
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8(text).expect("promtool writes text").lines().map(str::to_owned).collect()
}

fn topic() -> TopicView {
    let totals =
        Totals { records: 947, record_bytes: 11_328_438, segments: 2, stored_bytes: 1_750_738, ..Totals::default() };
    TopicView {
        incarnation: Some(1),
        partitions: BTreeMap::from([(
            Partition(0),
            PartitionView {
                last_offset: Some(Offset(388)),
                progress: Some(0.96),
                lag: Some(Lag {
                    records: 16,
                    bytes: Some(1.5),
                    seconds: Some(60.0),
                    seconds_to_loss: Some(f64::INFINITY),
                }),
                last_segment_at: Some(Millis(1_700_000_000_123)),
                ..PartitionView::default()
            },
        )]),
        progress: Some(0.96),
        totals,
        present: totals,
        last_gap_at: Some(Millis(1_700_000_000_123)),
        unreadable: 0,
        live: true,
        state: State::STREAMING,
        stale: false,
        running: Some(RunningView { jobs_count: 753, idle_ratio: 0.998_204_300_946_692_9 }),
    }
}

fn processes() -> Processes {
    let requests = BTreeMap::from([(Operation::Put, 6)]);
    let errors = BTreeMap::from([((Operation::Put, ErrorKind::Unavailable), 4)]);
    let missing_topics = BTreeSet::from([("main".to_owned(), "ordres".to_owned())]);
    Processes {
        count: 1,
        memory_used_bytes: 1,
        memory_limit_bytes: 2,
        counts: BTreeMap::from([("one".to_owned(), Counts { requests, errors, ..Counts::default() })]),
        missing_topics,
    }
}

#[test]
fn promtool_complains_of_nothing_but_the_names_that_kannika_fixed() {
    let topics = BTreeMap::from([("std-1".into(), topic()), ("quote\" backslash\\ newline\n".into(), topic())]);
    for backups in
        [vec![("main".into(), topics.clone())], vec![("main".into(), topics.clone()), ("other".into(), topics)]]
    {
        assert_eq!(complaints(&(page(&backups, 100) + &of_processes(&processes()))), FIXED_BY_KANNIKA);
    }
}

/// A page with one series of every metric that there is.
fn page_of_the_registry() -> String {
    let series = |Metric { name, kind, labels, help, .. }: &Metric| {
        let labels: Vec<String> = labels.iter().map(|label| format!("{label}=\"x\"")).collect();
        let labels = labels.join(",");
        let head = format!("# HELP {name} {help}\n# TYPE {name} {}\n", kind.name());
        let values = match kind {
            Kind::Counter | Kind::Gauge => format!("{name}{{{labels}}} 1\n"),
            Kind::Histogram => format!(
                "{name}_bucket{{{labels},le=\"+Inf\"}} 1\n{name}_sum{{{labels}}} 1\n{name}_count{{{labels}}} 1\n"
            ),
        };
        head + &values
    };
    registry::all().map(series).collect()
}

#[test]
fn promtool_takes_every_metric_of_the_registry_and_complains_of_no_other_names_than_these() {
    let mut complaints = complaints(&page_of_the_registry());
    complaints.retain(|line| !line.starts_with("backup_") && !line.starts_with("restore_"));
    assert_eq!(complaints, OURS);
}

#[test]
fn promtool_would_complain_of_a_page_that_is_not_valid() {
    let page = page(&[("main".into(), BTreeMap::from([("std-1".into(), topic())]))], 100);
    let broken = page.replacen("# HELP backup_state ", "# HELP gauge ", 1);
    assert_ne!(complaints(&broken), FIXED_BY_KANNIKA);
}
