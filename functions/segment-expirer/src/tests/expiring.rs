use std::sync::Arc;

use shared::{
    archive::{self, AcceptedLoss, AcceptedLosses, Cut},
    chain::Totals,
    ports::{
        clock::Clock as _,
        objects::{GetRange, PutCondition},
        records::Groups as _,
    },
    record::{Millis, Offset, TopicPartition},
};

use super::world::{Counted, CountingObjects, DAY, START, World, run};
use crate::{Context, Expire, ExpireError, Limits, handle};

#[tokio::test]
async fn the_floor_moves_first_and_what_lies_below_it_is_deleted_when_the_grace_is_over() {
    let world = World::new();
    world.a_segment_a_day(5).await;
    world.clock.set(Millis(START.0 + 32 * DAY));
    let report = world.run().await;
    assert_eq!((report.changed[0].expired_segments, report.changed[0].expired_records), (2, 4));
    let floor = world.floor().await;
    assert_eq!((floor.floor.base, floor.floor.before.totals.segments), (Offset(4), 2));
    assert_eq!(world.bases().await, [0, 2, 4, 6, 8], "nothing is deleted while readers may be at it");

    world.hours(1);
    assert!(world.run().await.changed.is_empty(), "the grace is not over to the millisecond");
    world.clock.advance(Millis(1));
    let report = world.run().await;
    assert_eq!((report.changed[0].deleted_segments, report.changed[0].expired_segments), (2, 1));
    assert_eq!(world.bases().await, [4, 6, 8]);
}

#[tokio::test]
async fn a_loss_that_somebody_began_to_accept_is_decided_and_then_segments_expire_again() {
    let world = World::new();
    world.a_segment_a_day(5).await;
    let (chain, objects) = (world.chain().await, &*world.objects);
    let loss = AcceptedLoss::new(Offset(10), Offset(20), START);
    let made = AcceptedLoss { cut: Some(Cut::Made), ..loss };
    archive::accept_loss(objects, &chain, AcceptedLosses::default(), loss, None).await.unwrap();
    let known = archive::read_accepted_losses(objects, &chain).await.unwrap();
    let begun = AcceptedLoss { cut: Some(Cut::Proposed), ..loss };
    archive::note_loss(objects, &chain, known, begun, None).await.unwrap();
    world.clock.set(Millis(START.0 + 32 * DAY));
    assert!(world.run().await.changed.is_empty(), "what is there is decided first");
    assert_eq!(archive::read_accepted_losses(objects, &chain).await.unwrap().losses, [made, made]);
    world.hours(2);
    assert_eq!(world.run().await.changed[0].expired_segments, 3);
}

#[tokio::test]
async fn what_is_present_shrinks_and_totals_do_not() {
    let world = World::new();
    world.a_segment_a_day(5).await;
    let chain = world.chain().await;
    let before = archive::chain_end(&*world.objects, &chain, None).await.unwrap();
    world.clock.set(Millis(START.0 + 32 * DAY));
    world.expire().await;
    let after = archive::chain_end(&*world.objects, &chain, None).await.unwrap();
    assert_eq!(after.frontier, before.frontier);
    let present = after.frontier.point.totals.minus(after.floor.floor.before.totals);
    assert_eq!((present.records, present.segments, after.floor.floor.base), (4, 2, Offset(6)));
}

#[tokio::test]
async fn the_last_segment_stays_however_old_it_is_and_the_writer_goes_on_behind_it() {
    let world = World::new();
    world.a_segment_a_day(3).await;
    world.days(400);
    world.expire().await;
    assert_eq!(world.bases().await, [4]);
    world.segment(world.clock.now()).await;
    world.expire().await;
    assert_eq!(world.bases().await, [6]);
    let end = archive::chain_end(&*world.objects, &world.chain().await, None).await.unwrap();
    assert_eq!((end.frontier.next, end.frontier.point.totals.records), (Offset(8), 8));
}

#[tokio::test]
async fn a_record_dated_2099_blocks_no_expiry_and_old_records_expire_with_a_young_file() {
    let world = World::new();
    world.segment(Millis(4_080_000_000_000)).await;
    world.segment(Millis(-1)).await;
    world.segment(START).await;
    world.days(29);
    world.segment(START).await;
    world.segment(world.clock.now()).await;
    world.days(1);
    world.expire().await;
    assert_eq!(world.bases().await, [0, 2, 4, 6, 8], "thirty days have not passed for anything");
    world.hours(1);
    world.expire().await;
    assert_eq!(world.bases().await, [8]);
}

#[tokio::test]
async fn a_younger_segment_keeps_the_older_ones_behind_it() {
    let world = World::new();
    for timestamp in [START.0 - 40 * DAY, START.0, START.0 - 40 * DAY, START.0] {
        world.segment(Millis(timestamp)).await;
    }
    world.expire().await;
    assert_eq!(world.bases().await, [2, 4, 6]);
}

#[tokio::test]
async fn chains_of_deleted_topics_expire_but_for_their_last_segment() {
    let world = World::new();
    world.a_segment_a_day(3).await;
    world.kafka.delete("orders");
    world.kafka.create("orders", 1, &[]);
    world.a_segment_a_day(2).await;
    world.kafka.delete("orders");
    world.days(60);
    let report = world.run().await;
    assert_eq!(
        report.changed.iter().map(|chain| (chain.incarnation, chain.expired_segments)).collect::<Vec<_>>(),
        [(1, 2), (2, 1)]
    );
    world.hours(2);
    world.run().await;
    assert_eq!(world.bases().await, [4]);
}

