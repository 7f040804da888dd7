use std::time::Duration;

use serde_json::{Value as Json, json};

use super::*;
use crate::{
    chain::{Marks, Totals},
    job::State,
    metrics::{
        drills::{self, DrillResult},
        push::{self, Push},
        registers::examples::{digest, hashes, registers_after},
        replication::{exposition::LocationView, figures::Figures},
        runs::{self, FailureKind},
        standing::{Earlier, Ends, Job, Message, Oldest, OpenTransaction, Standing},
        verifications::{self, Verification},
    },
    ports::{
        records::Retention,
        store::{Operation, Query, Register, Value},
    },
    record::{Offset, Partition},
};

const NOW: Millis = Millis(1_700_000_000_000);

fn before(seconds: i64) -> Millis {
    Millis(NOW.0 - seconds * 1_000)
}

fn standing(topic: &str, next: i64, state: State) -> Standing {
    let totals =
        Totals { records: next.unsigned_abs(), record_bytes: 100, segments: 1, stored_bytes: 50, ..Totals::default() };
    Standing {
        timestamp: NOW,
        backup: "main".into(),
        topic: topic.into(),
        topic_id: topic.into(),
        incarnation: 1,
        partition: Partition(0),
        start: Offset(0),
        next: Offset(next),
        totals,
        totals_before_start: Totals::default(),
        digest: digest(topic, next),
        marks: Marks { written_at: Some(before(5)), ..Marks::default() },
        job: Some(Job {
            state,
            attempt: 0,
            since: before(60),
            expires: Some(Millis(NOW.0 + 45_000)),
            position: Offset(next),
            diverged_from: None,
            owner_epoch: 1,
            sequence: 1,
        }),
    }
}

/// A log whose oldest record that is not stored is so old, and which Kafka keeps for a day.
fn ends(topic: &str, next: i64, log_end: i64, oldest_s: i64) -> Ends {
    Ends {
        timestamp: before(1),
        backup: "main".into(),
        topic: topic.into(),
        topic_id: topic.into(),
        partition: Partition(0),
        log_start: Offset(0),
        log_end: Offset(log_end),
        behind_storage: false,
        oldest: Some(Oldest { from: Offset(next), offset: Offset(next), timestamp: before(oldest_s), bytes: 10 }),
        earlier: None::<Earlier>,
        retention: Some(Retention { ms: Some(86_400_000), bytes: None }),
        open_transaction: None,
    }
}

fn well(topic: &str) -> [Message; 2] {
    [Message::Standing(standing(topic, 100, State::STREAMING)), Message::Ends(ends(topic, 100, 100, 0))]
}

/// The overview of backup `main` after these messages.
fn seen(messages: &[Message], asked: &[&str]) -> Overview {
    let name = "main".into();
    let registers = registers_after(messages);
    let asked: Vec<String> = asked.iter().map(|name| (*name).to_owned()).collect();
    let backups = [Backup { name: &name, asked: &asked, registers: &registers }];
    let mut held = hashes(messages.iter().flat_map(crate::metrics::registers::operations));
    let of = |key: &str| held.remove(key).unwrap_or_default().into_values();
    let pushes: Vec<Register> = push::KEYS.into_iter().flat_map(of).collect();
    let runs = push::runs(&pushes);
    overview(&Known {
        backups: &backups,
        runs: &runs,
        checks: &Checks::default(),
        locations: Some(vec![]),
        refresh: Duration::from_secs(15),
        now: NOW,
    })
}

fn with(change: impl FnOnce(&mut Standing, &mut Ends)) -> Overview {
    let (mut standing, mut ends) = (standing("orders", 100, State::STREAMING), ends("orders", 100, 100, 0));
    change(&mut standing, &mut ends);
    seen(&[Message::Standing(standing), Message::Ends(ends)], &[])
}

/// The verdict, and of the first finding how it begins and what is special about its first subject.
fn first(overview: &Overview) -> (Severity, &str, &str) {
    let finding = overview.findings.first();
    let subject = finding.and_then(|finding| finding.subjects.first());
    (overview.verdict, finding.map_or("", |it| &it.title), subject.map_or("", |it| &it.detail))
}

