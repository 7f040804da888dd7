//! One process: its luck, its clock, its life, and what segment-writer works with in it.

use std::{sync::Arc, time::Duration};

use rand::{RngExt, rngs::StdRng};
use segment_writer::{Backup, Context, Limits};
use shared::{
    adapters::memory::faults::{Faults, FaultyKafka, FaultyObjects, Odds},
    config::selection::TopicSelection,
    ports::{clock::Clock, objects::Objects, records::Kafka},
    record::{Millis, filter::Filter},
    rollover::Rollover,
    segment::Compression,
};
use tokio::task::JoinSet;

use super::world::{METRICS_TOPIC, World};

/// Longer than segments live here, and any time-out.
const STALL_MS_MAX: u64 = 150_000;
/// How far clocks are off.
const SKEW_MS_MAX: i64 = 600_000;
/// No process works longer than this, in the world's time.
pub const LIFE_MAX: Duration = Duration::from_secs(600);

pub async fn all_end(running: &mut JoinSet<()>) {
    while let Some(ended) = running.join_next().await {
        if let Err(error) = ended {
            std::panic::resume_unwind(error.into_panic());
        }
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
    let backup = Backup { compression: Compression::None, filters, ..Backup::new("main", topics, rollover) };
    let limits = Limits { memory_bytes_max: 1 << 12, ..Limits::default() };
    let context = Context::new(kafka, objects, clock, vec![backup], METRICS_TOPIC, "simulation", limits);
    context.unprotected(world.guards.writer)
}

/// All topics but our own.
pub fn selection() -> TopicSelection {
    TopicSelection { include: vec!["*".parse().expect("a glob")], exclude: vec![] }
}
