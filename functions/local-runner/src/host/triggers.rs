//! What starts the hosted functions by itself: pollers that never end, and schedules.

use std::sync::Arc;

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    function::{Poller, Schedule},
    functions::Functions,
};

/// The triggers of all hosted functions.
#[derive(Default)]
pub struct Triggers {
    /// Run until they are told to stop.
    pub pollers: Vec<Poller>,
    /// A function's name, and how often it is invoked.
    pub schedules: Vec<(&'static str, Schedule)>,
}

impl Triggers {
    /// Starts them; they end some time after `stop`.
    pub fn start(&self, functions: &Arc<Functions>, tasks: &TaskTracker, stop: &CancellationToken) {
        for poller in &self.pollers {
            tasks.spawn(poller(stop.clone()));
        }
        for (function, schedule) in &self.schedules {
            tasks.spawn(invoke_repeatedly(functions.clone(), function, schedule.clone(), stop.clone()));
        }
    }
}

/// Invokes a function again and again, the first time at once.
async fn invoke_repeatedly(
    functions: Arc<Functions>,
    function: &'static str,
    schedule: Schedule,
    stop: CancellationToken,
) {
    while !stop.is_cancelled() {
        if let Some(Err(error)) = functions.call(function, schedule.payload.clone()).await {
            // What a function can run into it has logged itself, once.
            tracing::debug!("{function}: {error}; the next run tries again");
        }
        stop.run_until_cancelled(tokio::time::sleep(schedule.every)).await;
    }
}
