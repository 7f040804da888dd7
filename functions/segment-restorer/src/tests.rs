//! Restores over the ports in memory, from backups that the shipping writer made.
#![allow(clippy::disallowed_methods, reason = "a test measures time")]

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use segment_writer::{Backup, Drain, Input};
use shared::{
    adapters::memory::{clock::ManualClock, kafka::MemoryKafka, objects::MemoryObjects},
    archive::{self, TopicSnapshot},
    config::selection::TopicSelection,
    ports::{
        objects::{ListRequest, Objects as _},
        records::{Fetched, Log as _, TopicSettings},
        transactions::{ProducerLimits, Transactions as _},
    },
    record::{Header, Millis, Offset, Record, TimestampType, TopicPartition},
    restore::{Plan, RestoreId, preflight::Kind},
    rollover::Rollover,
};

use crate::{Context, Limits, Outcome, Restore, RestoreReport, handle};

mod continuing;
mod damage;
mod drills;
mod files;
mod groups;
mod ids;
mod leaders;
mod pushing;
mod raising;
mod setup;
mod world;

use self::world::*;

const ORDERS: &str = "[[topics]]\nsource = \"orders\"";

fn kinds(report: &RestoreReport) -> Vec<Kind> {
    report.findings.iter().filter(|finding| finding.is_refusal()).map(|finding| finding.kind).collect()
}

#[tokio::test(start_paused = true)]
async fn every_record_is_restored_byte_for_byte_once_and_in_order() {
    let world = World::with(40).await;
    let report = world.restore(ORDERS).await;
    assert_eq!(report.outcome, Outcome::Done, "{report:?}");
    world.assert_same("orders").await;
    let records: u64 = report.topics[0].partitions.iter().map(|partition| partition.counts.records).sum();
    assert_eq!(records, 120);
    assert!(report.topics[0].partitions.iter().all(|partition| partition.next == partition.end));
}

#[tokio::test(start_paused = true)]
async fn a_second_run_adds_nothing_and_a_later_one_adds_what_the_backup_got_since() {
    let world = World::with(10).await;
    world.restore(ORDERS).await;
    assert_eq!(world.restore(ORDERS).await.outcome, Outcome::Done);
    world.assert_same("orders").await;
    world.append(10..20);
    world.back_up().await;
    assert_eq!(world.restore(ORDERS).await.outcome, Outcome::Done);
    world.assert_same("orders").await;
}

