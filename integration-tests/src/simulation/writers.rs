//! Processes that write: drains, followers, events.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use segment_writer::{Arrived, Context, Drain, DrainReport, Event, Input, Output};
use shared::{
    adapters::memory::faults::{Faults, Odds},
    ports::objects::Objects,
    record::{Offset, TopicPartition},
};
use tokio_util::sync::CancellationToken;

use super::{accidents, expiry, life, world::World};

/// One process that writes.
pub async fn process(world: Arc<World>, seed: u64) {
    let mut rng = StdRng::seed_from_u64(seed);
    let faults = life::luck(&mut rng, seed);
    let context = context(&world, &faults, &mut rng);
    let life = async {
        // A warm function is invoked more than once.
        for _ in 0..rng.random_range(1..4) {
            match rng.random_range(0..4) {
                0 => follow(&context, Duration::from_millis(rng.random_range(0..20_000))).await,
                1 => drop(segment_writer::handle(Input::Drain(drain(&mut rng)), &context).await),
                _ => {
                    let event = event(&world, &mut rng);
                    drop(segment_writer::handle(Input::Event(event), &context).await);
                }
            }
        }
    };
    life::live(&faults, life).await;
}

async fn follow(context: &Arc<Context>, life: Duration) {
    let stop = CancellationToken::new();
    let timer = async {
        tokio::time::sleep(life).await;
        stop.cancel();
    };
    tokio::join!(segment_writer::follow(context, &stop), timer);
}

fn drain(rng: &mut StdRng) -> Drain {
    Drain { one_shot: rng.random_bool(0.5), ..Drain::of("main") }
}

/// The drain after which everything must be stored.
pub async fn last_drain(world: &Arc<World>) -> Result<(), String> {
    let report = drain_all(world).await?;
    match report.partitions.iter().find_map(|partition| partition.error.as_ref()) {
        Some(error) => Err(format!("the last drain fails for a partition: {error}")),
        None => Ok(()),
    }
}

/// A drain of everything in which no call fails.
pub async fn drain_all(world: &Arc<World>) -> Result<DrainReport, String> {
    let faults = Arc::new(Faults::new(world.seed, Odds::NONE, None));
    let context = life::context_with(world, world.objects.clone(), &faults, world.clock.clone(), 300);
    let drain = Drain { one_shot: true, ..Drain::of("main") };
    let report = segment_writer::handle(Input::Drain(drain), &context);
    let report = tokio::time::timeout(life::LIFE_MAX, report).await.map_err(|_| "the last drain hangs".to_owned())?;
    match report.map_err(|error| format!("the last drain fails: {error}"))? {
        Output::Drain(report) => Ok(report),
        Output::Event(_) => Err("a drain answers as an event".to_owned()),
    }
}

/// Processes differ: in where they cut segments, and in their clocks.
fn context(world: &Arc<World>, faults: &Arc<Faults>, rng: &mut StdRng) -> Arc<Context> {
    let bytes_max = rng.random_range(100..700);
    let clock = life::clock(world, rng);
    world.saw_writer(clock.now());
    let rng_of_naps = Mutex::new(StdRng::seed_from_u64(rng.random()));
    let objects: Arc<dyn Objects> = Arc::new(accidents::Gated { inner: world.objects.clone(), world: world.clone() });
    let objects =
        if rng.random_bool(0.3) { Arc::new(expiry::Drowsy { inner: objects, rng: rng_of_naps }) } else { objects };
    life::context_with(world, objects, faults, clock, bytes_max)
}

/// A Kafka event with some range of some log that is or was: at the frontier, below it, across it or above it.
fn event(world: &World, rng: &mut StdRng) -> Event {
    let model = world.model();
    let logs: Vec<_> = model.logs.iter().filter(|(_, log)| !log.visible.is_empty()).collect();
    let mut arrived: Vec<Arrived> = vec![];
    for _ in 0..rng.random_range(1..3) {
        if logs.is_empty() {
            break;
        }
        let ((topic, _, partition), log) = logs[rng.random_range(0..logs.len())];
        let from = if rng.random_bool(0.3) { Offset(0) } else { Offset(rng.random_range(0..=log.end.0)) };
        // Lambda does not say with which isolation it reads, and a mapping's filter leaves records out.
        let taken: Vec<&Offset> = log.visible.range(from..).take(rng.random_range(1..30)).map(|(it, _)| it).collect();
        let offsets: Vec<Offset> = taken.into_iter().filter(|_| rng.random_bool(0.9)).copied().collect();
        let partition = TopicPartition::new(topic.as_str(), partition.0);
        if let (Some(first), Some(last)) = (offsets.first(), offsets.last())
            && !arrived.iter().any(|other| other.partition == partition)
        {
            arrived.push(Arrived { item: partition.to_string(), partition, offsets: Some((*first, *last)) });
        }
    }
    Event { arrived, ..Event::default() }
}
