//! What starts the hosted functions: followers that never end, and schedules.

use std::{sync::Arc, time::Duration};

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::Host;

/// A follower that ended with something that only a person can mend is started again after this.
const FAILED_WAIT: Duration = Duration::from_secs(30);

/// Starts everything of a host; it ends some time after `stop`.
pub fn start(host: &Host, tasks: &TaskTracker, stop: &CancellationToken) {
    if let Some(writer) = host.writer.clone() {
        tasks.spawn(follow_segments(writer, stop.clone()));
    }
}

async fn follow_segments(context: Arc<segment_writer::Context>, stop: CancellationToken) {
    while let Err(error) = segment_writer::follow(&context, &stop).await {
        tracing::error!(error = &error as &dyn std::error::Error, "{error}; trying again in {FAILED_WAIT:?}");
        if pause(FAILED_WAIT, &stop).await.is_break() {
            return;
        }
    }
}

/// Waits; breaks when it is time to stop.
async fn pause(wait: Duration, stop: &CancellationToken) -> std::ops::ControlFlow<()> {
    tokio::select! {
        () = stop.cancelled() => std::ops::ControlFlow::Break(()),
        () = tokio::time::sleep(wait) => std::ops::ControlFlow::Continue(()),
    }
}
