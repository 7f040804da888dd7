//! A location that is down.

use std::time::Duration;

use shared::replication::{ReasonKind, State};

use super::world::World;
use crate::{Input, handle};

#[tokio::test(start_paused = true)]
async fn a_location_that_was_down_has_everything_when_it_is_back_and_each_attempt_was_counted() {
    let world = World::new();
    world.back_up(0, 2).await;
    world.back_up(1, 1).await;
    world.set_up(false);
    assert_eq!(world.drain().await.replicated.unwrap().failed, 3);
    for status in world.statuses().await {
        assert_eq!((status.state, status.reason_kind), (State::Failed, Some(ReasonKind::Unavailable)));
        assert!(status.reason.unwrap().contains("does not answer"));
    }
    assert_eq!(world.failed_hints().await, 3);
    assert_eq!(world.events().await["failed"], 3);

    world.set_up(true);
    assert_eq!(world.drain().await.replicated.unwrap().completed, 0, "nothing is due yet");
    world.later(Duration::from_secs(6));
    assert_eq!(world.drain().await.replicated.unwrap().completed, 3);
    world.assert_whole().await;
    assert_eq!(world.states().await, [((State::Completed, 2), 3)].into());
    assert_eq!(world.failed_hints().await, 0);
    let events = world.events().await;
    assert_eq!((events["queued"], events["failed"], events["completed"]), (6, 3, 3));
}

#[tokio::test(start_paused = true)]
async fn so_many_attempts_are_made_and_then_none_until_somebody_asks() {
    let mut world = World::new();
    world.context.limits.attempts_max = 3;
    world.back_up(0, 1).await;
    world.set_up(false);
    for _ in 0..5 {
        world.drain().await;
        world.later(Duration::from_secs(3_600));
    }
    let status = world.statuses().await.remove(0);
    assert_eq!((status.state, status.attempt, status.retry_at), (State::Failed, 3, None));
    assert_eq!(world.failed_hints().await, 1);
}

#[tokio::test(start_paused = true)]
async fn to_a_paused_location_nothing_is_copied_until_it_is_resumed_or_the_pause_is_over() {
    use shared::{archive, ports::clock::Clock as _, record::Millis};
    let world = World::new();
    world.back_up(0, 2).await;
    let now = world.clock.now();
    archive::pause_location(&*world.source, "there", now).await.unwrap();
    assert_eq!(world.drain().await.replicated.unwrap().completed, 0);
    archive::schedule_resume(&*world.source, "there", Some(Millis(now.0 + 3_600_000)), now).await.unwrap();
    assert_eq!(world.drain().await.replicated.unwrap().completed, 0);
    world.later(Duration::from_secs(3_600));
    assert_eq!(world.drain().await.replicated.unwrap().completed, 2);
    world.assert_whole().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_given_up_is_tried_again_when_somebody_asks() {
    use shared::{archive, ports::clock::Clock as _};
    let mut world = World::new();
    world.context.limits.attempts_max = 1;
    world.back_up(0, 1).await;
    world.set_up(false);
    world.drain().await;
    world.set_up(true);
    world.later(Duration::from_secs(86_400));
    assert_eq!(world.drain().await.replicated.unwrap().completed, 0);
    let status = world.statuses().await.remove(0);
    assert!(archive::retry_now(&*world.source, &status, world.clock.now()).await.unwrap());
    assert_eq!(world.drain().await.replicated.unwrap().completed, 1);
    assert_eq!((world.failed_hints().await, world.states().await), (0, [((State::Completed, 2), 1)].into()));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_fails_is_counted_by_kind_and_the_last_success_has_a_time() {
    use shared::{metrics::runs, ports::store::Store as _, runs::FailureKind};
    let world = World::new();
    world.back_up(0, 1).await;
    world.set_up(false);
    let reconcile = || Input::Reconcile { location: None };
    handle(reconcile(), &world.context).await.unwrap_err();
    handle(Input::Drain { location: Some("nowhere".into()) }, &world.context).await.unwrap_err();
    let runs = async || runs::read(&world.store.read(&runs::queries()).await.unwrap());
    let failed = runs().await;
    let expected = [(crate::NAME, FailureKind::Settings, 1), (crate::NAME, FailureKind::Storage, 1)];
    assert_eq!((failed.failures.as_slice(), failed.successes.len()), (&expected[..], 0));
    world.set_up(true);
    handle(reconcile(), &world.context).await.unwrap();
    assert_eq!(runs().await.successes.len(), 1);
}
