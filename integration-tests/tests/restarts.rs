//! The broker is killed in the middle of a drain, instances of `serve` come and go, Redis is restarted under them: every
//! record is stored exactly once, and the meter agrees with the storage.
//!
//! `HIGHWATER_TEST_ROUNDS=30` does each as often.

use std::time::Duration;

use integration_tests::{
    agreement::{assert_exactly_once, assert_nothing_lost_and_the_meter_agrees},
    eventually::eventually,
    http,
    kafka::Kafka,
    load::{Load, Produced},
    redis_server::RedisServer,
    replay,
    runtime_api::Function,
    serving::{PARTITIONS, Served, Serving},
};
use serde_json::json;

const ROUNDS: u64 = 3;
const ROUND_WITHIN: Duration = Duration::from_secs(60);
/// Enough for a drain to go on for seconds, at some hundred records a segment.
const DRAINED_RECORDS: usize = 120_000;
const DRAINED_WITHIN: Duration = Duration::from_secs(120);
/// Ten of these seconds it keeps for closing what it has begun.
const FUNCTION_WITHIN: Duration = Duration::from_secs(13);

async fn serving(base: &str, kafka: &Kafka, redis: &RedisServer) -> Serving {
    Serving::new(base, kafka, &redis.new_database().url).await
}

async fn produce(kafka: &Kafka, serving: &Serving, produced: &mut Produced) {
    let first = produced.records.len();
    let partition = |n: usize| i32::try_from(n).expect("a small number") % PARTITIONS;
    let record = |n: usize| (partition(n), format!("{n}-{}", "x".repeat(n % 200)));
    produced.produce(kafka, &serving.topic, (first..first + DRAINED_RECORDS).map(record).collect()).await;
}

