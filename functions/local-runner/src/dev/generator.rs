//! Publishes the sample topics at their rates until it is stopped.

use std::{sync::Arc, time::Duration};

use shared::ports::{clock::Clock, records::Publisher};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::samples::Sample;

/// Messages go out in batches, so often.
const TICK: Duration = Duration::from_millis(100);

/// Publishes a sample's messages on `topic` until `stop`; what cannot be published is told and left out.
pub async fn run(
    sample: &'static Sample,
    topic: String,
    seed: u64,
    kafka: Arc<dyn Publisher>,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
) {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let (begun_at, mut sent) = (clock.now(), 0);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let now = clock.now();
        let due = due(sample.per_second, (now.0 - begun_at.0).unsigned_abs());
        let messages: Vec<_> = (sent..due).map(|number| sample.message(seed, number, now)).collect();
        sent = due.max(sent);
        if messages.is_empty() {
            continue;
        }
        if let Err(error) = kafka.publish(&topic, messages).await {
            tracing::warn!(topic, error = &error as &dyn std::error::Error, "sample messages were not published");
        }
    }
}

/// How many messages are due after so long.
fn due(per_second: u64, elapsed_ms: u64) -> u64 {
    per_second.saturating_mul(elapsed_ms) / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_kept_over_any_time() {
        assert_eq!(due(20, 0), 0);
        assert_eq!(due(20, 50), 1);
        assert_eq!(due(15, 60_000), 900);
    }
}
