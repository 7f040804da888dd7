//! Segments expire on the real servers: under `serve`, and by the function's binary as Lambda runs it.

use std::{sync::Mutex, time::Duration};

use integration_tests::{
    eventually::eventually,
    kafka::Kafka,
    kafka_producer::NewRecord,
    lambda::Deployment,
    redis_server::RedisServer,
    runtime_api::Function,
    s3_server::S3Server,
    serving::{Served, Serving},
};
use serde_json::{Value, json};

const WITHIN: Duration = Duration::from_secs(60);

/// Records of partition 0, of which three fill a segment of 64 KiB.
fn large(count: usize) -> Vec<NewRecord> {
    (0..count).map(|_| NewRecord::new(vec![b'x'; 20_000]).partition(0)).collect()
}

/// The keys of the segments that lie in a bucket.
async fn segments(bucket: &str) -> Vec<String> {
    let listed = S3Server::shared().await.client().list_objects_v2().bucket(bucket).send().await.expect("a listing");
    let keys = listed.contents().iter().filter_map(|object| object.key().map(str::to_owned));
    keys.filter(|key| key.ends_with(".kan")).collect()
}

/// What was ever stored, and what of it is present: records, their bytes, segments and their bytes.
async fn figures(served: &Served, topic: &str) -> Result<([f64; 4], [f64; 4]), String> {
    let series = served.series().await?;
    let of = |name: &str| series.get(&format!("backup_sink_{name}{{topic={topic:?}}}")).copied().unwrap_or(0.0);
    let names = ["records_count", "records_size", "segments_count", "bytes_count"];
    Ok((names.map(|name| of(&format!("{name}_total"))), names.map(of)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_serve_old_segments_leave_figures_and_storage_and_totals_stay() {
    let kafka = Kafka::shared().await;
    let redis = RedisServer::shared().await.new_database().url;
    let mut serving = Serving::new("retention", kafka, &redis).await;
    serving.more = format!(
        "[backups.{}.retention]\ndelete_after = \"4s\"\ngrace = \"2s\"\ncheck_every = \"1s\"\n",
        serving.backup
    );
    let served = serving.serve().await;
    kafka.produce(&serving.topic, large(10)).await;

    let (most, fell) = (Mutex::new([0.0; 4]), Mutex::new(false));
    eventually("all but the last segment to expire", WITHIN, || async {
        let (totals, present) = figures(&served, &serving.topic).await?;
        let mut most = most.lock().expect("no panic");
        assert!(totals.iter().zip(*most).all(|(now, before)| *now >= before), "{totals:?} after {most:?}");
        *most = totals;
        *fell.lock().expect("no panic") |= present[0] < totals[0];
        if totals[0] == 10.0 && present[2] == 1.0 { Ok(()) } else { Err(format!("{present:?} of {totals:?}")) }
    })
    .await;
    let (totals, present) = figures(&served, &serving.topic).await.expect("figures");
    assert!(totals[2] >= 4.0 && present.iter().zip(totals).all(|(present, total)| *present < total), "{totals:?}");
    eventually("what expired to be deleted", WITHIN, || async {
        let left = segments(&serving.bucket).await;
        if left.len() == 1 { Ok(()) } else { Err(format!("{left:?}")) }
    })
    .await;

    // What is left is a backup that is whole, and goes on.
    let verified = serving.verify().await;
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    let listed = serving.run(&["segments", "--json"]).await;
    let listed: Value = serde_json::from_slice(&listed.stdout).expect("JSON");
    assert_eq!((listed["segments"].as_array().map(Vec::len), &listed["segments"][0]["next"]), (Some(1), &json!(10)));
    kafka.produce(&serving.topic, large(1)).await;
    eventually("the backup to go on", WITHIN, || async {
        let (totals, _) = figures(&served, &serving.topic).await?;
        if totals[0] == 11.0 { Ok(()) } else { Err(format!("{totals:?}")) }
    })
    .await;
    served.end().await;
}

async fn expire(function: &Function) -> Value {
    let answer = function.invoke(json!({})).await.expect("an answer");
    assert_eq!((&answer["backups"][0]["complete"], &answer["backups"][0]["failures"]), (&json!(true), &json!([])));
    answer["backups"][0]["changed"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_lambda_the_floor_moves_at_once_and_the_run_behind_the_grace_deletes() {
    let kafka = Kafka::shared().await;
    let any_time = [("message.timestamp.after.max.ms", "9223372036854775807"), ("retention.ms", "-1")];
    let topic = kafka.new_topic("lambda-retention", 1, &any_time).await;
    // Files that were just written, with records of 1970 and of 2099.
    let old = |n: i32| NewRecord::new(format!("value {n}")).timestamp_ms(if n == 7 { 4_080_000_000_000 } else { 1 });
    kafka.produce(&topic, (0..20).map(old).collect()).await;
    let deployment = Deployment::of(&topic).await;
    let config = deployment.config(20).await;
    let config = format!("{config}[backups.main.retention]\ndelete_after = \"1h\"\ngrace = \"1s\"\n");
    let environment = [("HIGHWATER_CONFIG", config.as_str())];
    Function::start("segment-writer", &environment).await.invoke(json!({"backup": "main"})).await.expect("a drain");
    let stored = segments(&deployment.bucket).await.len();
    assert!(stored > 8, "{stored} segments");

    let expirer = Function::start("segment-expirer", &environment).await;
    let changed = expire(&expirer).await;
    // The record of 2099 makes its file as old as it is, which is young: it keeps all behind it.
    assert_eq!((&changed[0]["start"], &changed[0]["deleted_segments"]), (&json!(6), &json!(0)), "{changed}");
    assert_eq!(segments(&deployment.bucket).await.len(), stored);
    let deleted = eventually("the grace to be over", WITHIN, || async {
        let changed = expire(&expirer).await;
        changed[0]["deleted_segments"].as_u64().filter(|deleted| *deleted > 0).ok_or_else(|| changed.to_string())
    })
    .await;
    assert_eq!(segments(&deployment.bucket).await.len() as u64, stored as u64 - deleted);
}
