//! Chains at the ends of their logs, which cost no request while nothing is appended.

use std::sync::Arc;

use shared::{adapters::counting::CountingObjects, job::State, ports::objects::Objects};

use super::*;

/// A world with ten records, drained once, whose storage counts what a drain asks for the chain.
async fn drained() -> (World, Arc<Context>, Arc<CountingObjects>) {
    let mut world = World::new();
    let objects = Arc::new(CountingObjects::new(world.objects.clone()));
    world.met = Some(objects.clone());
    world.kafka.create("orders", 1, &[]);
    world.append(10);
    let context = world.context_with_topics("orders");
    assert!(world.drain_in(&context).await.complete());
    // The chain is compared with the log once, when a process opens it.
    world.drain_in(&context).await;
    (world, context, objects)
}

impl World {
    async fn asked(&self, context: &Arc<Context>, objects: &CountingObjects) -> u64 {
        let sum = || objects.counts().unwrap().requests.values().sum::<u64>();
        let before = sum();
        let report = self.drain_in(context).await;
        assert!(report.complete(), "{report:?}");
        sum() - before
    }
}

#[tokio::test(start_paused = true)]
async fn while_nothing_is_appended_a_drain_asks_nothing_of_a_chain_and_says_how_it_is() {
    let (world, context, objects) = drained().await;
    // The owner and the pauses.
    let of_backup = 2;
    for _ in 0..3 {
        let said = world.states("orders").await.len();
        world.clock.advance(Millis(60_000));
        assert_eq!(world.asked(&context, &objects).await, of_backup);
        let states = world.states("orders").await;
        assert!(states.len() > said && states.last().unwrap().0 == State::STREAMING, "{states:?}");
    }
    world.append(1);
    assert!(world.asked(&context, &objects).await > of_backup);
    assert_eq!(world.stored().await.len(), 11);
}

#[tokio::test(start_paused = true)]
async fn four_times_an_hour_the_chain_is_looked_at_and_a_lost_segment_is_told() {
    let (world, context, objects) = drained().await;
    world.clock.advance(Millis(60_000));
    world.asked(&context, &objects).await;
    for object in world.objects.list(ListRequest::prefix("main/orders/1/0/")).await.unwrap().objects {
        world.objects.delete(&object.key).await.unwrap();
    }
    world.clock.advance(Millis(900_000));
    let report = world.drain_in(&context).await;
    assert!(matches!(report.partitions[0].error, Some(WriteError::TailMissing { .. })), "{report:?}");
}

#[tokio::test(start_paused = true)]
async fn another_topic_of_the_name_that_ends_at_the_same_offset_is_stored() {
    let (world, context, _) = drained().await;
    world.kafka.delete("orders");
    world.kafka.create("orders", 1, &[]);
    world.append(10);
    let report = world.drain_in(&context).await;
    assert_eq!((report.partitions[0].records, report.complete()), (10, true), "{report:?}");
}

#[tokio::test(start_paused = true)]
async fn a_backup_that_ends_looks_at_everything() {
    let (world, context, objects) = drained().await;
    world.asked(&context, &objects).await;
    let once = Drain { one_shot: true, ..Drain::of("main") };
    let before = objects.counts().unwrap().requests.values().sum::<u64>();
    handle(Input::Drain(once), &context).await.unwrap();
    assert!(objects.counts().unwrap().requests.values().sum::<u64>() > before + 2);
}

#[tokio::test(start_paused = true)]
async fn where_two_processes_drain_in_turn_whoever_spoke_last_counts() {
    let (world, context, objects) = drained().await;
    let other = world.context_with_topics("orders");
    world.clock.advance(Millis(60_000));
    assert!(world.drain_in(&other).await.complete());
    let epochs = async || world.owner_epochs("orders").await;
    let before = *epochs().await.last().unwrap();
    world.clock.advance(Millis(60_000));
    assert_eq!(world.asked(&context, &objects).await, 2, "it rests");
    assert!(*epochs().await.last().unwrap() > before, "{:?}", epochs().await);
}
