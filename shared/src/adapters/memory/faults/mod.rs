//! Ports that fail: decorators over any adapter, with faults that a seed decides.
//!
//! One [`Faults`] stands for one process. Each call of its ports waits a little, may fail before it took effect (503) or
//! after (an answer that got lost), and the process may be killed at any of them: then no call of it ever returns, and
//! [`Faults::crashed`] tells whoever plays the process to drop it.

mod invoker;
mod kafka;
mod objects;
mod store;
mod transactions;

pub use invoker::FaultyInvoker;
pub use kafka::FaultyKafka;
pub use objects::FaultyObjects;
pub use store::FaultyStore;

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::sync::Notify;

/// How often what goes wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Odds {
    /// A call fails and nothing happened.
    pub fail_before: f64,
    /// A call took effect, and its answer is lost.
    pub fail_after: f64,
    /// The longest a call takes, in milliseconds.
    pub delay_ms_max: u64,
    /// A call takes longer than anybody waits: the process was suspended there, and wakes.
    pub stall: f64,
    /// The longest it is suspended, in milliseconds.
    pub stall_ms_max: u64,
}

impl Odds {
    /// Nothing goes wrong.
    pub const NONE: Odds = Odds { fail_before: 0.0, fail_after: 0.0, delay_ms_max: 3, stall: 0.0, stall_ms_max: 0 };
}

/// What happens to one process.
pub struct Faults {
    odds: Odds,
    dice: Mutex<Dice>,
    crashed: Notify,
    calls: AtomicU64,
}

struct Dice {
    rng: StdRng,
    calls_before_crash: Option<u32>,
}

/// How a call goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Well,
    Fails,
    Crashes,
}

/// A call that failed by the dice.
#[derive(Debug, thiserror::Error)]
#[error("a fault of the simulation")]
pub struct Injected;

impl Faults {
    /// A process whose luck `seed` decides. With `calls_before_crash` it is killed at that call of its ports.
    #[must_use]
    pub fn new(seed: u64, odds: Odds, calls_before_crash: Option<u32>) -> Self {
        let dice = Dice { rng: StdRng::seed_from_u64(seed), calls_before_crash };
        Faults { odds, dice: Mutex::new(dice), crashed: Notify::new(), calls: AtomicU64::default() }
    }

    /// Returns when the process is killed; at once when it was.
    pub async fn crashed(&self) {
        self.crashed.notified().await;
    }

    /// How many calls there were.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    fn dice(&self) -> MutexGuard<'_, Dice> {
        self.dice.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn draw(&self, odds: f64) -> (Duration, Fate) {
        let mut dice = self.dice();
        let stalls = dice.rng.random_bool(self.odds.stall);
        let longest = if stalls { self.odds.stall_ms_max } else { self.odds.delay_ms_max };
        let delay = Duration::from_millis(dice.rng.random_range(0..=longest));
        let fails = dice.rng.random_bool(odds);
        if let Some(left) = &mut dice.calls_before_crash {
            *left = left.saturating_sub(1);
            if *left == 0 {
                return (delay, Fate::Crashes);
            }
        }
        (delay, if fails { Fate::Fails } else { Fate::Well })
    }

    async fn meet(&self, odds: f64) -> Result<(), Injected> {
        let (delay, fate) = self.draw(odds);
        tokio::time::sleep(delay).await;
        match fate {
            Fate::Well => Ok(()),
            Fate::Fails => Err(Injected),
            Fate::Crashes => {
                self.crashed.notify_one();
                std::future::pending().await
            }
        }
    }

    /// Before a call.
    async fn before(&self) -> Result<(), Injected> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.meet(self.odds.fail_before).await
    }

    /// After it.
    async fn after(&self) -> Result<(), Injected> {
        self.meet(self.odds.fail_after).await
    }
}
