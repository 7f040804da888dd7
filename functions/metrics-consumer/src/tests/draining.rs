use std::time::Duration;

use super::world::*;
use crate::{CountError, Input, handle, handle_within};
use shared::{
    adapters::memory::store::Contents,
    metrics::runs::{self, FailureKind},
    ports::store::Store as _,
    record::{Millis, Offset},
};

#[tokio::test]
async fn a_drain_counts_all_partitions_to_their_ends() {
    let world = World::new(3, 3);
    for n in 0..90 {
        world.append(n % 3, &queued("a", 1));
    }
    let report = handle(Input::Drain, &world.context()).await.unwrap();
    assert!(report.counted.iter().all(|counted| counted.position == Some(Offset(30))), "{report:?}");
    assert_eq!(world.pending("a").await.as_deref(), Some("90"));
    handle(Input::Drain, &world.context()).await.unwrap();
    assert_eq!(world.pending("a").await.as_deref(), Some("90"));
    assert_eq!(world.committed(1).await, Some(Offset(30)));
}

#[tokio::test]
async fn an_empty_topic_has_nothing_to_count() {
    let world = World::new(3, 2);
    let report = handle(Input::Drain, &world.context()).await.unwrap();
    assert!(report.counted.iter().all(|counted| counted.position.is_none()));
    assert_eq!(world.store.keys(), [""; 0]);
}

#[tokio::test]
async fn offsets_that_do_not_exist_and_what_was_aborted_are_passed_over() {
    let world = World::new(5, 1);
    let compacted = world.append(0, &queued("a", 1));
    world.append(0, &queued("a", 1));
    let aborted = world.kafka.begin();
    world.kafka.append_in(aborted, &tp(0), record(&queued("a", 1)));
    world.kafka.abort_transaction(aborted);
    world.append(0, &queued("a", 1));
    world.kafka.skip(&tp(0), 4);
    world.kafka.compact(&tp(0), compacted);
    handle(Input::Drain, &world.context()).await.unwrap();
    assert_eq!(world.position(0).await.as_deref(), Some("9"), "the end of the log, where no message is");
    world.append(0, &queued("a", 1));
    handle(Input::Drain, &world.context()).await.unwrap();
    assert_eq!(world.pending("a").await.as_deref(), Some("3"));
}

#[tokio::test]
async fn messages_of_an_open_transaction_count_when_it_commits() {
    let world = World::new(5, 1);
    let open = world.kafka.begin();
    world.kafka.append_in(open, &tp(0), record(&queued("a", 1)));
    world.append(0, &queued("a", 1));
    handle(Input::Drain, &world.context()).await.unwrap();
    assert_eq!(world.pending("a").await, None);
    world.kafka.commit_transaction(open);
    handle(Input::Drain, &world.context()).await.unwrap();
    assert_eq!(world.pending("a").await.as_deref(), Some("2"));
}

#[tokio::test]
async fn what_kafka_no_longer_has_is_passed_over_and_the_rest_counts() {
    let world = World::new(5, 1);
    for _ in 0..4 {
        world.append(0, &queued("a", 1));
    }
    handle(Input::Drain, &world.context()).await.unwrap();
    for _ in 0..4 {
        world.append(0, &queued("a", 1));
    }
    world.kafka.trim(&tp(0), Offset(6));
    handle(Input::Drain, &world.context()).await.unwrap();
    assert_eq!(world.pending("a").await.as_deref(), Some("6"), "4 before and the 2 that are left");

    world.store.restore(Contents::default());
    handle(Input::Drain, &world.context()).await.unwrap();
    assert_eq!(world.pending("a").await.as_deref(), Some("2"), "an empty store is counted up from what kafka has");
}

#[tokio::test]
async fn a_store_that_went_back_is_counted_up_from_where_it_stands() {
    let world = World::new(7, 1);
    for _ in 0..4 {
        world.append(0, &queued("a", 1));
    }
    handle(Input::Drain, &world.context()).await.unwrap();
    let earlier = world.store.snapshot();
    for _ in 0..4 {
        world.append(0, &queued("a", 1));
    }
    handle(Input::Drain, &world.context()).await.unwrap();
    world.store.restore(earlier);
    assert_eq!(world.pending("a").await.as_deref(), Some("4"));
    handle(Input::Event(world.event(0, 7, 8).await), &world.context()).await.unwrap();
    assert_eq!(world.pending("a").await.as_deref(), Some("8"));
}

#[tokio::test]
async fn a_topic_that_was_deleted_and_created_again_is_counted_from_its_beginning() {
    let world = World::new(7, 1);
    for _ in 0..4 {
        world.append(0, &queued("a", 1));
    }
    handle(Input::Drain, &world.context()).await.unwrap();
    world.kafka.delete(TOPIC);
    let error = handle(Input::Drain, &world.context()).await.unwrap_err();
    assert!(matches!(&error, CountError::NoTopic(_)) && error.retry(), "{error}");
    world.kafka.create(TOPIC, 1, &[]);
    for _ in 0..2 {
        world.append(0, &queued("a", 1));
    }
    handle(Input::Drain, &world.context()).await.unwrap();
    assert_eq!(world.pending("a").await.as_deref(), Some("6"));
}

