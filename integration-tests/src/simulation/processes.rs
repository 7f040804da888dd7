//! What runs against the world: drains, followers, events, each a process of its own luck.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use segment_writer::{Arrived, Backup, Context, Drain, DrainReport, Event, Input, Limits, Output};
use shared::{
    adapters::memory::faults::{Faults, FaultyKafka, FaultyObjects, Odds},
    config::selection::TopicSelection,
    ports::{clock::Clock, objects::Objects, records::Kafka},
    record::{Millis, Offset, TopicPartition, filter::Filter},
    rollover::Rollover,
    segment::Compression,
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{
    accidents, changes, counting, expiry, meter, questions, readers, verifier,
    world::{METRICS_TOPIC, World},
};

/// How often somebody looks at the figures while processes run.
const ASKED_EVERY: Duration = Duration::from_millis(1_300);
/// Longer than segments live here, and any time-out.
const STALL_MS_MAX: u64 = 150_000;
/// How far clocks are off.
const SKEW_MS_MAX: i64 = 600_000;
/// No process works longer than this, in the world's time.
const LIFE_MAX: Duration = Duration::from_secs(600);

/// Runs a few processes at once, while records keep coming, the store has its misfortunes and somebody asks.
pub async fn some(world: &Arc<World>, rng: &mut StdRng) {
    let mut running = std::mem::take(&mut *world.running());
    for _ in 0..rng.random_range(0..4) {
        running.spawn(process(world.clone(), rng.random()));
    }
    for _ in 0..rng.random_range(u64::from(running.is_empty())..3) {
        running.spawn(counting::process(world.clone(), rng.random()));
    }
    for _ in 0..rng.random_range(0..3) {
        running.spawn(expiry::process(world.clone(), rng.random()));
    }
    for _ in 0..rng.random_range(0..2) {
        running.spawn(readers::process(world.clone(), rng.random()));
    }
    let verifier = rng.random_bool(0.3).then(|| verifier::process(world, rng.random()));
    let verifying = futures::future::OptionFuture::from(verifier);
    // Who has stalled by then is left behind, and wakes among others.
    let patience = Duration::from_millis(rng.random_range(4_000..30_000));
    let happening = async {
        for _ in 0..rng.random_range(0..6) {
            tokio::time::sleep(Duration::from_millis(rng.random_range(0..4_000))).await;
            if accidents::may_happen(world.seed) && rng.random_bool(0.25) {
                accidents::happen(world, rng).await;
            }
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
    tokio::select! {
        biased;
        _ = futures::future::join3(all_end(&mut running), happening, verifying) => {}
        () = asking(world, ASKED_EVERY) => {}
        () = tokio::time::sleep(patience) => {}
    }
    *world.running() = running;
}

/// Waits for everybody that is left.
pub async fn quiet(world: &Arc<World>) {
    let mut running = std::mem::take(&mut *world.running());
    tokio::select! {
        biased;
        () = all_end(&mut running) => {}
        () = asking(world, ASKED_EVERY * 8) => {}
    }
}

pub async fn all_end(running: &mut JoinSet<()>) {
    while let Some(ended) = running.join_next().await {
        if let Err(error) = ended {
            std::panic::resume_unwind(error.into_panic());
        }
    }
}

async fn asking(world: &Arc<World>, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        questions::ask(world).await;
    }
}

/// What happens to a process: half of them are lucky.
pub fn luck(rng: &mut StdRng, seed: u64) -> Arc<Faults> {
    let crash = rng.random_bool(0.4).then(|| rng.random_range(1..80));
    let odds = Odds { fail_before: 0.02, fail_after: 0.02, delay_ms_max: 40, stall: 0.01, stall_ms_max: STALL_MS_MAX };
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
async fn process(world: Arc<World>, seed: u64) {
    let mut rng = StdRng::seed_from_u64(seed);
    let faults = luck(&mut rng, seed);
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
    let report = drain_all(world).await?;
    match report.partitions.iter().find_map(|partition| partition.error.as_ref()) {
        Some(error) => Err(format!("the last drain fails for a partition: {error}")),
        None => Ok(()),
    }
}

/// A drain of everything in which no call fails.
pub async fn drain_all(world: &Arc<World>) -> Result<DrainReport, String> {
    let faults = Arc::new(Faults::new(world.seed, Odds::NONE, None));
    let context = context_with(world, world.objects.clone(), &faults, world.clock.clone(), 300);
    let drain = Drain { backup: "main".into(), topics: None, shard: None, deadline: None, one_shot: true };
    let report = segment_writer::handle(Input::Drain(drain), &context);
    let report = tokio::time::timeout(LIFE_MAX, report).await.map_err(|_| "the last drain hangs".to_owned())?;
    match report.map_err(|error| format!("the last drain fails: {error}"))? {
        Output::Drain(report) => Ok(report),
        Output::Event(_) => Err("a drain answers as an event".to_owned()),
    }
}

/// Processes differ: in where they cut segments, and in their clocks.
fn context(world: &Arc<World>, faults: &Arc<Faults>, rng: &mut StdRng) -> Arc<Context> {
    let bytes_max = rng.random_range(100..700);
    let clock = clock(world, rng);
    world.saw_writer(clock.now());
    let rng_of_naps = Mutex::new(StdRng::seed_from_u64(rng.random()));
    let objects: Arc<dyn Objects> = Arc::new(accidents::Gated { inner: world.objects.clone(), world: world.clone() });
    let objects =
        if rng.random_bool(0.3) { Arc::new(expiry::Drowsy { inner: objects, rng: rng_of_naps }) } else { objects };
    context_with(world, objects, faults, clock, bytes_max)
}

/// The clock of a process: off by minutes, one time in four.
pub fn clock(world: &Arc<World>, rng: &mut StdRng) -> Arc<dyn Clock> {
    let skew_ms = if rng.random_bool(0.25) { rng.random_range(-SKEW_MS_MAX..=SKEW_MS_MAX) } else { 0 };
    Arc::new(SkewedClock { clock: world.clock.clone(), skew_ms })
}

struct SkewedClock {
    clock: Arc<dyn Clock>,
    skew_ms: i64,
}

impl Clock for SkewedClock {
    fn now(&self) -> Millis {
        Millis(self.clock.now().0 + self.skew_ms)
    }
}

pub fn context_with(
    world: &Arc<World>,
    objects: Arc<dyn Objects>,
    faults: &Arc<Faults>,
    clock: Arc<dyn Clock>,
    bytes_max: u64,
) -> Arc<Context> {
    let kafka: Arc<dyn Kafka> = Arc::new(FaultyKafka::new(Arc::new(world.kafka.clone()), faults.clone()));
    let objects: Arc<dyn Objects> = Arc::new(FaultyObjects::new(objects, faults.clone()));
    let topics = selection();
    let rollover = Rollover { bytes_max, age_max: Duration::from_secs(3) };
    let filter = |keep| ("*".parse().expect("a glob"), Arc::new(Filter::compile(keep).expect("a filter")));
    let filters = world.filter().into_iter().map(filter).collect();
    let backup = Backup {
        name: "main".into(),
        topics,
        rollover,
        compression: Compression::None,
        filters,
        seal_key: None,
        former_seal_keys: vec![],
    };
    let limits = Limits { memory_bytes_max: 1 << 12, ..Limits::default() };
    let context = Context::new(kafka, objects, clock, vec![backup], METRICS_TOPIC, "simulation", limits);
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