fn begins(overview: &Overview, severity: Severity, title: &str, detail: &str) {
    let (verdict, found, special) = first(overview);
    assert!(found.starts_with(title) && special == detail, "{found:?} {special:?}");
    assert_eq!(verdict, severity);
}

#[test]
fn where_all_is_stored_everything_is_safe_and_nothing_is_said() {
    let overview = seen(&well("orders"), &["orders"]);
    assert_eq!((overview.verdict, overview.findings.len()), (Severity::Safe, 0));
    let backup = &overview.backups[0];
    assert_eq!((backup.progress, backup.lag_seconds, backup.records.as_deref()), (Some(1.0), Some(0.0), Some("100")));
    let topic = &backup.topics[0];
    assert_eq!((topic.state_word.as_str(), topic.lag_records.as_deref()), ("Up to date", Some("0")));
}

#[test]
fn what_stopped_the_backup_is_in_danger() {
    let state = |state| with(|standing, _| standing.job.as_mut().unwrap().state = state);
    begins(&state(State::TAIL_MISSING), Severity::Danger, "The end of the backup is missing", "");
    begins(&state(State::LOG_DIVERGED), Severity::Danger, "Kafka's log is no longer the one", "");
    begins(&state(State::FAILED), Severity::Danger, "The backup has stopped with an error", "");
    begins(&state(State::backoff(4)), Severity::Attention, "The backup meets errors", "attempt 4");
    begins(&state(State::PAUSED), Severity::Attention, "The backup is paused", "");
}

#[test]
fn a_lag_is_measured_against_the_time_that_kafka_gives() {
    let behind = |seconds| with(|_, ends| *ends = self::ends("orders", 100, 150, seconds));
    assert_eq!(behind(30).findings, []);
    begins(&behind(301), Severity::Attention, "The backup is more than five minutes behind", "by 5 min");
    begins(&behind(50_000), Severity::Attention, "The backup has used up more than half", "in 10 h");
    begins(&behind(80_000), Severity::Danger, "Kafka is about to delete", "in 107 min");
    begins(&behind(90_000), Severity::Danger, "Kafka is about to delete", "in 0 s");
}

#[test]
fn nobody_who_says_how_it_is_is_danger_only_where_records_wait() {
    let silent = |log_end| {
        with(|standing, ends| {
            standing.job.as_mut().unwrap().expires = Some(before(1));
            *ends = self::ends("orders", 100, log_end, 30);
        })
    };
    begins(&silent(150), Severity::Danger, "Records are waiting, and no program", "");
    begins(&silent(100), Severity::Attention, "No program has said in time", "");
}

#[test]
fn a_gap_is_danger_while_it_is_news_and_never_forgotten() {
    let gap = |ago_s| {
        with(|standing, _| {
            (standing.totals.gaps, standing.totals.gap_offsets) = (2, 70);
            standing.marks.last_gap_at = Some(before(ago_s));
        })
    };
    begins(&gap(60), Severity::Danger, "Records are lost", "70 offsets in 2 gaps");
    let old = gap(2 * 86_400);
    begins(&old, Severity::Safe, "Some records were lost in the past", "70 offsets in 2 gaps");
    assert_eq!(old.findings[0].severity, Severity::Note);
}

#[test]
fn a_topic_that_was_asked_for_and_is_missing_is_told() {
    let overview = seen(&well("orders"), &["orders", "payments"]);
    begins(&overview, Severity::Attention, "A topic was asked for", "");
    assert_eq!(overview.findings[0].subjects[0].name, "payments");
}

#[test]
fn a_log_that_nobody_observed_has_no_progress_and_no_lag_rather_than_zeros() {
    let overview = seen(&[Message::Standing(standing("orders", 100, State::STREAMING))], &[]);
    begins(&overview, Severity::Attention, "It is not known how far the backup is", "");
    let topic = serde_json::to_value(&overview.backups[0].topics[0]).unwrap();
    for field in ["progress", "lag_records", "lag_seconds", "seconds_to_loss"] {
        assert_eq!(topic[field], Json::Null, "{field}");
    }
}

#[test]
fn figures_that_nobody_renews_are_old() {
    let overview = with(|_, ends| ends.timestamp = before(300));
    begins(&overview, Severity::Danger, "The figures are old", "last 5 min ago");
}

