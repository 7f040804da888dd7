//! What tells readers how to read a chain is at the location before what needs it.

use std::time::Duration;

use shared::{
    archive,
    chain::keys,
    ports::objects::{GetRange, ListRequest, Objects, PutCondition},
    record::{Millis, Offset, TopicId},
    replication::{ReasonKind, State},
};

use super::{
    chains::{chain, move_floor},
    world::World,
};

/// A storage that lost the last two of four segments, and went on behind that; the location has the four.
async fn behind_a_loss() -> World {
    let world = World::new();
    world.back_up(0, 4).await;
    world.drain().await;
    world.lose_tail(0, 2).await;
    world.back_up(0, 1).await;
    world
}

async fn body(objects: &dyn Objects, key: &str) -> bytes::Bytes {
    objects.get(key, GetRange::Whole).await.unwrap().unwrap().body
}

#[tokio::test(start_paused = true)]
async fn behind_an_accepted_loss_a_location_can_be_read_without_being_compared() {
    let world = behind_a_loss().await;
    assert_eq!(world.drain().await.replicated.unwrap().failed, 0);
    world.assert_readable().await;
    world.assert_whole().await;
    let chain = chain(&world).await;
    assert_eq!(archive::read_accepted_losses(&*world.there.inner, &chain).await.unwrap().cuts().count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_location_that_got_the_accepted_losses_only_gets_the_floor_with_the_next_segment() {
    let world = behind_a_loss().await;
    let key = keys::accepted_loss(&chain(&world).await);
    let losses = body(&*world.source, &key).await;
    world.there.inner.put(&key, losses, PutCondition::IfAbsent).await.unwrap();
    world.drain().await;
    world.assert_readable().await;
    world.assert_whole().await;
}

#[tokio::test(start_paused = true)]
async fn a_superseded_segment_that_is_asked_for_brings_what_supersedes_it_and_is_not_copied() {
    let world = World::new();
    world.back_up(0, 4).await;
    let key = keys::segment(&chain(&world).await, Offset(3));
    let asked = world.entries().await.into_iter().find(|entry| entry.key.ends_with(&key)).unwrap();
    let superseded = body(&*world.source, &key).await;
    world.lose_tail(0, 2).await;
    world.back_up(0, 1).await;
    // A writer that stalled stores it again, and it is asked for.
    world.source.put(&key, superseded, PutCondition::IfAbsent).await.unwrap();
    world.forget_entries().await;
    world.publish(&serde_json::to_string(&asked).unwrap()).await;

    assert_eq!(world.drain().await.replicated.unwrap().completed, 1);
    let behind = keys::segment_behind(&chain(&world).await, Offset(3), 1);
    let there = &world.there.inner;
    assert!(there.get(&key, GetRange::Last(0)).await.unwrap().is_none());
    assert!(there.get(&behind, GetRange::Last(0)).await.unwrap().is_some());
    world.assert_readable().await;
}

#[tokio::test(start_paused = true)]
async fn a_location_that_is_behind_the_floor_keeps_its_own_and_notes_there_that_losses_were_accepted() {
    let world = World::new();
    world.back_up(0, 2).await;
    world.drain().await;
    world.back_up(0, 4).await;
    let chain = chain(&world).await;
    move_floor(&world, &chain, 4).await;
    world.lose_tail(0, 1).await;
    world.forget_entries().await;
    world.back_up(0, 1).await;

    assert!(world.drain().await.replicated.unwrap().completed > 0);
    world.assert_readable().await;
    let there = archive::chain_end(&*world.there.inner, &chain, None).await.unwrap();
    assert_eq!((there.floor.floor.base, there.floor.floor.losses, there.frontier.next), (Offset(0), 1, Offset(7)));
    world.reconcile().await;
    assert_eq!(archive::read_floor(&*world.there.inner, &chain).await.unwrap().floor.base, Offset(4));
    world.assert_readable().await;
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_was_made_again_at_another_time_holds_up_nothing() {
    let mut world = World::new();
    world.back_up(0, 2).await;
    world.drain().await;
    for entry in world.source.list(ListRequest::prefix("main/")).await.unwrap().objects {
        world.source.delete(&entry.key).await.unwrap();
    }
    world.later(Duration::from_secs(3_600));
    world.restart();
    world.back_up(0, 1).await;
    world.lose_tail(0, 0).await;
    world.back_up(0, 1).await;
    let claim = keys::incarnation("main", "orders", 1);
    assert_ne!(body(&*world.source, &claim).await, body(&*world.there.inner, &claim).await, "it was made again");

    let replicated = world.drain().await.replicated.unwrap();
    assert_eq!((replicated.completed, replicated.failed), (4, 0), "{:?}", world.statuses().await);
    world.reconcile().await;
    world.assert_readable().await;
}

#[tokio::test(start_paused = true)]
async fn a_claim_of_another_topic_id_at_the_location_is_in_the_way() {
    let world = World::new();
    world.back_up(0, 1).await;
    let other: TopicId = "AAAAAAAAAAAAAAAAAAAAAQ".into();
    archive::incarnation_of(&*world.there.inner, "main", "orders", &other, Millis(0)).await.unwrap();
    assert_eq!(world.drain().await.replicated.unwrap().failed, 1);
    let status = world.statuses().await.remove(0);
    assert_eq!((status.state, status.reason_kind), (State::Failed, Some(ReasonKind::Differs)), "{status:?}");
}
