//! The handshake with metrics-aggregator, and what each source needs to know before it.

use std::sync::Arc;

use shared::{
    crash,
    metrics::{
        effects, fold, keys,
        part::{Outcome, Part, Place},
    },
    ports::{
        records::{LogBounds, RecordsError, Topic},
        store::Operation,
    },
    record::{Offset, Record, TopicId, TopicPartition},
};

use crate::{Context, CountError, GROUP};

const AGGREGATOR: &str = "metrics-aggregator";
/// So much of an answer that makes no sense is shown.
const ANSWER_CHARS_MAX: usize = 200;

/// Where the store says that a partition stands; `None`: it was never counted, or the store lost it.
pub(crate) type Position = Option<Offset>;

/// What came of records that were handed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivered {
    /// They are counted, and the partition stands here.
    Counted(Position),
    /// The partition stands elsewhere: some of them may be counted, and counting goes on there.
    Elsewhere(Position),
}

/// Hands records in for counting, as the first ones at `from` or after it.
pub(crate) async fn deliver(
    context: &Context,
    place: &Place,
    from: Position,
    records: &[Record],
) -> Result<Delivered, CountError> {
    let mut position = from;
    let mut batches = vec![records];
    'batches: while let Some(records) = batches.pop() {
        for part in fold::fold(place, position, records, context.windows) {
            crash::point("before-apply");
            let sent = match send(context, &part).await {
                // One message is to blame: it is looked for by halves, so that the others count.
                Err(error) if error.blames_the_part() && records.len() > 1 => {
                    let (first, second) = records.split_at(records.len() / 2);
                    batches.extend([second, first]);
                    continue 'batches;
                }
                Err(error) if error.blames_the_part() => pass_over(context, part, &error).await,
                sent => sent,
            };
            match sent? {
                Outcome::Done { position: to } => position = Some(to),
                Outcome::Elsewhere { position } => return Ok(Delivered::Elsewhere(position)),
            }
            crash::point("after-apply");
        }
    }
    Ok(Delivered::Counted(position))
}

/// Counts a message that can never be applied as skipped, and moves the partition behind it.
async fn pass_over(context: &Context, part: Part, error: &CountError) -> Result<Outcome, CountError> {
    tracing::error!(
        partition = %part.place.partition, offset = part.to.0 - 1, error = error as &dyn std::error::Error,
        "a message of the metrics topic can never be counted and is passed over: {error}"
    );
    let skipped = Operation::Add { key: keys::rejected(effects::NEVER_APPLIES), by: 1, expires: None };
    send(context, &Part { operations: vec![skipped], ..part }).await
}

/// Moves a partition over offsets at the end of its log that hold no message, so that it stands where the log ends.
pub(crate) async fn pass(
    context: &Context,
    place: &Place,
    from: Position,
    to: Offset,
) -> Result<Delivered, CountError> {
    let part = Part { place: place.clone(), from, to, operations: Vec::new() };
    Ok(match send(context, &part).await? {
        Outcome::Done { position } => Delivered::Counted(Some(position)),
        Outcome::Elsewhere { position } => Delivered::Elsewhere(position),
    })
}

/// Asks where a partition stands.
pub(crate) async fn ask(context: &Context, place: &Place) -> Result<Position, CountError> {
    match send(context, &Part::asking(place.clone())).await? {
        Outcome::Done { position } => Ok(Some(position)),
        Outcome::Elsewhere { position } => Ok(position),
    }
}

async fn send(context: &Context, part: &Part) -> Result<Outcome, CountError> {
    let payload = serde_json::to_value(part).expect("a part is texts and numbers, which is valid JSON");
    let answer = context.invoker.invoke(AGGREGATOR, payload).await?;
    let shown = |answer: &serde_json::Value| answer.to_string().chars().take(ANSWER_CHARS_MAX).collect();
    serde_json::from_value(answer.clone()).map_err(|source| CountError::Answer { answer: shown(&answer), source })
}

/// The metrics topic as the cluster has it now.
pub(crate) async fn topic(context: &Context) -> Result<Topic, CountError> {
    let topics = context.kafka.topics(Some(&[Arc::clone(&context.topic)])).await?;
    topics.into_iter().next().ok_or_else(|| CountError::NoTopic(context.topic.to_string()))
}

/// Compares the metrics topic's id with the one under which something was read, **behind** the reading: what was read while
/// it stays the same is of that topic. Created again, it begins at 0 under another id, and would be counted twice.
pub(crate) async fn is_still(context: &Context, id: &TopicId) -> Result<(), CountError> {
    match topic(context).await?.id == *id {
        true => Ok(()),
        false => Err(CountError::TopicChanged(context.topic.to_string())),
    }
}

/// Where to read from to go on at `position`. Of what was never counted, all that Kafka still has; what it has no more is
/// passed over.
pub(crate) async fn start(
    context: &Context,
    partition: &TopicPartition,
    position: Position,
) -> Result<Offset, CountError> {
    let bounds = bounds(context, partition).await?;
    match position {
        Some(position) if position > bounds.high_watermark => {
            Err(CountError::AheadOfLog { partition: partition.clone(), position, log_end: bounds.high_watermark })
        }
        Some(position) if position >= bounds.start => Ok(position),
        Some(position) => {
            tracing::warn!(%partition, %position, log_start = %bounds.start, "kafka no longer has messages that were not counted yet");
            Ok(bounds.start)
        }
        None => Ok(bounds.start),
    }
}

/// Where the log starts and ends.
pub(crate) async fn bounds(context: &Context, partition: &TopicPartition) -> Result<LogBounds, CountError> {
    let unknown = || RecordsError::Unknown { operation: "read the log's bounds", name: partition.to_string() };
    let bounds = context.kafka.bounds(std::slice::from_ref(partition)).await?.pop();
    Ok(bounds.ok_or_else(unknown)??)
}

/// Tells others how far the figures are. Nothing here reads it, so a failure costs nothing but the report: where an event
/// source is the group's member, nobody else may commit for it.
pub(crate) async fn commit(context: &Context, counted: &[(TopicPartition, Offset)]) {
    if counted.is_empty() {
        return;
    }
    let committed: Vec<_> = counted.iter().map(|(partition, next)| (partition.clone(), (*next).into())).collect();
    if let Err(error) = context.kafka.commit(GROUP, &committed).await {
        tracing::debug!(error = &error as &dyn std::error::Error, "offsets were not committed: {error}");
    }
}
