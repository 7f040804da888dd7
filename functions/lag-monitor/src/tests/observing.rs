//! Log ends, new topics, deleted topics.

use shared::{
    chain::Totals,
    job::State,
    metrics::{registers::TopicRegisters, view::TopicView},
    record::{Millis, Offset, Partition},
};

use super::world::World;

#[tokio::test]
async fn a_refresh_says_where_every_selected_log_ends_and_nothing_of_others() {
    let world = World::new();
    world.kafka.create("orders", 2, &[]);
    world.kafka.create("scratch-tmp", 1, &[]);
    world.append("orders", 1, 7);

    let report = world.refresh().await;

    assert_eq!((report.topics, report.ends, report.failures.len()), (1, 2, 0), "{report:?}");
    let topics = world.snapshot().await.registers.topics;
    let ends = topics.iter().flat_map(|(topic, registers)| {
        registers.ends.iter().map(move |(partition, ends)| (&**topic, partition.0, ends.log_start.0, ends.log_end.0))
    });
    assert_eq!(ends.collect::<Vec<_>>(), [("orders", 0, 0, 0), ("orders", 1, 0, 7)]);
}

#[tokio::test]
async fn a_new_topic_shows_before_anything_of_it_is_stored() {
    let mut world = World::new();
    world.later_refresh().await;
    world.kafka.create("orders", 1, &[]);
    world.append("orders", 0, 3);

    world.later_refresh().await;

    let view = world.view_of("orders").await.expect("the topic shows");
    assert_eq!((view.state, view.stale, view.progress), (State::CREATED, false, Some(0.0)));
}

#[tokio::test]
async fn a_log_end_observed_by_a_clock_that_was_off_does_not_hide_the_true_one() {
    let mut world = World::new();
    world.kafka.create("orders", 1, &[]);
    world.append("orders", 0, 3);
    let now = world.now();
    world.clock.set(Millis(now.0 + 3_600_000));
    world.later_refresh().await;
    world.clock.set(now);
    world.append("orders", 0, 5);

    world.later_refresh().await;
    world.later_refresh().await;

    assert_eq!(world.facts("orders").await.ends[&Partition(0)].log_end, Offset(8));
}

#[tokio::test]
async fn the_series_of_a_deleted_topic_end_after_two_refreshes_and_not_at_the_first_sight() {
    let mut world = World::new();
    for topic in ["orders", "clicks"] {
        world.kafka.create(topic, 1, &[]);
        world.append(topic, 0, 5);
    }
    world.drain().await;
    world.later_refresh().await;
    world.kafka.delete("orders");

    assert!(world.later_refresh().await.retired.is_empty());
    assert!(world.view_of("orders").await.is_some());
    assert_eq!(world.later_refresh().await.retired, [std::sync::Arc::<str>::from("orders")]);
    let stored = |view: Option<TopicView>| view.map(|view| (view.live, view.progress, view.present.records));
    assert_eq!(stored(world.view_of("orders").await), Some((false, None, 5)), "it is in the storage still");
    assert_eq!(stored(world.view_of("clicks").await), Some((true, Some(1.0), 5)));
    let report = world.later_refresh().await;
    assert_eq!((report.standings, report.retired.len()), (0, 0));

    // Also after a loss of the store.
    world.wipe();
    world.later_refresh().await;
    assert!(world.later_refresh().await.complete);
    assert_eq!(stored(world.view_of("orders").await), Some((false, None, 5)));
    // Until it is not in the storage any more.
    world.objects.delete("main/orders/1/0/00000000000000000000.kan").await.unwrap();
    world.later_refresh().await;
    assert_eq!(stored(world.view_of("orders").await), Some((false, None, 0)));
}

#[tokio::test]
async fn a_topic_created_again_counts_both_and_shows_how_far_the_new_one_is() {
    let mut world = World::new();
    world.kafka.create("orders", 2, &[]);
    world.append("orders", 0, 5);
    world.append("orders", 1, 5);
    world.drain().await;
    world.later_refresh().await;
    world.kafka.delete("orders");
    world.kafka.create("orders", 1, &[]);
    world.append("orders", 0, 2);
    world.drain().await;
    world.wipe();

    world.later_refresh().await;

    let view = world.view_of("orders").await.unwrap();
    assert_eq!((view.totals.records, view.totals.segments), (12, 3));
    assert_eq!(view.partitions.values().map(|it| it.last_offset).collect::<Vec<_>>(), [Some(Offset(1))]);
    assert_eq!(view.progress, Some(1.0));
    assert_eq!(view.present, view.totals);
}

#[tokio::test]
async fn a_topic_that_comes_back_counts_what_was_stored_of_it_before() {
    let mut world = World::new();
    world.kafka.create("orders", 1, &[]);
    world.append("orders", 0, 5);
    world.drain().await;
    world.later_refresh().await;
    let before = world.view_of("orders").await.unwrap().totals;
    world.kafka.delete("orders");
    for _ in 0..3 {
        world.later_refresh().await;
    }
    assert!(!world.view_of("orders").await.unwrap().live);

    world.kafka.create("orders", 1, &[]);
    world.later_refresh().await;

    let view = world.view_of("orders").await.unwrap();
    assert_eq!((view.totals, view.progress), (before, Some(1.0)));
    assert_ne!(before, Totals::default());
    assert_eq!(view.partitions.values().map(|it| it.last_offset).collect::<Vec<_>>(), [None]);
}

#[tokio::test]
async fn what_was_said_of_partitions_that_the_topic_has_no_more_is_taken_out_and_what_is_stored_stays() {
    let mut world = World::new();
    world.kafka.create("orders", 3, &[]);
    (0..2).for_each(|partition| world.append("orders", partition, 5));
    world.drain().await;
    world.later_refresh().await;
    assert_eq!(world.snapshot().await.registers.topics["orders"].chains.len(), 3);
    world.kafka.delete("orders");
    world.kafka.create("orders", 1, &[]);
    world.append("orders", 0, 2);
    world.drain().await;
    world.carry().await;
    for _ in 0..2 {
        world.later_refresh().await;
    }
    let registers = world.snapshot().await.registers.topics.remove("orders").unwrap();
    let said: Vec<_> = registers.chains.iter().map(|((n, p), chain)| (*n, p.0, chain.job.is_some())).collect();
    assert_eq!(said, [(1, 0, false), (1, 1, false), (2, 0, true)], "of (1, 2) nothing was ever stored");
    assert_eq!(world.view_of("orders").await.unwrap().totals.records, 12);
}

#[tokio::test]
async fn the_word_of_an_owner_whose_clock_is_ahead_is_taken_out_so_that_others_are_heard() {
    let mut world = World::new();
    world.kafka.create("orders", 1, &[]);
    world.append("orders", 0, 5);
    let hour = Millis(3_600_000);
    world.clock.advance(hour);
    world.drain().await;
    world.clock.set(Millis(world.now().0 - hour.0));
    world.later_refresh().await;
    world.later_refresh().await;
    let job = |registers: TopicRegisters| registers.chains[&(1, Partition(0))].job.clone();
    assert_eq!(job(world.snapshot().await.registers.topics.remove("orders").unwrap()), None);
    world.append("orders", 0, 1);
    world.drain().await;
    world.carry().await;
    let heard = job(world.snapshot().await.registers.topics.remove("orders").unwrap()).unwrap();
    assert!(heard.owner_epoch <= world.now().0.unsigned_abs(), "{heard:?}");
}