#[test]
fn a_thousand_topics_with_one_trouble_are_one_finding() {
    let topics = (0..1_000).flat_map(|n| {
        let name = format!("t{n:04}");
        [Message::Standing(standing(&name, 100, State::FAILED)), Message::Ends(ends(&name, 100, 100, 0))]
    });
    let overview = seen(&topics.collect::<Vec<_>>(), &[]);
    let [finding] = &overview.findings[..] else { panic!("one, not {:?}", overview.findings) };
    assert_eq!((finding.count, finding.subjects.len(), overview.backups[0].topics.len()), (1_000, 20, 1_000));
}

#[test]
fn counts_beyond_2_to_the_53_stay_exact() {
    let overview = with(|standing, _| standing.totals.records = (1 << 53) + 1);
    assert_eq!(overview.backups[0].records.as_deref(), Some("9007199254740993"));
}

#[test]
fn what_is_never_lost_is_told_as_never() {
    let overview = with(|_, ends| ends.retention = Some(Retention::default()));
    let topic = serde_json::to_value(&overview.backups[0].topics[0]).unwrap();
    assert_eq!(topic["seconds_to_loss"], "never");
}

fn pushed(kind: &str, event: &str, ago_s: i64, body: Json) -> Message {
    let push: Push = serde_json::from_value(json!({
        "timestamp": before(ago_s), "kind": kind, "namespace": "prod", "name": "main", "uuid": "1", "topic": "orders",
        "event": event, "body": body,
    }))
    .unwrap();
    Message::Push(push)
}

#[test]
fn a_restore_under_way_has_its_progress_its_rate_and_the_time_that_is_left() {
    let started = pushed("restores", "started", 100, json!({"recordsTotal": 1_000}));
    let progress = pushed("restores", "progress", 0, json!({"state": 100, "progress": 0.25, "recordsCount": 250}));
    let overview = seen(&[started.clone(), progress.clone()], &[]);
    let [job] = &overview.jobs[..] else { panic!("one job") };
    assert_eq!((job.running, job.progress, job.state_word.as_str()), (true, Some(0.25), "Restoring"));
    let topic = &job.topics[0];
    assert_eq!((topic.records_per_second, topic.seconds_left), (Some(2.5), Some(300.0)));
    let done = pushed("restores", "stopped", 0, json!({"state": 800, "progress": 1, "recordsCount": 1_000}));
    let over = &seen(&[started, progress, done], &[]).jobs[0];
    assert_eq!((over.running, over.state_word.as_str(), over.topics[0].seconds_left), (false, "Done", None));
}

/// The overview where all is stored and this was pushed.
fn beside(pushed: Message) -> Overview {
    seen(&[&well("orders")[..], &[pushed]].concat(), &[])
}

#[test]
fn a_job_that_failed_is_danger_and_one_that_was_refused_or_fell_silent_needs_a_look() {
    let failed = pushed("restores", "stopped", 10, json!({"state": 900, "message": "the target is full"}));
    let failed = beside(failed);
    begins(&failed, Severity::Danger, "A job has failed", "orders: the target is full");
    assert_eq!(failed.findings[0].subjects[0].name, "restore main", "it is one");
    let refused = pushed("restores", "stopped", 10, json!({"state": 903, "message": "the target is not empty"}));
    let told = "orders: the target is not empty";
    begins(&beside(refused), Severity::Attention, "A job was refused, and has written nothing", told);
    let silent = |kind, ago_s| beside(pushed(kind, "progress", ago_s, json!({"state": 100})));
    begins(&silent("drills", 200), Severity::Attention, "A job is under way, and has said nothing", "orders");
    assert_eq!(silent("drills", 170).findings, []);
}

#[test]
fn a_job_that_runs_often_leaves_room_for_one_that_ran_long_ago() {
    let run = |kind, uuid: String, ago_s| {
        let Message::Push(push) = pushed(kind, "stopped", ago_s, json!({"state": 800})) else { panic!("a push") };
        Message::Push(Push { uuid: uuid.into(), ..push })
    };
    let mut runs: Vec<_> =
        (0..300).map(|hour| run("schema-registry-backups", hour.to_string(), hour * 3_600)).collect();
    runs.push(run("restores", "1".to_owned(), 400 * 3_600));
    let jobs = seen(&runs, &[]).jobs;
    assert_eq!((jobs.len(), jobs.last().map(|job| job.kind)), (6, Some("restores")));
}

