//! The machine's clock.
#![allow(clippy::disallowed_methods, reason = "this adapter is where the clock is read")]

use std::time::Duration;

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

impl SystemClock {
    /// How long it is until then; nothing when it is past.
    #[must_use]
    pub fn until(self, at: Millis) -> Duration {
        Duration::from_millis(u64::try_from(at.0.saturating_sub(self.now().0)).unwrap_or_default())
    }
}
