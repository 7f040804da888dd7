//! The function over Kafka and storage in memory. What may go wrong at any moment is the simulation's.

use std::time::Duration;

use shared::{
    adapters::memory::{clock::ManualClock, kafka::MemoryKafka, objects::MemoryObjects},
    archive::{self, AcceptedLoss, AcceptedLosses, Cut},
    chain::SealKey,
    ports::{
        clock::Clock as _,
        objects::{GetRange, ListRequest, Objects as _},
        records::{Committed, Groups as _, Log as _},
    },
    record::{Millis, Offset, Record, TimestampType, TopicPartition, filter::Filter},
    rollover::Rollover,
    segment::{Compression, metadata::GapCause},
};
use tokio_util::sync::CancellationToken;

use super::{error::Remedy, *};

mod clocks;
mod filtering;
mod histories;
mod inputs;
mod pausing;
mod publishing;
mod reading;
mod reading_kafka;
mod resting;
mod selecting;
mod states;
mod storage;
mod storing;
mod transactions;
mod world;
mod zombies;

use self::world::*;

/// A topic that was created again, with 3 records, when the 10 of the one before were stored.
async fn created_again() -> World {
    let world = World::new();
    world.kafka.create("orders", 1, &[]);
    world.append(10);
    assert!(world.drain().await.complete());
    world.kafka.delete("orders");
    world.kafka.create("orders", 1, &[]);
    world.append(3);
    world
}