#[tokio::test]
async fn what_a_writer_that_woke_too_late_put_below_the_floor_is_swept() {
    let world = World::new();
    world.a_segment_a_day(3).await;
    let (key, body) = {
        let key = world.key(0).await;
        let body = world.objects.get(&key, GetRange::Whole).await.unwrap().unwrap().body;
        (key, body)
    };
    world.days(60);
    world.expire().await;
    world.objects.put(&key, body, PutCondition::IfAbsent).await.unwrap();
    assert_eq!(world.bases().await, [0, 4]);
    let end = archive::chain_end(&*world.objects, &world.chain().await, None).await.unwrap();
    assert_eq!(end.frontier.next, Offset(6));
    assert_eq!(world.run().await.changed[0].deleted_segments, 1);
    assert_eq!(world.bases().await, [4]);
}

#[tokio::test]
async fn a_process_whose_clock_is_ahead_of_the_stores_expires_nothing_early() {
    let world = World::new();
    world.a_segment_a_day(3).await;
    let ahead = shared::adapters::memory::clock::ManualClock::at(Millis(START.0 + 10_000 * DAY));
    let report = run(&Context { clock: std::sync::Arc::new(ahead), ..world.context() }).await;
    assert!(report.changed.is_empty() && report.now == Some(Millis(START.0 + 3 * DAY)), "{report:?}");
}

#[tokio::test]
async fn of_files_that_are_old_enough_no_footer_is_read_however_many_there_are() {
    let world = World::new();
    world.segments_of_one_record(2_500).await;
    world.days(60);
    let counting = Arc::new(CountingObjects::new(world.objects.clone()));
    let report = run(&Context { objects: counting.clone(), ..world.context() }).await;
    assert_eq!((report.changed[0].expired_segments, report.complete), (2_499, true));
    let Counted { lists, gets, footers } = counting.counted();
    assert_eq!((lists, gets, footers), (8, 6, 1), "three pages of the chain, and the footer of the segment that stays");
    world.hours(2);
    assert_eq!(world.run().await.changed[0].deleted_segments, 2_499);
    assert_eq!(world.bases().await, [2_499]);
}

#[tokio::test]
async fn a_chain_whose_last_segment_was_deleted_by_somebody_is_not_written_on() {
    let world = World::new();
    world.a_segment_a_day(3).await;
    world.days(60);
    world.expire().await;
    world.objects.delete(&world.key(4).await).await.unwrap();
    // The group has forgotten what it committed.
    let partition = TopicPartition::new("orders", 0);
    world.kafka.commit("highwater.main", &[(partition, Offset(0).into())]).await.unwrap();
    let error = world.drain().await.unwrap_err();
    assert!(error.contains("the backup ends at 4, but 5 was committed"), "{error}");
}

#[tokio::test]
async fn a_chain_that_lacks_a_segment_keeps_what_it_has() {
    let world = World::new();
    world.a_segment_a_day(4).await;
    world.objects.delete(&world.key(2).await).await.unwrap();
    world.days(60);
    let report = handle(Expire::default(), &world.context()).await.unwrap();
    let failure = &report.backups[0].failures[0];
    assert!(matches!(failure.error, ExpireError::NotWhole { counted: 3, listed: 2, .. }), "{failure:?}");
    assert!(!report.backups[0].complete && !failure.error.retry());
    assert_eq!(world.bases().await, [0, 4, 6]);
}

#[tokio::test]
async fn footers_are_read_of_young_files_only_and_no_more_than_a_run_may() {
    let world = World::new();
    for _ in 0..6 {
        world.segment(Millis(START.0 - 40 * DAY)).await;
    }
    let limits = Limits { footers_max: 3, footers_at_once_max: 2, ..Limits::default() };
    let context = Context { limits, ..world.context() };
    let mut starts = vec![];
    for _ in 0..3 {
        let report = run(&context).await;
        starts.push((report.changed[0].start.0, report.complete));
        world.hours(2);
    }
    assert_eq!(starts, [(6, false), (10, true), (10, true)]);
    assert_eq!(world.bases().await, [10]);
}

#[tokio::test]
async fn a_run_that_is_out_of_time_says_so_and_the_next_one_goes_on() {
    let world = World::new();
    world.a_segment_a_day(3).await;
    world.days(60);
    let late = Expire { deadline: Some(Millis(world.clock.now().0 + 1_000)), ..Expire::default() };
    let report = handle(late, &world.context()).await.unwrap();
    assert!(!report.backups[0].complete && report.backups[0].changed.is_empty(), "{report:?}");
    assert_eq!(world.run().await.changed[0].expired_segments, 2);
}

#[tokio::test]
async fn a_backup_that_keeps_everything_is_not_touched_and_an_unknown_one_is_an_error() {
    let world = World::new();
    world.a_segment_a_day(2).await;
    world.days(1_000);
    let mut context = world.context();
    context.backups[0].retention = None;
    assert!(handle(Expire::default(), &context).await.unwrap().backups.is_empty());
    assert_eq!((world.bases().await, world.floor().await.floor.before.totals), (vec![0, 2], Totals::default()));
    let unknown = Expire { backup: Some("mian".into()), ..Expire::default() };
    assert!(matches!(handle(unknown, &context).await, Err(ExpireError::UnknownBackup(name)) if name == "mian"));
}
