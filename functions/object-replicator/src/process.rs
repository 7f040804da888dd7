//! Working through entries: several objects at once, those of one chain in their order.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use futures::{StreamExt as _, stream};
use shared::{
    ports::records::{LogBounds, RecordsError},
    record::{Offset, Record, TopicPartition},
    replication::Entry,
};
use tokio_util::sync::CancellationToken;

use crate::{Context, Location, ReplicateError, Replicated, operation, operation::Outcome};

/// After a location failed nothing more is sent to it for so long, at most; it doubles from one second.
const PAUSE_MAX: Duration = Duration::from_secs(30);

const LEADER_ATTEMPTS_MAX: u32 = 50;
const LEADER_WAIT: Duration = Duration::from_millis(200);

/// Entries as they were read, by partition.
pub(crate) type Batch = BTreeMap<TopicPartition, Vec<Record>>;

/// An entry that is to be worked on.
struct Task {
    partition: TopicPartition,
    offset: Offset,
    entry: Entry,
}

/// How far a batch was worked through.
pub(crate) struct Done {
    /// By partition: the first offset that was not worked on.
    pub next: Vec<(TopicPartition, Offset)>,
    pub replicated: Replicated,
    /// Whether all of it was worked on.
    pub complete: bool,
    error: Option<ReplicateError>,
}

/// Works through a batch and commits how far it came.
pub(crate) async fn run(
    context: &Context,
    location: &Location,
    batch: &Batch,
    stop: &CancellationToken,
) -> Result<Done, ReplicateError> {
    let mut done = work(context, location, batch, stop).await;
    let committed: Vec<_> = done.next.iter().map(|(partition, next)| (partition.clone(), (*next).into())).collect();
    if !committed.is_empty() {
        context.kafka.commit(&context.group(location), &committed).await?;
    }
    done.error.take().map_or(Ok(done), Err)
}

async fn work(context: &Context, location: &Location, batch: &Batch, stop: &CancellationToken) -> Done {
    let mut undone: BTreeMap<&TopicPartition, Vec<Offset>> = BTreeMap::new();
    let mut orders: HashMap<String, Vec<Task>> = HashMap::new();
    for (partition, record) in
        batch.iter().flat_map(|(partition, records)| records.iter().map(move |it| (partition, it)))
    {
        if let Some(entry) = entry_for(context, location, partition, record) {
            undone.entry(partition).or_default().push(record.offset);
            let task = Task { partition: partition.clone(), offset: record.offset, entry };
            orders.entry(task.entry.order()).or_default().push(task);
        }
    }
    // The futures are made before the stream: a closure in it would keep whoever spawns this from being `Send`.
    let orders: Vec<_> = orders.into_values().map(|tasks| in_order(context, location, tasks, stop)).collect();
    let mut orders = stream::iter(orders).buffer_unordered(context.limits.at_once);
    let (mut replicated, mut error) = (Replicated::default(), None);
    while let Some((ended, failure)) = orders.next().await {
        error = error.or(failure);
        for (partition, offset, outcome) in ended {
            if let Some(offsets) = undone.get_mut(&partition) {
                offsets.retain(|it| *it != offset);
            }
            match outcome {
                Outcome::Completed => replicated.completed += 1,
                Outcome::Failed { .. } => replicated.failed += 1,
            }
        }
    }
    let end = |records: &[Record]| records.last().map(|last| last.offset.next());
    let next = batch.iter().filter_map(|(partition, records)| {
        let first_undone = undone.get(partition).and_then(|offsets| offsets.iter().min().copied());
        Some((partition.clone(), first_undone.or_else(|| end(records))?))
    });
    let complete = undone.values().all(Vec::is_empty);
    Done { next: next.collect(), replicated, complete, error }
}

fn entry_for(context: &Context, location: &Location, partition: &TopicPartition, record: &Record) -> Option<Entry> {
    match Entry::decode(record.value.as_deref()) {
        Ok(entry) => entry.asks(&context.queue().storage, &location.name).then_some(entry),
        Err(error) => {
            tracing::warn!(location = location.name, %partition, offset = %record.offset, "an entry is passed over: {error}");
            None
        }
    }
}

type Ended = Vec<(TopicPartition, Offset, Outcome)>;

/// Works on entries one after the other, until one cannot be said or it is time to stop.
async fn in_order(
    context: &Context,
    location: &Location,
    tasks: Vec<Task>,
    stop: &CancellationToken,
) -> (Ended, Option<ReplicateError>) {
    let (mut ended, mut failures) = (vec![], 0_u32);
    for Task { partition, offset, entry } in tasks {
        if stop.is_cancelled() {
            break;
        }
        let outcome = match operation::run(context, location, entry).await {
            Ok(outcome) => outcome,
            Err(error) => return (ended, Some(error)),
        };
        ended.push((partition, offset, outcome));
        failures = if outcome == (Outcome::Failed { is_of_location: true }) { failures + 1 } else { 0 };
        if failures > 0 {
            let wait = Duration::from_secs(1).saturating_mul(1 << failures.min(5)).min(PAUSE_MAX);
            stop.run_until_cancelled(tokio::time::sleep(wait)).await;
        }
    }
    (ended, None)
}

/// The partitions of the topic; none where it is not there.
pub(crate) async fn partitions(context: &Context) -> Result<Vec<TopicPartition>, RecordsError> {
    let topics = context.kafka.topics(Some(&[context.topic()])).await?;
    Ok(topics.iter().flat_map(|topic| topic.each_partition()).collect())
}

/// Where logs begin and end. A topic that was just made is listed before its leaders answer, so they are asked again for a while.
pub(crate) async fn bounds(context: &Context, partitions: &[TopicPartition]) -> Result<Vec<LogBounds>, RecordsError> {
    let mut attempt = 1;
    loop {
        let bounds = context.kafka.bounds(partitions).await.and_then(|bounds| bounds.into_iter().collect());
        match bounds {
            Err(error) if RecordsError::retry(&error) && attempt < LEADER_ATTEMPTS_MAX => {
                tokio::time::sleep(LEADER_WAIT).await;
                attempt += 1;
            }
            bounds => return bounds,
        }
    }
}

/// Where the location goes on in a partition: behind what it committed, and not below the log's start.
pub(crate) async fn start(
    context: &Context,
    location: &Location,
    partition: &TopicPartition,
) -> Result<Offset, RecordsError> {
    let partitions = std::slice::from_ref(partition);
    let committed = context.kafka.committed_offsets(&context.group(location), partitions).await?.pop().flatten();
    let unknown = || RecordsError::Unknown { operation: "read the log's bounds", name: partition.to_string() };
    let bounds = bounds(context, partitions).await?.pop().ok_or_else(unknown)?;
    // Above the end: the topic was created again, and everything in it is new.
    Ok(committed.filter(|offset| (bounds.start..=bounds.high_watermark).contains(offset)).unwrap_or(bounds.start))
}
