//! Drills through the real binary: a backup is restored into a scratch topic of real Kafka, compared, and the topic removed.

use std::time::Duration;

use integration_tests::{
    eventually::eventually, kafka::Kafka, kafka_producer::NewRecord, redis_server::RedisServer, s3_server::S3Server,
    serving::Serving,
};
use serde_json::Value;
use shared::{adapters::kafka::KafkaCluster, config::kafka::KafkaSettings, ports::records::Log as _};

const WITHIN: Duration = Duration::from_secs(60);
const RECORDS: i32 = 600;

/// A backup of a topic in several segments a partition.
async fn backed_up(base: &str) -> Serving {
    let kafka = Kafka::shared().await;
    let mut serving = Serving::new(base, kafka, &RedisServer::shared().await.new_database().url).await;
    serving.segment_bytes_max = "2KiB".to_owned();
    let record = |number: i32| NewRecord::new(format!("value {number} {}", "x".repeat(40))).partition(number % 4);
    kafka.produce(&serving.topic, (0..RECORDS).map(record).collect()).await;
    let backup = serving.run(&["backup"]).await;
    assert!(backup.status.success(), "{backup:?}");
    serving
}

/// `highwater drill` with its exit code and its JSON.
async fn drilled(serving: &Serving, args: &[&str]) -> (Option<i32>, Value) {
    let args: Vec<&str> = ["drill", "--json"].iter().chain(args).copied().collect();
    let output = serving.run(&args).await;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = serde_json::from_str(&text).unwrap_or_else(|_| Value::from(format!("{output:?}")));
    (output.status.code(), said)
}

/// The scratch topics of the backup that are there.
async fn scratch_topics(serving: &Serving) -> Vec<String> {
    let settings = KafkaSettings::at(Kafka::shared().await.bootstrap_servers());
    let cluster = KafkaCluster::connect(settings).await.expect("a client");
    let names = cluster.topics(None).await.expect("an answer").into_iter().map(|topic| topic.name.to_string());
    let prefix = format!("highwater-drill.{}.", serving.backup);
    names.filter(|name| name.starts_with(&prefix)).collect()
}

/// The keys of the segments of a partition.
async fn segments(serving: &Serving, partition: i32) -> Vec<String> {
    let prefix = format!("backups/{}/{}/1/{partition}/", serving.backup, serving.topic);
    let client = S3Server::shared().await.client();
    let listed = client.list_objects_v2().bucket(&serving.bucket).prefix(prefix).send().await.expect("a listing");
    let keys = listed.contents().iter().filter_map(|object| object.key()).filter(|key| key.ends_with(".kan"));
    keys.map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_backup_and_a_sample_come_back_and_the_scratch_topic_goes() {
    let serving = backed_up("drill-good").await;
    let (code, whole) = drilled(&serving, &[]).await;
    assert_eq!(code, Some(0), "{whole}");
    assert_eq!((&whole["schema"], &whole["good"]), (&"highwater.drill.v1".into(), &true.into()), "{whole}");
    let partitions = whole["topics"][0]["partitions"].as_array().expect("partitions");
    let records: u64 = partitions.iter().filter_map(|it| it["records"].as_u64()).sum();
    assert_eq!(records, 600, "{whole}");
    let output = serving.run(&["drill", "--sample"]).await;
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("Nothing is proven of the rest"), "{output:?}");
    let (code, refused) = drilled(&serving, &["--topic", "nothing"]).await;
    assert_eq!(code, Some(2), "{refused}");
    assert_eq!(scratch_topics(&serving).await, [] as [String; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_and_a_removed_segment_are_found_and_the_scratch_topic_goes() {
    let serving = backed_up("drill-bad").await;
    let client = S3Server::shared().await.client();
    let key = segments(&serving, 1).await.swap_remove(1);
    let object = client.get_object().bucket(&serving.bucket).key(&key).send().await.expect("the segment");
    let mut body = object.body.collect().await.expect("its bytes").to_vec();
    body[8] ^= 1;
    client.put_object().bucket(&serving.bucket).key(&key).body(body.into()).send().await.expect("it is replaced");
    let (code, damaged) = drilled(&serving, &[]).await;
    let told = damaged["topics"][0]["error"].to_string();
    assert!(code == Some(1) && told.contains(key.trim_start_matches("backups/")), "{damaged}");

    client.delete_object().bucket(&serving.bucket).key(&key).send().await.expect("it is deleted");
    let (code, removed) = drilled(&serving, &[]).await;
    let told = removed["topics"][0]["error"].to_string();
    assert!(code == Some(1) && told.contains("offsets"), "{removed}");
    assert_eq!(scratch_topics(&serving).await, [] as [String; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drill_that_was_killed_leaves_a_topic_that_the_next_one_names_and_removes() {
    let serving = backed_up("drill-killed").await;
    let mut killed = serving.start_until(&["drill"], "drill-restored", 1);
    let status = killed.ended(WITHIN).await;
    assert!(!status.success(), "{status}");
    let left = scratch_topics(&serving).await;
    assert_eq!(left.len(), 1, "{left:?}");
    let (code, busy) = drilled(&serving, &[]).await;
    assert!(code == Some(2) && busy.to_string().contains("another drill"), "{busy}");
    // As a minute later, when its pin has ended.
    serving.delete_object(&format!("{}/=pins/drill.json", serving.backup)).await;
    let (code, next) = drilled(&serving, &[]).await;
    assert_eq!((code, &next["leftovers_removed"]), (Some(0), &Value::from(left)), "{next}");
    assert_eq!(scratch_topics(&serving).await, [] as [String; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn serve_drills_by_itself_and_shows_it() {
    let mut serving = backed_up("drill-served").await;
    serving.more = format!("[backups.{}.drill]\nevery = \"1s\"\nsample = true\n", serving.backup);
    let served = serving.serve().await;
    let of = |name: &str| format!("{name}{{backup={:?},mode=\"sample\"}}", serving.backup);
    eventually("a good drill on the metrics page", WITHIN, || async {
        let series = served.series().await?;
        let at = |name: &str| series.get(&of(name)).copied().unwrap_or(-1.0);
        let is_shown = at("highwater_drill_good") == 1.0
            && at("highwater_drill_last_success_timestamp_seconds") > 1e9
            && at("highwater_drill_duration_seconds") > 0.0
            && at("highwater_drill_records") > 0.0;
        let drills: Vec<_> = series.iter().filter(|(name, _)| name.contains("drill")).collect();
        if is_shown { Ok(()) } else { Err(format!("{drills:?}")) }
    })
    .await;
    eventually("the drill among the jobs", WITHIN, || async {
        let overview = served.get("/_/highwater/figures/overview").await?;
        let overview: Value = serde_json::from_str(&overview.body).map_err(|error| error.to_string())?;
        let jobs = overview["jobs"].as_array().cloned().unwrap_or_default();
        let is_there = jobs.iter().any(|job| job["kind"] == "drills" && job["name"] == serving.backup.as_str());
        if is_there { Ok(()) } else { Err(format!("{jobs:?}")) }
    })
    .await;
    served.end().await;
}
