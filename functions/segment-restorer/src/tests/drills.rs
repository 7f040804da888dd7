//! Drills over the ports in memory.

use shared::{
    adapters::memory::{event_gateway::MemoryGateway, store::MemoryStore},
    job::State,
    metrics::{
        drills::{self, Drills},
        push::{Event, Kind as PushKind},
        runs,
    },
    ports::store::{Query, Store as _, Value},
    pushing::Pushing,
    restore::PROGRESS_TOPIC,
};

use super::*;
use crate::{Answer, Drill, DrillReport, Input, RestoreError, answer, drill::drill};

async fn drilled(world: &World, input: Drill) -> DrillReport {
    drill(&input, None, &world.context()).await.unwrap()
}

/// The topics of the target but for the one that says how restores are.
async fn left(world: &World) -> Vec<Arc<str>> {
    let topics = world.target.topics(None).await.unwrap().into_iter().map(|topic| topic.name);
    topics.filter(|name| **name != *PROGRESS_TOPIC).collect()
}

/// The keys of the progress topic that still have a value.
async fn known_restores(world: &World) -> usize {
    let fetch = world.target.fetch(&[(TopicPartition::new(PROGRESS_TOPIC, 0), Offset(0))]).await.unwrap();
    let mut last = BTreeMap::new();
    for record in read_all(fetch).await {
        last.insert(record.key, record.value);
    }
    last.values().filter(|value| value.is_some()).count()
}

#[tokio::test(start_paused = true)]
async fn everything_comes_back_as_it_was_stored_and_nothing_stays_behind() {
    let world = World::with(40).await;
    let report = drilled(&world, Drill::default()).await;
    assert!(report.good && report.records() == 120, "{report:?}");
    let partitions = &report.topics[0].partitions;
    assert_eq!(partitions.len(), 3);
    assert!(partitions.iter().all(|it| it.segments == it.segments_total && it.segments > 1 && it.from == Offset(0)));
    assert_eq!(left(&world).await, [] as [Arc<str>; 0]);
    assert_eq!(known_restores(&world).await, 0, "what was known of the restore is taken out of the progress topic");
    let pins = world.objects.list(ListRequest::prefix("main/=pins/")).await.unwrap();
    assert!(pins.objects.is_empty(), "{pins:?}");
}

