//! What would drain nothing and look like success is refused.

use shared::{
    adapters::memory::store::MemoryStore,
    metrics::runs::{self, FailureKind},
    ports::store::Store as _,
};

use super::*;

async fn refusal(drain: Drain) -> String {
    let world = World::new();
    world.kafka.create("orders", 1, &[]);
    world.append(3);
    let context = world.context_with_topics("orders");
    let error = handle(Input::Drain(drain), &context).await.expect_err("it drains nothing");
    assert!(!error.retry() && world.stored().await.is_empty(), "{error}");
    error.to_string()
}

fn drain() -> Drain {
    Drain::of("main")
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_has_no_partition_is_refused_with_its_range() {
    let of = |index, count| refusal(Drain { shard: Some(Shard { index, count }), ..drain() });
    assert_eq!(of(4, 4).await, "shard.index is 4: it must be below shard.count = 4, counted from 0");
    assert_eq!(of(7, 4).await, "shard.index is 7: it must be below shard.count = 4, counted from 0");
    assert_eq!(of(0, 0).await, "shard.count is 0: it must be 1 or more");
}

#[tokio::test(start_paused = true)]
async fn topics_that_cannot_be_drained_are_refused_by_name() {
    let of =
        |names: &[&str]| refusal(Drain { topics: Some(names.iter().map(ToString::to_string).collect()), ..drain() });
    assert_eq!(of(&[]).await, "topics is []: name a topic, or leave the field out for all");
    let rule = "a topic's name has 1 to 249 letters, digits, ., _ and -";
    assert_eq!(of(&["orders", ""]).await, format!("topics[1] is \"\": {rule}"));
    assert_eq!(of(&["a/b"]).await, format!("topics[0] is \"a/b\": {rule}"));
    assert_eq!(of(&["clicks"]).await, "topics[0] is \"clicks\": backups.main.topics does not select it");
}

#[tokio::test(start_paused = true)]
async fn a_deadline_before_1970_and_a_backup_that_is_not_configured_are_refused() {
    let error = refusal(Drain { deadline: Some(Millis(-1)), ..drain() }).await;
    assert_eq!(error, "deadline is -1: it must be 0 or more, in milliseconds since 1970");
    let error = refusal(Drain { backup: String::new(), ..drain() }).await;
    assert!(error.starts_with("no backup \"\" is configured"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn drains_are_counted_by_what_failed_and_the_last_success_has_a_time() {
    let world = World::new();
    let store = Arc::new(MemoryStore::new(world.clock.clone()));
    let context = world.context(&["main"]).counted_in(Some(store.clone()));
    world.back_up_and_commit_more(&context).await;
    let runs = async || runs::read(&store.read(&runs::queries()).await.unwrap());
    let well = runs().await;
    let successes: Vec<_> = well.successes.iter().map(|it| (&*it.function, &*it.backup)).collect();
    assert_eq!((well.failures.len(), successes), (0, vec![(crate::NAME, "main")]));
    // Whoever was at the log's end looks again within a quarter of an hour.
    world.clock.advance(Millis(900_000));
    assert!(!world.drain_in(&context).await.complete(), "its tail is missing");
    handle(Input::Drain(Drain { topics: Some(vec![]), ..drain() }), &context).await.unwrap_err();
    let missing = Drain { topics: Some(vec!["nowhere".into()]), ..drain() };
    handle(Input::Drain(missing), &context).await.unwrap();
    let failed = runs().await;
    assert_eq!(failed.failures, [(crate::NAME, FailureKind::Damaged, 1), (crate::NAME, FailureKind::Settings, 2)]);
}

#[tokio::test(start_paused = true)]
async fn a_drain_that_had_no_time_to_reach_the_end_has_neither_failed_nor_succeeded() {
    let world = World::new();
    world.kafka.create("orders", 1, &[]);
    world.append(3);
    let store = Arc::new(MemoryStore::new(world.clock.clone()));
    let context = world.context(&["main"]).counted_in(Some(store.clone()));
    let now = world.clock.now();
    let Output::Drain(report) = handle(Input::Drain(Drain { deadline: Some(now), ..drain() }), &context).await.unwrap()
    else {
        panic!("a drain is answered by its report")
    };
    assert!(!report.complete(), "{report:?}");
    assert_eq!(runs::read(&store.read(&runs::queries()).await.unwrap()), runs::Runs::default());
}
