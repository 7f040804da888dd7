//! What is looked at in the storage, and how seldom.

use std::{sync::Arc, time::Duration};

use shared::{
    adapters::counting::CountingObjects,
    ports::objects::{GetRange, Objects, Operation, PutCondition},
    record::{Millis, Offset, Partition},
};

use super::world::{World, refresh};

const REFRESH_MS: i64 = 15_000;

/// Ten topics with ten partitions each that are backed up and idle, in a world where all is looked at once an hour.
async fn idle() -> World {
    let mut world = World::new();
    for topic in 0..10 {
        let topic = format!("topic-{topic}");
        world.kafka.create(&topic, 10, &[]);
        (0..10).for_each(|partition| world.append(&topic, partition, 3));
    }
    world.drain().await;
    world.later_refresh().await;
    world.later_refresh().await;
    world.full_look = Duration::from_secs(3_600);
    world
}

#[tokio::test]
async fn idle_partitions_cost_about_one_listing_an_hour_each() {
    let world = idle().await;
    let objects = Arc::new(CountingObjects::new(world.objects.clone()));
    let context = world.context_with(Arc::new(world.kafka.clone()), objects.clone(), world.store.clone());
    for _ in 0..240 {
        world.clock.advance(Millis(REFRESH_MS));
        let report = refresh(&context).await;
        assert!(report.complete && report.failures.is_empty(), "{report:?}");
    }
    let requests = objects.counts().unwrap().requests;
    let count = |operation| requests.get(&operation).copied().unwrap_or(0);
    // Each chain once; of each topic its incarnations and its chains.
    assert_eq!(count(Operation::List), 100 + 2 * 10);
    // The owner at each refresh, the claim of each topic.
    assert_eq!(count(Operation::Get), 240 + 10);
    assert_eq!(requests.values().sum::<u64>(), 370, "{requests:?}");
}

#[tokio::test]
async fn a_standing_that_was_never_published_is_made_good_at_the_next_refresh_because_of_the_commit() {
    let mut world = idle().await;
    world.append("topic-3", 4, 2);
    let before = world.store.snapshot();
    world.drain().await;
    world.carry().await;
    world.store.restore(before);
    let report = world.later_refresh().await;
    assert_eq!(report.standings, 1, "{report:?}");
    let head = world.facts("topic-3").await.chains[&(1, Partition(4))].head.unwrap();
    assert_eq!((head.next, head.totals.records), (Offset(5), 5));
}

#[tokio::test]
async fn a_new_topic_and_one_that_was_created_again_are_found_by_their_commits() {
    let mut world = idle().await;
    world.kafka.create("new", 1, &[]);
    world.append("new", 0, 3);
    world.kafka.delete("topic-7");
    world.kafka.create("topic-7", 1, &[]);
    world.append("topic-7", 0, 2);
    let before = world.store.snapshot();
    world.drain().await;
    world.carry().await;
    world.store.restore(before);
    world.later_refresh().await;
    assert_eq!(world.view_of("new").await.unwrap().totals.records, 3);
    assert_eq!(world.view_of("topic-7").await.unwrap().totals.records, 30 + 2);
}

#[tokio::test]
async fn a_chain_that_cannot_be_read_is_looked_at_until_it_can() {
    let mut world = idle().await;
    let key = "main/topic-3/1/4/00000000000000000000.kan";
    let whole = world.objects.get(key, GetRange::Whole).await.unwrap().unwrap();
    world.objects.delete(key).await.unwrap();
    world.objects.put(key, "no segment".into(), PutCondition::IfAbsent).await.unwrap();
    world.wipe();
    for _ in 0..3 {
        world.later_refresh().await;
    }
    assert_eq!(world.view_of("topic-3").await.unwrap().unreadable, 1);
    world.objects.delete(key).await.unwrap();
    world.objects.put(key, whole.body, PutCondition::IfAbsent).await.unwrap();
    world.later_refresh().await;
    let view = world.view_of("topic-3").await.unwrap();
    assert_eq!((view.unreadable, view.totals.records), (0, 30));
}
