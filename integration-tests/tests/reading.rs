//! What Kafka holds and how it is read: large records, partitions that are added, topics that are missing, transactions.

use std::time::{Duration, Instant};

use integration_tests::{
    backup::{TestBackup, drain},
    eventually::eventually,
    kafka::Kafka,
    kafka_producer::NewRecord,
    redis_server::RedisServer,
    serving::{PARTITIONS, Served, Serving},
};
use rdkafka::mocking::MockCluster;
use serde_json::Value;
use shared::{
    adapters::kafka::KafkaCluster, config::kafka::KafkaSettings, ports::records::Groups as _, record::Offset,
};

const WITHIN: Duration = Duration::from_secs(60);
/// A refresh of one second, joining the group again, and a segment's two seconds, on a busy machine.
const FOUND_WITHIN: Duration = Duration::from_secs(30);
/// More than the Kafka client takes in one answer unless it is told otherwise: 100 MB.
const LARGE: usize = 120_000_000;

fn small(partition: i32, count: usize) -> Vec<NewRecord> {
    (0..count).map(|n| NewRecord::new(format!("value {n}")).partition(partition)).collect()
}

async fn serving(base: &str, kafka: &Kafka) -> Serving {
    Serving::new(base, kafka, &RedisServer::shared().await.new_database().url).await
}

async fn shows(served: &Served, series: &str, wanted: Option<f64>, within: Duration) {
    eventually(&format!("{series} to be {wanted:?}"), within, || async {
        let found = served.series().await?.get(series).copied();
        if found == wanted { Ok(()) } else { Err(format!("it is {found:?}")) }
    })
    .await;
}

/// What `backup --json` says, and how it ends.
async fn back_up(serving: &Serving) -> (Value, Option<i32>) {
    let output = serving.run(&["backup", "--json"]).await;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"));
    (said, output.status.code())
}

