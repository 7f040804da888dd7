//! Not more in a second than is allowed.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use shared::{ports::clock::Clock, record::Millis, restore::progress::Counts};

/// Lets all workers together write so much in a second.
#[derive(Debug, Default)]
pub(crate) struct Limiter {
    records_per_s: Option<u64>,
    bytes_per_s: Option<u64>,
    /// Until then what was written uses up what is allowed.
    used_until: Mutex<Millis>,
}

impl Limiter {
    /// Not more than these; `None`: as much as there is.
    pub(crate) fn new(records_per_s: Option<u64>, bytes_per_s: Option<u64>) -> Self {
        Limiter { records_per_s, bytes_per_s, used_until: Mutex::default() }
    }

    /// Waits until what was just written is allowed for.
    pub(crate) async fn pass(&self, written: Counts, clock: &dyn Clock) {
        let wait = self.wait(written, clock.now());
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
    }

    fn wait(&self, written: Counts, now: Millis) -> Duration {
        let ms = |count: u64, per_s: Option<u64>| per_s.map_or(0, |per_s| count.saturating_mul(1_000) / per_s.max(1));
        let cost = ms(written.records, self.records_per_s).max(ms(written.record_bytes, self.bytes_per_s));
        let mut used = self.used_until.lock().unwrap_or_else(PoisonError::into_inner);
        *used = Millis((*used).max(now).0.saturating_add_unsigned(cost));
        Duration::from_millis(used.0.saturating_sub(now.0).unsigned_abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(records: u64, record_bytes: u64) -> Counts {
        Counts { records, record_bytes, ..Counts::default() }
    }

    #[test]
    fn all_workers_together_wait_for_what_they_wrote() {
        let limiter = Limiter::new(Some(100), None);
        let now = Millis(5_000);
        assert_eq!(limiter.wait(written(50, 1), now), Duration::from_millis(500));
        assert_eq!(limiter.wait(written(100, 1), now), Duration::from_millis(1_500));
        assert_eq!(
            limiter.wait(written(100, 1), Millis(60_000)),
            Duration::from_secs(1),
            "what was not used is not saved up"
        );
    }

    #[test]
    fn the_tighter_limit_counts_and_none_is_none() {
        assert_eq!(Limiter::new(Some(100), Some(10)).wait(written(1, 20), Millis(0)), Duration::from_secs(2));
        assert_eq!(Limiter::new(None, None).wait(written(1_000, 1_000), Millis(0)), Duration::ZERO);
    }
}