#[test]
fn a_configured_backup_stands_among_the_backups_only() {
    assert_eq!(seen(&[pushed("backups", "progress", 200, json!({}))], &[]).jobs, []);
}

#[test]
fn a_location_where_more_fails_than_succeeds_is_told_and_a_failure_now_and_then_is_a_note() {
    let name = "main".into();
    let registers = registers_after(&well("orders"));
    let backups = [Backup { name: &name, asked: &[], registers: &registers }];
    let with = |locations| {
        let (runs, refresh) = (BTreeMap::new(), Duration::from_secs(15));
        overview(&Known { backups: &backups, runs: &runs, checks: &Checks::default(), locations, refresh, now: NOW })
    };
    let failing = |failed_ops, completed_ops| {
        with(Some(vec![Location { name: "paris".into(), failed_ops, completed_ops, ..Location::default() }]))
    };
    begins(&failing(3.0, 2.0), Severity::Attention, "Replication fails more often", "3 failed and 2 completed of late");
    begins(&failing(2.0, 0.0), Severity::Safe, "Some attempts to replicate failed", "2 failed and 0 completed of late");
    begins(&failing(3.0, 9.0), Severity::Safe, "Some attempts to replicate failed", "3 failed and 9 completed of late");
    assert_eq!((failing(0.0, 9.0).findings, with(None).locations), (vec![], None));
    let lacking = |for_s| {
        let figures = Figures { missing_since: Some(before(for_s)), ..Figures::default() };
        let seen = LocationView { name: "paris".into(), figures, ..LocationView::default() };
        with(Some(vec![Location { name: "paris".into(), seen, ..Location::default() }]))
    };
    begins(&lacking(1_800), Severity::Attention, "Replication is late", "by 30 min");
    assert_eq!(lacking(1_800).locations.unwrap()[0].level, Severity::Attention);
    assert_eq!(lacking(600).findings, []);
}

#[test]
fn a_topic_has_its_partitions_with_offsets_as_texts() {
    let name: Arc<str> = "main".into();
    let registers = registers_after(&well("orders"));
    let backups = [Backup { name: &name, asked: &[], registers: &registers }];
    let known = Known {
        backups: &backups,
        runs: &BTreeMap::new(),
        checks: &Checks::default(),
        locations: None,
        refresh: Duration::ZERO,
        now: NOW,
    };
    let detail = serde_json::to_value(topic(&backups[0], "orders", &known)).unwrap();
    assert_eq!(detail["schema"], TOPIC_SCHEMA);
    let partition = &detail["partitions"][0];
    assert_eq!((&partition["last_offset"], &partition["log_end"]), (&json!("99"), &json!("100")));
    assert_eq!((&partition["state"], &partition["partition"]), (&json!(100), &json!(0)));
    assert!(topic(&backups[0], "nothing", &known).is_none());
}

#[test]
fn no_backup_at_all_is_told() {
    let known = Known {
        backups: &[],
        runs: &BTreeMap::new(),
        checks: &Checks::default(),
        locations: None,
        refresh: Duration::ZERO,
        now: NOW,
    };
    begins(&overview(&known), Severity::Attention, "No backup is configured", "");
}

#[test]
fn an_open_transaction_that_holds_a_log_back_is_named_and_not_called_a_slow_backup() {
    let held = |since_s: i64| {
        let open_transaction = Some(OpenTransaction { offset: Offset(100), since: before(since_s) });
        Message::Ends(Ends { open_transaction, ..ends("orders", 100, 107, since_s) })
    };
    let standing = Message::Standing(standing("orders", 100, State::STREAMING));
    let overview = seen(&[standing.clone(), held(20)], &[]);
    assert_eq!(overview.findings, [], "a transaction may be open for a while");

    let overview = seen(&[standing, held(600)], &[]);
    let titles: Vec<_> = overview.findings.iter().map(|finding| &*finding.title).collect();
    assert_eq!(
        titles,
        ["A transaction in Kafka has been open for minutes. What comes behind its first record cannot be stored."]
    );
    let finding = &overview.findings[0];
    assert_eq!(finding.subjects[0].detail, "partition 0 from offset 100 on, for 10 min");
    assert!(finding.remedy.contains("kafka-transactions.sh") && finding.severity == Severity::Attention);
}

