//! segment-writer's binary under the Runtime API: drains and Kafka events, after which every record is stored once.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use integration_tests::{
    backup::TestBackup,
    eventually::eventually,
    kafka::Kafka,
    kafka_producer::NewRecord,
    lambda::{Deployment, EventSource, kafka_event},
    runtime_api::{Emulation, Function},
    s3_server::S3Server,
};
use serde_json::{Value, json};
use shared::record::{Offset, Record};

/// So many records a mapping hands over at once at most; with values of this size they fill an event of 6 MB.
const RECORDS_OF_EVENT_MAX: usize = 10_000;
const VALUE_BYTES: usize = 300;

/// What a record tells Lambda to do when all of an event was taken.
fn taken() -> Value {
    json!({"batchItemFailures": []})
}

fn numbered(count: i32, partition: i32) -> Vec<NewRecord> {
    (0..count).map(|n| NewRecord::new(format!("value {n}")).key(format!("key {n}")).partition(partition)).collect()
}

/// A record with all that an event writes in an odd way; a name that is not UTF-8 it cannot tell at all.
fn odd(header_name: &'static [u8]) -> NewRecord {
    let mut odd = NewRecord::new(Bytes::new()).key(&b"\xff\x00"[..]).timestamp_ms(1).partition(0);
    for (name, value) in [(header_name, None), (b"a", Some(&b"\x80\xff"[..])), (b"a", Some(b""))] {
        odd = odd.header(name, value.map(Bytes::from_static));
    }
    odd
}

