//! Which topics `serve` takes as they come and go, and whose the place is that it writes to.

use std::time::{Duration, Instant};

use bytes::Bytes;
use integration_tests::{
    eventually::eventually,
    kafka::Kafka,
    kafka_producer::NewRecord,
    redis_server::RedisServer,
    s3_server::S3Server,
    serving::{Served, Serving},
};

const WITHIN: Duration = Duration::from_secs(60);
/// A refresh of one second, a look at the cluster, joining the group again, and a segment's two seconds, on a busy machine.
const FOUND_WITHIN: Duration = Duration::from_secs(30);

async fn produce(kafka: &Kafka, topic: &str, count: usize) {
    let records = (0..count).map(|n| NewRecord::new(format!("{topic} {n}")).partition(0)).collect();
    kafka.produce(topic, records).await;
}

async fn counted(served: &Served, topic: &str, records: Option<f64>, within: Duration) {
    let name = format!("backup_sink_records_count{{topic={topic:?}}}");
    eventually(&format!("{name} to be {records:?}"), within, || async {
        let found = served.series().await?.get(&name).copied();
        if found == records { Ok(()) } else { Err(format!("it is {found:?}")) }
    })
    .await;
}

/// The keys below the bucket's prefix.
async fn keys(serving: &Serving) -> Vec<String> {
    let client = S3Server::shared().await.client();
    let listed = client.list_objects_v2().bucket(&serving.bucket).send().await.unwrap();
    listed.contents().iter().filter_map(|object| object.key().map(str::to_owned)).collect()
}

async fn put(serving: &Serving, key: &str, body: &str) {
    let (client, body) = (S3Server::shared().await.client(), Bytes::copy_from_slice(body.as_bytes()));
    let put = client.put_object().bucket(&serving.bucket).key(format!("backups/{key}")).body(body.into());
    put.send().await.unwrap();
}

async fn serving(base: &str, kafka: &Kafka) -> Serving {
    Serving::new(base, kafka, &RedisServer::shared().await.new_database().url).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_topics_are_found_deleted_ones_keep_their_data_and_excluded_ones_are_never_taken() {
    let kafka = Kafka::shared().await;
    let mut serving = serving("chosen", kafka).await;
    serving.include = format!("{}*", serving.topic);
    serving.exclude = "*-tmp".to_owned();
    let (first, second, left_out) =
        (serving.topic.clone(), format!("{}-second", serving.topic), format!("{}-tmp", serving.topic));
    produce(kafka, &first, 5).await;
    let served = serving.serve().await;
    counted(&served, &first, Some(5.0), WITHIN).await;

    kafka.create_topic(&second, 1, &[]).await;
    kafka.create_topic(&left_out, 1, &[]).await;
    let created = Instant::now();
    produce(kafka, &left_out, 1).await;
    produce(kafka, &second, 7).await;
    counted(&served, &second, Some(7.0), FOUND_WITHIN).await;
    println!("a new topic's records were stored and counted {:?} after they were produced", created.elapsed());
    counted(&served, &first, Some(5.0), WITHIN).await;

    kafka.delete_topic(&first).await;
    let live = format!("backup_topic_progress{{topic={first:?}}}");
    eventually(&format!("{live} to end"), WITHIN, || async {
        let found = served.series().await?.get(&live).copied();
        if found.is_none() { Ok(()) } else { Err(format!("it is {found:?}")) }
    })
    .await;
    counted(&served, &first, Some(5.0), WITHIN).await;
    produce(kafka, &second, 3).await;
    counted(&served, &second, Some(10.0), WITHIN).await;
    let folder = format!("backups/{}/{first}/1/0/", serving.backup);
    assert!(keys(&serving).await.iter().any(|key| key.starts_with(&folder)), "the data of a deleted topic stays");
    assert!(!keys(&serving).await.iter().any(|key| key.contains(&left_out)), "an excluded topic is taken");
    served.end().await;
    let verified = serving.verify().await;
    assert_eq!(verified.status.code(), Some(0), "{}", String::from_utf8_lossy(&verified.stdout));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_that_belongs_to_another_cluster_is_refused_by_name_and_left_as_it_is() {
    let serving = serving("theirs", Kafka::shared().await).await;
    let owner = format!(r#"{{"format_version":1,"backup":"{}","cluster_id":"another"}}"#, serving.backup);
    put(&serving, &format!("{}/=owner.json", serving.backup), &owner).await;
    for command in ["serve", "backup"] {
        let output = serving.run(&[command]).await;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{command}: {said}");
        for part in [&format!("{}/=owner.json", serving.backup), "\"another\"", "storage.url"] {
            assert!(said.contains(part), "{command} does not say {part}: {said}");
        }
    }
    let ours = keys(&serving).await.into_iter().filter(|key| key.contains(&serving.topic)).collect::<Vec<_>>();
    assert!(ours.is_empty(), "{ours:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_others_harm_nothing_and_one_in_a_segments_place_is_named_and_not_overwritten() {
    let kafka = Kafka::shared().await;
    let serving = serving("shared", kafka).await;
    let chain = format!("{}/{}/1", serving.backup, serving.topic);
    for key in
        ["readme.txt", "other/thing.parquet", &format!("{}/notes.txt", serving.backup), &format!("{chain}/0/x.kan")]
    {
        put(&serving, key, "somebody else's").await;
    }
    produce(kafka, &serving.topic, 5).await;
    let drained = serving.run(&["backup"]).await;
    assert_eq!(drained.status.code(), Some(0), "{}", String::from_utf8_lossy(&drained.stderr));
    let verified = serving.verify().await;
    let said = String::from_utf8_lossy(&verified.stdout).into_owned();
    assert_eq!(verified.status.code(), Some(1), "{said}");
    for key in [format!("{}/notes.txt", serving.backup), format!("{chain}/0/x.kan")] {
        assert!(said.contains(&key), "{key} is not named: {said}");
    }

    // The next segment of partition 0 begins at 5.
    let taken = format!("{chain}/0/00000000000000000005.kan");
    put(&serving, &taken, "no segment").await;
    produce(kafka, &serving.topic, 1).await;
    let drained = serving.run(&["backup"]).await;
    let said = String::from_utf8_lossy(&drained.stdout).into_owned();
    assert_eq!(drained.status.code(), Some(1), "{said}");
    assert!(said.contains(&taken), "{taken} is not named: {said}");
    let client = S3Server::shared().await.client();
    let client_delete = client.delete_object().bucket(&serving.bucket).key(format!("backups/{taken}"));
    let body = client.get_object().bucket(&serving.bucket).key(format!("backups/{taken}")).send().await.unwrap();
    assert_eq!(body.body.collect().await.unwrap().into_bytes(), "no segment");
    client_delete.send().await.unwrap();
    let drained = serving.run(&["backup"]).await;
    assert_eq!(drained.status.code(), Some(0), "{}", String::from_utf8_lossy(&drained.stdout));
    assert_eq!(serving.frontiers().await.values().sum::<i64>(), 6, "nothing is lost");
}
