//! Writing in transactions.

use shared::{
    ports::transactions::{Acknowledged, OffsetRun, ProducerLimits, TransactionError, TransactionalProducer},
    record::Partition,
};

use super::*;
use crate::eventually::eventually;

async fn take_over(cluster: &dyn Cluster, id: &str) -> Box<dyn TransactionalProducer> {
    let taken = cluster.transactions().take_over(id, ProducerLimits::default()).await;
    taken.unwrap_or_else(|error| panic!("take over {id}: {error}"))
}

/// An id that no other case has.
fn id_for(topic: &str) -> String {
    format!("transactions-{topic}")
}

fn run(first: i64, count: u64) -> OffsetRun {
    OffsetRun { first: Offset(first), count }
}

/// What a record is, wherever it lies.
type Content = (Millis, Option<Bytes>, Option<Bytes>, Vec<Header>);

fn contents(records: &[Record]) -> Vec<Content> {
    records.iter().map(|it| (it.timestamp, it.key.clone(), it.value.clone(), it.headers.clone())).collect()
}

/// Reads a partition from its start to its end, as soon as no transaction is open there: a cluster answers before it has
/// written that one ended.
async fn read_ended(cluster: &dyn Cluster, partition: &TopicPartition) -> Read {
    eventually("the transaction to end", PATIENCE, || async {
        let bounds = bounds(cluster.kafka(), partition).await.map_err(|error| error.to_string())?;
        if bounds.stable_end == bounds.high_watermark { Ok(()) } else { Err(format!("{bounds:?}")) }
    })
    .await;
    read_from(cluster.kafka(), partition, 0).await
}

/// What is committed is read byte for byte under its own timestamps, at the offsets that were told.
pub async fn what_a_transaction_wrote_lies_where_it_is_told(cluster: &dyn Cluster) {
    let topic = cluster.new_topic(2, &[]).await;
    let (p0, p1) = (TopicPartition::new(topic.clone(), 0), TopicPartition::new(topic.clone(), 1));
    let headers = vec![header(b"\xff", None), header(b"a", Some(b"")), header(b"a", Some(b"1"))];
    let odd = vec![
        Record { key: Some(Bytes::new()), value: None, headers, timestamp: Millis(1), ..record("") },
        Record { key: None, value: Some(Bytes::new()), timestamp: Millis(-1), ..record("") },
        record("plain"),
    ];
    let mut producer = take_over(cluster, &id_for(&topic)).await;
    producer.begin().await.expect("begin");
    producer.send(&p0, &odd).await.expect("send");
    producer.send(&p1, &records(3)).await.expect("send");
    producer.send(&p0, &records(2)).await.expect("send");
    let acknowledged = producer.acknowledged().await.expect("acknowledged");
    let told = |partition: &TopicPartition, runs| Acknowledged { partition: partition.clone(), runs };
    assert_eq!(acknowledged, [told(&p0, vec![run(0, 5)]), told(&p1, vec![run(0, 3)])]);
    producer.send(&p1, &records(1)).await.expect("send");
    let later = producer.acknowledged().await.expect("acknowledged");
    assert_eq!(later, [told(&p1, vec![run(3, 1)])], "those of before are not told again");
    producer.commit().await.expect("commit");

    let read = read_ended(cluster, &p0).await;
    assert_eq!(contents(&read.records), contents(&[odd, records(2)].concat()));
    assert_eq!(read.offsets(), [0, 1, 2, 3, 4]);
    assert_eq!(read_ended(cluster, &p1).await.offsets(), [0, 1, 2, 3]);
}

/// Behind a transaction's marker the offsets go on, and that is told.
pub async fn offsets_of_the_next_transaction_are_behind_the_marker(cluster: &dyn Cluster) {
    let p0 = TopicPartition::new(cluster.new_topic(1, &[]).await, 0);
    let mut producer = take_over(cluster, &id_for(&p0.topic)).await;
    let mut told = vec![];
    for _ in 0..3 {
        producer.begin().await.expect("begin");
        producer.send(&p0, &records(2)).await.expect("send");
        told.extend(producer.acknowledged().await.expect("acknowledged").remove(0).runs);
        producer.commit().await.expect("commit");
    }
    assert_eq!(told, [run(0, 2), run(3, 2), run(6, 2)]);
    assert_eq!(read_ended(cluster, &p0).await.offsets(), [0, 1, 3, 4, 6, 7]);
}

/// What is aborted is read by nobody, and the producer goes on.
pub async fn what_a_transaction_aborted_is_read_by_nobody(cluster: &dyn Cluster) {
    let p0 = TopicPartition::new(cluster.new_topic(1, &[]).await, 0);
    let mut producer = take_over(cluster, &id_for(&p0.topic)).await;
    producer.begin().await.expect("begin");
    producer.send(&p0, &records(2)).await.expect("send");
    producer.abort().await.expect("abort");
    producer.begin().await.expect("begin");
    producer.send(&p0, &records(1)).await.expect("send");
    producer.commit().await.expect("commit");
    assert_eq!(contents(&read_ended(cluster, &p0).await.records), contents(&records(1)));
}

/// Whoever takes an id over ends what the one before had not committed, and keeps what it had; that one can write no more.
pub async fn whoever_takes_over_a_transactional_id_is_the_only_one_who_writes(cluster: &dyn Cluster) {
    let p0 = TopicPartition::new(cluster.new_topic(1, &[]).await, 0);
    let id = id_for(&p0.topic);
    let mut first = take_over(cluster, &id).await;
    first.begin().await.expect("begin");
    first.send(&p0, &records(1)).await.expect("send");
    first.commit().await.expect("commit");
    first.begin().await.expect("begin");
    first.send(&p0, &records(5)).await.expect("send");
    first.acknowledged().await.expect("acknowledged");

    let mut second = take_over(cluster, &id).await;
    let bounds = bounds(cluster.kafka(), &p0).await.expect("the bounds");
    assert_eq!(bounds.stable_end, bounds.high_watermark, "nothing is open when it has taken over");
    assert_eq!(read_from(cluster.kafka(), &p0, 0).await.offsets(), [0]);

    let error = first.commit().await.expect_err("the first cannot commit");
    assert!(matches!(&error, TransactionError::Fenced { transactional_id } if **transactional_id == *id), "{error}");
    assert!(!error.retry());
    second.begin().await.expect("begin");
    second.send(&p0, &records(2)).await.expect("send");
    second.commit().await.expect("commit");
    assert_eq!(read_ended(cluster, &p0).await.records.len(), 3);
}

/// A record that cannot be written as it is, is refused by its number and changes nothing.
pub async fn a_timestamp_of_zero_is_refused_and_told(cluster: &dyn Cluster) {
    let p0 = TopicPartition::new(cluster.new_topic(1, &[]).await, 0);
    let mut producer = take_over(cluster, &id_for(&p0.topic)).await;
    producer.begin().await.expect("begin");
    producer.send(&p0, &records(2)).await.expect("send");
    let zero = Record { timestamp: Millis(0), ..record("x") };
    let error = producer.send(&p0, &[record("y"), zero]).await.expect_err("it cannot be written");
    assert!(
        matches!(&error, TransactionError::RecordRefused { partition, index: 3, .. } if partition.partition == Partition(0)),
        "{error}"
    );
    producer.abort().await.expect("abort");
    assert!(read_ended(cluster, &p0).await.records.is_empty());
}