async fn assert_stored(deployment: &Deployment, topic: &str) {
    let backup = TestBackup::in_bucket(&deployment.bucket, topic, 1 << 20).await;
    for (partition, log) in Kafka::shared().await.read(topic).await {
        assert_eq!(backup.stored(1, partition).await.records, log, "partition {partition}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_of_both_sources_in_any_order_and_boundaries_store_every_record_once() {
    store_events_of_both_sources(Emulation::Own).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_of_both_sources_store_every_record_once_under_cargo_lambda() {
    store_events_of_both_sources(Emulation::CargoLambda).await;
}

async fn store_events_of_both_sources(emulation: Emulation) {
    let kafka = Kafka::shared().await;
    let topic = kafka.new_topic("lambda-events", 2, &[]).await;
    let mut records = numbered(200, 0);
    records.extend([odd(b"plain"), odd(b"\xff\xfe"), NewRecord::tombstone("gone").partition(0)]);
    records.extend(numbered(10_000, 0));
    records.extend(numbered(100, 1));
    kafka.produce(&topic, records).await;
    let log = kafka.read(&topic).await;
    let deployment = Deployment::of(&topic).await;
    let function = deployment.start_under(emulation, "segment-writer").await;
    let (first, second) = (&log[&0], &log[&1]);
    let (msk, own) = (EventSource::Msk, EventSource::SelfManaged);
    let name = topic.as_str();

    // Not starting at the frontier; several partitions; redelivered; in other boundaries; what an event cannot tell.
    for (source, parts) in [
        (msk, vec![(name, 0, &first[50..60])]),
        (msk, vec![(name, 0, &first[60..100]), (name, 1, &second[..20])]),
        (msk, vec![(name, 0, &first[60..100]), (name, 1, &second[..20])]),
        (own, vec![(name, 0, &first[80..150]), (name, 1, &second[10..40])]),
        (own, vec![(name, 0, &first[150..203])]),
        (msk, vec![(name, 0, &first[203..])]),
    ] {
        assert_eq!(function.invoke(kafka_event(source, &parts)).await, Ok(taken()), "{parts:?}");
    }

    // Above the log's end; then offsets that nobody can read, so that the partition is pulled to its end.
    let foreign = Record { offset: Offset(second[99].offset.0 + 10), ..second[99].clone() };
    let above = kafka_event(msk, &[(name, 1, std::slice::from_ref(&foreign))]);
    assert_eq!(function.invoke(above).await, Ok(taken()));
    kafka.produce(&topic, numbered(50, 1)).await;
    let mut unreadable = kafka_event(own, &[(name, 1, &second[..2])]);
    for record in unreadable["records"][format!("{topic}-1")].as_array_mut().expect("a list") {
        record["offset"] = json!("none");
    }
    assert_eq!(function.invoke(unreadable).await, Ok(taken()));

    assert_stored(&deployment, &topic).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_as_large_as_lambda_makes_one_is_stored_with_the_times_of_both_types() {
    let kafka = Kafka::shared().await;
    for (name, timestamp_type, emulation) in
        [("lambda-created", "CreateTime", Emulation::Own), ("lambda-appended", "LogAppendTime", Emulation::CargoLambda)]
    {
        let topic = kafka.new_topic(name, 1, &[("message.timestamp.type", timestamp_type)]).await;
        let value = "x".repeat(VALUE_BYTES);
        let records = (0..RECORDS_OF_EVENT_MAX).map(|n| NewRecord::new(format!("{value}{n}")).partition(0));
        kafka.produce(&topic, records.collect()).await;
        let log = kafka.read(&topic).await;
        let event = kafka_event(EventSource::Msk, &[(&topic, 0, &log[&0])]);
        let bytes = event.to_string().len();
        assert!((5_500_000..=6_291_456).contains(&bytes), "{bytes}");
        let deployment = Deployment::of(&topic).await;
        let function = deployment.start_under(emulation, "segment-writer").await;
        assert_eq!(function.invoke(event).await, Ok(taken()));
        assert_stored(&deployment, &topic).await;
        eprintln!("{name}: {RECORDS_OF_EVENT_MAX} records, {bytes} bytes, {} MB", function.memory_bytes_peak() >> 20);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_environment_that_ends_in_the_middle_of_a_run_loses_nothing() {
    let kafka = Kafka::shared().await;
    let topic = kafka.new_topic("lambda-terminated", 1, &[]).await;
    kafka.produce(&topic, numbered(5_000, 0)).await;
    let deployment = Deployment::of(&topic).await;
    let config = deployment.config(2_000).await;
    let idle = deployment.start("segment-writer").await;
    idle.first_asked().await;
    idle.terminate().await;
    for _ in 0..3 {
        let function = Arc::new(Function::start("segment-writer", &[("HIGHWATER_CONFIG", &config)]).await);
        let invoked = function.clone();
        let run = tokio::spawn(async move { invoked.invoke(json!({"backup": "main"})).await });
        let before = segments(&deployment).await;
        eventually("the run to store something", Duration::from_secs(30), || async {
            let now = segments(&deployment).await;
            if now > before || run.is_finished() { Ok(()) } else { Err(format!("{now} segments")) }
        })
        .await;
        run.abort();
        let _ = run.await;
        Arc::into_inner(function).expect("nobody else has it").terminate().await;
    }
    deployment.start("segment-writer").await.invoke(json!({"backup": "main"})).await.expect("the rest is stored");
    assert_stored(&deployment, &topic).await;
}

/// How many segments the bucket holds.
async fn segments(deployment: &Deployment) -> usize {
    let client = S3Server::shared().await.client();
    let listed = client.list_objects_v2().bucket(&deployment.bucket).send().await.expect("a list");
    listed.contents().iter().filter(|object| object.key().is_some_and(|key| key.ends_with(".kan"))).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_backed_up_is_not_acknowledged() {
    let kafka = Kafka::shared().await;
    let (topic, other) =
        (kafka.new_topic("lambda-selected", 1, &[]).await, kafka.new_topic("lambda-unselected", 1, &[]).await);
    for topic in [&topic, &other] {
        kafka.produce(topic, numbered(10, 0)).await;
    }
    let (log, others) = (kafka.read(&topic).await, kafka.read(&other).await);
    let deployment = Deployment::of(&topic).await;
    let function = deployment.start("segment-writer").await;

    let both = kafka_event(EventSource::Msk, &[(&topic, 0, &log[&0][..5]), (&other, 0, &others[&0][3..])]);
    let error = function.invoke(both.clone()).await.expect_err("a mapping may not understand a partial answer");
    assert!(error.error_message.contains("no backup selects"), "{error}");
    let config = deployment.config(1 << 20).await;
    let settings = [("HIGHWATER_CONFIG", config.as_str()), ("HIGHWATER_LAMBDA_REPORT_BATCH_ITEM_FAILURES", "true")];
    let reporting = Function::start("segment-writer", &settings).await;
    let again = json!({"itemIdentifier": {"partition": format!("{other}-0"), "offset": 3}});
    assert_eq!(reporting.invoke(both).await, Ok(json!({"batchItemFailures": [again]})));

    let alone = kafka_event(EventSource::Msk, &[(&other, 0, &others[&0])]);
    let error = function.invoke(alone).await.expect_err("nothing of it can be taken");
    assert!(error.error_message.contains("no backup selects: add it to the topics of [backups.main]"), "{error}");

    let mut nowhere = kafka_event(EventSource::Msk, &[(&topic, 0, &log[&0][5..])]);
    nowhere["records"]["nowhere"] = json!(["not a record"]);
    let error = function.invoke(nowhere).await.expect_err("a record of it is nowhere");
    assert!(error.error_message.contains("belongs to no partition that can be told"), "{error}");

    assert_stored(&deployment, &topic).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_ends_before_its_deadline_and_the_next_one_goes_on_there() {
    const SHORT: Duration = Duration::from_secs(5);
    let kafka = Kafka::shared().await;
    let topic = kafka.new_topic("lambda-deadline", 1, &[]).await;
    // A segment for each of these records is far more than a few seconds of work, which comes in many fetches.
    let large = |_| NewRecord::new(vec![b'x'; 50_000]).partition(0);
    kafka.produce(&topic, (0..1_500).map(large).collect()).await;
    let log = kafka.read(&topic).await.remove(&0).expect("partition 0");
    let deployment = Deployment::of(&topic).await;
    let slow = Function::start("segment-writer", &[("HIGHWATER_CONFIG", &deployment.config(1).await)]).await;

    let since = Instant::now();
    let report = slow.invoke_within(SHORT, json!({"backup": "main"})).await.expect("a report");
    assert!(since.elapsed() < SHORT, "{:?}", since.elapsed());
    let partition = &report["partitions"][0];
    assert!(partition["error"].as_str().expect("an error").contains("time was up at"), "{report}");
    let backup = TestBackup::in_bucket(&deployment.bucket, &topic, 1).await;
    let stored = backup.stored(1, 0).await.records.len();
    assert!((1..1_400).contains(&stored), "{stored} of {}, {report}", log.len());

    let since = Instant::now();
    let late = kafka_event(EventSource::Msk, &[(&topic, 0, &log[1_400..1_410])]);
    let error = slow.invoke_within(SHORT, late.clone()).await.expect_err("there is no time for it");
    assert!(error.error_message.contains("time was up at") && since.elapsed() < SHORT, "{error}");

    let fast = deployment.start("segment-writer").await;
    assert_eq!(fast.invoke(late).await, Ok(taken()));
    let report = fast.invoke(json!({"backup": "main"})).await.expect("a report");
    assert_eq!((&report["partitions"][0]["next"], &report["partitions"][0]["error"]), (&json!(1_500), &Value::Null));
    assert_stored(&deployment, &topic).await;
}
