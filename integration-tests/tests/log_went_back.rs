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
}
