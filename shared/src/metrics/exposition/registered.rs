//! What the page has where everything is known, against the registry.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::*;
use crate::{
    chain::Totals,
    job::State,
    metrics::{
        drills::{DrillResult, Drills},
        lag::Lag,
        processes::{Counts, Processes},
        push::{Event, Kind as JobKind, Push, RESTORES_KEY, operation, runs},
        registers::examples::hashes,
        replication::{
            exposition::{LocationView, of_replication},
            figures::Figures,
        },
        runs::{FailureKind, RunEnd, Runs},
        verifications::Verification,
        view::{OpenTransactionView, PartitionView, RunningView, TopicView},
    },
    ports::objects::Operation,
    record::{Offset, Partition},
};

const NOW: Millis = Millis(1_700_000_000_000);

fn partition() -> PartitionView {
    let seconds = Some(1.0);
    PartitionView {
        last_offset: Some(Offset(9)),
        progress: Some(0.5),
        lag: Some(Lag { records: 1, bytes: Some(1.0), seconds, seconds_to_loss: seconds }),
        last_segment_at: Some(NOW),
        diverged_from: Some(Offset(5)),
        open_transaction: Some(OpenTransactionView { offset: Offset(5), seconds: 1.0 }),
        ..PartitionView::default()
    }
}

fn topic() -> TopicView {
    TopicView {
        incarnation: Some(1),
        partitions: BTreeMap::from([(Partition(0), partition())]),
        progress: Some(0.5),
        totals: Totals::default(),
        present: Totals::default(),
        last_gap_at: Some(NOW),
        unreadable: 0,
        live: true,
        state: State::STREAMING,
        stale: false,
        running: Some(RunningView { jobs_count: 1, idle_ratio: 0.5 }),
    }
}

fn of_backups() -> Vec<BackupView> {
    ["main", "other"].map(|backup| (backup.into(), BTreeMap::from([("orders".into(), topic())]))).into()
}

fn of_jobs() -> String {
    let body = |count: u64| {
        json!({
            "state": 100, "progress": count as f64 / 100.0, "recordsCount": count, "recordsTotal": 100, "recordsFilteredCount": 1,
            "bytesCount": count, "bytesTotal": 100, "segmentsCount": 1, "segmentsTotal": 2, "errorsCount": 1,
            "partitions": [{"partition": 0, "progress": 0.5, "recordsCount": 1, "recordsTotal": 2}],
        })
    };
    let push = |kind, event, at_s: i64| Push {
        timestamp: Millis(at_s * 1_000),
        sequence: 0,
        kind,
        namespace: "prod".into(),
        name: "main".into(),
        uuid: "u".into(),
        topic: "copy".into(),
        event,
        body: serde_json::from_value(body(at_s.unsigned_abs())).unwrap(),
    };
    let kinds = [JobKind::Restores, JobKind::SchemaRegistryBackups];
    let pushes = kinds.map(|kind| [push(kind, Event::Started, 10), push(kind, Event::Progress, 20)]);
    let mut held = hashes(pushes.iter().flatten().map(operation));
    let runs = runs(&held.remove(RESTORES_KEY).unwrap().into_values().collect::<Vec<_>>());
    of_restores(&runs, 100) + &of_schemas(&runs)
}

fn of_checks() -> String {
    let verification = Verification { backup: "main".into(), at: NOW, deep: true, findings: 0 };
    let drill = DrillResult { backup: "main".into(), sample: true, at: NOW, good: true, seconds: 1.0, records: 1 };
    let end = RunEnd { function: "segment-expirer".into(), backup: "main".into(), at: NOW };
    let runs = Runs {
        failures: vec![("segment-expirer", FailureKind::Storage, 1)],
        successes: vec![end.clone()],
        last_failures: vec![(end, "storage".into())],
    };
    of_verifications([verification].iter())
        + &of_drills(&[Drills { last: drill.clone(), last_good: Some(drill) }])
        + &of_runs(&runs)
}

fn of_location() -> String {
    let mut figures = Figures::default();
    (figures.latency[3], figures.recent[3]) = (1.0, 1.0);
    let place = ("main".into(), "orders".into(), 1, Partition(0));
    let frontiers = BTreeMap::from([(place, Offset(5))]);
    let location = LocationView { name: "paris".into(), figures, frontiers };
    of_replication(&[location], &of_backups(), 100, NOW)
}

/// The page where everything is known.
fn whole_page() -> String {
    let counts = Counts { requests: BTreeMap::from([(Operation::Put, 1)]), ..Counts::default() };
    let processes = Processes {
        count: 1,
        counts: BTreeMap::from([("one".to_owned(), counts)]),
        missing_topics: BTreeSet::from([("main".to_owned(), "ordres".to_owned())]),
        ..Processes::default()
    };
    page(&of_backups(), 100)
        + &of_processes(&processes)
        + &of_checks()
        + &of_jobs()
        + &skipped(&[("null", 1)])
        + &of_location()
}

/// A metric as a page has it, or as the registry does: name, type, help and labels.
type Described = (String, String, String, BTreeSet<String>);

fn described(page: &str) -> BTreeSet<Described> {
    let shown = read(page);
    let value = |mark: &str, name: &str| {
        let start = format!("# {mark} {name} ");
        page.lines().find_map(|line| line.strip_prefix(&start)).expect("each metric has both").to_owned()
    };
    let names = page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let describe = |(name, kind): (&str, &str)| {
        let suffix = if kind == "histogram" { "_count" } else { "" };
        let series = &shown[&format!("{name}{suffix}")].series;
        let labels = series.iter().flat_map(|(labels, _)| labels).map(|(label, _)| label.clone());
        (name.to_owned(), value("TYPE", name), value("HELP", name), labels.collect())
    };
    names.map(describe).collect()
}

#[test]
fn the_page_has_every_metric_of_the_registry_as_it_stands_there_and_no_other() {
    let registered = registry::all().map(|it| {
        let labels = it.labels.iter().map(|label| (*label).to_owned());
        (it.name.to_owned(), it.kind.name().to_owned(), it.help.to_owned(), labels.collect())
    });
    let (registered, shown): (BTreeSet<Described>, _) = (registered.collect(), described(&whole_page()));
    let differ: Vec<_> = registered.symmetric_difference(&shown).collect();
    assert!(differ.is_empty(), "{differ:#?}");
}

#[test]
#[should_panic(expected = "highwater_job_stale has the labels")]
fn a_label_that_the_registry_does_not_list_is_refused() {
    family(registry::JOB_STALE, [(vec![label("topic", "orders"), label("partition", "0")], 1.0)]);
}