#[tokio::test]
async fn the_backlog_is_right_across_windows() {
    // The original's generation A answers 0 here: what was queued before the window is not in it.
    let world = World::new(7, 1);
    let at = |ago_ms: i64, message: String| {
        let timestamp = Millis(AT.0 - ago_ms);
        let value = message.replace(&AT.to_string(), &timestamp.to_string());
        world.kafka.append(&tp(0), shared::record::Record { timestamp, ..record(&value) });
    };
    at(15 * 60_000, queued("a", 100));
    at(1_000, queued("a", 2));
    at(0, site("completed", "a", 50));
    handle(Input::Drain, &world.context()).await.unwrap();
    assert_eq!(world.pending("a").await.as_deref(), Some("52"));
}

#[tokio::test]
async fn a_replay_a_day_later_leaves_the_windows_as_they_were() {
    let world = World::new(7, 1);
    world.append(0, &queued("a", 3));
    world.clock.advance(Millis(24 * 3_600_000));
    handle(Input::Drain, &world.context()).await.unwrap();
    assert_eq!(world.pending("a").await.as_deref(), Some("3"));
    assert!(
        !world.store.keys().iter().any(|key| key.contains(":requests:")),
        "yesterday's interval is nobody's window now"
    );
}

#[tokio::test]
async fn a_run_whose_time_is_over_says_how_far_it_came_and_an_event_comes_again() {
    let world = World::new(1, 1);
    for _ in 0..6 {
        world.append(0, &queued("a", 1));
    }
    handle(Input::Event(world.event(0, 0, 2).await), &world.context()).await.unwrap();

    let report = handle_within(Input::Drain, &world.context(), Duration::ZERO).await.unwrap();
    assert_eq!(report.counted[0].position, Some(Offset(2)));
    let event = Input::Event(world.event(0, 4, 6).await);
    let error = handle_within(event.clone(), &world.context(), Duration::ZERO).await.unwrap_err();
    assert!(matches!(error, CountError::OutOfTime { position: Offset(2), .. }) && error.retry(), "{error}");
    assert_eq!(world.pending("a").await.as_deref(), Some("2"));

    handle_within(event, &world.context(), Duration::from_secs(60)).await.unwrap();
    assert_eq!(world.pending("a").await.as_deref(), Some("6"));
}

#[tokio::test]
async fn a_topic_that_is_created_again_before_it_is_read_is_counted_once_under_its_own_id() {
    let world = World::new(3, 1);
    world.append(0, &queued("a", 1));
    let kafka = world.kafka.clone();
    // Between the look at its id and the reading.
    *world.aggregator.at_first.lock().unwrap() = Some(Box::new(move || {
        kafka.delete(TOPIC);
        kafka.create(TOPIC, 1, &[]);
        for _ in 0..5 {
            kafka.append(&tp(0), record(&queued("a", 1)));
        }
    }));
    let error = handle(Input::Drain, &world.context()).await.unwrap_err();
    assert!(matches!(error, CountError::TopicChanged(_)), "{error}");
    assert_eq!(world.pending("a").await, None);
    handle(Input::Drain, &world.context()).await.unwrap();
    assert_eq!(world.pending("a").await.as_deref(), Some("5"));
}

#[tokio::test]
async fn drains_are_counted_by_what_failed_and_the_last_success_has_a_time() {
    let world = World::new(1, 1);
    world.append(0, &queued("a", 1));
    let runs = async || runs::read(&world.runs.read(&runs::queries()).await.unwrap());
    handle_within(Input::Drain, &world.context(), Duration::ZERO).await.unwrap();
    assert_eq!(runs().await, runs::Runs::default(), "time was up: it has neither failed nor done all it had to");
    world.set_faults(100, 0);
    handle(Input::Drain, &world.context()).await.unwrap_err();
    assert_eq!(runs().await.failures, [(crate::NAME, FailureKind::Store, 1)]);
    world.set_faults(0, 0);
    handle(Input::Drain, &world.context()).await.unwrap();
    let told = runs().await;
    let successes: Vec<_> = told.successes.iter().map(|it| (&*it.function, &*it.backup, it.at)).collect();
    assert_eq!((told.failures.len(), successes), (1, vec![(crate::NAME, "", AT)]));
    world.kafka.delete(TOPIC);
    handle(Input::Drain, &world.context()).await.unwrap_err();
    assert_eq!(runs().await.failures[0], (crate::NAME, FailureKind::Settings, 1));
}
