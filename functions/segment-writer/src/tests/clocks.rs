//! Time that is up, and clocks that are set.

use shared::ports::records::Log as _;

use super::{storage::Storage, *};

#[tokio::test(start_paused = true)]
async fn a_drain_that_runs_out_of_time_says_what_it_stored() {
    let world = World::new();
    world.kafka.create("orders", 1, &[]);
    world.append(1_000);
    let deadline = Some(Millis(world.clock.now().0 + 60_000));
    let drain = Drain { deadline, ..Drain::of("main") };
    let mut backup = Backup::clone(&world.context(&["main"]).backups[0]);
    backup.rollover.bytes_max = 50;
    let time = world.clock.clone();
    let objects = Storage::of(&world, move |_| {
        time.advance(Millis(60_000));
        async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            Ok(())
        }
    });
    let kafka = Arc::new(world.kafka.clone());
    let (clock, limits) = (world.clock.clone(), Limits::default());
    let context = Context::new(kafka, objects, clock, vec![backup], "metrics", "test", limits);
    let Output::Drain(report) = handle(Input::Drain(drain), &context).await.unwrap() else {
        panic!("a drain's answer")
    };
    let partition = &report.partitions[0];
    assert!(matches!(partition.error, Some(WriteError::OutOfTime { .. })), "{report:?}");
    let stored = i64::try_from(world.stored().await.len()).unwrap();
    assert!(0 < stored && stored < 1_000);
    assert_eq!((i64::try_from(partition.records).unwrap(), partition.next.0), (stored, stored), "{report:?}");
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_silences_nobody() {
    let world = World::new();
    world.kafka.create("orders", 1, &[]);
    world.append(3);
    let (context, stop) = (world.context(&["main"]), CancellationToken::new());
    let following = tokio::spawn({
        let stop = stop.clone();
        async move { follow(&context, &stop).await }
    });
    let said = async || {
        let bounds = world.kafka.bounds(&[TopicPartition::new("metrics", 0)]).await.unwrap();
        bounds[0].as_ref().unwrap().high_watermark
    };
    while world.stored().await.is_empty() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    world.clock.set(Millis(world.clock.now().0 - 3_600_000));
    let before = said().await;
    tokio::time::sleep(4 * Limits::default().refresh).await;
    assert!(said().await.0 >= before.0 + 3, "a standing at every refresh");
    // And a segment is closed by its age.
    world.append(3);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(world.stored().await.len(), 6);
    stop.cancel();
    following.await.unwrap();
}
