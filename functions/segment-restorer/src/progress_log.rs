//! The progress topic, read to its end.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use shared::{
    ports::{
        records::{Fetched, LogBounds, Message, RecordsError},
        transactions::Target,
    },
    record::{Offset, Partition, Record, TopicPartition},
    restore::{PROGRESS_TOPIC, RestoreId, progress::Progress},
};

use crate::error::RestoreError;

/// How long one look waits for records.
const LOOK: Duration = Duration::from_millis(500);
/// How often in a row nothing may come.
const LOOKS_MAX: u32 = 60;
/// How often it is looked whether open transactions are over.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long after a commit Kafka may take to write its markers.
const MARKERS_WITHIN: Duration = Duration::from_secs(10);

/// Makes the topic where it is not there.
pub(crate) async fn create(target: &dyn Target) -> Result<(), RestoreError> {
    Ok(target.create_topic(PROGRESS_TOPIC, 1, &[("cleanup.policy", "compact".to_owned())]).await?)
}

/// What was read of the topic.
pub(crate) struct Known {
    /// By restore.
    pub(crate) progress: BTreeMap<RestoreId, Progress>,
    /// Everything below was read.
    pub(crate) read_to: Offset,
}

/// Where the log ends now, with what is not committed yet.
pub(crate) async fn end(target: &dyn Target) -> Result<Offset, RestoreError> {
    let partition = TopicPartition::new(PROGRESS_TOPIC, 0);
    Ok(target.bounds(&[partition]).await?.swap_remove(0)?.high_watermark)
}

/// What is known of these restores, as far as no open transaction is in the way.
pub(crate) async fn read(target: &dyn Target, restores: &[RestoreId]) -> Result<Known, RestoreError> {
    let mut progress: BTreeMap<_, _> = restores.iter().map(|id| (id.clone(), Progress::default())).collect();
    let read_to = each(target, |record| {
        progress.iter_mut().try_for_each(|(id, progress)| progress.take(id, record)).map_err(RestoreError::from)
    });
    Ok(Known { read_to: read_to.await?, progress })
}

/// Takes everything that is known of a restore out of the topic.
pub(crate) async fn forget(target: &dyn Target, restore: &RestoreId) -> Result<(), RestoreError> {
    let mut keys = BTreeSet::new();
    each(target, |record| {
        keys.extend(record.key.clone().filter(|key| restore.is_of(key)));
        Ok(())
    })
    .await?;
    let tombstone = |key| Message { partition: Some(Partition(0)), key: Some(key), ..Message::default() };
    Ok(target.publish(PROGRESS_TOPIC, keys.into_iter().map(tombstone).collect()).await?)
}

/// Goes through the records of the topic, as far as no open transaction is in the way. How far that is.
async fn each(
    target: &dyn Target,
    mut record: impl FnMut(&Record) -> Result<(), RestoreError>,
) -> Result<Offset, RestoreError> {
    if target.topics(Some(&[PROGRESS_TOPIC.into()])).await?.is_empty() {
        return Ok(Offset(0));
    }
    let partition = TopicPartition::new(PROGRESS_TOPIC, 0);
    let bounds = target.bounds(std::slice::from_ref(&partition)).await?.swap_remove(0)?;
    let (start, end) = (bounds.start, bounds.stable_end);
    let (mut position, mut quiet) = (start, 0);
    let mut fetch = target.fetch(&[(partition, start)]).await?;
    while position < end {
        let came = fetch.next(LOOK).await?;
        let before = position;
        for fetched in came {
            position = position.max(take(fetched, &mut record)?);
        }
        quiet = if position > before { 0 } else { quiet + 1 };
        if quiet > LOOKS_MAX {
            let within_s = LOOK.as_secs_f64() * f64::from(LOOKS_MAX);
            return Err(RestoreError::ProgressStalled { topic: PROGRESS_TOPIC, within_s: within_s as u64 });
        }
    }
    Ok(position)
}

/// The same, once everything that lies in the log now was read: Kafka answers a commit before readers see it.
pub(crate) async fn read_all(
    target: &dyn Target,
    restores: &[RestoreId],
    within: Duration,
) -> Result<Known, RestoreError> {
    if target.topics(Some(&[PROGRESS_TOPIC.into()])).await?.is_empty() {
        return read(target, restores).await;
    }
    let end = end(target).await?;
    let until_there = async {
        loop {
            let known = read(target, restores).await?;
            if known.read_to >= end {
                return Ok(known);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    let stalled = || RestoreError::ProgressStalled { topic: PROGRESS_TOPIC, within_s: within.as_secs() };
    tokio::time::timeout(within, until_there).await.unwrap_or_else(|_| Err(stalled()))
}

/// The bounds of a target's partitions, once no transaction is open there, or after [`MARKERS_WITHIN`]: then it is somebody
/// else's, and what is behind its beginning counts as not there.
pub(crate) async fn ended_bounds(
    target: &dyn Target,
    partitions: &[TopicPartition],
) -> Result<Vec<LogBounds>, RestoreError> {
    for _ in 0..MARKERS_WITHIN.as_millis() / LOOK_EVERY.as_millis() {
        let bounds = bounds(target, partitions).await?;
        if bounds.iter().all(|log| log.stable_end == log.high_watermark) {
            return Ok(bounds);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    bounds(target, partitions).await
}

async fn bounds(target: &dyn Target, partitions: &[TopicPartition]) -> Result<Vec<LogBounds>, RestoreError> {
    Ok(target.bounds(partitions).await?.into_iter().collect::<Result<_, _>>()?)
}

/// Takes in what came, and says how far the reading is.
fn take(
    fetched: Fetched,
    record: &mut impl FnMut(&Record) -> Result<(), RestoreError>,
) -> Result<Offset, RestoreError> {
    match fetched {
        Fetched::Records { records, .. } => {
            records.iter().try_for_each(record)?;
            Ok(records.last().map_or(Offset(0), |record| record.offset.next()))
        }
        Fetched::End { position, .. } => Ok(position),
        Fetched::Failed { error, .. } => Err(RecordsError::clone(&error).into()),
        Fetched::OutOfRange { partition } => {
            let message = format!("{partition} was emptied while it was read: start the restore again");
            Err(RecordsError::Refused { operation: "read the progress of restores", message }.into())
        }
        Fetched::Interrupted | Fetched::Assigned { .. } | Fetched::Revoked { .. } => Ok(Offset(0)),
    }
}
