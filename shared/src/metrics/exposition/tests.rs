use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::{
    chain::{Marks, Totals},
    job::State,
    metrics::{
        drills::{DrillResult, Drills},
        processes::{Counts, Processes},
        registers::examples::{digest, registers_after},
        standing::{Ends, Instance, Job, Message, Standing},
        view::view,
    },
    ports::objects::{ErrorKind, Operation},
    record::{Millis, Offset, Partition},
};

/// The series of the sample in Kannika Armory's documentation.
const SAMPLE: &str = include_str!("../../../fixtures/metrics/kannika-sample.txt");

const NOW: Millis = Millis(1_700_000_000_000);
const LATER: Millis = Millis(NOW.0 + 45_000);

/// A partition of the sample's world: topic, number, next, position, log end, and its part of the topic's counts
/// (bytes of records, segments, stored bytes), which the sample has by topic only.
type Place = (&'static str, i32, i64, i64, i64, [u64; 3]);

const WORLD: [Place; 6] = [
    ("std-1", 0, 389, 392, 408, [5_000_000, 1, 800_000]),
    ("std-1", 1, 285, 289, 299, [3_328_438, 1, 950_738]),
    ("std-1", 2, 273, 275, 287, [3_000_000, 0, 0]),
    ("std-2", 0, 162, 162, 168, [2_000_000, 0, 0]),
    ("std-2", 1, 147, 147, 151, [1_968_210, 1, 1_000_000]),
    ("std-2", 2, 169, 169, 178, [2_000_000, 1, 324_392]),
];

fn standing((topic, partition, next, position, _, [record_bytes, segments, stored_bytes]): Place) -> Message {
    let records = u64::try_from(next).unwrap();
    let job = Job {
        state: State::STREAMING,
        attempt: 0,
        since: NOW,
        expires: Some(LATER),
        position: Offset(position),
        diverged_from: None,
        owner_epoch: 1,
        sequence: 1,
    };
    Message::Standing(Standing {
        timestamp: NOW,
        backup: "main".into(),
        topic: topic.into(),
        topic_id: topic.into(),
        incarnation: 1,
        partition: Partition(partition),
        start: Offset(0),
        next: Offset(next),
        totals: Totals { records, record_bytes, segments, stored_bytes, ..Totals::default() },
        totals_before_start: Totals::default(),
        digest: digest(topic, next),
        marks: Marks { written_at: Some(Millis(999)), last_gap_at: None, losses: 0 },
        job: Some(job),
    })
}

fn ends((topic, partition, _, _, log_end, _): Place) -> Message {
    Message::Ends(Ends {
        timestamp: NOW,
        backup: "main".into(),
        topic: topic.into(),
        topic_id: topic.into(),
        partition: Partition(partition),
        log_start: Offset(0),
        log_end: Offset(log_end),
        behind_storage: false,
        oldest: None,
        earlier: None,
        retention: None,
        open_transaction: None,
    })
}

fn instance(topic: &str, jobs_count: u64, idle_us: u64, elapsed_us: u64) -> Message {
    let (backup, topic, instance) = ("main".into(), topic.into(), "serve-1".into());
    Message::Instance(Instance {
        timestamp: NOW,
        backup,
        topic,
        instance,
        jobs_count,
        idle_us,
        elapsed_us,
        expires: LATER,
    })
}

fn sample_world() -> Vec<Message> {
    let running = [instance("std-1", 753, 896_813_966, 898_427_271), instance("std-2", 376, 86_269_403, 86_373_688)];
    WORLD.into_iter().flat_map(|place| [standing(place), ends(place)]).chain(running).collect()
}

fn page_of(names: &[&str], messages: &[Message]) -> String {
    let topics = view(&registers_after(messages), NOW);
    page(&names.iter().map(|name| ((*name).into(), topics.clone())).collect::<Vec<_>>(), 100)
}

fn series(text: &str) -> BTreeSet<&str> {
    text.lines().filter(|line| !line.starts_with('#')).collect()
}

#[test]
fn the_page_is_this_text() {
    insta::assert_snapshot!(page_of(&["main"], &sample_world()));
}

#[test]
fn a_family_without_a_known_value_is_left_out() {
    let text = page_of(&["main"], &[ends(("new", 0, 0, 0, 10, [0; 3]))]);
    assert!(!text.contains("backup_sink_offset") && !text.contains("backup_sink_jobs"), "{text}");
    assert!(text.contains("backup_topic_progress{topic=\"new\"} 0\n"), "{text}");
}

#[test]
fn without_any_topic_the_jobs_are_counted_as_none() {
    let text = page_of(&["main"], &[]);
    assert_eq!(series(&text).len(), 6);
    assert!(series(&text).iter().all(|line| line.starts_with("jobs_state{") && line.ends_with("} 0")), "{text}");
}

#[test]
fn the_backup_is_a_label_only_when_there_are_several() {
    assert!(!page_of(&["main"], &sample_world()).contains("backup=\""));
    let text = page_of(&["main", "other"], &sample_world());
    for line in
        ["backup_state{backup=\"main\",topic=\"std-1\"} 100", "jobs_state{backup=\"other\",state=\"Running\"} 2"]
    {
        assert!(series(&text).contains(line), "{line} is not in\n{text}");
    }
    assert!(series(&text).iter().all(|line| line.contains("{backup=\"")));
}

#[test]
fn label_values_are_escaped() {
    let topics = view(&registers_after(&[ends(("a\"b\\c\nd", 0, 0, 0, 10, [0; 3]))]), NOW);
    let text = page(&[("main".into(), topics)], 100);
    assert!(text.contains("backup_state{topic=\"a\\\"b\\\\c\\nd\"} 0\n"), "{text}");
}

#[test]
fn a_family_is_named_once_and_its_series_follow_it() {
    let text = page_of(&["main", "other"], &sample_world());
    let (mut current, mut seen) = ("", BTreeSet::new());
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            current = rest.split_once(' ').unwrap().0;
            assert!(seen.insert(current), "{current} comes twice");
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            assert_eq!(rest.split_once(' ').unwrap().0, current);
        } else {
            assert_eq!(line.split(['{', ' ']).next().unwrap(), current);
        }
    }
    assert_eq!(seen.len(), 26);
}

