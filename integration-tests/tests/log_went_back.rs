//! A broker's disk is restored from a copy, and the log goes on from there: what was backed up since is not in the log any
//! more, and other records take its offsets. The topic keeps its id.

use std::{process::Output, time::Duration};

use integration_tests::{
    eventually::eventually, kafka::Kafka, kafka_producer::NewRecord, redis_server::RedisServer, serving::Serving,
};
use serde_json::Value;

const WITHIN: Duration = Duration::from_secs(60);

async fn produce(kafka: &Kafka, serving: &Serving, history: &str, count: usize) {
    let record = |n| NewRecord::new(format!("{history} {n}")).partition(0);
    kafka.produce(&serving.topic, (0..count).map(record).collect()).await;
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_goes_back_behind_the_backup_is_told_however_long_it_is_by_then() {
    let (kafka, redis) = (Kafka::start_restorable().await, RedisServer::shared().await);
    let mut serving = Serving::new("restored", &kafka, &redis.new_database().url).await;
    produce(&kafka, &serving, "first", 100).await;
    kafka.copy_data().await;
    produce(&kafka, &serving, "second", 100).await;
    let done = serving.run(&["backup"]).await;
    assert!(done.status.success(), "{}", text(&done));

    for (others, log_end) in [(50, 150), (150, 250)] {
        kafka.restore_data().await;
        produce(&kafka, &serving, "another", others).await;
        let refused = serving.run(&["backup"]).await;
        let said = text(&refused);
        assert_eq!(refused.status.code(), Some(1), "{said}");
        let told = format!("offsets 100 to 199 is not in the log, which ends at {log_end}");
        assert!(said.contains(&told), "{said}");

        let verified = serving.run(&["verify", "--json"]).await;
        let report: Value = serde_json::from_slice(&verified.stdout).expect("JSON");
        let findings = report["backups"][0]["findings"].as_array().expect("findings");
        let diverged: Vec<_> = findings.iter().filter(|it| it["kind"] == "log_diverged").collect();
        assert_eq!(verified.status.code(), Some(1), "{report}");
        assert!(matches!(diverged[..], [it] if it["from"] == 100 && it["to"] == 200), "{report}");

        // The metrics topic went back too: figures are collected anew.
        serving.redis_url = redis.new_database().url;
        let served = serving.serve().await;
        let of_partition = |name: &str| format!("{name}{{topic={:?},partition=\"0\"}}", serving.topic);
        let (progress, diverged, state) = (
            of_partition("backup_topic_partition_progress"),
            of_partition("highwater_backup_log_diverged_offset"),
            format!("backup_state{{topic={:?}}}", serving.topic),
        );
        let figures = eventually("the state to be told", WITHIN, || async {
            let series = served.series().await?;
            if series.get(&state) == Some(&902.0) { Ok(series) } else { Err(format!("{series:?}")) }
        })
        .await;
        assert_eq!((figures[&diverged], figures[&progress]), (100.0, 100.0 / f64::from(log_end.max(200))));
        served.end().await;
        let ends = serving.ends().await;
        assert_eq!(ends[&shared::record::Partition(0)].frontier.next.0, 200, "nothing is added to another history");
    }
    goes_on_under_another_name(&kafka, serving).await;
}

/// What docs/loss.md says: the topic goes to a backup of another name, and both histories can be read and restored.
async fn goes_on_under_another_name(kafka: &Kafka, mut serving: Serving) {
    let (topic, old) = (serving.topic.clone(), serving.backup.clone());
    serving.include = "*".to_owned();
    serving.exclude = topic.clone();
    serving.more = format!("[backups.anew]\ntopics = {{ include = [{topic:?}] }}\n");
    for command in ["backup", "verify"] {
        let done = serving.run(&[command]).await;
        assert!(done.status.success(), "{command}: {}", text(&done));
    }
    let of = |history: &str, count: usize| (0..count).map(|n| format!("{history} {n}")).collect::<Vec<_>>();
    let histories = [
        (old.as_str(), [of("first", 100), of("second", 100)].concat()),
        ("anew", [of("first", 100), of("another", 150)].concat()),
    ];
    for (backup, expected) in histories {
        let lines = text(&serving.run(&["cat", &topic, "--backup", backup]).await);
        assert_eq!(lines.lines().count(), expected.len(), "{lines}");
        let target = format!("{topic}-{backup}");
        let args = ["restore", "--backup", backup, "--topic", &topic, "--target", &target];
        let restored = serving.run(&args).await;
        assert!(restored.status.success(), "{}", text(&restored));
        assert_eq!(values(kafka, &target).await, expected, "{backup}");
    }
    // One behind the other: the old one up to where the log went back.
    let target = format!("{topic}-both");
    for (backup, part) in [(old.as_str(), "until_offset = 200"), ("anew", "from_offset = 100")] {
        let plan = format!(
            "backup = {backup:?}\nappend = true\n[[topics]]\nsource = {topic:?}\ntarget = {target:?}\n\
             partitions = [{{ number = 0, {part} }}]\n"
        );
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("plan.toml");
        std::fs::write(&file, plan).expect("a plan");
        let restored = serving.run(&["restore", file.to_str().expect("a path")]).await;
        assert!(restored.status.success(), "{}", text(&restored));
    }
    assert_eq!(values(kafka, &target).await, [of("first", 100), of("second", 100), of("another", 150)].concat());
}

async fn values(kafka: &Kafka, topic: &str) -> Vec<String> {
    let records = kafka.read(topic).await;
    let value =
        |it: &shared::record::Record| String::from_utf8_lossy(it.value.as_deref().unwrap_or_default()).into_owned();
    records[&0].iter().map(value).collect()
}
