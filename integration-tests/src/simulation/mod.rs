//! The simulation: the shipping handlers over the ports in memory, under schedules that a seed decides.
//!
//! One seed is one history: records, transactions, compaction, retention and topics created again on one side; drains,
//! followers and Kafka events on the other, up to two at once, each of which may be killed at any call of its ports, get
//! 503s, and lose answers. Then everything is well again, one drain runs to the end, and [`judge`] compares storage and
//! metrics with what was really produced. Everything runs on one thread under tokio's paused time, so a seed replays.

mod judge;
mod model;
mod processes;
mod unprotected;
mod world;

use std::sync::Arc;

use rand::{RngExt, SeedableRng, rngs::StdRng};
use segment_writer::Protections;
use world::World;

/// Which protections a run has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guards {
    /// A segment is created only if absent.
    pub compare_and_set: bool,
    /// Registers of the store only grow.
    pub registers: bool,
    /// Those of the writer.
    pub writer: Protections,
}

impl Guards {
    /// All of them, as shipped.
    pub const ALL: Guards = Guards { compare_and_set: true, registers: true, writer: Protections::ALL };
}

/// How many steps a history has.
const STEPS: usize = 24;

/// Runs the history of one seed; the answer says what was violated.
///
/// # Errors
/// The first violation found.
pub fn run(seed: u64, guards: Guards) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime on this thread").block_on(history(seed, guards))
}

async fn history(seed: u64, guards: Guards) -> Result<(), String> {
    let mut rng = StdRng::seed_from_u64(seed);
    let world = Arc::new(World::new(seed, guards));
    for _ in 0..STEPS {
        match rng.random_range(0..100) {
            0..45 => world.produce(&mut rng),
            45..49 => world.recreate(&mut rng),
            49..54 => world.trim(&mut rng),
            54..60 => world.compact(&mut rng),
            _ => processes::some(&world, &mut rng).await,
        }
    }
    world.close_transactions();
    processes::last_drain(&world).await?;
    judge::storage(&world).await?;
    judge::metrics(&world, &mut rng).await
}
