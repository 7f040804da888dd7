//! What starts the hosted functions: followers that never end, and schedules.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{Host, functions::Functions, hosted::Function};

/// Starts everything of a host; it ends some time after `stop`.
pub fn start(host: &Host, tasks: &TaskTracker, stop: &CancellationToken) {
    if let Some(writer) = host.writer.clone() {
        let stop = stop.clone();
        tasks.spawn(async move { segment_writer::follow(&writer, &stop).await });
    }
    if let Some(consumer) = host.consumer.clone() {
        let stop = stop.clone();
        tasks.spawn(async move { metrics_consumer::follow(&consumer, &stop).await });
    }
    if host.functions.has(Function::LagMonitor.name()) {
        tasks.spawn(schedule(host.functions.clone(), Function::LagMonitor, json!({}), host.refresh, stop.clone()));
    }
    for (backup, every) in &host.expiries {
        let payload = json!({ "backup": backup });
        tasks.spawn(schedule(host.functions.clone(), Function::SegmentExpirer, payload, *every, stop.clone()));
    }
}

/// Invokes a function again and again, the first time at once.
async fn schedule(
    functions: Arc<Functions>,
    function: Function,
    payload: Value,
    every: Duration,
    stop: CancellationToken,
) {
    loop {
        if let Some(Err(error)) = functions.call(function.name(), payload.clone()).await {
            tracing::warn!("{}: {error}; the next run tries again", function.name());
        }
        if pause(every, &stop).await.is_break() {
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
