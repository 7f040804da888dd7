//! A location that holds a backup is a backup itself, at any moment.

use std::time::Duration;

use shared::{
    archive,
    ports::{
        clock::Clock as _,
        objects::{GetRange, ListRequest, Objects as _, PutCondition},
    },
    record::{Millis, Offset, Partition},
    replication::{Known, ReasonKind, State, Wanted},
    segment::ChainPoint,
};

use super::world::World;

fn events(all: &[(&str, usize)]) -> std::collections::BTreeMap<String, usize> {
    all.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

#[tokio::test(start_paused = true)]
async fn after_a_backup_every_object_is_at_the_location_and_each_was_counted_once() {
    let world = World::new();
    world.back_up(0, 3).await;
    world.back_up(1, 2).await;
    assert_eq!(world.states().await, [((State::Pending, 1), 5)].into());
    assert_eq!(world.events().await, events(&[("queued", 5)]));

    let replicated = world.drain().await.replicated.unwrap();

    assert_eq!((replicated.completed, replicated.failed), (5, 0));
    world.assert_whole().await;
    assert_eq!(world.states().await, [((State::Completed, 1), 5)].into());
    let expected = [("completed", 5), ("object completed", 5), ("object queued", 5), ("queued", 5)];
    assert_eq!(world.events().await, events(&expected));
    assert_eq!(world.drain().await.replicated.unwrap().completed, 0, "what was read is committed");
}

#[tokio::test(start_paused = true)]
async fn a_segment_brings_along_whatever_the_location_lacks_before_it() {
    let world = World::new();
    world.back_up(0, 4).await;
    let last = world.entries().await.pop().unwrap();
    world.forget_entries().await;
    world.publish(&serde_json::to_string(&last).unwrap()).await;
    assert_eq!(world.drain().await.replicated.unwrap().completed, 1);
    world.assert_whole().await;
}

#[tokio::test(start_paused = true)]
async fn the_last_snapshot_of_each_group_follows_when_the_location_is_compared() {
    let world = World::new();
    world.back_up(0, 1).await;
    let committed = |offset: i64, at: i64| archive::GroupOffset {
        topic: "orders".into(),
        topic_id: "id".into(),
        partition: Partition(0),
        offset: Offset(offset),
        seen_at: Millis(at),
    };
    for (group, offset, at) in [("a", 1, 10), ("a", 2, 20), ("b", 3, 10)] {
        let answer = vec![committed(offset, at)];
        archive::store_group(&*world.source, "main", group, Millis(at), answer).await.unwrap();
    }
    world.drain().await;
    world.reconcile().await;
    for (group, offset, snapshots) in [("a", 2, 1), ("b", 3, 1)] {
        let there = archive::latest_group(&*world.there.inner, "main", group, None).await.unwrap().unwrap();
        assert_eq!(there.offsets[0].offset, Offset(offset));
        let moments = archive::group_moments(&*world.there.inner, "main", group).await.unwrap();
        assert_eq!(moments.len(), snapshots);
    }
}

#[tokio::test(start_paused = true)]
async fn a_floor_follows_when_the_location_has_its_segment_and_first_where_the_storage_has_no_more() {
    let world = World::new();
    world.back_up(0, 4).await;
    let chain = chain(&world).await;
    move_floor(&world, &chain, 2).await;
    world.drain().await;
    assert_eq!(archive::read_floor(&*world.there.inner, &chain).await.unwrap().floor.base, Offset(0));
    world.reconcile().await;
    assert_eq!(archive::read_floor(&*world.there.inner, &chain).await.unwrap().floor.base, Offset(2));

    // The location falls behind, and what it lacks expires and is deleted.
    world.back_up(0, 3).await;
    world.forget_entries().await;
    move_floor(&world, &chain, 6).await;
    for base in 0..6 {
        world.source.delete(&shared::chain::keys::segment(&chain, Offset(base))).await.unwrap();
    }
    assert_eq!(world.reconcile().await.missing, 1);
    world.drain().await;
    let end = archive::chain_end(&*world.there.inner, &chain, None).await.unwrap();
    assert_eq!(
        (end.floor.floor.base, end.frontier.next, end.frontier.last_base),
        (Offset(6), Offset(7), Some(Offset(6)))
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_missing_at_a_location_is_found_by_comparing_and_asked_for_again() {
    let world = World::new();
    world.back_up(0, 3).await;
    world.forget_entries().await;
    let found = world.reconcile().await;
    assert_eq!((found.segments, found.missing, found.asked), (3, 3, 3));
    world.drain().await;
    world.assert_whole().await;

    let chain = chain(&world).await;
    world.there.inner.delete(&shared::chain::keys::segment(&chain, Offset(1))).await.unwrap();
    assert_eq!(world.reconcile().await.missing, 1);
    world.drain().await;
    world.assert_whole().await;
    assert_eq!(world.states().await, [((State::Completed, 1), 2), ((State::Completed, 2), 1)].into());
    let found = world.reconcile().await;
    assert_eq!((found.missing, found.asked), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn another_object_in_the_place_of_a_segment_is_told_and_not_overwritten() {
    let world = World::new();
    world.back_up(0, 1).await;
    world.drain().await;
    let key = shared::chain::keys::segment(&chain(&world).await, Offset(0));
    world.there.inner.delete(&key).await.unwrap();
    world.there.inner.put(&key, "foreign".into(), PutCondition::IfAbsent).await.unwrap();
    assert_eq!(world.reconcile().await.asked, 1);
    assert_eq!(world.drain().await.replicated.unwrap().failed, 1);
    let status = world.statuses().await.remove(0);
    assert_eq!((status.state, status.reason_kind), (State::Failed, Some(ReasonKind::Differs)), "{status:?}");
    assert_eq!(world.there.inner.get(&key, GetRange::Whole).await.unwrap().unwrap().body, "foreign");
}

pub(super) async fn chain(world: &World) -> shared::chain::ChainIdentity {
    let owner = archive::read_owner(&*world.source, "main").await.unwrap().unwrap();
    archive::chains_of_topic(&*world.source, &owner.cluster_id, "main", "orders").await.unwrap().remove(0)
}

pub(super) async fn move_floor(world: &World, chain: &shared::chain::ChainIdentity, base: i64) {
    let from = archive::read_floor(&*world.source, chain).await.unwrap();
    let segment = archive::SegmentEntry {
        key: shared::chain::keys::segment(chain, Offset(base)),
        base: Offset(base),
        cuts: 0,
        size_bytes: world
            .source
            .get(&shared::chain::keys::segment(chain, Offset(base)), GetRange::Last(0))
            .await
            .unwrap()
            .unwrap()
            .size_bytes,
    };
    let metadata = archive::read_metadata(&*world.source, chain, &segment).await.unwrap();
    let before: ChainPoint = metadata.before;
    assert!(archive::move_floor(&*world.source, chain, &from, (Offset(base), before), None).await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_location_says_how_far_each_partition_is_complete_and_goes_back_where_something_is_missing() {
    let world = World::new();
    world.back_up(0, 3).await;
    world.back_up(1, 1).await;
    world.drain().await;
    assert_eq!(world.frontiers().await, [(0, 3), (1, 1)].into());

    let segment = "main/orders/1/0/00000000000000000001.kan";
    world.there.inner.delete(segment).await.unwrap();
    world.later(Duration::from_secs(60));
    assert_eq!(world.reconcile().await.asked, 1);
    assert_eq!(world.frontiers().await, [(0, 1), (1, 1)].into());
    world.later(Duration::from_secs(60));
    world.back_up(0, 1).await;
    world.drain().await;
    world.later(Duration::from_secs(60));
    world.reconcile().await;
    assert_eq!(world.frontiers().await, [(0, 4), (1, 1)].into());
    world.assert_whole().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_copied_while_it_was_looked_for_is_not_asked_for_again() {
    let world = World::new();
    let began = world.clock.now();
    world.later(Duration::from_secs(1));
    world.back_up(0, 1).await;
    world.drain().await;
    let status = world.statuses().await.remove(0);
    let wanted = |seen_at| Wanted {
        subject: status.subject.clone(),
        size_bytes: status.size_bytes,
        known: Known::Restore { seen_at },
    };
    let queue = world.context.queue();
    assert_eq!(queue.enqueue(vec![wanted(began)]).await.unwrap(), 0);
    assert_eq!(queue.enqueue(vec![wanted(world.clock.now())]).await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_location_that_was_emptied_is_a_whole_backup_again_with_the_next_segment() {
    let world = World::new();
    world.back_up(0, 2).await;
    world.drain().await;
    for entry in world.there.inner.list(ListRequest::prefix("")).await.unwrap().objects {
        world.there.inner.delete(&entry.key).await.unwrap();
    }
    world.back_up(0, 1).await;
    world.drain().await;
    world.assert_whole().await;
}
