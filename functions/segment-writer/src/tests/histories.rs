//! A log that goes back behind the backup: an unclean leader election, or a disk restored from a snapshot. The topic keeps
//! its id.

use shared::{archive::Divergence, job::State, segment::SegmentMetadata};

use super::*;

/// Appends records that differ from those of another history.
fn append(world: &World, history: &str, count: usize) {
    for n in 0..count {
        let value = format!("{history} {n}");
        world.kafka.append(&orders(), Record { value: Some(value.into()), ..record(0) });
    }
}

/// A hundred records, then a hundred more, all of them backed up in two segments.
async fn backed_up(filters: &[(&str, &str)]) -> (World, Arc<Context>) {
    let world = World::new();
    world.kafka.create("orders", 1, &[]);
    let context = world.context_with(&["main"], filters);
    for history in ["first", "second"] {
        append(&world, history, 100);
        assert!(world.drain_in(&context).await.complete());
    }
    (world, context)
}

/// What a drain says of the only partition.
async fn refused(world: &World, context: &Arc<Context>) -> Divergence {
    let report = world.drain_in(context).await;
    match &report.partitions[0].error {
        Some(WriteError::LogDiverged { divergence, .. }) => *divergence,
        other => panic!("{other:?}"),
    }
}

fn divergence(from: i64, to: i64, log_end: i64) -> Divergence {
    Divergence { from: Offset(from), to: Offset(to), log_end: Offset(log_end) }
}

async fn last_segment(world: &World) -> SegmentMetadata {
    let listed = world.objects.list(ListRequest::prefix("main/orders/1/0/")).await.unwrap();
    let last = listed.objects.iter().rfind(|object| object.key.ends_with(".kan")).unwrap();
    let body = world.objects.get(&last.key, GetRange::Whole).await.unwrap().unwrap().body;
    shared::segment::decoder::records(body).unwrap().0
}

