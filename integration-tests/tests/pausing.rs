//! Pauses under `serve`, on the real servers.

use std::{collections::BTreeMap, time::Duration};

use integration_tests::{
    agreement::assert_nothing_lost_and_the_meter_agrees,
    eventually::eventually,
    highwater::highwater,
    kafka::Kafka,
    load::Load,
    redis_server::RedisServer,
    serving::{Served, Serving},
};
use serde_json::Value;

const WITHIN: Duration = Duration::from_secs(60);

async fn state(served: &Served, serving: &Serving) -> Result<f64, String> {
    let name = format!("backup_state{{topic={:?}}}", serving.topic);
    served.series().await?.get(&name).copied().ok_or_else(|| format!("no {name}"))
}

async fn state_is(served: &Served, serving: &Serving, wanted: f64) {
    eventually(&format!("state {wanted}"), WITHIN, || async {
        let state = state(served, serving).await?;
        if state == wanted { Ok(()) } else { Err(format!("it is {state}")) }
    })
    .await;
}

async fn produced_more(load: &Load, than: usize) {
    eventually("500 more records to be produced", WITHIN, || async {
        let more = load.records() - than;
        if more >= 500 { Ok(()) } else { Err(format!("{more} so far")) }
    })
    .await;
}

fn sum(frontiers: &BTreeMap<shared::record::Partition, i64>) -> i64 {
    frontiers.values().sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_topic_stands_still_through_a_restart_and_goes_on_without_a_loss() {
    let kafka = Kafka::shared().await;
    let serving = Serving::new("paused", kafka, &RedisServer::shared().await.new_database().url).await;
    let load = Load::start(kafka, &serving, 3).await;
    let served = serving.serve().await;
    eventually("something stored", WITHIN, || async {
        if sum(&serving.frontiers().await) > 0 { Ok(()) } else { Err("nothing".to_owned()) }
    })
    .await;

    let target = format!("{}/{}", serving.backup, serving.topic);
    assert_eq!(served.post(&format!("/_/highwater/api/pause/{target}")).await.unwrap().body, "{}");
    state_is(&served, &serving, 200.0).await;
    let stopped_at = serving.frontiers().await;
    produced_more(&load, load.records()).await;
    assert_eq!(serving.frontiers().await, stopped_at, "nothing is stored while it is paused");

    served.end().await;
    let served = serving.serve().await;
    produced_more(&load, load.records()).await;
    state_is(&served, &serving, 200.0).await;
    assert_eq!(serving.frontiers().await, stopped_at, "a restart does not end a pause");
    let drained = serving.run(&["backup"]).await;
    let said = String::from_utf8_lossy(&drained.stdout).into_owned();
    assert_eq!((drained.status.code(), said.matches("paused\n").count()), (Some(0), 4), "{said}");
    let topics: Value = serde_json::from_slice(&serving.run(&["topics", "--json"]).await.stdout).unwrap();
    assert!(topics["topics"][0]["paused_since"].is_i64(), "{topics}");
    assert_eq!(serving.frontiers().await, stopped_at, "a drain leaves it alone");

    let resumed = serving.run(&["resume", "--topic", &serving.topic, "--json"]).await;
    let resumed: Value = serde_json::from_slice(&resumed.stdout).unwrap();
    assert_eq!(
        (&resumed["schema"], &resumed["state"]),
        (&"highwater.control.v1".into(), &"enabled".into()),
        "{resumed}"
    );
    let produced = load.end().await;
    assert_nothing_lost_and_the_meter_agrees(&serving, &served, &produced).await;
    served.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pausing_needs_neither_kafka_nor_redis() {
    let kafka = Kafka::shared().await;
    let serving = Serving::new("alone", kafka, "redis://127.0.0.1:1").await;
    let config = serving.config().replace(kafka.bootstrap_servers(), "127.0.0.1:1");
    let run = |args: &[&str]| {
        let mut command = highwater(args.iter().copied());
        command.env("HIGHWATER_CONFIG", &config);
        async move { tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap() }
    };
    for (command, state) in [("pause", "paused"), ("pause", "paused"), ("resume", "enabled"), ("resume", "enabled")] {
        let output = run(&[command, "--json"]).await;
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((output.status.code(), said["state"].as_str()), (Some(0), Some(state)), "{said}");
    }
    let output = run(&["pause", "nobody"]).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("no backup \"nobody\" is configured; there are"), "{said}");
}
