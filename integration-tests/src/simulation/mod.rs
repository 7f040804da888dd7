//! The simulation: the shipping handlers over the ports in memory, under schedules that a seed decides.
//!
//! One seed is one history: records, transactions, compaction, retention and topics created again on one side; drains,
//! followers and Kafka events of segment-writer and of metrics-consumer, lag-monitor, segment-expirer, verify and readers on the
//! other, several of each at once, each of which may be killed at any call of its ports, get 503s, lose answers, have a
//! clock that is off, or be suspended there for longer than segments live, and wake. Pages of listings are small.
//! Backbeat's messages lie between the standings; events and parts come again, late; the store of figures is wiped, or goes
//! back to an earlier moment. Ends of chains go missing, and a person accepts that while others sleep (`accidents`). What
//! expires is judged at the moment in which it does (`expiry`). Logs go back behind what is stored (`histories`).
//! All the while somebody asks metrics-query, and every answer must be an error or right (`questions`). At quiet moments,
//! and when at the end one drain has run, `judge` compares storage and meter with what was really produced.
//! Everything runs on one thread under tokio's paused time, so a seed replays.

mod accidents;
mod changes;
mod counting;
mod expiry;
mod histories;
mod judge;
mod life;
mod meter;
mod model;
mod processes;
mod questions;
mod readers;
pub mod restoring;
mod unprotected;
pub mod unprotected_target;
mod verifier;
mod world;
mod writers;

use std::sync::Arc;

use rand::{RngExt, SeedableRng, rngs::StdRng};
use segment_writer::Protections;
use world::World;

pub use expiry::Expired;

/// Which protections a run has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guards {
    /// A segment is created only if absent.
    pub compare_and_set: bool,
    /// Registers of the store only grow.
    pub registers: bool,
    /// A part of the metrics topic is applied only where its partition stands.
    pub positions: bool,
    /// Questions are answered only when the store was seen to hold everything.
    pub epochs: bool,
    /// An epoch holds only for the run of the store in which it was completed.
    pub runs: bool,
    /// Those of the writer.
    pub writer: Protections,
    /// The floor moves before anything is deleted.
    pub floor_first: bool,
    /// What is pinned neither leaves the backup nor is deleted.
    pub pins: bool,
}

impl Guards {
    /// All of them, as shipped.
    pub const ALL: Guards = Guards {
        compare_and_set: true,
        registers: true,
        positions: true,
        epochs: true,
        runs: true,
        writer: Protections::ALL,
        floor_first: true,
        pins: true,
    };
}

/// How many steps a history has.
const STEPS: usize = 24;

/// Runs the history of one seed; the answer tells what left the storage, or what was violated.
///
/// # Errors
/// The first violation found.
pub fn run(seed: u64, guards: Guards) -> Result<Expired, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime on this thread").block_on(history(seed, guards))
}

async fn history(seed: u64, guards: Guards) -> Result<Expired, String> {
    let mut rng = StdRng::seed_from_u64(seed);
    let world = Arc::new(World::new(seed, guards));
    for _ in 0..STEPS {
        match rng.random_range(0..100) {
            0..30 => world.produce(&mut rng),
            30..40 => changes::send(&world, &mut rng),
            40..43 => world.recreate(&mut rng),
            43..48 => world.trim(&mut rng),
            48..53 => world.compact(&mut rng),
            53..55 => {
                processes::quiet(&world).await;
                meter::trim(&world, &mut rng).await;
            }
            55..59 => meter::misfortune(&world, &mut rng).await,
            59..61 => quiet_moment(&world).await?,
            61..64 => world.pause_or_resume(&mut rng).await,
            64..68 if histories::may_go_back(seed) => world.go_back(&mut rng),
            _ => processes::some(&world, &mut rng).await,
        }
        questions::verdict(&world)?;
        world.watched.verdict()?;
    }
    processes::quiet(&world).await;
    world.close_transactions();
    world.resume_all().await;
    accidents::settle(&world).await?;
    histories::settle(&world, &mut rng).await?;
    writers::last_drain(&world).await?;
    judge::storage(&world).await?;
    expiry::last_runs(&world).await?;
    judge::storage(&world).await?;
    judge::standings(&world, &mut rng).await?;
    quiet_moment(&world).await?;
    // Who owned a chain last is told by clocks: behind one that was ahead, what is true is not shown before it is over.
    if !world.had_writers_ahead() {
        judge::finished(&world).await?;
    }
    meter::wipe(&world).await;
    quiet_moment(&world).await?;
    Ok(world.watched.expired())
}

/// Everything is well for two refreshes: then the meter agrees with storage and log.
async fn quiet_moment(world: &Arc<World>) -> Result<(), String> {
    processes::quiet(world).await;
    world.close_transactions();
    accidents::settle(world).await?;
    counting::settle(world).await?;
    verifier::in_quiet(world).await?;
    world.watched.verdict()?;
    judge::meter(world).await?;
    questions::verdict(world)
}
