//! Replication dies in the middle of its work, at named steps and at random moments, while the location is away for a while; then
//! every object is at the location once and whole, and the figures are what the statuses say.
//!
//! `HIGHWATER_TEST_ROUNDS=30` kills as often, `HIGHWATER_TEST_SEED=17` replays the moments.

use std::{collections::BTreeMap, os::unix::process::ExitStatusExt as _, time::Duration};

use futures::future::join_all;
use integration_tests::{
    eventually::eventually,
    kafka::Kafka,
    kafka_producer::NewRecord,
    replay,
    s3_server::S3Server,
    serving::{LOCATION, Served},
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::json;

use crate::replication::{Replicated, WITHIN, objects};

/// Points, and at which passing to crash: some objects are at the location then, and others are not.
const POINTS: [(&str, u32); 6] = [
    ("before-replication", 4),
    ("before-entry", 4),
    ("after-copy", 4),
    ("after-status", 4),
    ("before-apply", 3),
    ("after-apply", 3),
];
const SIGABRT: i32 = 6;
const RECORDS: i32 = 40;
const MOMENT_MS_MAX: u64 = 300;

/// That each operation was counted once: as many as there are statuses, each of them completed.
async fn counted_once(it: &Replicated<'_>, served: &Served) {
    it.figures_are_the_statuses(served).await;
    eventually("the counters of operations", WITHIN, || async {
        let statuses = it.statuses().await;
        let (completed, completed_bytes) = statuses.get("COMPLETED").copied().unwrap_or_default();
        let series = served.series().await?;
        let sum = |name: &str| {
            let prefix = format!("highwater_replication_{name}{{location={LOCATION:?}");
            series.iter().filter(|(name, _)| name.starts_with(&prefix)).map(|(_, value)| value).sum::<f64>()
        };
        let failed = sum("failed_operations_total");
        let figures = [
            (sum("completed_operations_total"), completed as f64),
            (sum("completed_bytes_total"), completed_bytes as f64),
            (sum("pending_operations"), 0.0),
            (sum("oldest_pending_seconds"), 0.0),
            (sum("lag_seconds"), 0.0),
            (sum("lag_records"), 0.0),
            (sum("queued_operations_total"), completed as f64 + failed),
        ];
        if figures.iter().all(|(told, true_one)| told == true_one) { Ok(()) } else { Err(format!("{figures:?}")) }
    })
    .await;
}

async fn crash_at(point: &str, times: u32, kafka: &Kafka, location: &S3Server) {
    let it = Replicated::on(kafka, location, point).await;
    it.produce(kafka, RECORDS).await;
    let mut armed = it.serving.serve_until(point, times);
    let status = armed.ended(WITHIN).await;
    let output = armed.output().join("\n");
    assert_eq!(status.signal(), Some(SIGABRT), "{point}: {status}: {output}");
    assert!(output.contains(&format!("crash point {point}: aborting")), "{output}");

    let served = it.serving.serve().await;
    it.produce(kafka, RECORDS).await;
    it.everything_is_there(2 * i64::from(RECORDS)).await;
    counted_once(&it, &served).await;
    served.end().await;
    it.location_is_a_backup().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_any_named_step_of_replication_leaves_every_object_there_once_and_whole_and_counted_once() {
    // A broker of its own: the members of a group wait for each other's dead, and all metrics-consumers are in one.
    let (kafka, location) = (Kafka::start().await, S3Server::start().await);
    join_all(POINTS.map(|(point, times)| crash_at(point, times, &kafka, &location))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_at_random_moments_while_the_location_comes_and_goes_lose_no_object_and_no_count() {
    let (kafka, location) = (Kafka::start().await, S3Server::start().await);
    let it = Replicated::on(&kafka, &location, "killed").await;
    let seed = replay::seed();
    let mut random = StdRng::seed_from_u64(seed);
    let rounds = replay::rounds(2);
    for round in 0..rounds {
        it.produce(&kafka, RECORDS).await;
        let mut served = it.serving.serve().await;
        if round % 2 == 1 {
            location.pause();
        }
        let (was_done, _) = it.statuses().await.get("COMPLETED").copied().unwrap_or_default();
        eventually("work in flight", WITHIN, || async {
            let states = it.statuses().await;
            let (done, _) = states.get("COMPLETED").copied().unwrap_or_default();
            if done > was_done || states.contains_key("FAILED") { Ok(()) } else { Err(format!("{states:?}")) }
        })
        .await;
        tokio::time::sleep(Duration::from_millis(random.random_range(0..MOMENT_MS_MAX))).await;
        served.process.kill();
        location.unpause();
        println!("seed {seed}: killed in round {round} with {:?}", it.statuses().await);
    }
    let served = it.serving.serve().await;
    it.everything_is_there(i64::from(RECORDS) * i64::try_from(rounds).expect("few")).await;
    counted_once(&it, &served).await;
    served.end().await;
    it.location_is_a_backup().await;
}

/// Keys that other programs may use, as far as a file system can hold them, on which the servers of the tests keep objects.
fn hostile_keys() -> Vec<String> {
    let mut keys: Vec<String> = [
        "a:b:bb:crr:opsdone:requests:0",
        "100%2Fb/%2e%2e",
        "__proto__/constructor",
        "sp ace\u{e9}\u{1f600}",
        "a&b=c?d#e+f",
        "\"quoted\"'",
        "=owner.json",
        "site1:b:k:v:bb:crr:object:bytes",
    ]
    .map(str::to_owned)
    .into();
    keys.push(format!("{}/{}", "k".repeat(200), ["n".repeat(200).as_str(); 3].join("/")));
    keys
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_of_any_name_and_size_come_whole_and_count_for_no_other() {
    let (kafka, location) = (Kafka::shared().await, S3Server::start().await);
    let it = Replicated::on(kafka, &location, "hostile").await;
    kafka.create_topic(&it.replication_topic(), 2, &[]).await;
    let source = S3Server::shared().await;
    let bucket = source.new_bucket("others").await;
    let client = source.client();
    // More than two parts of 8 MiB, which are copied one by one.
    let large: Vec<u8> = (0..20 << 20).map(|n: u32| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut wanted = BTreeMap::from([("large.bin".to_owned(), large)]);
    wanted.extend(hostile_keys().into_iter().map(|key| (key.clone(), format!("bytes of {key}").into_bytes())));
    let mut entries = vec![];
    for (key, body) in &wanted {
        let put = client.put_object().bucket(&bucket).key(key).body(body.clone().into()).send().await;
        put.unwrap_or_else(|error| panic!("{key:?} cannot be put: {error:?}"));
        let entry = json!({"location": LOCATION, "bucket": bucket, "key": key}).to_string();
        entries.push(NewRecord::new(entry).key(key.clone()));
    }
    kafka.produce(&it.replication_topic(), entries).await;
    for _ in 0..2 {
        let replicated = it.serving.run(&["replicate"]).await;
        let said = String::from_utf8_lossy(&replicated.stdout).into_owned();
        assert!(replicated.status.success(), "{said}{}", String::from_utf8_lossy(&replicated.stderr));
        let there = objects(&location.client(), &it.bucket, &format!("copy/=objects/{bucket}/")).await;
        assert_eq!(there.keys().collect::<Vec<_>>(), wanted.keys().collect::<Vec<_>>());
        assert!(there.iter().all(|(key, body)| body[..] == wanted[key][..]), "an object is not whole");
    }
    let served = it.serving.serve().await;
    counted_once(&it, &served).await;
    for key in wanted.keys() {
        let head = client.head_object().bucket(&bucket).key(key).send().await.expect("a HEAD");
        let version = head.e_tag().expect("a tag").trim_matches('"').to_owned();
        // As the key stands in a request line: what no URL may hold is encoded, and answered as another, unknown object.
        let target: String =
            key.chars().map(|c| if c.is_ascii_graphic() && !"\"#?<>`{}|\\^".contains(c) { c } else { '_' }).collect();
        let answer =
            served.replication(&format!("progress/{bucket}/{target}?versionId={version}")).await.expect("an answer");
        let expected = if target == *key { "\"progress\":\"100%\"" } else { "\"progress\":\"0%\"" };
        assert!(answer.status == 200 && answer.body.contains(expected), "{key}: {} {}", answer.status, answer.body);
    }
    served.end().await;
}