#[test]
fn messages_passed_over_are_a_series_for_each_reason() {
    let text = skipped(&[("not_json", 3), ("null", 0)]);
    let name = "highwater_metrics_messages_skipped_total";
    let lines = [format!("{name}{{reason=\"not_json\"}} 3"), format!("{name}{{reason=\"null\"}} 0")];
    assert_eq!(series(&text), lines.iter().map(String::as_str).collect());
    assert!(text.contains(&format!("# TYPE {name} counter\n")), "{text}");
}

#[test]
fn with_too_many_partitions_lag_is_by_topic_what_cannot_be_put_together_is_left_out_and_a_series_says_so() {
    let topics = view(&registers_after(&sample_world()), NOW);
    let page = |max| page(&[("main".into(), topics.clone())], max);
    assert!(page(6).contains("highwater_partition_series_left_out 0\n"));
    let text = page(5);
    let series = series(&text);
    assert!(series.contains("highwater_partition_series_left_out 6"), "{text}");
    assert!(series.contains("highwater_backup_lag_records{topic=\"std-1\"} 47"), "{text}");
    assert!(series.contains("backup_topic_progress{topic=\"std-1\"} 0.961842550327361"), "{text}");
    assert!(series.iter().all(|line| !line.contains("partition=")), "{text}");
}

#[test]
fn running_processes_are_a_few_series_together_counters_each_its_own_and_none_without_any() {
    assert_eq!(of_processes(&Processes::default()), "");
    let processes = Processes {
        count: 2,
        memory_used_bytes: 20,
        memory_limit_bytes: 200,
        counts: BTreeMap::from([
            (
                "one".to_owned(),
                Counts {
                    publish_failures: 3,
                    messages_dropped: 1,
                    requests: BTreeMap::from([(Operation::Put, 6), (Operation::List, 2)]),
                    errors: BTreeMap::from([((Operation::Put, ErrorKind::Unavailable), 4)]),
                },
            ),
            ("two".to_owned(), Counts { requests: BTreeMap::from([(Operation::Put, 5)]), ..Counts::default() }),
        ]),
        missing_topics: BTreeSet::from([("main".to_owned(), "ordres".to_owned())]),
    };
    let text = of_processes(&processes);
    let never_failed = series(&text).into_iter().filter(|line| line.contains("_errors_total{") && line.ends_with(" 0"));
    assert_eq!(never_failed.count(), 2 * Operation::ALL.len() * ErrorKind::ALL.len() - 1);
    let expected = [
        "highwater_memory_budget_limit_bytes 200",
        "highwater_memory_budget_used_bytes 20",
        "highwater_metrics_messages_dropped_total{process=\"one\"} 1",
        "highwater_metrics_publish_failures_total{process=\"one\"} 3",
        "highwater_storage_errors_total{kind=\"unavailable\",operation=\"put\",process=\"one\"} 4",
        "highwater_storage_requests_total{operation=\"list\",process=\"one\"} 2",
        "highwater_storage_requests_total{operation=\"put\",process=\"one\"} 6",
        "highwater_storage_requests_total{operation=\"put\",process=\"two\"} 5",
        "highwater_topic_missing{backup=\"main\",topic=\"ordres\"} 1",
    ];
    let counted: BTreeSet<&str> = series(&text).into_iter().filter(|line| !line.ends_with(" 0")).collect();
    assert_eq!(counted, expected.into());
}

proptest! {
    #[test]
    fn the_documents_sample_comes_out_to_the_last_digit_in_whatever_order_the_standings_came(
        messages in Just(sample_world()).prop_shuffle()
    ) {
        let text = page_of(&["main"], &messages);
        let ours: BTreeSet<&str> = series(&text).into_iter().filter(|line| !line.starts_with("highwater_")).collect();
        prop_assert_eq!(ours, series(SAMPLE));
    }
}

#[test]
fn the_last_drill_is_shown_and_when_one_was_last_good() {
    let good = DrillResult { backup: "main".into(), sample: true, at: NOW, good: true, seconds: 1.5, records: 9 };
    let failed = DrillResult { at: LATER, good: false, records: 0, ..good.clone() };
    let text = of_drills(&[Drills { last: failed.clone(), last_good: Some(good) }]);
    for line in [
        "highwater_drill_good{backup=\"main\",mode=\"sample\"} 0",
        "highwater_drill_last_timestamp_seconds{backup=\"main\",mode=\"sample\"} 1700000045",
        "highwater_drill_last_success_timestamp_seconds{backup=\"main\",mode=\"sample\"} 1700000000",
        "highwater_drill_duration_seconds{backup=\"main\",mode=\"sample\"} 1.5",
    ] {
        assert!(text.lines().any(|it| it == line), "{line} in {text}");
    }
    assert!(!of_drills(&[Drills { last: failed, last_good: None }]).contains("last_success"));
    assert_eq!(of_drills(&[]), "");
}
