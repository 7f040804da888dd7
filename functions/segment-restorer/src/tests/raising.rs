//! Settings of the target that are raised for a run and put back.

use std::pin::Pin;

use shared::{ports::records::Publisher as _, restore::PROGRESS_TOPIC};

use super::*;

const RAISING: &str = "raise_settings = true\n[[topics]]\nsource = \"orders\"\ntarget = \"copy\"";
const PLAIN: &str = "[[topics]]\nsource = \"orders\"\ntarget = \"copy\"";

/// A target that keeps a millisecond, refuses what is older, and is asked for sizes.
async fn target(world: &World) -> TopicSettings {
    let settings = [("retention.ms", "1"), ("message.timestamp.before.max.ms", "1"), ("max.message.bytes", "1048588")];
    let settings = settings.map(|(name, value)| (name, value.to_owned()));
    world.target.create_topic("copy", PARTITIONS, &settings).await.unwrap();
    settings_of(world).await
}

async fn settings_of(world: &World) -> TopicSettings {
    world.target.overrides(&["copy".into()]).await.unwrap().swap_remove(0).unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_would_be_refused_or_deleted_is_restored_and_the_settings_are_as_before() {
    let world = World::with(20).await;
    let before = target(&world).await;
    let refused = world.restore(PLAIN).await;
    assert_eq!(refused.outcome, Outcome::Refused);
    let report = world.restore(RAISING).await;
    assert_eq!(report.outcome, Outcome::Done, "{report:?}");
    let told: String = report.findings.iter().map(ToString::to_string).collect();
    assert!(told.contains("retention.ms from 1 to -1") && told.contains("Kafka deletes what is older"), "{told}");
    world.assert_same("copy").await;
    assert_eq!(settings_of(&world).await, before);
}

#[tokio::test(start_paused = true)]
async fn killed_anywhere_the_next_run_puts_back_what_was_before() {
    let mut raised = 0;
    for steps in (1..300).step_by(11) {
        let world = World::with(20).await;
        let before = target(&world).await;
        let context = world.context();
        let mut run = Box::pin(handle(asked(RAISING), &context));
        for _ in 0..steps {
            if futures::poll!(&mut run).is_ready() {
                break;
            }
            a_moment().await;
        }
        drop(run);
        raised += usize::from(settings_of(&world).await != before);
        // Whether the next run raises itself or finds them raised: in the end they are as they were.
        let next = if steps % 2 == 0 { RAISING } else { PLAIN };
        let report = world.restore(next).await;
        let is_known = matches!(report.outcome, Outcome::Done | Outcome::Refused);
        assert!(is_known, "{steps}: {report:?}");
        assert_eq!(world.restore(RAISING).await.outcome, Outcome::Done, "{steps}");
        assert_eq!(settings_of(&world).await, before, "{steps}");
        world.assert_same("copy").await;
    }
    assert!(raised > 3, "kills hit while they were raised: {raised}");
}

#[tokio::test(start_paused = true)]
async fn a_restore_that_fails_or_stops_puts_them_back_too() {
    let world = World::with(20).await;
    let before = target(&world).await;
    let deadline = Restore { deadline: Some(NOW), ..asked(RAISING) };
    assert_eq!(handle(deadline, &world.context()).await.unwrap().outcome, Outcome::Stopped);
    assert_eq!(settings_of(&world).await, before);
    world.damage_a_segment().await;
    assert_eq!(world.restore(RAISING).await.outcome, Outcome::Failed);
    assert_eq!(settings_of(&world).await, before);
    let told =
        read_all(world.target.fetch(&[(TopicPartition::new(PROGRESS_TOPIC, 0), Offset(0))]).await.unwrap()).await;
    let of_settings = told.iter().filter(|record| record.key.as_ref().unwrap().windows(6).any(|it| it == b"raised"));
    assert!(of_settings.last().unwrap().value.is_none(), "nothing is raised any more");
}

/// Polls a restore until it has raised the settings of its target.
async fn until_raised<F: Future>(run: &mut Pin<Box<F>>, world: &World, before: &TopicSettings) {
    while settings_of(world).await == *before {
        assert!(futures::poll!(&mut *run).is_pending(), "it ended before it was seen to raise settings");
        a_moment().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_somebody_sets_meanwhile_stays() {
    for next in [RAISING, PLAIN] {
        let world = World::with(20).await;
        let before = target(&world).await;
        let context = world.context();
        let mut killed = Box::pin(handle(asked(RAISING), &context));
        until_raised(&mut killed, &world, &before).await;
        drop(killed);
        let theirs = [("max.message.bytes", Some("2000000".to_owned()))];
        world.target.alter_topic("copy", &theirs).await.unwrap();
        world.restore(next).await;
        assert_eq!(world.restore(RAISING).await.outcome, Outcome::Done);
        let mut expected = before;
        expected.insert("max.message.bytes".to_owned(), "2000000".to_owned());
        assert_eq!(settings_of(&world).await, expected, "{next}");
        world.assert_same("copy").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_another_has_taken_over_puts_nothing_back() {
    let world = World::with(20).await;
    let before = target(&world).await;
    let (first, second) = (world.context(), world.context());
    let mut run = Box::pin(handle(asked(RAISING), &first));
    until_raised(&mut run, &world, &before).await;
    let raised = settings_of(&world).await;
    let mut other = Box::pin(handle(asked(RAISING), &second));
    let id = world.target.topics(Some(&["copy".into()])).await.unwrap().swap_remove(0).id;
    let restore = [RestoreId::of("memory", "main", &id)];
    let runs = || async {
        let known = crate::progress_log::read(&world.target, &restore).await.unwrap().progress;
        known[&restore[0]].run.as_ref().map_or(0, |run| run.number)
    };
    while runs().await < 2 {
        assert!(futures::poll!(&mut other).is_pending(), "it ended before it was seen to begin");
        a_moment().await;
    }
    let report = run.await.unwrap();
    assert_eq!(report.outcome, Outcome::TakenOver, "{report:?}");
    assert_eq!(settings_of(&world).await, raised);
    assert_eq!(other.await.unwrap().outcome, Outcome::Done);
    assert_eq!(settings_of(&world).await, before);
    world.assert_same("copy").await;
}
