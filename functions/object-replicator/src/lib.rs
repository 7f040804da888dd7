//! Function object-replicator: objects that are asked for on topic `backbeat-replication` come to their locations.
//!
//! Each location has a consumer group of its own, so one that is slow or dead holds up no other. An entry is copied
//! ([`copy`], [`chain`]), its status is stored, and its event is sent ([`operation`]); only then its offset is committed. What
//! fails is noted with the time of its next attempt and asked for again then ([`retry`]), so no entry waits in front of
//! others. [`reconcile`] compares the storage with a location and asks for what is missing.
//!
//! Three sources, one path: [`follow`] for a server, and for Lambda a schedule's drain or a Kafka event, which is a hint to drain.

mod chain;
mod context;
mod controls;
mod copy;
mod drain;
mod error;
mod follow;
mod frontier;
mod input;
mod large;
mod operation;
mod process;
mod reconcile;
mod retry;
mod task;
#[cfg(test)]
mod tests;
mod watch;

pub use self::{
    context::{Context, Limits, Location},
    error::ReplicateError,
    follow::follow,
    input::Input,
    reconcile::Reconciled,
};

use std::time::Duration;

use serde::{Deserialize, Serialize};
use shared::runs::Failed;
use tokio_util::sync::CancellationToken;

/// The function's name.
pub const NAME: &str = "object-replicator";

/// What a call did.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Report {
    /// By location.
    pub locations: Vec<LocationReport>,
}

/// What a call did for a location.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct LocationReport {
    /// The location.
    pub location: String,
    /// How many entries were read, and how many of these are at the location now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicated: Option<Replicated>,
    /// What was compared, and how much of it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reconciled: Option<Reconciled>,
}

/// How many entries were read, and what came of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replicated {
    /// Entries whose object is at the location.
    pub completed: u64,
    /// Entries whose object is not.
    pub failed: u64,
}

/// Runs the function once.
///
/// # Errors
/// The first error, after every other location had its turn. The same call again goes on.
pub async fn handle(input: Input, context: &Context) -> Result<Report, ReplicateError> {
    run(input, context, &CancellationToken::new()).await
}

/// The same, but begins nothing new some time before `time` is over.
///
/// # Errors
/// As [`handle`].
pub async fn handle_within(input: Input, context: &Context, time: Duration) -> Result<Report, ReplicateError> {
    let stop = CancellationToken::new();
    let stopping = async {
        tokio::time::sleep(time - context.limits.margin.min(time / 2)).await;
        stop.cancel();
        std::future::pending().await
    };
    tokio::select! {
        report = run(input, context, &stop) => report,
        never = stopping => never,
    }
}

async fn run(input: Input, context: &Context, stop: &CancellationToken) -> Result<Report, ReplicateError> {
    let (names, reconciles) = match input {
        Input::Drain { location } => (location, false),
        Input::Reconcile { location } => (location, true),
    };
    let results = match context.wanted(names.as_deref()) {
        Ok(locations) => {
            let runs = locations.into_iter().map(|location| of_location(context, location, reconciles, stop));
            futures::future::join_all(runs).await
        }
        Err(error) => vec![Err(error)],
    };
    let (done, errors): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
    let errors: Vec<_> = errors.into_iter().filter_map(Result::err).collect();
    let failed: Vec<_> = errors.iter().map(|error| Failed::run(error.kind(), error)).collect();
    // A run that had no time to reach the end has neither failed nor done all it had to.
    if !failed.is_empty() || !stop.is_cancelled() {
        context.runs.note(context.clock.now(), None, &failed).await;
    }
    let report = Report { locations: done.into_iter().filter_map(Result::ok).collect() };
    errors.into_iter().next().map_or(Ok(report), Err)
}

async fn of_location(
    context: &Context,
    location: &Location,
    reconciles: bool,
    stop: &CancellationToken,
) -> Result<LocationReport, ReplicateError> {
    let mut report = LocationReport { location: location.name.clone(), ..LocationReport::default() };
    if reconciles {
        report.reconciled = Some(reconcile::run(context, location).await?);
    } else {
        report.replicated = Some(drain::run(context, location, stop).await?);
    }
    Ok(report)
}
