//! Log ends, new topics, deleted topics.

use shared::{
    chain::Totals,
    job::State,
    metrics::standing::Message,
    record::{Millis, Offset, Partition},
};

use super::world::World;

#[tokio::test]
async fn a_refresh_says_where_every_selected_log_ends_and_nothing_of_others() {
    let world = World::new();
    world.kafka.create("orders", 2, &[]);
    world.kafka.create("scratch-tmp", 1, &[]);
    world.append("orders", 1, 7);

    let (report, messages) = world.published_by(world.refresh()).await;

    assert_eq!((report.topics, report.ends, report.failures.len()), (1, 2, 0), "{report:?}");
    let ends = |message: &Message| match message {
        Message::Ends(ends) => (ends.topic.to_string(), ends.partition.0, ends.log_start.0, ends.log_end.0),
        other => panic!("{other:?}"),
    };
    let said: Vec<_> = messages.iter().map(ends).collect();
    assert_eq!(said, [("orders".to_owned(), 0, 0, 0), ("orders".to_owned(), 1, 0, 7)]);
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
    assert_eq!(world.view_of("orders").await, None);
    assert!(world.view_of("clicks").await.is_some());
    // It is still in the storage, and not said again.
    assert_eq!(world.later_refresh().await.standings, 0);
    assert_eq!(world.view_of("orders").await, None);
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
    assert_eq!(world.view_of("orders").await, None);

    world.kafka.create("orders", 1, &[]);
    world.later_refresh().await;

    let view = world.view_of("orders").await.unwrap();
    assert_eq!((view.totals, view.progress), (before, Some(1.0)));
    assert_ne!(before, Totals::default());
    assert_eq!(view.partitions.values().map(|it| it.last_offset).collect::<Vec<_>>(), [None]);
}
