//! `highwater serve` is killed in the middle of its work, at named steps and at random moments; then every record is
//! stored exactly once, and the meter agrees with the storage.
//!
//! `HIGHWATER_TEST_ROUNDS=30` kills as often, `HIGHWATER_TEST_SEED=17` replays load and moments.

use std::{collections::BTreeMap, os::unix::process::ExitStatusExt as _, time::Duration};

use futures::future::join_all;
use integration_tests::{
    agreement::{
        StoredSegment, assert_exactly_once, assert_nothing_lost_and_the_meter_agrees, assert_series, assert_verified,
        everything_is_stored, figures, segment_keys,
    },
    eventually::eventually,
    kafka::Kafka,
    load::{Load, Produced},
    redis_server::RedisServer,
    replay,
    serving::{PARTITIONS, Serving},
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

/// Segments of this backup expire after so long, and go soon after that.
fn expire_after(serving: &mut Serving, span: &str) {
    let backup = &serving.backup;
    serving.more =
        format!("[backups.{backup}.retention]\ndelete_after = \"{span}\"\ngrace = \"1s\"\ncheck_every = \"1s\"\n");
}

/// Where each partition's backup begins.
async fn floors(serving: &Serving) -> BTreeMap<i32, i64> {
    serving.ends().await.into_iter().map(|(partition, end)| (partition.0, end.floor.floor.base.0)).collect()
}

/// Dies there; then more expires, and what is left is every record from the floors on, once.
async fn crash_at_a_floor(point: &str, kafka: &Kafka) {
    let mut serving = serving(point, kafka).await;
    expire_after(&mut serving, "3s");
    let load = Load::start(kafka, &serving, 5).await;
    // In the second round of floors, when what lies below the first ones has been deleted.
    let mut armed = serving.serve_until(point, PARTITIONS.cast_unsigned() + 1);
    let status = armed.ended(CRASHED_WITHIN).await;
    let output = armed.output().join("\n");
    assert_eq!(status.signal(), Some(SIGABRT), "{point}: {status}: {output}");
    let at_crash = floors(&serving).await;
    let served = serving.serve().await;
    eventually("floors to move on", ROUND_WITHIN, || async {
        let now = floors(&serving).await;
        let have_moved = now.iter().filter(|(partition, floor)| **floor > at_crash[*partition]).count();
        if have_moved == now.len() { Ok(()) } else { Err(format!("{now:?} after {at_crash:?}")) }
    })
    .await;
    served.end().await;

    // From here on nothing more expires, but what lies below the floors goes.
    expire_after(&mut serving, "100d");
    let served = serving.serve().await;
    let mut produced = load.end().await;
    everything_is_stored(&serving, &served, &produced).await;
    let floors = floors(&serving).await;
    let all = produced.records.len();
    produced.records.retain(|record| record.offset >= floors[&record.partition]);
    let kept = produced.records.len();
    assert!(kept > 0 && kept < all, "{kept} of {all} are kept: {floors:?}");
    eventually("what lies below the floors to be deleted", ROUND_WITHIN, || async {
        let below = segments_below(&serving, &floors).await;
        if below == 0 { Ok(()) } else { Err(format!("{below} segments")) }
    })
    .await;
    let segments = assert_exactly_once(&serving, &produced).await;
    assert_series(&served, &present(&serving, &produced, &segments, all)).await;
    assert_verified(&serving).await;
    println!("{point}: {kept} of {all} records are kept, each once, from {floors:?} on, {at_crash:?} at the crash");
    served.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_around_a_floor_that_moves_costs_nothing_that_has_not_expired() {
    let kafka = Kafka::start().await;
    join_all(["before-floor", "after-floor"].map(|point| crash_at_a_floor(point, &kafka))).await;
}

/// The series of what is present, and how many records were ever stored.
fn present(serving: &Serving, kept: &Produced, segments: &[StoredSegment], all: usize) -> BTreeMap<String, f64> {
    let mut series = figures(serving, kept, segments);
    series.retain(|name, _| !name.contains("_total{"));
    series.insert(format!("backup_sink_records_count_total{{topic={:?}}}", serving.topic), all as f64);
    series
}

async fn segments_below(serving: &Serving, floors: &BTreeMap<i32, i64>) -> usize {
    let keys = segment_keys(serving).await;
    let is_below = |key: &&String| {
        let mut parts = key.trim_end_matches(".kan").rsplit('/');
        let base = parts.next().and_then(|base| base.parse::<i64>().ok());
        let partition = parts.next().and_then(|partition| partition.parse::<i32>().ok());
        base.zip(partition).is_some_and(|(base, partition)| base < floors[&partition])
    };
    keys.iter().filter(is_below).count()
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
