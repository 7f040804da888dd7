//! Transactions: what waits for one that is open, and the markers behind the records.

use super::*;

/// Two records, and three in a transaction.
fn with_an_open_transaction() -> (World, shared::adapters::memory::kafka::Transaction) {
    let world = World::new();
    world.kafka.create("orders", 1, &[]);
    world.append(2);
    let open = world.kafka.begin();
    for _ in 0..3 {
        world.kafka.append_in(open, &orders(), record(0));
    }
    (world, open)
}

impl World {
    async fn committed_whole(&self) -> Committed {
        self.kafka.committed("highwater.main", &[orders()]).await.unwrap().remove(0).expect("it was committed")
    }
}

#[tokio::test(start_paused = true)]
async fn a_drain_tells_the_offsets_that_wait_for_an_open_transaction() {
    let (world, open) = with_an_open_transaction();
    let report = world.drain().await;
    assert!(report.complete(), "{report:?}");
    assert_eq!(report.partitions[0].waiting, Some(Waiting { from: Offset(2), to: Offset(5) }));
    assert_eq!(world.stored().await, [0, 1]);
    world.kafka.commit_transaction(open);
    let report = world.drain().await;
    assert_eq!(report.partitions[0].waiting, None);
    assert_eq!(world.stored().await, [0, 1, 2, 3, 4]);
}

#[tokio::test(start_paused = true)]
async fn a_group_passes_a_marker_so_that_nothing_seems_left_to_do_and_still_tells_what_is_stored() {
    let (world, open) = with_an_open_transaction();
    world.kafka.commit_transaction(open);
    assert!(world.drain().await.complete());
    let committed = world.committed_whole().await;
    assert_eq!((committed.offset, committed.stored), (Offset(6), Some(Offset(5))), "the log ends at 6");
    assert!(world.drain().await.complete(), "nothing is missing");
    assert_eq!(world.committed_whole().await, committed);

    world.append(1);
    assert!(world.drain().await.complete());
    assert_eq!((world.committed_whole().await.offset, world.committed_whole().await.stored), (Offset(7), None));
    assert_eq!(world.stored().await, [0, 1, 2, 3, 4, 6]);
}

#[tokio::test(start_paused = true)]
async fn a_tail_that_is_missing_below_a_marker_is_still_noticed() {
    let (world, open) = with_an_open_transaction();
    assert!(world.drain().await.complete());
    world.kafka.commit_transaction(open);
    assert!(world.drain().await.complete());
    assert_eq!(world.committed_whole().await.offset, Offset(6));
    world.objects.delete("main/orders/1/0/00000000000000000002.kan").await.unwrap();
    let report = world.drain().await;
    let error = report.partitions[0].error.as_ref().expect("its tail is missing");
    assert!(matches!(error, WriteError::TailMissing { frontier: Offset(2), committed: Offset(5), .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_log_of_nothing_but_markers_is_passed_without_a_segment() {
    let world = World::new();
    world.kafka.create("orders", 1, &[]);
    let aborted = world.kafka.begin();
    world.kafka.append_in(aborted, &orders(), record(0));
    world.kafka.abort_transaction(aborted);
    for _ in 0..2 {
        assert!(world.drain().await.complete());
        let committed = world.committed_whole().await;
        assert_eq!((committed.offset, committed.stored), (Offset(2), Some(Offset(0))));
    }
    world.append(1);
    assert!(world.drain().await.complete());
    assert_eq!(world.stored().await, [2]);
}

#[tokio::test(start_paused = true)]
async fn a_follower_passes_a_marker_too_once_everything_before_it_is_stored() {
    let (world, open) = with_an_open_transaction();
    let (context, stop) = (world.context(&["main"]), CancellationToken::new());
    let following = tokio::spawn({
        let stop = stop.clone();
        async move { follow(&context, &stop).await }
    });
    world.until("what can be read is stored", async || world.committed("orders").await == Some(Offset(2))).await;
    world.kafka.commit_transaction(open);
    world.until("the marker is passed", async || world.committed("orders").await == Some(Offset(6))).await;
    assert_eq!(world.committed_whole().await.stored, Some(Offset(5)));
    stop.cancel();
    following.await.unwrap();
    assert_eq!(world.stored().await, [0, 1, 2, 3, 4]);
}
