//! What is particular to the cluster in memory; the ports' own rules are in the conformance suite.

use std::time::Duration;

use super::*;
use crate::{
    ports::records::{Fetch, Fetched, Groups, Log, Publisher},
    record::{Millis, TimestampType},
};

struct Noon;

impl Clock for Noon {
    fn now(&self) -> Millis {
        Millis(43_200_000)
    }
}

fn kafka(seed: u64) -> MemoryKafka {
    MemoryKafka::new(Arc::new(Noon), seed)
}

fn record(value: &str) -> Record {
    Record {
        offset: Offset(0),
        timestamp: Millis(5),
        timestamp_type: TimestampType::CreateTime,
        key: None,
        value: Some(value.to_owned().into()),
        headers: vec![],
    }
}

async fn read(fetch: &mut dyn Fetch) -> Vec<Fetched> {
    let mut all = vec![];
    loop {
        match fetch.next(Duration::ZERO).await.unwrap() {
            came if came.is_empty() => return all,
            came => all.extend(came),
        }
    }
}

fn batch_sizes(all: &[Fetched]) -> Vec<usize> {
    all.iter()
        .filter_map(|f| if let Fetched::Records { records, .. } = f { Some(records.len()) } else { None })
        .collect()
}

async fn batch_sizes_of_300_records(seed: u64) -> Vec<usize> {
    let (kafka, p0) = (kafka(seed), TopicPartition::new("t", 0));
    kafka.create("t", 1, &[]);
    for _ in 0..300 {
        kafka.append(&p0, record("x"));
    }
    batch_sizes(&read(kafka.fetch(&[(p0, Offset(0))]).await.unwrap().as_mut()).await)
}

#[tokio::test]
async fn batches_end_where_the_seed_says() {
    let first = batch_sizes_of_300_records(1).await;
    assert_eq!(first.iter().sum::<usize>(), 300);
    assert_eq!(first, batch_sizes_of_300_records(1).await);
    assert_ne!(first, batch_sizes_of_300_records(2).await);
}

#[tokio::test]
async fn two_members_share_the_partitions_and_the_one_left_gets_all() {
    let kafka = kafka(3);
    kafka.create("t", 4, &[]);
    let mut first = kafka.join("g", &["t".into()]).await.unwrap();
    assert_eq!(read(first.as_mut()).await.len(), 4);
    let mut second = kafka.join("g", &["t".into()]).await.unwrap();
    let given: Vec<_> = read(second.as_mut()).await;
    assert_eq!(given.len(), 2);
    assert!(read(first.as_mut()).await.iter().all(|f| matches!(f, Fetched::Revoked { .. })));
    drop(first);
    let gained = read(second.as_mut()).await;
    assert_eq!(gained.len(), 2);
    assert!(gained.iter().all(|f| matches!(f, Fetched::Assigned { .. }) && !given.contains(f)));
}

#[tokio::test]
async fn a_partition_that_was_taken_away_cannot_be_started() {
    let (kafka, p1) = (kafka(4), TopicPartition::new("t", 1));
    kafka.create("t", 2, &[]);
    kafka.append(&p1, record("x"));
    let mut first = kafka.join("g", &["t".into()]).await.unwrap();
    read(first.as_mut()).await;
    let _second = kafka.join("g", &["t".into()]).await.unwrap();
    first.start(&p1, Offset(0)).await.unwrap();
    assert_eq!(read(first.as_mut()).await, [Fetched::Revoked { partition: p1 }]);
}

#[tokio::test]
async fn messages_of_one_key_lie_in_one_partition_with_the_clocks_time() {
    let kafka = kafka(5);
    kafka.create("t", 3, &[]);
    let message = || crate::ports::records::Message { key: Some("k".into()), ..Default::default() };
    kafka.publish("t", vec![message(), message()]).await.unwrap();
    let partitions: Vec<_> = (0..3).map(|p| TopicPartition::new("t", p)).collect();
    let bounds = kafka.bounds(&partitions).await.unwrap();
    let ends: Vec<i64> = bounds.into_iter().map(|b| b.unwrap().high_watermark.0).collect();
    let used = ends.iter().position(|end| *end == 2).expect("one partition has both");
    let mut fetch = kafka.fetch(&[(partitions[used].clone(), Offset(0))]).await.unwrap();
    let Fetched::Records { records, .. } = &read(fetch.as_mut()).await[0] else { panic!("no records") };
    assert_eq!(records[0].timestamp, Millis(43_200_000));
}

#[tokio::test]
async fn a_read_that_waits_is_woken_by_an_append() {
    let (kafka, p0) = (kafka(6), TopicPartition::new("t", 0));
    kafka.create("t", 1, &[]);
    let mut fetch = kafka.fetch(&[(p0.clone(), Offset(0))]).await.unwrap();
    assert_eq!(read(fetch.as_mut()).await.len(), 1);
    let (came, _) = tokio::join!(fetch.next(Duration::from_secs(60)), async { kafka.append(&p0, record("x")) });
    assert!(matches!(&came.unwrap()[..], [Fetched::Records { .. }]));
}