/// Waits until a part of what was produced since `before` is stored.
async fn has_begun(serving: &Serving, before: i64) {
    eventually("the drain to have stored something", ROUND_WITHIN, || async {
        let stored: i64 = serving.frontiers().await.values().sum();
        if stored > before { Ok(()) } else { Err(format!("{stored} so far")) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_killed_in_the_middle_of_a_drain_is_waited_for() {
    let (kafka, redis) = (Kafka::start_restartable().await, RedisServer::shared().await);
    let serving = serving("drained", &kafka, redis).await;
    let mut produced = Produced::default();
    for round in 1..=replay::rounds(ROUNDS) {
        let before = i64::try_from(produced.records.len()).expect("a small number");
        produce(&kafka, &serving, &mut produced).await;
        let mut drain = serving.start(&["backup"]);
        has_begun(&serving, before).await;
        kafka.restart().await;
        let stored: i64 = serving.frontiers().await.values().sum();
        let all = i64::try_from(produced.records.len()).expect("a small number");
        assert!(drain.is_running() && stored < all, "round {round}: the drain was over before the broker was killed");
        let status = drain.ended(DRAINED_WITHIN).await;
        assert!(status.success(), "round {round}: {status}: {}", drain.output().join("\n"));
        println!(
            "round {round}: {} records were stored when the broker was killed, of {DRAINED_RECORDS}",
            stored - before
        );
    }
    let served = serving.serve().await;
    assert_nothing_lost_and_the_meter_agrees(&serving, &served, &produced).await;
    served.end().await;
}

/// What asks the brokers meanwhile says so and survives, be it a process of its own or a function that stays warm.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn brokers_that_hang_for_long_end_a_run_with_an_error_and_the_next_one_goes_on() {
    let (kafka, redis) = (Kafka::start().await, RedisServer::shared().await);
    let mut serving = serving("hung", &kafka, redis).await;
    serving.kafka = "request_timeout = \"2s\"\n".to_owned();
    let function = Function::start("segment-writer", &[("HIGHWATER_CONFIG", &serving.config())]).await;
    let invoke = || function.invoke_within(FUNCTION_WITHIN, json!({"backup": serving.backup}));
    let mut produced = Produced::default();
    produce(&kafka, &serving, &mut produced).await;
    let mut drain = serving.start(&["backup"]);
    let paused = async {
        has_begun(&serving, 0).await;
        kafka.pause();
    };
    let (invoked, ()) = tokio::join!(invoke(), paused);
    let status = drain.ended(DRAINED_WITHIN).await;
    let output = drain.output().join("\n");
    // It ends with what it says of each partition, as for any partition that could not be stored.
    assert_eq!(status.code(), Some(1), "{status}: {output}");
    assert!(output.contains("does not answer"), "{output}");
    let told = format!("{invoked:?}");
    assert!(told.contains("does not answer") || told.contains("time was up"), "{told}");
    let told = format!("{:?}", invoke().await);
    assert!(told.contains("does not answer"), "{told}");

    kafka.unpause().await;
    let again = || async { invoke().await.map_err(|error| error.to_string()) };
    eventually("the function to work again", DRAINED_WITHIN, again).await;
    let drained = serving.run(&["backup"]).await;
    assert!(drained.status.success(), "{drained:?}");
    assert_exactly_once(&serving, &produced).await;
}

/// A second instance, once the group gave it partitions: to a member that was none before, whoever else is there.
async fn joined(kafka: &Kafka, serving: &Serving) -> Served {
    let group = format!("highwater.{}", serving.backup);
    let before = kafka.members(&group).await;
    let served = serving.serve().await;
    eventually("a new member of the group to have partitions", ROUND_WITHIN, || async {
        let now = kafka.members(&group).await;
        let has_some = now.iter().any(|(member, partitions)| *partitions > 0 && !before.contains_key(member));
        if has_some { Ok(()) } else { Err(format!("{now:?} after {before:?}")) }
    })
    .await;
    served
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instances_that_come_and_go_under_load_repeat_nothing_and_lose_nothing() {
    let (kafka, redis) = (Kafka::start().await, RedisServer::shared().await);
    let serving = serving("instances", &kafka, redis).await;
    let load = Load::start(&kafka, &serving, 3).await;
    let first = serving.serve().await;
    for round in 1..=replay::rounds(ROUNDS) {
        let mut second = joined(&kafka, &serving).await;
        let stored: i64 = serving.frontiers().await.values().sum();
        // In turn it goes as it should, and as it should not.
        if round % 2 == 1 {
            second.end().await;
        } else {
            second.process.kill();
        }
        has_begun(&serving, stored).await;
    }
    let produced = load.end().await;
    assert_nothing_lost_and_the_meter_agrees(&serving, &first, &produced).await;
    println!("{} records exactly once", produced.records.len());
    first.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_restarts_empty_under_load_is_filled_again() {
    let (kafka, redis) = (Kafka::start().await, RedisServer::start().await);
    let serving = serving("restarted", &kafka, &redis).await;
    let load = Load::start(&kafka, &serving, 4).await;
    let served = serving.serve().await;
    for _ in 0..replay::rounds(ROUNDS) {
        eventually("figures", ROUND_WITHIN, || async { served.series().await.map(drop) }).await;
        redis.restart().await;
        let stored: i64 = serving.frontiers().await.values().sum();
        has_begun(&serving, stored).await;
    }
    let produced = load.end().await;
    assert_nothing_lost_and_the_meter_agrees(&serving, &served, &produced).await;
    println!("{} records exactly once", produced.records.len());
    served.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_that_is_rotated_while_it_serves_is_taken() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("token");
    let put = |token: &str| std::fs::write(&file, token).expect("the file is written");
    put("0123456789abcdef-old");
    let (kafka, redis) = (Kafka::shared().await, RedisServer::shared().await);
    let mut serving = Serving::new("rotated", kafka, &redis.new_database().url).await;
    let query = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address");
    serving.more = format!("[listen]\ntoken = {{ file = {:?} }}\n", file.to_string_lossy());
    let mut process = serving.start_at(&["serve"], "QUERY", &query.to_string());
    let pauses_with = async |token: &str| {
        let request = format!(
            "POST /_/highwater/api/pause/{} HTTP/1.1\r\nhost: {query}\r\nauthorization: Bearer {token}\r\n\
             content-length: 0\r\nconnection: close\r\n\r\n",
            serving.backup
        );
        let answer = http::send(query, &request).await?;
        if answer.status == 200 { Ok(()) } else { Err(format!("{} {}", answer.status, answer.body)) }
    };
    eventually("the first token to be taken", Duration::from_secs(30), || pauses_with("0123456789abcdef-old")).await;
    put("0123456789abcdef-new");
    eventually("the new token to be taken", Duration::from_secs(100), || pauses_with("0123456789abcdef-new")).await;
    assert!(pauses_with("0123456789abcdef-old").await.is_err());
    process.interrupt();
    assert!(process.ended(Duration::from_secs(60)).await.success());
    assert!(process.output().iter().any(|line| line.contains("listen.token was rotated")), "{:?}", process.output());
}
