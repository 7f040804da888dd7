//! A restore through the real binary is seen on :9000 and in the console while it runs and when it is done.

use std::{collections::BTreeMap, time::Duration};

use integration_tests::{
    eventually::eventually,
    highwater::{highwater, listener},
    kafka::Kafka,
    kafka_producer::NewRecord,
    process::Process,
    redis_server::RedisServer,
    serving::{PARTITIONS, Served, Serving},
};
use serde_json::Value;

const WITHIN: Duration = Duration::from_secs(60);
const RECORDS: i64 = 200;

async fn seen(served: &Served, what: &str, is: impl Fn(&BTreeMap<String, f64>) -> bool) -> BTreeMap<String, f64> {
    eventually(what, WITHIN, || async {
        let series = served.series().await?;
        let restores = || series.iter().filter(|(name, _)| name.contains("restore"));
        if is(&series) { Ok(series) } else { Err(format!("{:?}", restores().collect::<Vec<_>>())) }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_is_on_the_metrics_page_while_it_runs_and_when_it_is_done() {
    let kafka = Kafka::shared().await;
    let mut serving = Serving::new("restoring", kafka, &RedisServer::shared().await.new_database().url).await;
    serving.segment_bytes_max = "40B".to_owned();
    let record = |number: i64| NewRecord::new(format!("v{number}")).partition((number % i64::from(PARTITIONS)) as i32);
    kafka.produce(&serving.topic, (0..RECORDS).map(record).collect()).await;
    let served = serving.serve().await;
    let stored = format!("backup_sink_records_count{{topic={:?}}}", serving.topic);
    seen(&served, "the backup", |series| series.get(&stored) == Some(&(RECORDS as f64))).await;

    let folder = tempfile::tempdir().expect("a folder");
    let plan = folder.path().join("plan.toml");
    let (topic, copy) = (&serving.topic, format!("{}-copy", serving.topic));
    let text = format!(
        "records_per_s = 50\ntransaction_bytes_max = \"100B\"\n[[topics]]\nsource = {topic:?}\ntarget = {copy:?}\n"
    );
    std::fs::write(&plan, text).expect("the plan is written");
    let gateway = listener(&served.process, "gateway").await;
    let mut command = highwater(["restore", &plan.to_string_lossy()]);
    command.env("HIGHWATER_CONFIG", serving.config());
    command.env("HIGHWATER_EVENT_GATEWAY_URL", format!("http://{gateway}"));
    let mut restore = Process::start(&mut command);

    let of = |name: &str| format!("{name}{{namespace=\"default\",job={:?},topic={copy:?}}}", serving.backup);
    let under_way = seen(&served, "the restore under way", |series| {
        let at = |name: &str| series.get(&of(name)).copied();
        at("restore_state") == Some(100.0)
            && at("restore_progress") < Some(1.0)
            && at("restore_records_count") > Some(0.0)
    })
    .await;
    assert_eq!(under_way["restore_jobs_state{state=\"Restoring\"}"], 1.0);
    assert_eq!(under_way[&of("restore_records_total")], RECORDS as f64);

    let status = restore.ended(WITHIN).await;
    assert!(status.success(), "{status}: {}", restore.output().join("\n"));
    let done = seen(&served, "the end", |series| series.get(&of("restore_state")) == Some(&800.0)).await;
    for (name, value) in [
        ("restore_progress", 1.0),
        ("restore_records_count", RECORDS as f64),
        ("restore_records_total", RECORDS as f64),
        ("restore_records_filtered_count", 0.0),
        ("restore_jobs_errors", 0.0),
    ] {
        assert_eq!(done[&of(name)], value, "{name}");
    }
    assert_eq!(done[&of("restore_partitions_count")], done[&of("restore_partitions_total")]);
    assert_eq!(done[&of("restore_bytes_count")], done[&of("restore_bytes_total")]);
    assert!(!done.contains_key(&of("highwater_restore_seconds_left")));
    let overview = served.get("/_/highwater/figures/overview").await.expect("an answer");
    let overview: Value = serde_json::from_str(&overview.body).expect("JSON");
    let job = overview["jobs"].as_array().expect("jobs").iter().find(|job| job["kind"] == "restores").expect("it");
    assert_eq!((&job["state_word"], &job["progress"]), (&"Done".into(), &1.0.into()));

    // Killed when everything is committed and the last push is not made: the next run has the figures right.
    let again = format!("{topic}-again");
    let restore = |crash_point: &str| {
        let mut command = highwater(["restore", "--topic", topic.as_str(), "--target", again.as_str()]);
        command.env("HIGHWATER_CONFIG", serving.config());
        command.env("HIGHWATER_EVENT_GATEWAY_URL", format!("http://{gateway}"));
        command.env("HIGHWATER_TEST_CRASH_POINT", crash_point);
        Process::start(&mut command)
    };
    assert!(!restore("restore-before-last-push:1").ended(WITHIN).await.success());
    assert!(restore("").ended(WITHIN).await.success());
    let of = |name: &str| format!("{name}{{namespace=\"default\",job={:?},topic={again:?}}}", serving.backup);
    let done = seen(&served, "the end", |series| series.get(&of("restore_state")) == Some(&800.0)).await;
    let figures = ["restore_progress", "restore_records_count", "restore_records_total"].map(|name| done[&of(name)]);
    assert_eq!(figures, [1.0, RECORDS as f64, RECORDS as f64]);
    served.end().await;
}
