use std::{sync::Arc, time::Duration};

use shared::{adapters::memory::store::Contents, record::Offset};
use tokio::{task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;

use super::world::*;
use crate::follow;

struct Following {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

fn start(world: &World) -> Following {
    let (context, stop) = (world.context(), CancellationToken::new());
    let token = stop.clone();
    Following { stop, task: tokio::spawn(async move { follow(&context, &token).await }) }
}

impl Following {
    async fn end(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

/// Waits until `a` has so many operations pending; answers how long it took.
async fn until_pending(world: &World, ops: &str) -> Duration {
    let since = Instant::now();
    while world.pending("a").await.as_deref() != Some(ops) {
        assert!(since.elapsed() < Duration::from_secs(120), "{ops} pending, not {:?}", world.pending("a").await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    since.elapsed()
}

fn append(world: &World, partition: i32, count: usize) {
    for _ in 0..count {
        world.append(partition, &queued("a", 1));
    }
}

#[tokio::test(start_paused = true)]
async fn messages_count_as_they_come_and_are_committed_afterwards() {
    let world = World::new(1, 2);
    append(&world, 0, 5);
    let following = start(&world);
    until_pending(&world, "5").await;
    append(&world, 1, 7);
    until_pending(&world, "12").await;
    following.end().await;
    assert_eq!((world.committed(0).await, world.committed(1).await), (Some(Offset(5)), Some(Offset(7))));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_was_emptied_is_counted_up_again_within_a_refresh_though_nothing_new_comes() {
    let world = World::new(1, 2);
    append(&world, 0, 5);
    append(&world, 1, 5);
    let following = start(&world);
    until_pending(&world, "10").await;
    world.store.restore(Contents::default());
    assert!(until_pending(&world, "10").await < Duration::from_secs(16));
    following.end().await;
}

#[tokio::test(start_paused = true)]
async fn while_the_aggregator_is_down_messages_wait_and_then_each_counts_once() {
    let world = World::new(1, 1);
    append(&world, 0, 5);
    let following = start(&world);
    until_pending(&world, "5").await;
    world.set_faults(50, 50);
    append(&world, 0, 20);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(world.committed(0).await, Some(Offset(5)), "no answer came, so nothing was acknowledged");
    world.set_faults(0, 0);
    until_pending(&world, "25").await;
    following.end().await;
    assert_eq!(world.pending("a").await.as_deref(), Some("25"));
}

#[tokio::test(start_paused = true)]
async fn two_instances_share_the_partitions_and_each_message_counts_once() {
    let world = Arc::new(World::new(1, 4));
    let (one, two) = (start(&world), start(&world));
    for round in 1..=10 {
        (0..4).for_each(|partition| append(&world, partition, 3));
        until_pending(&world, &(12 * round).to_string()).await;
    }
    one.end().await;
    (0..4).for_each(|partition| append(&world, partition, 3));
    until_pending(&world, "132").await;
    two.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_topic_created_again_under_a_running_instance_is_counted_from_its_beginning() {
    let world = World::new(1, 1);
    append(&world, 0, 5);
    let following = start(&world);
    until_pending(&world, "5").await;
    world.kafka.delete(TOPIC);
    world.kafka.create(TOPIC, 1, &[]);
    append(&world, 0, 2);
    until_pending(&world, "7").await;
    following.end().await;
}

#[tokio::test(start_paused = true)]
async fn an_instance_waits_for_a_topic_that_is_not_there_yet() {
    let world = World::new(1, 1);
    world.kafka.delete(TOPIC);
    let following = start(&world);
    tokio::time::sleep(Duration::from_secs(30)).await;
    world.kafka.create(TOPIC, 1, &[]);
    append(&world, 0, 2);
    until_pending(&world, "2").await;
    following.end().await;
}
