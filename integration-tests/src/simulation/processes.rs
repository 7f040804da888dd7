//! What runs against the world: drains, followers, events, each a process of its own luck.

use std::{sync::Arc, time::Duration};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use segment_writer::{Arrived, Backup, Context, Drain, Event, Input, Limits, Output};
use shared::{
    adapters::memory::faults::{Faults, FaultyKafka, FaultyObjects, Odds},
    config::selection::TopicSelection,
    ports::{objects::Objects, records::Kafka},
    record::{Offset, Record, TopicPartition, filter::Filter},
    rollover::Rollover,
    segment::Compression,
};
use tokio_util::sync::CancellationToken;

use super::{
    changes, counting, meter, questions,
    world::{METRICS_TOPIC, World},
};

/// How often somebody looks at the figures while processes run.
const ASKED_EVERY: Duration = Duration::from_millis(1_300);
/// No process works longer than this, in the world's time.
const LIFE_MAX: Duration = Duration::from_secs(600);

/// Runs a few processes at once, while records keep coming, the store has its misfortunes and somebody asks.
pub async fn some(world: &Arc<World>, rng: &mut StdRng) {
    let writers: Vec<u64> = (0..rng.random_range(0..3)).map(|_| rng.random()).collect();
    let counters: Vec<u64> = (0..rng.random_range(u64::from(writers.is_empty())..3)).map(|_| rng.random()).collect();
    let writers = futures::future::join_all(writers.into_iter().map(|seed| process(world, seed)));
    let counters = futures::future::join_all(counters.into_iter().map(|seed| counting::process(world, seed)));
    let happening = async {
        for _ in 0..rng.random_range(0..6) {
            tokio::time::sleep(Duration::from_millis(rng.random_range(0..4_000))).await;
            match rng.random_range(0..16) {
                0 => world.recreate(rng),
                1 => world.trim(rng),
                2..4 => meter::misfortune(world, rng).await,
                4..8 => changes::send(world, rng),
                _ => world.produce(rng),
            }
            questions::ask(world).await;
        }
    };
    let asking = async {
        loop {
            tokio::time::sleep(ASKED_EVERY).await;
            questions::ask(world).await;
        }
    };
    tokio::select! {
        _ = futures::future::join3(writers, counters, happening) => {}
        () = asking => {}
    }
}

/// What happens to a process: half of them are lucky.
pub fn luck(rng: &mut StdRng, seed: u64) -> Arc<Faults> {
    let crash = rng.random_bool(0.4).then(|| rng.random_range(1..80));
    let odds = Odds { fail_before: 0.02, fail_after: 0.02, delay_ms_max: 40 };
    Arc::new(Faults::new(seed, if rng.random_bool(0.5) { odds } else { Odds::NONE }, crash))
}

/// A process lives until it is done, killed, or too old.
pub async fn live(faults: &Faults, life: impl Future<Output = ()>) {
    tokio::select! {
        () = life => {}
        () = faults.crashed() => {}
        () = tokio::time::sleep(LIFE_MAX) => {}
    }
}

/// One process that writes.
async fn process(world: &Arc<World>, seed: u64) {
    let mut rng = StdRng::seed_from_u64(seed);
    let faults = luck(&mut rng, seed);
    let context = context(world, &faults);
    let life = async {
        // A warm function is invoked more than once.
        for _ in 0..rng.random_range(1..4) {
            match rng.random_range(0..4) {
                0 => follow(&context, Duration::from_millis(rng.random_range(0..20_000))).await,
                1 => drop(segment_writer::handle(Input::Drain(drain(&mut rng)), &context).await),
                _ => {
                    let event = event(world, &mut rng);
                    drop(segment_writer::handle(Input::Event(event), &context).await);
                }
            }
        }
    };
    live(&faults, life).await;
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
    Drain { backup: "main".into(), topics: None, shard: None, deadline: None, one_shot: rng.random_bool(0.5) }
}

/// The drain after which everything must be stored.
pub async fn last_drain(world: &Arc<World>) -> Result<(), String> {
    let faults = Arc::new(Faults::new(world.seed, Odds::NONE, None));
    let context = context(world, &faults);
    let drain = Drain { backup: "main".into(), topics: None, shard: None, deadline: None, one_shot: true };
    let report = segment_writer::handle(Input::Drain(drain), &context);
    let report = tokio::time::timeout(LIFE_MAX, report).await.map_err(|_| "the last drain hangs".to_owned())?;
    let Output::Drain(report) = report.map_err(|error| format!("the last drain fails: {error}"))? else {
        return Err("a drain answers as an event".to_owned());
    };
    match report.partitions.iter().find_map(|partition| partition.error.as_ref()) {
        Some(error) => Err(format!("the last drain fails for a partition: {error}")),
        None => Ok(()),
    }
}

fn context(world: &Arc<World>, faults: &Arc<Faults>) -> Arc<Context> {
    let kafka: Arc<dyn Kafka> = Arc::new(FaultyKafka::new(Arc::new(world.kafka.clone()), faults.clone()));
    let objects: Arc<dyn Objects> = Arc::new(FaultyObjects::new(world.objects.clone(), faults.clone()));
    let topics = selection();
    let rollover = Rollover { bytes_max: 300, age_max: Duration::from_secs(3) };
    let filter = |keep| ("*".parse().expect("a glob"), Arc::new(Filter::compile(keep).expect("a filter")));
    let filters = world.filter().into_iter().map(filter).collect();
    let backup =
        Backup { name: "main".into(), topics, rollover, compression: Compression::None, filters, seal_key: None };
    let limits = Limits { memory_bytes_max: 1 << 12, ..Limits::default() };
    let context = Context::new(kafka, objects, world.clock.clone(), vec![backup], METRICS_TOPIC, "simulation", limits);
    context.unprotected(world.guards.writer)
}

/// All topics but our own.
pub fn selection() -> TopicSelection {
    TopicSelection { include: vec!["*".parse().expect("a glob")], exclude: vec![] }
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
        let taken: Vec<&Record> =
            log.visible.range(from..).take(rng.random_range(1..30)).map(|(_, record)| record).collect();
        let records: Vec<Record> = taken.into_iter().filter(|_| rng.random_bool(0.9)).cloned().collect();
        let partition = TopicPartition::new(topic.as_str(), partition.0);
        if let (Some(first), Some(last)) = (records.first(), records.last())
            && !arrived.iter().any(|other| other.partition == partition)
        {
            let offsets = Some((first.offset, last.offset));
            arrived.push(Arrived { item: partition.to_string(), partition, records, offsets });
        }
    }
    Event { arrived, ..Event::default() }
}
