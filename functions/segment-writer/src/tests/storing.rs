//! A segment that is stored while the next is filled.

use tokio::sync::Semaphore;

use super::{
    storage::{Storage, is_down, is_there_already},
    *,
};
use crate::{open::open, report::Reporter, writer::PartitionWriter};

/// A writer of the topic's partition, each of whose segments takes ten records.
async fn writer(world: &World) -> PartitionWriter {
    let context = world.context(&["main"]);
    let mut backup = Backup::clone(&context.backups[0]);
    backup.rollover.bytes_max = 10 * record(0).size_bytes();
    let open = open(&context, &backup, &orders()).await.unwrap().open;
    PartitionWriter::new(&context, &Arc::new(backup), open)
}

fn topic() -> World {
    let world = World::new();
    world.kafka.create("orders", 1, &[]);
    world.append(30);
    world
}

#[tokio::test(start_paused = true)]
async fn the_next_segment_is_filled_while_one_is_stored_and_stored_only_behind_it() {
    let mut world = topic();
    let gate = Arc::new(Semaphore::new(0));
    let opened = gate.clone();
    world.met = Some(Storage::of(&world, move |_| {
        let gate = gate.clone();
        async move {
            gate.acquire().await.unwrap().forget();
            Ok(())
        }
    }));
    let (mut writer, mut reporter) = (writer(&world).await, Reporter::new(Millis(0)));
    writer.append((0..15).map(record).collect(), None, &mut reporter).await.unwrap();
    assert!(writer.is_storing());
    assert_eq!(
        (writer.position(), writer.open_chain().frontier.next, writer.sealed()),
        (Offset(15), Offset(0), (0, 0))
    );
    let closing = tokio::time::timeout(Duration::from_secs(60), writer.close(&mut reporter)).await;
    assert!(closing.is_err(), "the second is stored behind the first");
    assert!(world.stored().await.is_empty());
    opened.add_permits(1);
    writer.settle().await.unwrap();
    assert_eq!((writer.open_chain().frontier.next, writer.sealed()), (Offset(10), (10, 1)));
    assert_eq!(world.stored().await, (0..10).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn behind_a_segment_that_could_not_be_stored_nothing_is_and_all_of_it_is_read_again() {
    let mut world = topic();
    world.met = Some(Storage::of(&world, async |key| Err(is_down(key))));
    let (mut writer, mut reporter) = (writer(&world).await, Reporter::new(Millis(0)));
    writer.append((0..15).map(record).collect(), None, &mut reporter).await.unwrap();
    assert!(writer.seal(&mut reporter).await.unwrap_err().retry());
    assert!(world.stored().await.is_empty());
    world.met = None;
    assert!(world.drain().await.complete());
    assert_eq!(world.stored().await, (0..30).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn segments_that_are_stored_behind_one_another_make_one_chain() {
    let world = topic();
    let (mut writer, mut reporter) = (writer(&world).await, Reporter::new(Millis(0)));
    writer.append((0..25).map(record).collect(), None, &mut reporter).await.unwrap();
    writer.seal(&mut reporter).await.unwrap();
    let chain = writer.open_chain().chain.clone();
    let end = archive::chain_end(&*world.objects, &chain, None).await.unwrap();
    assert_eq!(end.frontier, writer.open_chain().frontier);
    assert_eq!((end.frontier.next, end.frontier.point.totals.segments), (Offset(25), 3));
    assert_eq!(world.stored().await, (0..25).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_segment_whose_answer_was_lost_is_counted_once() {
    // The client's own second try meets the first; or nothing is heard at all.
    for lost in [is_there_already, is_down] {
        let mut world = topic();
        world.met = Some(Storage::that_loses(&world, &[lost]));
        let context = world.context(&["main"]);
        let report = world.drain_in(&context).await;
        assert!(report.complete(), "{report:?}");
        assert_eq!((report.partitions[0].records, report.partitions[0].segments), (30, 1));
        let worked = context.worked("main", &"orders".into(), crate::context::Work::default());
        assert_eq!(worked.records, 30);
        assert_eq!(world.stored().await, (0..30).collect::<Vec<_>>());
    }
}

#[tokio::test(start_paused = true)]
async fn a_segment_that_somebody_else_stored_in_its_place_is_not() {
    let mut world = topic();
    let (kafka, objects, clock) = (world.kafka.clone(), world.objects.clone(), world.clock.clone());
    let done = Arc::new(std::sync::atomic::AtomicBool::new(false));
    world.met = Some(Storage::of(&world, move |_| {
        let other =
            World { kafka: kafka.clone(), objects: objects.clone(), met: None, met_kafka: None, clock: clock.clone() };
        let is_first = !done.swap(true, std::sync::atomic::Ordering::SeqCst);
        async move {
            if is_first {
                other.clock.advance(Millis(1));
                assert!(other.drain().await.complete());
            }
            Ok(())
        }
    }));
    let report = world.drain().await;
    assert!(report.complete(), "{report:?}");
    assert_eq!((report.partitions[0].records, report.partitions[0].segments), (0, 0));
}
