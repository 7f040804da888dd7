//! What is not stored yet, and how long Kafka keeps it.

use shared::{
    metrics::{lag::Lag, standing::Oldest},
    record::{Header, Millis, Offset, Partition, Record, TimestampType, TopicPartition},
};

use super::world::World;

/// A world with one topic that Kafka keeps for an hour, 10 records of 5 bytes stored, whose store is whole.
async fn backed_up() -> World {
    let mut world = World::new();
    world.kafka.create("orders", 1, &[("retention.ms", "3600000".to_owned())]);
    world.append("orders", 0, 10);
    world.drain().await;
    world.later_refresh().await;
    world.later_refresh().await;
    world
}

/// Appends records with timestamps so many seconds before now; `None`: without one.
fn append(world: &World, ages: &[Option<i64>]) {
    for age in ages {
        let record = Record {
            offset: Offset(0),
            timestamp: age.map_or(Millis(-1), |age| Millis(world.now().0 - age * 1_000)),
            timestamp_type: TimestampType::CreateTime,
            key: None,
            value: Some("value".into()),
            headers: vec![Header { name: "h".into(), value: None }],
        };
        world.kafka.append(&orders(), record);
    }
}

fn orders() -> TopicPartition {
    TopicPartition::new("orders", 0)
}

async fn lag(world: &World) -> Lag {
    world.view_of("orders").await.unwrap().partitions[&Partition(0)].lag.unwrap()
}

async fn oldest(world: &World) -> Oldest {
    world.snapshot().await.registers.topics["orders"].ends[&Partition(0)].oldest.unwrap()
}

#[tokio::test]
async fn the_age_of_the_oldest_record_that_is_not_stored_and_the_time_until_it_is_deleted_are_told() {
    let mut world = backed_up().await;
    append(&world, &[Some(600), Some(30)]);
    world.later_refresh().await;
    let seen = lag(&world).await;
    assert_eq!((seen.records, seen.bytes, seen.seconds), (2, Some(10.0), Some(615.0)));
    assert_eq!(seen.seconds_to_loss, Some(3_600.0 - 615.0));

    world.drain().await;
    world.carry().await;
    let seen = lag(&world).await;
    assert_eq!((seen.records, seen.seconds, seen.seconds_to_loss), (0, Some(0.0), Some(f64::INFINITY)));
}

#[tokio::test]
async fn the_next_record_is_looked_for_when_the_oldest_was_stored_and_not_before() {
    let mut world = backed_up().await;
    append(&world, &[Some(600)]);
    world.later_refresh().await;
    let first = oldest(&world).await;
    append(&world, &[Some(60)]);
    world.later_refresh().await;
    assert_eq!(oldest(&world).await, first, "it is not stored: it is the oldest still");

    world.drain().await;
    append(&world, &[Some(5)]);
    world.later_refresh().await;
    assert_eq!(lag(&world).await.records, 1);
    world.later_refresh().await;
    assert_eq!((oldest(&world).await.offset, lag(&world).await.seconds), (Offset(12), Some(35.0)));
}

#[tokio::test]
async fn where_there_is_no_time_to_look_the_record_before_stands_in() {
    let mut world = backed_up().await;
    append(&world, &[Some(600)]);
    world.later_refresh().await;
    world.drain().await;
    world.carry().await;
    append(&world, &[Some(5)]);
    let mut context = world.context();
    std::sync::Arc::get_mut(&mut context).unwrap().limits.peeks_max = 0;
    super::world::refresh(&context).await;
    world.carry().await;
    let seen = lag(&world).await;
    assert_eq!((seen.records, seen.seconds), (1, Some(615.0)));
}

