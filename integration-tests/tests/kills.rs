//! `highwater serve` is killed in the middle of its work, at named steps and at random moments; then every record is
//! stored exactly once, and the meter agrees with the storage.
//!
//! `HIGHWATER_TEST_ROUNDS=30` kills as often, `HIGHWATER_TEST_SEED=17` replays load and moments.

use std::{os::unix::process::ExitStatusExt as _, time::Duration};

use futures::future::join_all;
use integration_tests::{
    agreement::assert_nothing_lost_and_the_meter_agrees, eventually::eventually, kafka::Kafka, load::Load,
    redis_server::RedisServer, replay, serving::Serving,
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use shared::{adapters::system_clock::SystemClock, ports::clock::Clock as _};

/// Points, and at which passing to crash: within the first seconds of a load.
const POINTS: [(&str, u32); 5] =
    [("before-put", 7), ("after-put", 7), ("before-commit", 7), ("before-apply", 5), ("after-apply", 5)];
const CRASHED_WITHIN: Duration = Duration::from_secs(90);
const SIGABRT: i32 = 6;
/// What is written during a round at least.
const ROUND_RECORDS: usize = 1_000;
const ROUND_WITHIN: Duration = Duration::from_secs(60);
const MOMENT_MS_MAX: u64 = 1_500;

async fn serving(base: &str, kafka: &Kafka) -> Serving {
    Serving::new(base, kafka, &RedisServer::shared().await.new_database().url).await
}

async fn produced_more(load: &Load, than: usize) {
    eventually("1,000 more records to be produced", ROUND_WITHIN, || async {
        let more = load.records() - than;
        if more >= ROUND_RECORDS { Ok(()) } else { Err(format!("{more} so far")) }
    })
    .await;
}

async fn crash_at(point: &str, times: u32, kafka: &Kafka) {
    let serving = serving(point, kafka).await;
    let load = Load::start(kafka, &serving, u64::from(times)).await;
    let mut armed = serving.serve_until(point, times);
    let status = armed.ended(CRASHED_WITHIN).await;
    let output = armed.output().join("\n");
    assert_eq!(status.signal(), Some(SIGABRT), "{point}: {status}: {output}");
    assert!(output.contains(&format!("crash point {point}: aborting")), "{output}");

    let at_crash = load.records();
    let served = serving.serve().await;
    produced_more(&load, at_crash).await;
    let produced = load.end().await;
    assert_nothing_lost_and_the_meter_agrees(&serving, &served, &produced).await;
    println!("{point}: {} records exactly once, {at_crash} of them produced before the crash", produced.records.len());
    served.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_any_named_step_loses_nothing_and_repeats_nothing() {
    // A broker of its own: the members of one group wait for each other's dead, and all metrics-consumers are in one.
    let kafka = Kafka::start().await;
    join_all(POINTS.map(|(point, times)| crash_at(point, times, &kafka))).await;
}

/// Serves, and kills it at a random moment after it was seen with an unfinished segment. Answers how many records it had
/// consumed, by its own word, that are in no segment.
async fn kill(serving: &Serving, load: &Load, rng: &mut StdRng) -> i64 {
    let (since_ms, before) = (SystemClock.now().0.unsigned_abs(), load.records());
    let mut served = serving.serve().await;
    eventually("a segment that is not finished", ROUND_WITHIN, || async {
        let consumed = serving.consumed(since_ms).await;
        let unfinished = consumed.iter().any(|(_, position, next)| position > next);
        if unfinished { Ok(()) } else { Err(format!("(partition, consumed, stored): {consumed:?}")) }
    })
    .await;
    produced_more(load, before).await;
    tokio::time::sleep(Duration::from_millis(rng.random_range(0..MOMENT_MS_MAX))).await;
    served.process.kill();

    let (consumed, frontiers) = (serving.consumed(since_ms).await, serving.frontiers().await);
    consumed.iter().map(|(partition, position, _)| (position - frontiers[partition]).max(0)).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_at_random_moments_under_load_lose_nothing_and_repeat_nothing() {
    let rounds = replay::rounds(5);
    let seed = replay::seed();
    println!("HIGHWATER_TEST_SEED={seed} HIGHWATER_TEST_ROUNDS={rounds}");
    let mut rng = StdRng::seed_from_u64(seed);
    let kafka = Kafka::start().await;
    let serving = serving("kills", &kafka).await;
    let load = Load::start(&kafka, &serving, seed).await;

    let (mut hits, mut tries) = (0, 0);
    while hits < rounds {
        tries += 1;
        let (before, lost) = (load.records(), kill(&serving, &load, &mut rng).await);
        println!(
            "kill {tries}: {} records written during it, {lost} consumed and in no segment",
            load.records() - before
        );
        // A kill that met only finished segments is none that counts.
        hits += u64::from(lost > 0);
        assert!(tries < 2 * rounds + 5, "only {hits} of {tries} kills hit work in flight");
    }

    let served = serving.serve().await;
    let produced = load.end().await;
    assert_nothing_lost_and_the_meter_agrees(&serving, &served, &produced).await;
    println!("{} records exactly once after {tries} kills", produced.records.len());
    served.end().await;
}