#[tokio::test(start_paused = true)]
async fn an_offset_that_was_committed_for_the_topic_before_holds_up_nothing() {
    let world = created_again().await;
    world.kafka.commit("highwater.main", &[(orders(), Offset(10).into())]).await.unwrap();
    let report = world.drain().await;
    assert!(report.complete(), "{report:?}");
    assert_eq!(world.kafka.committed_offsets("highwater.main", &[orders()]).await.unwrap(), [Some(Offset(3))]);
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_tells_it_is_of_the_topic_before_holds_up_nothing_when_nothing_else_tells() {
    let world = created_again().await;
    let before = world.kafka.committed("highwater.main", &[orders()]).await.unwrap();
    assert_eq!(before, [None], "kafka forgets what was committed for a topic with the topic");
    let topic_id = Some("the topic before".into());
    let late = Committed { offset: Offset(9), topic_id, stored: None };
    world.kafka.commit("highwater.main", &[(orders(), late)]).await.unwrap();
    assert_eq!(
        missing_tails(&world.context(&["main"]), &world.context(&["main"]).backups[0], &[orders()]).await.unwrap(),
        []
    );
    assert!(world.drain().await.complete());
    let now = world.kafka.topics(Some(&["orders".into()])).await.unwrap().remove(0).id;
    let committed = world.kafka.committed("highwater.main", &[orders()]).await.unwrap().remove(0);
    assert_eq!(committed, Some(Committed { offset: Offset(3), topic_id: Some(now), stored: None }));
}

#[tokio::test(start_paused = true)]
async fn an_offset_that_no_segment_ever_ended_at_says_that_the_tail_of_the_backup_is_missing() {
    let world = created_again().await;
    world.kafka.commit("highwater.main", &[(orders(), Offset(9).into())]).await.unwrap();
    let report = world.drain().await;
    let error = report.partitions[0].error.as_ref().expect("nothing is written");
    assert!(matches!(error, WriteError::TailMissing { committed: Offset(9), .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_new_prefix_under_an_old_backup_name_says_that_the_place_or_the_name_may_be_the_wrong_one() {
    let mut world = World::new();
    world.kafka.create("orders", 1, &[]);
    world.append(3);
    assert!(world.drain().await.complete());
    let before = std::mem::replace(&mut world.objects, Arc::new(MemoryObjects::new(world.clock.clone())));
    let report = world.drain().await;
    let error = report.partitions[0].error.as_ref().expect("nothing is written").to_string();
    let hint = "or storage.url or the name of the backup is not that of before; correct these,";
    assert!(error.contains("ends at 0, but 3 was committed") && error.contains(hint), "{error}");
    assert!(world.stored().await.is_empty());
    world.objects = before;
    world.append(1);
    assert!(world.drain().await.complete(), "with the place of before it goes on");
    assert_eq!(world.stored().await, [0, 1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_chain_that_is_sealed_is_not_written_without_a_key() {
    let world = World::new();
    world.kafka.create("orders", 1, &[]);
    world.append(1);
    assert!(world.drain_in(&world.context_with_key("the first key")).await.complete());
    world.append(1);
    let report = world.drain().await;
    assert!(matches!(report.partitions[0].error, Some(WriteError::KeyMissing { .. })), "{report:?}");
    assert!(world.drain_in(&world.context_with_key("the next key")).await.complete(), "another key goes on");
}

#[tokio::test(start_paused = true)]
async fn a_loss_that_was_accepted_without_the_key_of_a_backup_excuses_nothing() {
    let world = World::new();
    let context = world.context_with_key("the key");
    world.back_up_and_commit_more(&context).await;
    let missing = || async { missing_tails(&context, &context.backups[0], &[orders()]).await.unwrap() };
    let tail = missing().await.remove(0);
    let loss = AcceptedLoss::new(tail.frontier, tail.witness, Millis(1));
    let objects = &*world.objects;
    archive::accept_loss(objects, &tail.chain, AcceptedLosses::default(), loss, None).await.unwrap();
    let error = accept(&context, &tail).await.unwrap_err();
    assert!(error.to_string().contains("=accepted-loss.json"), "who saw no other losses vouches for none: {error}");
    let again = missing().await.remove(0);
    assert_eq!((again.frontier, again.witness), (tail.frontier, tail.witness));
    accept(&context, &again).await.unwrap();
    assert_eq!(missing().await, []);
}

#[tokio::test(start_paused = true)]
async fn accepting_a_loss_vouches_for_none_that_was_accepted_without_the_key_of_a_backup() {
    let world = World::new();
    let context = world.context_with_key("the key");
    world.back_up_and_commit_more(&context).await;
    let tail = missing_tails(&context, &context.backups[0], &[orders()]).await.unwrap().remove(0);
    let objects = &*world.objects;
    let theirs = [(Offset(0), None), (Offset(0), Some(Cut::Proposed)), (Offset(90), Some(Cut::Made))];
    for (frontier, cut) in theirs {
        let known = archive::read_accepted_losses(objects, &tail.chain).await.unwrap();
        let loss = AcceptedLoss { cut, ..AcceptedLoss::new(frontier, Offset(99), Millis(1)) };
        archive::note_loss(objects, &tail.chain, known, loss, None).await.unwrap();
    }
    let tail = missing_tails(&context, &context.backups[0], &[orders()]).await.unwrap().remove(0);
    accept(&context, &tail).await.unwrap();
    let known = archive::read_accepted_losses(objects, &tail.chain).await.unwrap();
    let excused = theirs.map(|(frontier, _)| known.cover(frontier, Offset(99)));
    assert_eq!((excused, known.cover(tail.frontier, tail.witness)), ([false; 3], true));
    assert!(!known.has_one_at(Offset(0)), "{known:?}");
    assert!(known.losses.iter().all(|loss| loss.cut != Some(Cut::Proposed)), "{known:?}");
}

#[tokio::test(start_paused = true)]
async fn a_loss_that_was_accepted_with_a_former_key_is_excused_where_that_is_told() {
    let world = World::new();
    let before = world.context_with_key("the key before");
    world.back_up_and_commit_more(&before).await;
    let tail = missing_tails(&before, &before.backups[0], &[orders()]).await.unwrap().remove(0);
    accept(&before, &tail).await.unwrap();

    world.append(1);
    let report = world.drain_in(&world.context_with_key("the key")).await;
    assert!(matches!(report.partitions[0].error, Some(WriteError::TailMissing { .. })), "{report:?}");
    assert!(world.drain_in(&world.context_with_keys("the key", &["another", "the key before"])).await.complete());
}

#[tokio::test(start_paused = true)]
async fn a_backup_that_belongs_to_another_holds_up_no_other() {
    let world = World::new();
    world.kafka.create("orders", 1, &[]);
    archive::claim_owner(&*world.objects, "theirs", "another cluster").await.unwrap();
    world.append(3);
    let (context, stop) = (world.context(&["theirs", "main"]), CancellationToken::new());
    let following = tokio::spawn({
        let stop = stop.clone();
        async move { follow(&context, &stop).await }
    });
    for appended in [3, 6] {
        let committed = async || world.kafka.committed_offsets("highwater.main", &[orders()]).await.unwrap()[0];
        while committed().await != Some(Offset(appended)) {
            world.clock.advance(Millis(50));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        world.append(3);
    }
    stop.cancel();
    following.await.unwrap();
    let theirs = ListRequest::prefix("theirs/");
    assert_eq!(world.objects.list(theirs).await.unwrap().objects.len(), 1, "only its owner is there");
}

#[tokio::test(start_paused = true)]
async fn records_of_an_aborted_transaction_that_an_event_brings_are_not_stored() {
    let world = World::new();
    world.kafka.create("orders", 1, &[]);
    world.append(1);
    assert!(world.drain().await.complete());
    let aborted = world.kafka.begin();
    for _ in 1..3 {
        world.kafka.append_in(aborted, &orders(), record(0));
    }
    world.kafka.abort_transaction(aborted);
    assert_eq!(world.event(1..3).await, [0], "the marker lies behind the event");
    world.append(2);
    assert_eq!(world.event(1..3).await, [0], "the marker lies in the middle of the log");
    assert_eq!(world.event(4..6).await, [0, 4, 5]);
}

#[tokio::test(start_paused = true)]
async fn an_event_with_records_of_an_open_transaction_comes_again_and_what_is_committed_is_stored() {
    let world = World::new();
    world.kafka.create("orders", 1, &[]);
    world.append(2);
    let open = world.kafka.begin();
    world.kafka.append_in(open, &orders(), record(0));
    let event = || Event { arrived: vec![arrived(0..3)], ..Event::default() };
    let error = handle(Input::Event(event()), &world.context(&["main"])).await.unwrap_err();
    assert!(matches!(&error, WriteError::Uncommitted { position: Offset(2), .. }) && error.retry(), "{error}");
    assert_eq!(world.stored().await, [0, 1]);
    world.kafka.commit_transaction(open);
    assert_eq!(world.event(0..3).await, [0, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_drain_ends_where_the_last_offset_before_its_target_does_not_exist_and_more_comes_behind_it() {
    let world = World::new();
    world.kafka.create("orders", 1, &[]);
    world.append(2);
    let aborted = world.kafka.begin();
    world.kafka.append_in(aborted, &orders(), record(0));
    world.kafka.abort_transaction(aborted);
    world.append(2);
    assert_eq!(world.event(0..3).await, [0, 1], "the reading saw the record at 4 and did not wait for more");
}

#[tokio::test(start_paused = true)]
async fn a_topic_that_is_deleted_before_a_drain_opens_it_ends_the_drain() {
    let world = World::new();
    world.kafka.create("orders", 1, &[]);
    world.append(2);
    let context = world.context(&["main"]);
    world.kafka.delete("orders");
    let error = open::open(&context, &context.backups[0], &orders()).await.unwrap_err();
    assert!(matches!(&error, WriteError::Gone { .. }) && error.remedy() == Remedy::Backoff, "{error}");
}

/// 10 records in a segment and 5 in another, which is gone.
async fn without_a_tail() -> World {
    let world = World::new();
    world.kafka.create("orders", 1, &[]);
    for count in [10, 5] {
        world.append(count);
        assert!(world.drain().await.complete());
    }
    world.objects.delete("main/orders/1/0/00000000000000000010.kan").await.unwrap();
    world
}

/// What is missing, and its acceptance.
async fn accept_the_loss(world: &World) -> MissingTail {
    let context = world.context(&["main"]);
    let backup = context.backups[0].clone();
    let mut tails = missing_tails(&context, &backup, &[orders()]).await.unwrap();
    assert_eq!(tails.len(), 1);
    accept(&context, &tails[0]).await.unwrap();
    tails.remove(0)
}

#[tokio::test(start_paused = true)]
async fn a_missing_tail_stops_the_writing_until_it_is_accepted_and_is_fetched_again_where_kafka_has_it() {
    let world = without_a_tail().await;
    world.append(3);
    let report = world.drain().await;
    let error = report.partitions[0].error.as_ref().unwrap();
    assert!(matches!(error, WriteError::TailMissing { frontier: Offset(10), committed: Offset(15), .. }), "{error}");
    assert_eq!(error.failed_state().code(), 901);
    assert_eq!(world.stored().await, (0..10).collect::<Vec<_>>(), "nothing is written");

    let tail = accept_the_loss(&world).await;
    assert_eq!((tail.frontier, tail.witness, tail.lost_to()), (Offset(10), Offset(15), Offset(10)));
    assert!(world.drain().await.complete());
    assert_eq!(world.stored().await, (0..18).collect::<Vec<_>>());
    let context = world.context(&["main"]);
    assert_eq!(missing_tails(&context, &context.backups[0], &[orders()]).await.unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn what_kafka_has_no_more_either_becomes_a_gap_of_its_own_cause() {
    let world = without_a_tail().await;
    world.append(3);
    world.kafka.trim(&orders(), Offset(17));
    let tail = accept_the_loss(&world).await;
    assert_eq!(tail.lost_to(), Offset(15));
    assert!(world.drain().await.complete());
    assert_eq!(world.stored().await, (0..10).chain([17]).collect::<Vec<_>>());
    let body = world.objects.get("main/orders/1/0/00000000000000000010-1.kan", GetRange::Whole).await.unwrap().unwrap();
    let metadata = shared::segment::decoder::records(body.body).unwrap().0;
    let gaps: Vec<_> = metadata.gaps.iter().map(|gap| (gap.from.0, gap.to.0, gap.cause)).collect();
    assert_eq!(gaps, [(10, 15, GapCause::TailMissingAccepted), (15, 17, GapCause::BelowLogStart)]);
    assert_eq!((metadata.own.gaps, metadata.own.gap_offsets, metadata.last_gap_at), (2, 7, Some(world.clock.now())));
}

#[tokio::test(start_paused = true)]
async fn an_acceptance_excuses_one_loss_and_no_later_one() {
    let world = without_a_tail().await;
    accept_the_loss(&world).await;
    // Writing goes on, and the very same goes missing again.
    assert!(world.drain().await.complete());
    world.objects.delete("main/orders/1/0/00000000000000000010-1.kan").await.unwrap();
    let report = world.drain().await;
    assert!(matches!(report.partitions[0].error, Some(WriteError::TailMissing { .. })), "{report:?}");
    accept_the_loss(&world).await;
    // And before it is as far as it was.
    world.kafka.trim(&orders(), Offset(13));
    assert!(world.drain().await.complete());
    world.objects.delete("main/orders/1/0/00000000000000000000.kan").await.unwrap();
    world.objects.delete("main/orders/1/0/00000000000000000010-2.kan").await.unwrap();
    let report = world.drain().await;
    let error = report.partitions[0].error.as_ref().unwrap();
    assert!(matches!(error, WriteError::TailMissing { frontier: Offset(0), committed: Offset(15), .. }), "{error}");
    accept_the_loss(&world).await;
    assert!(world.drain().await.complete());
    assert_eq!(world.stored().await, [13, 14]);
}
