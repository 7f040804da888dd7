//! A drain: what is asked for now, from where the location's group stands to the ends of the topic.

use std::collections::BTreeMap;

use shared::{
    archive,
    ports::records::Fetched,
    record::{Offset, TopicPartition},
};
use tokio_util::sync::CancellationToken;

use crate::{
    Context, Location, ReplicateError, Replicated,
    process::{self, Batch},
    retry,
};

pub(crate) async fn run(
    context: &Context,
    location: &Location,
    stop: &CancellationToken,
) -> Result<Replicated, ReplicateError> {
    if archive::location_pause(&*context.objects, &location.name, context.clock.now()).await?.is_some() {
        return Ok(Replicated::default());
    }
    retry::sweep(context, location).await?;
    let mut replicated = Replicated::default();
    let mut open = open(context, location).await?;
    let starts: Vec<_> = open.iter().map(|(partition, (from, _))| (partition.clone(), *from)).collect();
    if starts.is_empty() {
        return Ok(replicated);
    }
    let mut fetch = context.kafka.fetch(&starts).await?;
    while !open.is_empty() && !stop.is_cancelled() {
        let fetched = fetch.next(context.limits.silence_max).await?;
        if fetched.is_empty() {
            return Err(ReplicateError::Silence(context.limits.silence_max.as_secs()));
        }
        let batch = batch(&mut open, fetched)?;
        let done = process::run(context, location, &batch, stop).await?;
        replicated.completed += done.replicated.completed;
        replicated.failed += done.replicated.failed;
        if !done.complete {
            break;
        }
        let is_read = |partition: &TopicPartition, end: Offset| {
            done.next.iter().any(|(of, next)| of == partition && *next >= end)
        };
        open.retain(|partition, (_, end)| !is_read(partition, *end));
    }
    Ok(replicated)
}

/// Where to read from and to, by partition that has something to read.
async fn open(
    context: &Context,
    location: &Location,
) -> Result<BTreeMap<TopicPartition, (Offset, Offset)>, ReplicateError> {
    let partitions = process::partitions(context).await?;
    let bounds = process::bounds(context, &partitions).await?;
    let mut open = BTreeMap::new();
    for (partition, bounds) in partitions.into_iter().zip(bounds) {
        let (from, end) = (process::start(context, location, &partition).await?, bounds.stable_end);
        if from < end {
            open.insert(partition, (from, end));
        }
    }
    Ok(open)
}

fn batch(
    open: &mut BTreeMap<TopicPartition, (Offset, Offset)>,
    fetched: Vec<Fetched>,
) -> Result<Batch, ReplicateError> {
    let mut batch = Batch::new();
    for fetched in fetched {
        match fetched {
            Fetched::Records { partition, records, .. } => batch.entry(partition).or_default().extend(records),
            // What was deleted meanwhile is found by the next run, or by comparing.
            Fetched::End { partition, .. } | Fetched::OutOfRange { partition } => {
                if !batch.contains_key(&partition) {
                    open.remove(&partition);
                }
            }
            Fetched::Failed { error, .. } => return Err((*error).clone().into()),
            Fetched::Interrupted | Fetched::Assigned { .. } | Fetched::Revoked { .. } => {}
        }
    }
    Ok(batch)
}