fn partition(said: &Value, number: i64) -> &Value {
    let partitions = said["backups"][0]["partitions"].as_array().expect("a report of each partition");
    partitions.iter().find(|it| it["partition"] == number).expect("the partition is reported")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_above_the_clients_usual_limit_is_stored_as_a_segment_of_its_own_with_all_around_it() {
    let kafka = Kafka::shared().await;
    let topic = kafka.new_topic("large", 2, &[("max.message.bytes", "200000000")]).await;
    // No two parts of it are alike, so that nothing on the way makes it small.
    let mut state = 1_u64;
    let mut large = Vec::with_capacity(LARGE);
    while large.len() < LARGE {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        large.extend_from_slice(&state.to_be_bytes());
    }
    let limits = [("message.max.bytes", "200000000"), ("queue.buffering.max.kbytes", "400000")];
    let producer = kafka.producer(&limits).await;
    let records = [small(0, 3), vec![NewRecord::new(large.clone()).partition(0)], small(0, 3), small(1, 5)].concat();
    producer.send(&topic, records).await;

    let backup = TestBackup::of(&topic, 1 << 20).await;
    let report = drain(&backup.function()).await;
    assert!(report.complete(), "{report:?}");
    let stored = backup.stored(1, 0).await;
    assert_eq!(stored.records.iter().map(|record| record.offset.0).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5, 6]);
    assert!(stored.records[3].value.as_deref() == Some(&large[..]), "the record is whole");
    let ranges: Vec<_> = stored.segments.iter().map(|segment| (segment.base.0, segment.next.0)).collect();
    assert_eq!(ranges, [(0, 3), (3, 4), (4, 7)]);
    assert_eq!(backup.stored(1, 1).await.records.len(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_above_our_limit_stops_its_partition_alone_and_state_and_exit_code_tell() {
    let kafka = Kafka::shared().await;
    let mut serving = serving("too-large", kafka).await;
    serving.kafka = "record_bytes_max = \"100KiB\"\n".to_owned();
    let large = NewRecord::new(vec![b'x'; 200_000]).partition(0);
    kafka.produce(&serving.topic, [small(0, 2), vec![large], small(0, 1), small(1, 4)].concat()).await;

    let (said, code) = back_up(&serving).await;
    assert_eq!(code, Some(1), "{said}");
    let error = partition(&said, 0)["error"].as_str().expect("it tells why").to_owned();
    let place = format!("{}-0: the record at offset 2 has 200000 bytes", serving.topic);
    assert!(error.contains(&place) && error.contains("kafka.record_bytes_max = 100KiB"), "{error}");
    assert_eq!((partition(&said, 0)["next"].clone(), partition(&said, 1)["next"].clone()), (2.into(), 4.into()));

    let served = serving.serve().await;
    kafka.produce(&serving.topic, small(1, 3)).await;
    shows(&served, &format!("backup_sink_records_count{{topic={:?}}}", serving.topic), Some(9.0), WITHIN).await;
    shows(&served, &format!("backup_state{{topic={:?}}}", serving.topic), Some(900.0), WITHIN).await;
    let ready = served.metrics("/readyz").await.expect("an answer");
    let failed = format!("failed: backup {}, topic {}: backup_state 900", serving.backup, serving.topic);
    assert!(ready.status == 200 && ready.body.contains(&failed), "{} {}", ready.status, ready.body);
    served.end().await;

    serving.kafka.clear();
    assert_eq!(back_up(&serving).await.1, Some(0));
    assert_eq!(serving.frontiers().await.values().sum::<i64>(), 4 + 7);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_that_are_added_under_serve_are_stored_within_two_refreshes_and_a_rebalance() {
    let kafka = Kafka::shared().await;
    let serving = serving("grows", kafka).await;
    kafka.produce(&serving.topic, small(0, 5)).await;
    let served = serving.serve().await;
    let counted = format!("backup_sink_records_count{{topic={:?}}}", serving.topic);
    shows(&served, &counted, Some(5.0), WITHIN).await;
    kafka.add_partitions(&serving.topic, PARTITIONS as usize + 1).await;
    let since = Instant::now();
    let produced = || async {
        let producer = kafka.producer(&[]).await;
        let asked = tokio::time::timeout(Duration::from_secs(5), producer.send(&serving.topic, small(PARTITIONS, 7)));
        asked.await.map_err(|_| "the broker does not know the partition yet".to_owned())
    };
    eventually("records in the new partition", WITHIN, produced).await;
    shows(&served, &counted, Some(12.0), FOUND_WITHIN).await;
    println!("records of a new partition were stored and counted {:?} after it was added", since.elapsed());
    served.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_is_named_and_missing_is_told_by_backup_and_as_a_figure_until_it_is_there() {
    let kafka = Kafka::shared().await;
    let mut serving = serving("named", kafka).await;
    let missing = format!("{}-missing", serving.topic);
    serving.include.clone_from(&missing);
    let output = serving.run(&["backup"]).await;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(&missing) && said.contains("no such topic in kafka"), "{said}");

    let served = serving.serve().await;
    let figure = format!("highwater_topic_missing{{backup={:?},topic={missing:?}}}", serving.backup);
    shows(&served, &figure, Some(1.0), WITHIN).await;
    kafka.create_topic(&missing, 1, &[]).await;
    kafka.produce(&missing, small(0, 3)).await;
    shows(&served, &figure, None, WITHIN).await;
    shows(&served, &format!("backup_sink_records_count{{topic={missing:?}}}"), Some(3.0), WITHIN).await;
    served.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_transaction_is_told_with_what_waits_and_its_marker_leaves_no_lag() {
    let kafka = Kafka::shared().await;
    let serving = serving("transaction", kafka).await;
    let producer = kafka.transactional_producer(&serving.topic).await;
    kafka.produce(&serving.topic, small(0, 2)).await;
    producer.begin();
    producer.send(&serving.topic, small(0, 3)).await;
    let (said, code) = back_up(&serving).await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(partition(&said, 0)["waiting"], serde_json::json!({"from": 2, "to": 5}));
    assert_eq!(partition(&said, 1)["waiting"], Value::Null);
    producer.commit().await;
    let (said, code) = back_up(&serving).await;
    assert_eq!((code, &partition(&said, 0)["waiting"]), (Some(0), &Value::Null), "{said}");
    assert_eq!(partition(&said, 0)["next"], 5);
    let group = format!("highwater.{}", serving.backup);
    assert_eq!(kafka.committed(&group, &serving.topic, 0).await, Some(6), "the end of the log");

    // The tail below the marker goes missing, and that is noticed all the same.
    let last = format!("{}/{}/1/0/{:020}.kan", serving.backup, serving.topic, 2);
    serving.delete_object(&last).await;
    let (said, code) = back_up(&serving).await;
    assert_eq!(code, Some(1), "{said}");
    let error = partition(&said, 0)["error"].as_str().unwrap_or_default().to_owned();
    assert!(error.contains("the backup ends at 2, but 5 was committed"), "{error}");
}

#[tokio::test]
async fn a_member_that_is_dropped_blocks_no_thread_of_the_runtime() {
    let mock = MockCluster::new(1).expect("the mock cluster starts");
    mock.create_topic("topic", 1, 1).expect("create topic");
    let kafka = KafkaCluster::connect(KafkaSettings::at(&*mock.bootstrap_servers())).await.expect("a client");
    let mut member = kafka.join("group", &["topic".into()]).await.expect("join");
    let came = member.next(WITHIN).await.expect("the group answers");
    assert_eq!(came.len(), 1, "{came:?}");
    member.start(&shared::record::TopicPartition::new("topic", 0), Offset(0)).await.expect("start");
    // Leaving the group is answered by nobody.
    mock.broker_down(1).expect("the broker goes away");
    let since = Instant::now();
    drop(member);
    assert!(since.elapsed() < Duration::from_millis(200), "dropping it took {:?}", since.elapsed());
}
