//! Kafka records become segments, byte for byte and exactly once, on the real servers.

use std::process::Command;

use bytes::Bytes;
use integration_tests::{
    backup::{TestBackup, drain, event},
    kafka::Kafka,
    kafka_producer::NewRecord,
    programs,
};
use shared::{
    record::{Offset, Record},
    segment::GapCause,
};

fn numbered(range: std::ops::Range<i32>) -> Vec<NewRecord> {
    range.map(|n| NewRecord::new(format!("value {n}")).key(format!("key {n}")).partition(0)).collect()
}

fn offsets(records: &[Record]) -> Vec<i64> {
    records.iter().map(|record| record.offset.0).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_record_lands_byte_for_byte_and_a_second_drain_adds_nothing() {
    let kafka = Kafka::shared().await;
    let topic = kafka.new_topic("bytes", 2, &[]).await;
    let header =
        |name: &'static [u8], value: Option<&'static [u8]>| (Bytes::from_static(name), value.map(Bytes::from_static));
    let mut odd = NewRecord::new(Bytes::new()).key(&b"\xff\x00"[..]).timestamp_ms(1).partition(1);
    for (name, value) in
        [header(b"\xff\xfe", None), header(b"a", Some(b"1")), header(b"a", Some(b"")), header(b"", Some(b"2"))]
    {
        odd = odd.header(name, value);
    }
    let mut records = numbered(0..50);
    records.extend([
        odd,
        NewRecord::tombstone("gone").partition(1),
        NewRecord { partition: Some(1), ..NewRecord::default() },
    ]);
    kafka.produce(&topic, records).await;
    let backup = TestBackup::of(&topic, 200).await;

    let report = drain(&backup.function()).await;

    assert!(report.complete(), "{report:?}");
    let log = kafka.read(&topic).await;
    for partition in [0, 1] {
        let stored = backup.stored(1, partition).await;
        assert_eq!(stored.records, log[&partition], "partition {partition}");
    }
    assert!(backup.stored(1, 0).await.segments.len() > 3, "200 bytes do not hold 50 records");
    let again = drain(&backup.function()).await;
    assert_eq!(again.partitions.iter().map(|p| p.segments).sum::<u64>(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn aborted_records_are_left_out_open_transactions_are_waited_for_and_markers_are_no_gap() {
    let kafka = Kafka::shared().await;
    let topic = kafka.new_topic("transactions", 1, &[]).await;
    let producer = kafka.transactional_producer(&topic).await;
    for (range, commit) in [(0..3, true), (3..6, false), (6..9, true)] {
        producer.begin();
        producer.send(&topic, numbered(range)).await;
        if commit { producer.commit().await } else { producer.abort().await }
    }
    producer.begin();
    producer.send(&topic, numbered(9..12)).await;
    let backup = TestBackup::of(&topic, 1 << 20).await;

    let report = drain(&backup.function()).await;
    assert!(report.complete(), "{report:?}");
    assert_eq!(offsets(&backup.stored(1, 0).await.records), [0, 1, 2, 8, 9, 10]);

    producer.commit().await;
    drain(&backup.function()).await;
    let stored = backup.stored(1, 0).await;
    assert_eq!(offsets(&stored.records), [0, 1, 2, 8, 9, 10, 12, 13, 14]);
    assert!(stored.segments.iter().all(|segment| segment.gaps.is_empty()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_retention_took_is_a_declared_gap() {
    let kafka = Kafka::shared().await;
    let topic = kafka.new_topic("retention", 1, &[]).await;
    kafka.produce(&topic, numbered(0..10)).await;
    kafka.delete_records_before(&topic, 0, 3).await;
    let backup = TestBackup::of(&topic, 1 << 20).await;
    drain(&backup.function()).await;
    kafka.produce(&topic, numbered(10..20)).await;
    kafka.delete_records_before(&topic, 0, 15).await;

    let report = drain(&backup.function()).await;

    assert!(report.complete(), "{report:?}");
    let stored = backup.stored(1, 0).await;
    assert_eq!(offsets(&stored.records), [3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 18, 19]);
    let gaps: Vec<_> =
        stored.segments.iter().flat_map(|s| &s.gaps).map(|gap| (gap.from.0, gap.to.0, gap.cause)).collect();
    assert_eq!(gaps, [(0, 3, GapCause::BeforeBackup), (10, 15, GapCause::BelowLogStart)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_redelivered_with_other_boundaries_below_across_and_above_the_frontier_store_every_record_once() {
    let kafka = Kafka::shared().await;
    let topic = kafka.new_topic("events", 1, &[]).await;
    kafka.produce(&topic, numbered(0..100)).await;
    let log = kafka.read(&topic).await.remove(&0).expect("partition 0");
    let backup = TestBackup::of(&topic, 1 << 20).await;
    let function = backup.function();

    for range in [0..10, 10..30, 0..10, 5..35, 60..70, 20..65, 70..71, 71..100, 99..100] {
        let answer = event(&function, &topic, 0, &log[range.clone()]).await;
        assert!(answer.failures.is_empty(), "{range:?}: {answer:?}");
    }

    assert_eq!(backup.stored(1, 0).await.records, log);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_created_again_under_a_warm_function_is_the_next_incarnation() {
    let kafka = Kafka::shared().await;
    let topic = kafka.new_topic("again", 1, &[]).await;
    kafka.produce(&topic, numbered(0..20)).await;
    let old = kafka.read(&topic).await.remove(&0).expect("partition 0");
    let backup = TestBackup::of(&topic, 1 << 20).await;
    let function = backup.function();
    drain(&function).await;

    kafka.delete_topic(&topic).await;
    kafka.create_topic(&topic, 1, &[]).await;
    kafka.produce(&topic, numbered(100..110)).await;
    // What the old topic had, delivered late: once at the new one's frontier of 0, once at its frontier of 10.
    assert!(event(&function, &topic, 0, &old[..5]).await.failures.is_empty());
    drain(&function).await;
    kafka.produce(&topic, numbered(110..130)).await;
    assert!(event(&function, &topic, 0, &old[10..]).await.failures.is_empty());
    drain(&function).await;

    assert_eq!(backup.incarnations().await, 2);
    assert_eq!(backup.stored(1, 0).await.records, old);
    assert_eq!(backup.stored(2, 0).await.records, kafka.read(&topic).await[&0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_writers_at_once_store_every_record_once() {
    let kafka = Kafka::shared().await;
    let topic = kafka.new_topic("two-writers", 2, &[]).await;
    let records = (0..400).map(|n| NewRecord::new(format!("value {n}")).partition(n % 2)).collect();
    kafka.produce(&topic, records).await;
    let backup = TestBackup::of(&topic, 300).await;
    let (one, other) = (backup.function(), backup.function());

    // versitygw checks and then renames, so both may win a race for one key; then they wrote the same range.
    tokio::join!(drain(&one), drain(&other));
    drain(&one).await;

    let log = kafka.read(&topic).await;
    for partition in [0, 1] {
        assert_eq!(backup.stored(1, partition).await.records, log[&partition], "partition {partition}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn duckdb_reads_a_segment_as_it_was_produced() {
    let kafka = Kafka::shared().await;
    let topic = kafka.new_topic("duckdb", 1, &[]).await;
    let mut records = numbered(0..5);
    records.push(
        NewRecord::tombstone("gone").partition(0).header("h", None).header("h", Some(Bytes::from_static(b"\xff"))),
    );
    kafka.produce(&topic, records).await;
    let backup = TestBackup::of(&topic, 1 << 20).await;
    drain(&backup.function()).await;
    let stored = backup.stored(1, 0).await;
    assert_eq!(stored.segments[0].next, Offset(6));
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("0.kan");
    std::fs::write(&path, &stored.bodies[0]).expect("the segment as a file");

    let query = format!(
        "import duckdb; print(duckdb.sql(\"SELECT count(*), sum(octet_length(value)), count(*) FILTER (value IS NULL), \
         max(len(headers)), max(headers[2].value) FROM read_parquet('{}')\").fetchall())",
        path.display()
    );
    let output =
        Command::new(programs::python_tool("python")).args(["-c", &query]).output().expect("python with duckdb");

    let printed = String::from_utf8_lossy(&output.stdout);
    assert_eq!(printed.trim(), "[(6, 35, 1, 2, b'\\xff')]", "{}", String::from_utf8_lossy(&output.stderr));
}
