//! The counters of changes, and when they are called whole.

use shared::{
    adapters::memory::store::Contents,
    metrics::{
        keys,
        registers::{Epoch, Scope, Seen},
    },
    ports::{
        records::Log as _,
        store::{Advance, Store as _},
    },
    record::{Offset, Partition, TopicPartition},
};

use super::world::{METRICS, World};
use crate::Refresh;

/// One refresh, and whether it calls the changes whole.
async fn refresh(world: &World) -> bool {
    let report = crate::handle(Refresh::default(), &world.context()).await.unwrap();
    assert!(report.is_clean(), "{report:?}");
    let seen = Seen::read(&mut world.store.read(&Scope::Changes.queries()).await.unwrap().into_iter());
    assert_eq!(report.changes.complete, matches!(seen.epoch, Epoch::Complete(_)));
    report.changes.complete
}

/// Counts the metrics topic from one offset to another.
async fn count(world: &World, from: Option<i64>, to: i64) {
    let id = world.kafka.topics(Some(&[METRICS.into()])).await.unwrap().remove(0).id;
    let advance = Advance { key: keys::position(&id, Partition(0)), from, to };
    world.store.apply(&[advance], &[]).await.unwrap();
}

#[tokio::test]
async fn with_nothing_to_count_they_are_whole_at_once() {
    assert!(refresh(&World::new()).await);
}

#[tokio::test]
async fn they_are_whole_when_everything_is_counted_that_lay_there_when_the_rebuilding_began() {
    let world = World::new();
    world.append(METRICS, 0, 5);
    assert!(!refresh(&world).await);
    count(&world, None, 4).await;
    assert!(!refresh(&world).await);
    // What comes meanwhile does not put it off.
    world.append(METRICS, 0, 5);
    count(&world, Some(4), 5).await;
    assert!(refresh(&world).await);
}

#[tokio::test]
async fn a_store_that_was_emptied_or_went_back_is_counted_anew_before_they_are_whole() {
    let world = World::new();
    world.append(METRICS, 0, 5);
    count(&world, None, 5).await;
    assert!(refresh(&world).await);
    let earlier = world.store.snapshot();
    world.append(METRICS, 0, 2);
    count(&world, Some(5), 7).await;

    world.store.restore(earlier);
    assert!(!refresh(&world).await);
    count(&world, Some(5), 7).await;
    assert!(refresh(&world).await);

    world.store.restore(Contents::default());
    assert!(!refresh(&world).await);
    count(&world, None, 7).await;
    assert!(refresh(&world).await);
}

#[tokio::test]
async fn a_metrics_topic_that_was_created_again_meanwhile_is_counted_and_the_old_one_not_waited_for() {
    let world = World::new();
    world.append(METRICS, 0, 5);
    assert!(!refresh(&world).await);
    world.kafka.delete(METRICS);
    world.kafka.create(METRICS, 1, &[]);
    world.append(METRICS, 0, 2);
    assert!(!refresh(&world).await);
    // Its end was fixed as well.
    world.append(METRICS, 0, 3);
    count(&world, None, 1).await;
    assert!(!refresh(&world).await);
    count(&world, Some(1), 2).await;
    assert!(refresh(&world).await);
}

#[tokio::test]
async fn what_kafka_no_longer_has_is_not_waited_for() {
    let world = World::new();
    world.append(METRICS, 0, 5);
    world.kafka.trim(&TopicPartition::new(METRICS, 0), Offset(5));
    assert!(refresh(&world).await);
}

#[tokio::test]
async fn without_the_metrics_topic_the_refresh_says_so() {
    let world = World::new();
    world.kafka.delete(METRICS);
    let report = crate::handle(Refresh::default(), &world.context()).await.unwrap();
    let failure = report.changes.failure.expect("there is something to say");
    assert!(
        failure.error.retry() && failure.to_string().contains("there is no topic \"backbeat-metrics\""),
        "{failure}"
    );
}