#[tokio::test]
async fn a_tail_of_offsets_without_records_is_no_lag_and_an_open_transaction_is() {
    let mut world = backed_up().await;
    world.kafka.skip(&orders(), 3);
    world.later_refresh().await;
    assert_eq!((lag(&world).await.records, lag(&world).await.seconds_to_loss), (0, Some(f64::INFINITY)));

    let open = world.kafka.begin();
    let record = Record {
        offset: Offset(0),
        timestamp: world.now(),
        timestamp_type: TimestampType::CreateTime,
        key: None,
        value: None,
        headers: vec![],
    };
    world.kafka.append_in(open, &orders(), record);
    world.later_refresh().await;
    assert_eq!(
        (lag(&world).await.records, lag(&world).await.seconds),
        (1, Some(15.0)),
        "at the last look there was none"
    );
    world.later_refresh().await;
    assert_eq!(lag(&world).await.seconds, Some(30.0));
}

#[tokio::test]
async fn a_record_without_a_timestamp_counts_from_the_last_look_at_which_it_was_not_there() {
    let mut world = backed_up().await;
    append(&world, &[None]);
    world.later_refresh().await;
    world.later_refresh().await;
    assert_eq!((lag(&world).await.seconds, lag(&world).await.seconds_to_loss), (Some(30.0), Some(3_570.0)));
}

#[tokio::test]
async fn by_size_the_growth_is_taken_from_two_looks() {
    let mut world = World::new();
    let configs = [("retention.ms", "-1".to_owned()), ("retention.bytes", "77000".to_owned())];
    world.kafka.create("orders", 1, &configs);
    world.append("orders", 0, 10);
    world.drain().await;
    world.later_refresh().await;
    world.later_refresh().await;
    world.append("orders", 0, 150);
    world.later_refresh().await;
    // 150 records of 5 + 72 bytes in the 30 s since the first look are 385 bytes a second; of 77,000 bytes 65,450 are left.
    assert_eq!(lag(&world).await.seconds_to_loss, Some(170.0));
    world.clock.advance(Millis(5_000));
    assert_eq!(lag(&world).await.seconds_to_loss, Some(165.0));
}

#[tokio::test]
async fn a_compacted_topic_loses_nothing_by_time() {
    let mut world = World::new();
    world.kafka.create("orders", 1, &[("cleanup.policy", "compact".to_owned()), ("retention.ms", "1".to_owned())]);
    world.append("orders", 0, 1);
    world.later_refresh().await;
    world.later_refresh().await;
    world.later_refresh().await;
    assert_eq!((lag(&world).await.records, lag(&world).await.seconds_to_loss), (1, Some(f64::INFINITY)));
}

#[tokio::test]
async fn after_a_loss_of_the_store_what_is_not_stored_is_told_from_the_first_answer_on() {
    let mut world = backed_up().await;
    append(&world, &[Some(600)]);
    world.wipe();
    world.later_refresh().await;
    world.later_refresh().await;
    let seen = lag(&world).await;
    assert_eq!((seen.records, seen.seconds, seen.seconds_to_loss), (1, Some(630.0), Some(2_970.0)));
    world.later_refresh().await;
    assert_eq!(lag(&world).await.seconds, Some(645.0));
}

#[tokio::test]
async fn an_open_transaction_is_told_with_the_time_at_which_it_was_seen_first_until_it_ends() {
    let mut world = World::new();
    world.kafka.create("orders", 1, &[]);
    world.append("orders", 0, 3);
    let transaction = world.kafka.begin();
    world.kafka.append_in(transaction, &TopicPartition::new("orders", 0), world.record());
    world.append("orders", 0, 2);
    world.drain().await;
    world.later_refresh().await;
    world.later_refresh().await;
    let first = world.facts("orders").await.ends[&Partition(0)].open_transaction.expect("it is open");
    world.later_refresh().await;
    let again = world.facts("orders").await.ends[&Partition(0)].open_transaction.expect("it is open still");
    assert_eq!((first.offset, again), (Offset(3), first));
    assert!(first.since < world.now());

    world.kafka.commit_transaction(transaction);
    world.later_refresh().await;
    assert_eq!(world.facts("orders").await.ends[&Partition(0)].open_transaction, None);
}
