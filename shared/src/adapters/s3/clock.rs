//! How far this machine's clock and the store's are apart, by the `Date` of its answers.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use aws_sdk_s3::{
    config::{ConfigBag, Intercept, RuntimeComponents, interceptors::BeforeDeserializationInterceptorContextRef},
    error::BoxError,
    primitives::{DateTime, DateTimeFormat},
};

use crate::{adapters::system_clock::SystemClock, ports::clock::Clock, record::Millis};

const UNKNOWN: i64 = i64::MIN;

/// Looks at every answer.
#[derive(Debug, Clone)]
pub(super) struct StoreClock(Arc<AtomicI64>);

impl Default for StoreClock {
    fn default() -> Self {
        StoreClock(Arc::new(AtomicI64::new(UNKNOWN)))
    }
}

impl StoreClock {
    /// By how many milliseconds this machine was ahead at the last answer.
    pub fn ahead_ms(&self) -> Option<i64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|ahead| *ahead != UNKNOWN)
    }
}

impl Intercept for StoreClock {
    fn name(&self) -> &'static str {
        "StoreClock"
    }

    fn read_after_transmit(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date");
        if let Some(ahead) = date.and_then(|date| ahead_ms(SystemClock.now(), date)) {
            self.0.store(ahead, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// A date is of a whole second, rounded down, and was written before its answer came.
fn ahead_ms(now: Millis, date: &str) -> Option<i64> {
    let date = DateTime::from_str(date, DateTimeFormat::HttpDate).ok()?;
    now.0.checked_sub(date.to_millis().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_tells_how_far_the_clocks_are_apart_and_what_is_none_tells_nothing() {
        let at = |now| ahead_ms(Millis(now), "Tue, 14 Nov 2023 22:13:20 GMT");
        assert_eq!(
            (at(1_700_000_000_700), at(1_700_003_600_000), at(1_699_999_000_000)),
            (Some(700), Some(3_600_000), Some(-1_000_000))
        );
        for none in ["", "yesterday", "2023-11-14T22:13:20Z"] {
            assert_eq!(ahead_ms(Millis(0), none), None, "{none}");
        }
        assert_eq!(StoreClock::default().ahead_ms(), None);
    }
}