#[tokio::test(start_paused = true)]
async fn a_log_that_went_back_stops_its_partition_however_long_it_is_by_then() {
    for others in [0, 50, 100, 150] {
        let (world, context) = backed_up(&[]).await;
        world.kafka.go_back(&orders(), Offset(100));
        append(&world, "another", others);
        let log_end = 100 + i64::try_from(others).unwrap();
        for context in [&context, &world.context(&["main"])] {
            assert_eq!(refused(&world, context).await, divergence(100, 200, log_end), "{others}");
        }
        assert_eq!(world.stored().await, (0..200).collect::<Vec<_>>(), "nothing is added, nothing is lost");
        assert_eq!(world.states("orders").await.last().unwrap().0, State::LOG_DIVERGED);
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_offset_that_differs_is_told_also_in_the_middle_of_a_segment() {
    let (world, context) = backed_up(&[]).await;
    world.kafka.go_back(&orders(), Offset(37));
    append(&world, "another", 300);
    assert_eq!(refused(&world, &context).await, divergence(37, 200, 337));
}

#[tokio::test(start_paused = true)]
async fn other_partitions_go_on() {
    let (world, context) = backed_up(&[]).await;
    world.kafka.create("clicks", 1, &[]);
    world.kafka.append(&TopicPartition::new("clicks", 0), record(0));
    world.kafka.go_back(&orders(), Offset(100));
    let report = world.drain_in(&context).await;
    assert!(!report.complete());
    let clicks = report.partitions.iter().find(|it| &*it.topic == "clicks").unwrap();
    assert_eq!((clicks.records, clicks.error.is_none()), (1, true));
}

#[tokio::test(start_paused = true)]
async fn records_that_the_filter_leaves_out_are_compared_too() {
    let (world, context) = backed_up(&[("*", "offset < 150")]).await;
    world.kafka.go_back(&orders(), Offset(160));
    append(&world, "another", 100);
    assert_eq!(
        refused(&world, &context).await,
        divergence(199, 200, 260),
        "what is not kept tells no first difference"
    );
}

#[tokio::test(start_paused = true)]
async fn a_new_leader_that_has_everything_changes_nothing() {
    let (world, context) = backed_up(&[]).await;
    world.kafka.elect(&orders());
    assert!(world.drain_in(&context).await.complete());
    append(&world, "third", 50);
    assert!(world.drain_in(&context).await.complete());
    assert_eq!(world.stored().await, (0..250).collect::<Vec<_>>());
    let last = last_segment(&world).await.last_read.unwrap();
    assert_eq!((last.offset, last.leader_epoch), (Offset(249), Some(1)));
}

#[tokio::test(start_paused = true)]
async fn a_last_record_that_was_compacted_away_or_deleted_stops_nothing() {
    for elected in [false, true] {
        let (world, context) = backed_up(&[]).await;
        world.kafka.compact(&orders(), Offset(199));
        assert!(world.drain_in(&context).await.complete(), "at the end of the log");
        if elected {
            world.kafka.elect(&orders());
        }
        append(&world, "third", 50);
        world.kafka.compact(&orders(), Offset(200));
        assert!(world.drain_in(&context).await.complete(), "before other records");
        world.kafka.trim(&orders(), Offset(250));
        assert!(world.drain_in(&context).await.complete(), "the log begins where the backup ends");
        append(&world, "fourth", 50);
        world.kafka.trim(&orders(), Offset(270));
        assert!(world.drain_in(&context).await.complete(), "the log begins behind it");
        let last = last_segment(&world).await;
        assert_eq!((last.next, last.own.gap_offsets), (Offset(300), 20));
    }
}

#[tokio::test(start_paused = true)]
async fn where_the_last_record_is_gone_the_leader_epoch_tells() {
    let (world, context) = backed_up(&[]).await;
    world.kafka.go_back(&orders(), Offset(150));
    append(&world, "another", 100);
    // As an aborted transaction would, or compaction.
    world.kafka.compact(&orders(), Offset(199));
    assert_eq!(refused(&world, &context).await, divergence(150, 200, 250));
}

async fn state(world: &World) -> Option<State> {
    world.states("orders").await.last().map(|it| it.0)
}

/// A follower at work.
struct Follower {
    stop: CancellationToken,
    following: tokio::task::JoinHandle<()>,
}

impl Follower {
    /// Starts one, and waits until it is at the end of the log.
    async fn at_the_end(world: &World, context: &Arc<Context>) -> Follower {
        let stop = CancellationToken::new();
        let following = tokio::spawn({
            let (stop, context) = (stop.clone(), context.clone());
            async move { follow(&context, &stop).await }
        });
        world.until("at the end of the log", async || state(world).await == Some(State::STREAMING)).await;
        Follower { stop, following }
    }

    async fn end(self) {
        self.stop.cancel();
        self.following.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_follower_stops_too_and_says_from_where_on_it_differs() {
    let (world, context) = backed_up(&[]).await;
    let follower = Follower::at_the_end(&world, &context).await;
    world.kafka.go_back(&orders(), Offset(100));
    append(&world, "another", 150);
    world.until("that it differs", async || state(&world).await == Some(State::LOG_DIVERGED)).await;
    follower.end().await;
    assert_eq!(world.stored().await, (0..200).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_is_restored_as_a_whole_gives_the_same_epochs_and_is_noticed_all_the_same() {
    let (world, context) = backed_up(&[]).await;
    let follower = Follower::at_the_end(&world, &context).await;
    // Nothing else happens before the log is longer than it was.
    world.kafka.restore(&orders(), Offset(100));
    append(&world, "another", 150);
    world.until("that it differs", async || state(&world).await == Some(State::LOG_DIVERGED)).await;
    follower.end().await;
    assert_eq!(world.stored().await, (0..200).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_log_that_loses_only_what_was_not_stored_is_read_again() {
    let (world, context) = backed_up(&[]).await;
    let follower = Follower::at_the_end(&world, &context).await;
    world.kafka.skip(&orders(), 10);
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.kafka.go_back(&orders(), Offset(200));
    append(&world, "another", 20);
    world.until("all is stored", async || world.committed("orders").await == Some(Offset(220))).await;
    follower.end().await;
    assert_eq!(world.stored().await, (0..220).collect::<Vec<_>>());
}