#[test]
fn a_backup_that_selects_no_topic_is_not_called_safe() {
    begins(&seen(&[], &[]), Severity::Attention, "No topic of this backup is known", "");
    begins(&seen(&[], &["orders"]), Severity::Attention, "A topic was asked for, and Kafka does not have it", "");
}

/// The overview where all is stored and these operations were applied to the store beside it.
fn after_checks(operations: Vec<Operation>) -> Overview {
    let mut held = hashes(operations);
    let answer = |query: Query| match query {
        Query::Registers(key) => Value::Registers(held.remove(&key).unwrap_or_default().into_values().collect()),
        _ => Value::Text(None),
    };
    let answers: Vec<_> = Checks::queries().into_iter().map(answer).collect();
    let checks = Checks::read(&mut answers.into_iter(), &["main".into(), "other".into()], NOW);
    let (name, registers) = ("main".into(), registers_after(&well("orders")));
    let backups = [Backup { name: &name, asked: &[], registers: &registers }];
    let (runs, refresh) = (BTreeMap::new(), Duration::from_secs(15));
    overview(&Known { backups: &backups, runs: &runs, checks: &checks, locations: Some(vec![]), refresh, now: NOW })
}

#[test]
fn what_a_verification_found_and_a_drill_that_failed_are_danger_and_the_last_good_ones_are_shown() {
    let verified = |ago_s, findings| {
        let verification = Verification { backup: "main".into(), at: before(ago_s), deep: false, findings };
        verifications::operations(&verification)
    };
    let drilled = |ago_s, good| {
        let (backup, at) = ("main".into(), before(ago_s));
        drills::operations(&DrillResult { backup, sample: true, at, good, seconds: 1.0, records: 5 })
    };
    let good = after_checks([verified(900, 0), drilled(800, true)].concat());
    assert_eq!((good.verdict, good.findings.len()), (Severity::Safe, 0));
    let rows = |overview: &Overview| {
        let row = |it: &CheckRow| (it.check, it.depth, it.level, it.last_good_at);
        overview.checks.iter().map(row).collect::<Vec<_>>()
    };
    let (drill, verification) = (("drill", "sample"), ("verification", "footers"));
    let expected = |level| {
        [(drill.0, drill.1, level, Some(before(800))), (verification.0, verification.1, level, Some(before(900)))]
    };
    assert_eq!(rows(&good), expected(Severity::Safe));

    let bad = after_checks([verified(900, 0), drilled(800, true), verified(60, 2), drilled(60, false)].concat());
    assert_eq!(rows(&bad), expected(Severity::Danger));
    begins(&bad, Severity::Danger, "The last verification found", "2 found, 60 s ago");
    assert!(bad.findings[1].title.starts_with("The last drill failed") && bad.findings.len() == 2);
}

#[test]
fn a_function_that_failed_when_it_last_ran_is_named_until_it_succeeds() {
    let failed = |backup, ago_s| runs::last_failed("schema-archiver", backup, FailureKind::Registry, before(ago_s));
    let succeeded = |backup, ago_s| runs::succeeded("schema-archiver", backup, before(ago_s));
    let overview = after_checks(vec![succeeded("main", 9_000), failed("main", 7_200), succeeded("other", 60)]);
    begins(&overview, Severity::Attention, "A function failed when it last ran", "backup main, registry, 2 h ago");
    assert_eq!(after_checks(vec![failed("", 60), succeeded("", 30)]).findings, []);
    assert_eq!(after_checks(vec![failed("", 60), succeeded("main", 30)]).findings, [], "it tells successes by backup");
    let of_all = after_checks(vec![succeeded("", 90), failed("", 60), succeeded("main", 30)]);
    begins(&of_all, Severity::Attention, "A function failed when it last ran", "registry, 60 s ago");
}
