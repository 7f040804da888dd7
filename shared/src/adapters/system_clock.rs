//! The machine's clock.
#![allow(clippy::disallowed_methods, reason = "this adapter is where the clock is read")]

use crate::{ports::clock::Clock, record::Millis};

/// Reads the machine's wall clock.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Millis {
        let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Millis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
    }
}
