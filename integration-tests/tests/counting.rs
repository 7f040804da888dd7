//! Counting on a real Kafka and a real Redis.

use std::time::Duration;

use integration_tests::{
    counting::{counter, on_servers, store},
    eventually::eventually,
    kafka::Kafka,
    kafka_producer::NewRecord,
    redis_server::{Database, RedisServer},
};
use metrics_consumer::{Input, follow, handle};
use shared::{adapters::system_clock::SystemClock, ports::clock::Clock as _};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const PENDING: &str = "site1:bb:crr:opspending";

fn event(kind: &str, ops: u32) -> NewRecord {
    let (timestamp, bytes) = (SystemClock.now(), ops * 10);
    NewRecord::new(format!(
        r#"{{"timestamp":{timestamp},"ops":{ops},"bytes":{bytes},"extension":"crr","type":"{kind}","site":"site1"}}"#
    ))
}

fn events(kind: &str, count: usize) -> Vec<NewRecord> {
    (0..count).map(|_| event(kind, 1)).collect()
}

#[tokio::test]
async fn what_lies_on_the_topic_is_counted_once_and_the_group_is_told() {
    let (kafka, redis) = (Kafka::shared().await, RedisServer::shared().await);
    let topic = kafka.new_topic("counted", 3, &[]).await;
    let database = redis.new_database();
    let (context, _) = on_servers(kafka, &topic, &database).await;
    kafka.produce(&topic, events("queued", 900)).await;
    kafka.produce(&topic, events("completed", 300)).await;
    let tombstone_and_junk =
        vec![NewRecord::tombstone("k"), NewRecord::new("null"), NewRecord::new("[".repeat(100_000))];
    kafka.produce(&topic, tombstone_and_junk).await;

    for _ in 0..3 {
        let report = handle(Input::Drain, &context).await.unwrap();
        let counted: i64 =
            report.counted.iter().filter_map(|counted| counted.position).map(|position| position.0).sum();
        assert_eq!(counted, 1_203);
    }
    let store = store(&database);
    assert_eq!(counter(&store, PENDING).await, 600);
    for reason in ["tombstone", "null", "not_json"] {
        assert_eq!(counter(&store, &shared::metrics::keys::rejected(reason)).await, 1, "{reason}");
    }
    let mut committed = 0;
    for partition in 0..3 {
        committed += kafka.committed(metrics_consumer::GROUP, &topic, partition).await.unwrap_or(0);
    }
    assert_eq!(committed, 1_203);
}

#[tokio::test]
async fn offsets_of_aborted_and_committed_transactions_are_passed_over() {
    let (kafka, redis) = (Kafka::shared().await, RedisServer::shared().await);
    let topic = kafka.new_topic("counted-transactions", 1, &[]).await;
    let database = redis.new_database();
    let (context, _) = on_servers(kafka, &topic, &database).await;
    let producer = kafka.transactional_producer(&topic).await;
    for round in 1..=3 {
        producer.begin();
        producer.send(&topic, events("queued", 5)).await;
        producer.abort().await;
        producer.begin();
        producer.send(&topic, events("queued", 4)).await;
        producer.commit().await;
        handle(Input::Drain, &context).await.unwrap();
        assert_eq!(counter(&store(&database), PENDING).await, 4 * round);
    }
}

/// A consumer that follows the topic and counts into the database until it is stopped.
async fn start_following(kafka: &Kafka, topic: &str, database: &Database) -> (CancellationToken, JoinHandle<()>) {
    let (mut context, _) = on_servers(kafka, topic, database).await;
    context.limits.refresh = Duration::from_secs(1);
    let stop = CancellationToken::new();
    let following = tokio::spawn({
        let stop = stop.clone();
        async move { follow(&context, &stop).await }
    });
    (stop, following)
}

#[tokio::test]
async fn a_following_counts_what_comes_and_counts_again_what_a_wiped_redis_lost() {
    let (kafka, redis) = (Kafka::shared().await, RedisServer::shared().await);
    let topic = kafka.new_topic("followed", 2, &[]).await;
    let database = redis.new_database();
    let (stop, following) = start_following(kafka, &topic, &database).await;
    let store = store(&database);

    let pending = |expected: i64| {
        let store = &store;
        eventually("the figure of what was produced", Duration::from_secs(60), move || async move {
            let found = counter(store, PENDING).await;
            if found == expected { Ok(()) } else { Err(format!("{found} pending, not {expected}")) }
        })
    };
    kafka.produce(&topic, events("queued", 500)).await;
    pending(500).await;
    kafka.produce(&topic, events("failed", 100)).await;
    pending(400).await;
    database.wipe().await;
    pending(400).await;
    kafka.produce(&topic, events("queued", 1)).await;
    pending(401).await;
    stop.cancel();
    following.await.unwrap();
}
