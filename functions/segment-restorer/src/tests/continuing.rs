//! Restores that their deadline stops, and that go on by themselves.

use shared::{adapters::memory::objects::MemoryObjects, ports::objects::ListRequest};

use super::*;
use crate::run;

/// A run that has time for nothing but what a transaction takes; the schedule's, where there is no plan.
async fn run_until(world: &World, plan: Option<&str>, deadline: Millis) -> Option<RestoreReport> {
    let mut context = world.context();
    context.limits.deadline_margin = Duration::ZERO;
    let asked = plan.map(asked).unwrap_or_default();
    run(Restore { deadline: Some(deadline), ..asked }, &context).await.unwrap()
}

async fn under_way(objects: &MemoryObjects) -> usize {
    objects.list(ListRequest::prefix("main/=restores/")).await.unwrap().objects.len()
}

fn later(world: &World) -> Millis {
    world.clock.advance(Millis(180_000));
    Millis(shared::ports::clock::Clock::now(&*world.clock).0 + 30_000)
}

#[tokio::test(start_paused = true)]
async fn what_a_deadline_stopped_is_gone_on_with_until_it_is_done() {
    let world = World::with(12).await;
    let report = run_until(&world, Some(ORDERS), NOW).await.unwrap();
    assert_eq!((report.outcome, under_way(&world.objects).await), (Outcome::Stopped, 1));
    let report = run_until(&world, None, later(&world)).await.unwrap();
    assert_eq!((report.outcome, under_way(&world.objects).await), (Outcome::Done, 0), "{report:?}");
    world.assert_same("orders").await;
    assert_eq!(run_until(&world, None, later(&world)).await, None, "nothing is left to do");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_died_is_started_again_and_one_that_works_is_not_disturbed() {
    let world = World::with(12).await;
    let deadline = Millis(NOW.0 + 60_000);
    {
        let mut context = world.context();
        context.limits.deadline_margin = Duration::ZERO;
        let mut dies = std::pin::pin!(run(Restore { deadline: Some(deadline), ..asked(ORDERS) }, &context));
        // Until it has noted what it does.
        while under_way(&world.objects).await == 0 {
            assert!(futures::poll!(&mut dies).is_pending(), "it is not done before it noted what it does");
        }
    }
    assert_eq!(run_until(&world, None, deadline).await, None, "for all that is known it works");
    let report = run_until(&world, None, later(&world)).await.unwrap();
    assert_eq!((report.outcome, under_way(&world.objects).await), (Outcome::Done, 0), "{report:?}");
    world.assert_same("orders").await;
}

#[tokio::test(start_paused = true)]
async fn what_comes_no_further_or_is_refused_is_given_up() {
    let world = World::with(12).await;
    run_until(&world, Some(ORDERS), NOW).await;
    for _ in 0..2 {
        world.clock.advance(Millis(120_000));
        run_until(&world, None, NOW).await;
    }
    assert_eq!(under_way(&world.objects).await, 0, "three runs came no further");
    let refused = run_until(&world, Some("[[topics]]\nsource = \"nothing\""), later(&world)).await.unwrap();
    assert_eq!((refused.outcome, under_way(&world.objects).await), (Outcome::Refused, 0));
}
