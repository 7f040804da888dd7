//! Processes that are killed at any call, fail, and lose answers, while the storage may lose a tail that is accepted; what is
//! there, and counted, when they are done; and that readers find the location whole at any moment.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use shared::{
    adapters::memory::{
        faults::{Faults, FaultyKafka, FaultyObjects, Odds},
        store::MemoryStore,
    },
    metrics::{backbeat::keys::Windows, fold::fold, part::Place},
    ports::{
        records::Log as _,
        store::{Query, Store as _, Value},
    },
    record::{Partition, TopicPartition},
    replication::{Outgoing, Queue, ReasonKind, State, Status},
    runs::RunLog,
};

use super::world::{METRICS, World};
use crate::{Context, Input, Limits, Location, handle};

const SEEDS: u64 = 200;
const ROUNDS_MAX: u32 = 60;

/// A process over the world whose luck the seed decides.
fn unlucky(world: &World, seed: u64, calls_before_crash: Option<u32>) -> (Arc<Faults>, Context) {
    let unlucky = Odds { fail_before: 0.03, fail_after: 0.03, ..Odds::NONE };
    // Processes that nobody kills have no other trouble either: in the end everything gets done.
    let odds = if calls_before_crash.is_some() { unlucky } else { Odds::NONE };
    let faults = Arc::new(Faults::new(seed, odds, calls_before_crash));
    let kafka = Arc::new(FaultyKafka::new(Arc::new(world.kafka.clone()), faults.clone()));
    let source = Arc::new(FaultyObjects::new(world.source.clone(), faults.clone()));
    let there = Arc::new(FaultyObjects::new(world.there.clone(), faults.clone()));
    let queue = Queue { kafka: kafka.clone(), objects: source.clone(), ..world.context.outgoing.queue.clone() };
    let context = Context {
        kafka,
        objects: source,
        buckets: world.context.buckets.clone(),
        clock: world.clock.clone(),
        outgoing: Outgoing { queue, ..world.context.outgoing.clone() },
        locations: vec![Location::new("there", there)],
        limits: Limits {
            attempts_max: 1_000,
            backoff_min: Duration::from_secs(1),
            backoff_max: Duration::from_secs(4),
            ..Limits::default()
        },
        runs: RunLog::new(crate::NAME, None),
    };
    (faults, context)
}

/// What the figures of the location are when all messages are counted, in batches that end anywhere, some of them twice.
async fn figures(world: &World, random: &mut StdRng) -> BTreeMap<String, i64> {
    let partition = TopicPartition::new(METRICS, 0);
    let topic = world.kafka.topics(Some(&[METRICS.into()])).await.unwrap().remove(0);
    let place = Place { topic_id: topic.id, partition: Partition(0) };
    let store = MemoryStore::new(world.clock.clone());
    let records = world.records(&partition).await;
    let mut at = 0;
    while at < records.len() {
        let end = (at + random.random_range(1..20)).min(records.len());
        for part in fold(&place, None, &records[at..end], Windows::default()) {
            store.apply(&[], &part.operations).await.unwrap();
        }
        at = if random.random_bool(0.2) { at } else { end };
    }
    let mut sums = BTreeMap::new();
    for key in store.keys().into_iter().filter(|key| key.starts_with("there:bb:")) {
        let Some(Value::Text(Some(text))) = store.read(&[Query::Text(key.clone())]).await.unwrap().pop() else {
            continue;
        };
        *sums.entry(key.split(':').nth(3).unwrap().to_owned()).or_default() += text.parse::<i64>().unwrap();
    }
    sums
}

/// Whether the object went missing from the storage before it was copied.
fn is_lost(status: &Status) -> bool {
    status.state == State::Failed && status.reason_kind == Some(ReasonKind::SourceGone)
}

async fn history(seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let world = World::new();
    world.back_up(0, random.random_range(1..5)).await;
    let loses_tail_in = random.random_bool(0.5).then(|| random.random_range(0..12));
    let mut is_done = false;
    for round in 0..ROUNDS_MAX {
        let calls = (round < 12).then(|| random.random_range(1..60));
        let (faults, context) = unlucky(&world, random.random(), calls);
        let reconcile = random.random_bool(0.2);
        let input = if reconcile { Input::Reconcile { location: None } } else { Input::Drain { location: None } };
        tokio::select! {
            _ = handle(input, &context) => {}
            () = faults.crashed() => {}
        }
        world.assert_readable().await;
        if loses_tail_in == Some(round) {
            world.lose_tail(0, random.random_range(1..4)).await;
            world.back_up(0, random.random_range(0..3)).await;
        }
        if round == 3 {
            world.back_up(1, random.random_range(0..4)).await;
        }
        if round == 6 && random.random_bool(0.3) {
            world.forget_entries().await;
        }
        // All of it stays within the window of the figures.
        world.later(Duration::from_secs(random.random_range(0..6)));
        let statuses = world.statuses().await;
        is_done = round > 12 && statuses.iter().all(|status| status.state == State::Completed || is_lost(status));
        if is_done {
            break;
        }
        if round > 20 {
            world.reconcile().await;
        }
    }
    assert!(is_done, "seed {seed}: {:?}", world.states().await);
    world.reconcile().await;
    world.assert_whole().await;
    let statuses = world.statuses().await;
    let (lost, done): (Vec<_>, Vec<_>) = statuses.into_iter().partition(is_lost);
    let bytes_of = |statuses: &[Status]| statuses.iter().map(|it| it.size_bytes as i64).sum::<i64>();
    let figures = figures(&world, &mut random).await;
    let of = |name: &str| figures.get(name).copied().unwrap_or(0);
    assert_eq!((of("opspending"), of("bytespending")), (0, 0), "seed {seed}: {figures:?}");
    let (failed, completed) = ((of("opsfail"), of("bytesfail")), (of("opsdone"), of("bytesdone")));
    assert_eq!(failed, (lost.len() as i64, bytes_of(&lost)), "seed {seed}: {figures:?}");
    assert_eq!(completed, (done.len() as i64, bytes_of(&done)), "seed {seed}: {figures:?}");
    assert!(world.there.is_up.load(Ordering::SeqCst));
}

#[tokio::test(start_paused = true)]
async fn whatever_dies_fails_or_comes_twice_everything_is_there_and_each_operation_is_counted_once() {
    for seed in 0..SEEDS {
        history(seed).await;
    }
}
