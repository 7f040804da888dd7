//! Parts that metrics-aggregator will never take.

use std::{sync::Arc, time::Duration};

use shared::record::Offset;
use tokio_util::sync::CancellationToken;

use super::world::*;
use crate::{Input, follow, handle};

/// Two partitions; in the first of them two messages can never be applied.
fn poisoned() -> World {
    let world = World::new(1, 2);
    for location in ["a", "a", "poison", "a", "poison", "a"] {
        world.append(0, &queued(location, 1));
    }
    for _ in 0..3 {
        world.append(1, &queued("a", 1));
    }
    world.refuse(|part| part.to_string().contains("poison"));
    world
}

async fn assert_all_but_two_count(world: &World) {
    assert_eq!(world.pending("a").await.as_deref(), Some("7"));
    assert_eq!(world.pending("poison").await, None);
    assert_eq!(world.never_applied().await.as_deref(), Some("2"));
    assert_eq!((world.position(0).await.as_deref(), world.position(1).await.as_deref()), (Some("6"), Some("3")));
}

#[tokio::test(start_paused = true)]
async fn a_message_that_can_never_be_applied_is_counted_as_skipped_and_the_others_count() {
    let world = poisoned();
    handle(Input::Drain, &world.context()).await.unwrap();
    assert_all_but_two_count(&world).await;
}

#[tokio::test(start_paused = true)]
async fn a_follower_passes_over_it_too() {
    let world = Arc::new(poisoned());
    let (context, stop) = (world.context(), CancellationToken::new());
    let token = stop.clone();
    let following = tokio::spawn(async move { follow(&context, &token).await });
    tokio::time::sleep(Duration::from_secs(5)).await;
    stop.cancel();
    following.await.unwrap();
    assert_all_but_two_count(&world).await;
    assert_eq!(world.committed(0).await, Some(Offset(6)));
}

#[tokio::test(start_paused = true)]
async fn a_partition_that_cannot_even_be_passed_over_holds_up_no_other() {
    let world = Arc::new(World::new(1, 2));
    for _ in 0..3 {
        world.append(0, &queued("a", 1));
    }
    for _ in 0..3 {
        world.append(1, &queued("b", 1));
    }
    // Every part of partition 0 that moves it, and none that only asks where it stands.
    world.refuse(|part| part["partition"] == 0 && part["to"] != -1);
    let (context, stop) = (world.context(), CancellationToken::new());
    let token = stop.clone();
    let following = tokio::spawn(async move { follow(&context, &token).await });
    tokio::time::sleep(Duration::from_secs(5)).await;
    for _ in 0..3 {
        world.append(1, &queued("b", 1));
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!((world.pending("a").await, world.pending("b").await.as_deref()), (None, Some("6")));
    // Whoever mends it needs to do nothing more.
    world.refuse(|_| false);
    tokio::time::sleep(Duration::from_secs(16)).await;
    assert_eq!(world.pending("a").await.as_deref(), Some("3"));
    stop.cancel();
    following.await.unwrap();
}