#[tokio::test(start_paused = true)]
async fn a_damaged_segment_is_found_by_its_key_and_the_scratch_topic_is_removed() {
    let world = World::with(20).await;
    let key = world.damage_a_segment().await;
    let report = drilled(&world, Drill::default()).await;
    assert!(!report.good && report.topics[0].error.as_ref().unwrap().contains(&key), "{report:?}");
    assert_eq!(left(&world).await, [] as [Arc<str>; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_segment_that_was_removed_is_found() {
    let world = World::with(40).await;
    for victim in [1, 0] {
        let listed = world.objects.list(ListRequest::prefix("main/orders/1/1/")).await.unwrap();
        world.objects.delete(&listed.objects[victim].key).await.unwrap();
        let report = drilled(&world, Drill::default()).await;
        let error = report.topics[0].error.as_ref().unwrap();
        assert!(!report.good && error.contains("main/orders/1/1"), "{report:?}");
        assert_eq!(left(&world).await, [] as [Arc<str>; 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_sample_says_what_it_took_and_sees_other_segments_at_another_time() {
    let world = World::with(40).await;
    let sample = || Drill { sample: true, ..Drill::default() };
    let whole = drilled(&world, Drill::default()).await;
    let mut seen = std::collections::BTreeSet::new();
    for moment in 0..4 {
        world.clock.set(Millis(NOW.0 + moment));
        let report = drilled(&world, sample()).await;
        assert!(report.good && report.sample, "{report:?}");
        let partitions = &report.topics[0].partitions;
        assert!(partitions.iter().all(|it| it.segments > 0 && it.records > 0), "{partitions:?}");
        seen.insert(partitions[0].from);
    }
    assert!(seen.len() > 1 && whole.records() == 120, "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn of_two_drills_at_once_one_says_that_the_other_runs() {
    let world = World::with(20).await;
    let (one, other) = (world.context(), world.context());
    let input = Drill::default();
    let (one, other) = tokio::join!(drill(&input, None, &one), drill(&input, None, &other));
    let under_way = |it: &Result<DrillReport, RestoreError>| matches!(it, Err(RestoreError::DrillUnderWay { .. }));
    assert!(one.as_ref().is_ok_and(|report| report.good) && under_way(&other), "{one:?}, {other:?}");
}

#[tokio::test(start_paused = true)]
async fn a_drill_that_was_killed_anywhere_leaves_a_topic_that_the_next_one_names_and_removes() {
    let mut leftovers = 0;
    for steps in (1..300).step_by(17) {
        let world = World::with(20).await;
        world.target.create("highwater-drill.other.7-0", 1, &[]);
        let (context, input) = (world.context(), Drill::default());
        let mut run = Box::pin(drill(&input, None, &context));
        for _ in 0..steps {
            if futures::poll!(&mut run).is_ready() {
                break;
            }
            a_moment().await;
        }
        drop(run);
        let scratch: Vec<_> =
            left(&world).await.into_iter().filter(|name| name.starts_with("highwater-drill.main.")).collect();
        // The pin of the one that was killed ends with its lease.
        world.clock.set(Millis(NOW.0 + 61_000));
        let next = drilled(&world, Drill::default()).await;
        assert!(next.good && next.leftovers_removed == scratch, "{steps}: {next:?}, {scratch:?}");
        assert_eq!(left(&world).await, [Arc::<str>::from("highwater-drill.other.7-0")], "{steps}");
        assert_eq!(known_restores(&world).await, 0, "{steps}");
        leftovers += scratch.len();
    }
    assert!(leftovers > 3, "kills hit while a scratch topic was there: {leftovers}");
}

#[tokio::test(start_paused = true)]
async fn the_last_drill_and_the_last_good_one_are_kept_and_shown_as_a_job() {
    let world = World::with(20).await;
    let store = Arc::new(MemoryStore::new(world.clock.clone()));
    let gateway = Arc::new(MemoryGateway::default());
    let mut context = world.context();
    context.store = Some(store.clone());
    context.pushing = Some(Pushing { gateway: gateway.clone(), namespace: "n".into() });
    drill(&Drill::default(), None, &context).await.unwrap();
    world.damage_a_segment().await;
    world.clock.set(Millis(NOW.0 + 9));
    drill(&Drill::default(), None, &context).await.unwrap();

    let answers = store.read(&[Query::Registers(drills::KEY.to_owned())]).await.unwrap();
    let [Value::Registers(registers)] = &answers[..] else { panic!("{answers:?}") };
    let [Drills { last, last_good: Some(good) }] = &drills::read(registers)[..] else { panic!("{registers:?}") };
    assert!(!last.good && last.at == Millis(NOW.0 + 9), "{last:?}");
    assert_eq!((good.at, good.records), (NOW, 60));
    let pushes = gateway.pushes();
    assert!(pushes.iter().all(|it| (it.kind, &*it.name, &*it.topic) == (PushKind::Drills, "main", "orders")));
    let ends: Vec<_> = pushes.iter().filter(|it| it.event == Event::Stopped).map(|it| it.body.state).collect();
    assert_eq!(ends, [Some(State::DONE), Some(State::FAILED)]);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_drilled_is_an_error() {
    let world = World::with(10).await;
    let context = world.context();
    let unknown = Drill { topics: vec!["nothing".parse().unwrap()], ..Drill::default() };
    assert!(matches!(drill(&unknown, None, &context).await, Err(RestoreError::NothingToDrill { .. })));
    let late = drill(&Drill::default(), Some(NOW), &context).await;
    assert!(matches!(late, Err(RestoreError::DrillOutOfTime { .. })), "{late:?}");
    assert_eq!(left(&world).await, [] as [Arc<str>; 0]);
}

#[tokio::test(start_paused = true)]
async fn scheduled_drills_are_counted_by_what_failed_and_the_last_success_has_a_time() {
    let world = World::with(5).await;
    let store = Arc::new(MemoryStore::new(world.clock.clone()));
    let context = Context { store: Some(store.clone()), ..world.context() };
    let drill = |topic: &str| crate::Input {
        drill: Some(Drill { topics: vec![topic.parse().unwrap()], ..Drill::default() }),
        ..crate::Input::default()
    };
    crate::answer(drill("nothing"), &context).await.unwrap_err();
    crate::answer(drill("orders"), &context).await.unwrap();
    let told = runs::read(&store.read(&runs::queries()).await.unwrap());
    assert_eq!(told.failures, [(crate::NAME, runs::FailureKind::Settings, 1)]);
    let successes: Vec<_> = told.successes.iter().map(|it| (&*it.function, &*it.backup)).collect();
    assert_eq!(successes, [(crate::NAME, "main")]);
}

#[tokio::test(start_paused = true)]
async fn a_drill_on_a_schedule_is_due_when_the_last_of_its_kind_is_long_enough_ago() {
    let world = World::with(10).await;
    let mut context = world.context();
    context.store = Some(Arc::new(MemoryStore::new(world.clock.clone())));
    let drilled = async |sample| {
        let drill = Drill { sample, unless_within_ms: Some(1_000), ..Drill::default() };
        let answer = answer(Input { drill: Some(drill), ..Input::default() }, &context).await.unwrap();
        matches!(answer, Answer::Drilled(_))
    };
    assert!(drilled(false).await);
    assert!(drilled(true).await, "a sample is another kind");
    world.clock.set(Millis(NOW.0 + 999));
    assert!(!drilled(false).await);
    world.clock.set(Millis(NOW.0 + 1_000));
    assert!(drilled(false).await);
}
