//! Following: replicating as entries come, for a server. Any number of instances share a location's group.
#![allow(clippy::disallowed_methods, reason = "a follower measures the time between two looks")]

use std::time::Duration;

use shared::{
    archive,
    ports::records::{Fetch, Fetched},
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    Context, Location, ReplicateError,
    process::{self, Batch},
    retry,
};

/// The first wait after Kafka or the storage failed; it doubles.
const BACKOFF_MIN: Duration = Duration::from_millis(500);
const BACKOFF_MAX: Duration = Duration::from_secs(30);

/// Replicates to every location until `stop`, whatever happens on the way. What is under way is finished.
pub async fn follow(context: &Context, stop: &CancellationToken) {
    let locations: Vec<_> = context.locations.iter().map(|location| follow_location(context, location, stop)).collect();
    futures::future::join_all(locations).await;
}

async fn follow_location(context: &Context, location: &Location, stop: &CancellationToken) {
    let mut wait = BACKOFF_MIN;
    while !stop.is_cancelled() {
        let began = Instant::now();
        if is_paused(context, location).await.unwrap_or(false) {
            stop.run_until_cancelled(tokio::time::sleep(context.limits.refresh)).await;
            continue;
        }
        if let Err(error) = follow_once(context, location, stop).await {
            wait = if began.elapsed() > BACKOFF_MAX { BACKOFF_MIN } else { (wait * 2).min(BACKOFF_MAX) };
            log(location, &error, wait);
            stop.run_until_cancelled(tokio::time::sleep(wait)).await;
        }
    }
}

async fn is_paused(context: &Context, location: &Location) -> Result<bool, ReplicateError> {
    let pause = archive::location_pause(&*context.objects, &location.name, context.clock.now()).await?;
    Ok(pause.is_some())
}

fn log(location: &Location, error: &ReplicateError, wait: Duration) {
    let cause = error as &dyn std::error::Error;
    tracing::warn!(location = location.name, error = cause, "{error}; replication goes on in {wait:?}");
}

/// Works as one member of the location's group until something fails, or it is paused.
async fn follow_once(context: &Context, location: &Location, stop: &CancellationToken) -> Result<(), ReplicateError> {
    let mut fetch = context.kafka.join(&context.group(location), &[context.topic()]).await?;
    let mut looked_at = None::<Instant>;
    while !stop.is_cancelled() {
        if looked_at.is_none_or(|at| at.elapsed() >= context.limits.refresh) {
            if is_paused(context, location).await? {
                tracing::info!(location = location.name, "replication to it is paused");
                return Ok(());
            }
            retry::sweep(context, location).await?;
            looked_at = Some(Instant::now());
        }
        let Some(fetched) = stop.run_until_cancelled(fetch.next(context.limits.refresh)).await else { break };
        let mut batch = Batch::new();
        for fetched in fetched? {
            take(context, location, &mut *fetch, &mut batch, fetched).await?;
        }
        process::run(context, location, &batch, stop).await?;
    }
    Ok(())
}

async fn take(
    context: &Context,
    location: &Location,
    fetch: &mut dyn Fetch,
    batch: &mut Batch,
    fetched: Fetched,
) -> Result<(), ReplicateError> {
    match fetched {
        Fetched::Records { partition, records, .. } => batch.entry(partition).or_default().extend(records),
        Fetched::Assigned { partition } | Fetched::OutOfRange { partition } => {
            let from = process::start(context, location, &partition).await?;
            fetch.start(&partition, from).await?;
        }
        Fetched::Revoked { partition } => drop(batch.remove(&partition)),
        Fetched::Failed { error, .. } => return Err((*error).clone().into()),
        Fetched::End { .. } | Fetched::Interrupted => {}
    }
    Ok(())
}