#[tokio::test(start_paused = true)]
async fn a_target_that_was_deleted_is_restored_in_full_again() {
    let world = World::with(10).await;
    world.restore(ORDERS).await;
    world.target.delete("orders");
    assert_eq!(world.restore(ORDERS).await.outcome, Outcome::Done);
    world.assert_same("orders").await;
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_writes_nothing() {
    let world = World::with(10).await;
    let input = Restore { dry_run: true, ..asked(ORDERS) };
    let report = handle(input, &world.context()).await.unwrap();
    assert_eq!(report.outcome, Outcome::Planned);
    assert_eq!(report.topics[0].partitions[0].records_max, 10);
    assert!(world.target.topics(None).await.unwrap().is_empty());
    let pins = world.objects.list(ListRequest::prefix("main/=pins/")).await.unwrap();
    assert!(pins.objects.is_empty(), "it lets go of what it held: {pins:?}");
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_restore_goes_on_with_its_own_plan_only() {
    let world = World::with(10).await;
    let deadline = Restore { deadline: Some(NOW), ..asked(ORDERS) };
    let stopped = handle(deadline, &world.context()).await.unwrap();
    assert_eq!(stopped.outcome, Outcome::Stopped, "{stopped:?}");
    let other = world.restore(&format!("filter = \"size > 3\"\n{ORDERS}")).await;
    assert_eq!(kinds(&other), [Kind::OtherPlan]);
    assert_eq!(
        world.restore(&format!("workers = 1\n{ORDERS}")).await.outcome,
        Outcome::Done,
        "how many write is no part of it"
    );
    world.assert_same("orders").await;
}

#[tokio::test(start_paused = true)]
async fn ranges_are_restored_to_the_record() {
    let world = World::with(20).await;
    let plan = "[[topics]]\nsource = \"orders\"\ntarget = \"copy\"\npartitions = [{ number = 1, from_offset = 4, until_offset = 13 }]";
    let report = world.restore(plan).await;
    assert_eq!(report.outcome, Outcome::Done, "{report:?}");
    let all = world.source.fetch(&[(TopicPartition::new("orders", 1), Offset(0))]).await.unwrap();
    let within = read_all(all).await.into_iter().filter(|record| (4..13).contains(&record.offset.0));
    let expected: Vec<Content> = within.map(|it| (it.timestamp, it.key, it.value, it.headers)).collect();
    assert_eq!(world.contents(&world.target, "copy").await, BTreeMap::from([(1, expected)]));
}

#[tokio::test(start_paused = true)]
async fn a_time_range_includes_its_beginning_and_not_its_end() {
    let world = World::with(20).await;
    let (from, to) = (NOW.0 - 1_000 + 8, NOW.0 - 1_000 + 11);
    world.restore(&format!("from = {from}\nto = {to}\n{ORDERS}")).await;
    let restored = world.contents(&world.target, "orders").await;
    let times: Vec<_> = restored[&0].iter().map(|record| record.0.0 - NOW.0 + 1_000).collect();
    assert_eq!(times, [8, 9, 10]);
}

#[tokio::test(start_paused = true)]
async fn what_a_filter_leaves_out_is_counted() {
    let world = World::with(20).await;
    let report = world.restore(&format!("filter = \"value != null\"\n{ORDERS}")).await;
    let counts = report.topics[0].partitions[0].counts;
    assert_eq!((counts.records, counts.filtered, counts.filter_errors), (15, 5, 0));
}

#[tokio::test(start_paused = true)]
async fn a_damaged_segment_stops_the_restore_with_its_key_and_offsets() {
    let world = World::with(20).await;
    let context = world.context();
    let key = world.damage_a_segment().await;
    let report = handle(asked(ORDERS), &context).await.unwrap();
    assert_eq!(report.outcome, Outcome::Failed);
    let error = report.topics[0].error.as_ref().unwrap();
    assert!(error.contains(&key) && error.contains("offsets"), "{error}");
    assert!(report.topics[0].partitions[1].next < report.topics[0].partitions[1].end);
}

#[tokio::test(start_paused = true)]
async fn a_missing_segment_is_told_before_anything_is_written() {
    let world = World::with(20).await;
    let listed = world.objects.list(ListRequest::prefix("main/orders/1/1/")).await.unwrap();
    world.objects.delete(&listed.objects[1].key).await.unwrap();
    let report = world.restore(ORDERS).await;
    assert_eq!((report.outcome, kinds(&report)), (Outcome::Refused, vec![Kind::Damaged]));
    assert!(world.target.topics(None).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn whoever_lost_its_producer_stops_and_says_who_goes_on() {
    let world = World::with(40).await;
    let context = world.context();
    let mut first = std::pin::pin!(handle(asked(ORDERS), &context));
    while world.contents(&world.target, "orders").await.values().all(Vec::is_empty) {
        let ended = futures::poll!(&mut first).map_or_ready();
        assert!(ended.is_none(), "it ended before it was fenced: {ended:?}");
        a_moment().await;
    }
    let id = world.target.topics(Some(&["orders".into()])).await.unwrap().swap_remove(0).id;
    let restore = RestoreId::of("memory", "main", &id);
    for number in 0..3 {
        world.target.take_over(&restore.worker_id(1, number), ProducerLimits::default()).await.unwrap();
    }
    let report = first.await.unwrap();
    assert_eq!(report.outcome, Outcome::TakenOver, "{report:?}");
    assert!(report.topics[0].error.as_ref().unwrap().contains("taken over"));
    assert_eq!(world.restore(ORDERS).await.outcome, Outcome::Done);
    world.assert_same("orders").await;
}

#[tokio::test(start_paused = true)]
async fn two_runs_at_once_restore_every_record_once() {
    let world = World::with(40).await;
    let (one, other) = (world.context(), world.context());
    let (one, other) = tokio::join!(handle(asked(ORDERS), &one), handle(asked(ORDERS), &other));
    let outcomes = [one.unwrap().outcome, other.unwrap().outcome];
    let is_known = |outcome: &Outcome| matches!(outcome, Outcome::Done | Outcome::TakenOver);
    assert!(outcomes.iter().all(is_known), "{outcomes:?}");
    assert_eq!(world.restore(ORDERS).await.outcome, Outcome::Done);
    world.assert_same("orders").await;
}

#[tokio::test(start_paused = true)]
async fn killed_after_any_number_of_steps_it_repeats_and_loses_nothing() {
    for steps in (1..400).step_by(13) {
        let world = World::with(20).await;
        let mut kills = 0;
        loop {
            let context = world.context();
            let mut run = std::pin::pin!(handle(asked(ORDERS), &context));
            let mut ended = None;
            for _ in 0..steps + kills {
                ended = futures::poll!(&mut run).map_or_ready();
                if ended.is_some() {
                    break;
                }
                a_moment().await;
            }
            if let Some(report) = ended {
                assert_eq!(report.unwrap().outcome, Outcome::Done);
                break;
            }
            // A transaction that a killed run left open ends after its timeout: the last runs must live that long.
            kills = 2 * kills + 7;
        }
        world.assert_same("orders").await;
    }
}

/// A millisecond passes. Paused time does not pass by itself while a segment is decoded on a blocking thread.
async fn a_moment() {
    tokio::task::yield_now().await;
    tokio::time::advance(Duration::from_millis(1)).await;
}

trait MapOrReady<T> {
    fn map_or_ready(self) -> Option<T>;
}

impl<T> MapOrReady<T> for std::task::Poll<T> {
    fn map_or_ready(self) -> Option<T> {
        match self {
            std::task::Poll::Ready(value) => Some(value),
            std::task::Poll::Pending => None,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_cannot_be_is_refused_and_says_everything() {
    let world = World::with(3).await;
    let report =
        world.restore("[[topics]]\nsource = \"ordres\"\n[[topics]]\nsource = \"orders\"\nincarnation = 9").await;
    assert_eq!(kinds(&report), [Kind::UnknownTopic, Kind::UnknownTopic]);
    let none = handle(asked(&format!("backup = \"other\"\n{ORDERS}")), &world.context()).await.unwrap_err();
    assert!(none.to_string().contains("no backup \"other\""), "{none}");
}

async fn read_all(mut fetch: Box<dyn shared::ports::records::Fetch>) -> Vec<Record> {
    let mut all = vec![];
    loop {
        let came = fetch.next(Duration::ZERO).await.unwrap();
        if came.is_empty() {
            return all;
        }
        for fetched in came {
            if let Fetched::Records { records, .. } = fetched {
                all.extend(records);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn rehashed_records_lie_where_their_keys_belong_and_each_once() {
    let world = World::with(40).await;
    let plan = "rehash = true\n[[topics]]\nsource = \"orders\"\ntarget_partitions = 2";
    let report = world.restore(plan).await;
    assert_eq!(report.outcome, Outcome::Done, "{report:?}");
    assert_eq!(world.restore(plan).await.outcome, Outcome::Done);
    let restored = world.contents(&world.target, "orders").await;
    let mut found: Vec<_> = restored.values().flatten().map(|record| format!("{record:?}")).collect();
    let source = world.contents(&world.source, "orders").await;
    let mut expected: Vec<_> = source.values().flatten().map(|record| format!("{record:?}")).collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    let of_key = |key: &str| {
        let has = |all: &Vec<Content>| all.iter().any(|record| record.1.as_deref() == Some(key.as_bytes()));
        restored.iter().filter(|(_, all)| has(all)).map(|(partition, _)| *partition).collect::<Vec<_>>()
    };
    assert_eq!(of_key("").len(), 1, "an empty key is a key");
    assert_eq!(world.target.topics(Some(&["orders".into()])).await.unwrap()[0].partitions, 2);
}

#[tokio::test(start_paused = true)]
async fn where_records_came_from_is_told_only_when_it_is_asked_for() {
    let world = World::with(5).await;
    world.restore(&format!("origin_headers = {{ offset = \"from-offset\", partition = \"a\" }}\n{ORDERS}")).await;
    let restored = world.contents(&world.target, "orders").await;
    let headers = |index: usize| {
        let text = |header: &Header| (header.name.clone(), header.value.clone());
        restored[&1][index].3.iter().map(text).collect::<Vec<_>>()
    };
    let expected = |offset: &'static str| {
        vec![
            (Bytes::from_static(b"\xff"), None),
            (Bytes::from_static(b"from-offset"), Some(Bytes::from_static(offset.as_bytes()))),
            (Bytes::from_static(b"a"), Some(Bytes::from_static(b"1"))),
        ]
    };
    assert_eq!((headers(0), headers(1)), (expected("0"), expected("3")), "two offsets behind the first have no record");
}

#[tokio::test(start_paused = true)]
async fn not_more_is_written_in_a_second_than_is_allowed() {
    let world = World::with(20).await;
    let began = tokio::time::Instant::now();
    assert_eq!(world.restore(&format!("records_per_s = 10\n{ORDERS}")).await.outcome, Outcome::Done);
    assert!(began.elapsed() >= Duration::from_secs(5), "60 records took {:?}", began.elapsed());
    world.assert_same("orders").await;
}
