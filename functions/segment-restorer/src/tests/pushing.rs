//! What a restore pushes to the event gateway.

use shared::{
    adapters::memory::event_gateway::MemoryGateway,
    job::State,
    metrics::push::{Body, Event, Kind, Ratio},
    pushing::Pushing,
};

use tokio_util::task::AbortOnDropHandle;

use super::*;

const COPY: &str = "[[topics]]\nsource = \"orders\"\ntarget = \"copy\"";

/// A context that pushes, and what it pushes to.
fn pushing(world: &World) -> (Context, Arc<MemoryGateway>) {
    let gateway = Arc::new(MemoryGateway::default());
    let mut context = world.context();
    context.limits.push_every = Duration::from_millis(10);
    context.pushing = Some(Pushing { gateway: gateway.clone(), namespace: "n".into() });
    (context, gateway)
}

/// The world's clock goes as time does, until this is dropped.
fn clock_goes(world: &World) -> AbortOnDropHandle<()> {
    let (clock, start) = (world.clock.clone(), std::time::Instant::now());
    AbortOnDropHandle::new(tokio::spawn(async move {
        loop {
            clock.set(Millis(NOW.0 + i64::try_from(start.elapsed().as_millis()).unwrap()));
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }))
}

/// What was said of the one topic, in its order.
fn said(gateway: &MemoryGateway) -> Vec<(Event, Body)> {
    let pushes = gateway.pushes();
    assert!(pushes.iter().all(|it| (it.kind, &*it.name, &*it.topic) == (Kind::Restores, "main", "copy")), "{pushes:?}");
    pushes.into_iter().map(|push| (push.event, push.body)).collect()
}

#[tokio::test]
async fn a_restore_tells_its_states_and_its_progress_is_one_only_when_the_last_record_is_committed() {
    let world = World::with(40).await;
    let (context, gateway) = pushing(&world);
    let _going = clock_goes(&world);
    let report = handle(asked(&format!("records_per_s = 200\n{COPY}")), &context).await.unwrap();
    assert_eq!(report.outcome, Outcome::Done);
    let said = said(&gateway);
    assert_eq!((said[0].0, said[0].1.state), (Event::Started, Some(State::INITIALIZING)));
    assert_eq!((said[1].0, said[1].1.state), (Event::Started, Some(State::STREAMING)));
    let (event, done) = said.last().unwrap();
    assert_eq!((*event, done.state, done.progress), (Event::Stopped, Some(State::DONE), Ratio::of(1.0)));
    assert_eq!((done.records_count, done.records_total), (Some(120), Some(120)));
    assert_eq!((done.segments_count, done.bytes_count), (done.segments_total, done.bytes_total));
    assert!(done.partitions.len() == 3 && done.partitions.iter().all(|it| it.progress == Ratio::of(1.0)));
    let under_way: Vec<_> = said.iter().filter(|(_, body)| body.state == Some(State::STREAMING)).collect();
    assert!(under_way.len() > 3, "{said:?}");
    for (_, body) in under_way {
        assert_eq!(body.progress == Ratio::of(1.0), body.records_count == Some(120), "{body:?}");
    }
}

#[tokio::test]
async fn a_restore_that_stopped_is_paused_and_the_next_one_goes_on_with_its_figures() {
    let world = World::with(40).await;
    let (context, gateway) = pushing(&world);
    let slow = format!("records_per_s = 200\n{COPY}");
    let going = clock_goes(&world);
    // It stops a minute before its deadline.
    let deadline = Restore { deadline: Some(Millis(NOW.0 + 60_300)), ..asked(&slow) };
    assert_eq!(handle(deadline, &context).await.unwrap().outcome, Outcome::Stopped);
    drop(going);
    let (_, stopped) = said(&gateway).pop().unwrap();
    let done = stopped.records_count.unwrap();
    assert!((1..120).contains(&done) && stopped.progress.unwrap().get() < 1.0, "{stopped:?}");
    assert_eq!(stopped.state, Some(State::PAUSED));

    let (context, gateway) = pushing(&world);
    handle(asked(COPY), &context).await.unwrap();
    let begun = said(&gateway).into_iter().find(|(_, body)| body.state == Some(State::STREAMING)).unwrap();
    assert_eq!((begun.0, begun.1.records_count), (Event::Started, Some(done)));
    assert_eq!(said(&gateway).pop().unwrap().1.records_count, Some(120));
}

#[tokio::test(start_paused = true)]
async fn a_restore_that_is_refused_is_invalid_and_says_why() {
    let world = World::with(10).await;
    world.target.create("copy", 1, &[]);
    let (context, gateway) = pushing(&world);
    assert_eq!(handle(asked(COPY), &context).await.unwrap().outcome, Outcome::Refused);
    let [(event, body)] = &said(&gateway)[..] else { panic!("one push") };
    assert_eq!((*event, body.state, body.progress), (Event::Stopped, Some(State::REFUSED), None));
    assert!(body.message.as_ref().unwrap().contains("partitions"), "{body:?}");
}

#[tokio::test(start_paused = true)]
async fn a_restore_that_fails_counts_it_and_keeps_what_is_committed() {
    let world = World::with(20).await;
    world.damage_a_segment().await;
    let (context, gateway) = pushing(&world);
    assert_eq!(handle(asked(COPY), &context).await.unwrap().outcome, Outcome::Failed);
    let (_, failed) = said(&gateway).pop().unwrap();
    assert_eq!((failed.state, failed.errors_count), (Some(State::FAILED), Some(1)));
    assert!(failed.progress.unwrap().get() < 1.0 && failed.message.is_some(), "{failed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_restore_that_was_killed_between_its_last_commit_and_its_last_push_is_done_with_the_next_run() {
    let world = World::with(40).await;
    let (context, gateway) = pushing(&world);
    let mut run = Box::pin(handle(asked(COPY), &context));
    while context.meter.records() != (120, 120) {
        assert!(futures::poll!(&mut run).is_pending(), "it ended before it was killed");
        // From then on nothing that it pushes arrives.
        gateway.set_away(true);
        a_moment().await;
    }
    drop(run);
    assert!(said(&gateway).iter().all(|(_, body)| body.state != Some(State::DONE)));
    let (context, gateway) = pushing(&world);
    assert_eq!(handle(asked(COPY), &context).await.unwrap().outcome, Outcome::Done);
    let said = said(&gateway);
    let begun = said.iter().find(|(_, body)| body.state == Some(State::STREAMING)).unwrap();
    assert_eq!((begun.1.records_count, begun.1.progress), (Some(120), Ratio::of(1.0)));
    let (event, done) = said.last().unwrap();
    assert_eq!((*event, done.state, done.progress), (Event::Stopped, Some(State::DONE), Ratio::of(1.0)));
    assert_eq!((done.records_count, done.records_total), (Some(120), Some(120)));
    assert_eq!((done.segments_count, done.bytes_count), (done.segments_total, done.bytes_total));
}
