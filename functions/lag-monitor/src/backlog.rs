//! What is not stored yet, and how long Kafka keeps it: the oldest record of each log that is behind the frontier, the
//! log's growth, and its retention.
//!
//! It is kept cheap: a record that was found stays the oldest until it is stored, so one is looked for only when the
//! frontier has passed it, in at most [`Limits::peeks_max`](crate::Limits::peeks_max) partitions of a refresh. Where there
//! was no time to look, the one found before stands in: the next one is hardly older.

use std::{collections::BTreeMap, sync::Arc};

use shared::{
    metrics::{
        registers::{LogEnds, Registers},
        standing::{Earlier, Ends, Oldest, OpenTransaction},
        view::stored_to,
    },
    ports::records::{Fetched, RecordsError},
    record::{Millis, Offset, Record, TopicPartition},
};

use crate::{Context, Failure};

/// How many refreshes an observation serves as the earlier one.
const EARLIER_REFRESHES: i64 = 4;

/// Adds to the observed ends of logs what is not stored of them, as far as `known` tells, how they grow, and when Kafka
/// deletes. Answers what could not be looked at.
pub(crate) async fn add(context: &Context, ends: &mut [Ends], known: &Registers) -> Vec<Failure> {
    let mut failures = vec![];
    let mut looks: Vec<Look> = vec![];
    for (index, it) in ends.iter_mut().enumerate() {
        let before = known.topics.get(&it.topic).and_then(|topic| topic.ends.get(&it.partition));
        let before = before.filter(|before| before.topic_id == it.topic_id);
        it.earlier = earlier(before, it, context.refresh_ms());
        let stored = known.topics.get(&it.topic).and_then(|topic| stored_to(topic, &it.topic_id, it.partition));
        it.behind_storage = stored.is_some_and(|stored| stored > it.log_end);
        let from = stored.unwrap_or_default().max(it.log_start).min(it.log_end);
        it.oldest = known_oldest(before, it, from);
        it.open_transaction = it.open_transaction.map(|open| seen_first(open, before));
        if it.oldest.is_none_or(|oldest| !still_holds(oldest, before, it, from)) {
            let partition = TopicPartition { topic: it.topic.clone(), partition: it.partition };
            looks.push(Look { index, partition, from, known: it.oldest });
        }
    }
    if let Err(error) = look(context, ends, looks).await {
        failures.push(Failure::of_backup(error));
    }
    add_retention(context, ends, &mut failures).await;
    failures
}

/// A partition to look into.
struct Look {
    index: usize,
    partition: TopicPartition,
    from: Offset,
    /// What stands in for what is not found.
    known: Option<Oldest>,
}

/// The observation to measure the growth from: neither the last instant nor long ago.
fn earlier(before: Option<&LogEnds>, now: &Ends, refresh_ms: i64) -> Option<Earlier> {
    let before = before?;
    let age_ms = |at: Millis| now.timestamp.0.saturating_sub(at.0);
    let last = Earlier { timestamp: before.observed_at, log_end: before.log_end };
    let serves = |earlier: &Earlier| (1..EARLIER_REFRESHES * refresh_ms).contains(&age_ms(earlier.timestamp));
    let is_too_near = age_ms(last.timestamp) < refresh_ms / 2;
    before.earlier.filter(|earlier| serves(earlier) || is_too_near).or(Some(last))
}

/// An open transaction as it was seen first: the one before has the same offset while it is the same.
fn seen_first(open: OpenTransaction, before: Option<&LogEnds>) -> OpenTransaction {
    before.and_then(|before| before.open_transaction).filter(|it| it.offset == open.offset).unwrap_or(open)
}

/// What tells something of the oldest record behind `from` already.
fn known_oldest(before: Option<&LogEnds>, now: &Ends, from: Offset) -> Option<Oldest> {
    if from >= now.log_end {
        return Some(Oldest { from, offset: now.log_end, timestamp: now.timestamp, bytes: 0 });
    }
    before?.oldest.filter(|oldest| oldest.from <= from)
}

/// Whether it is the oldest record still: not stored, and not the end of a log that has grown.
fn still_holds(oldest: Oldest, before: Option<&LogEnds>, now: &Ends, from: Offset) -> bool {
    let was_none = before.is_some_and(|before| oldest.offset >= before.log_end);
    oldest.offset == now.log_end || (oldest.offset >= from && !was_none)
}

async fn look(context: &Context, ends: &mut [Ends], mut looks: Vec<Look>) -> Result<(), RecordsError> {
    // Those of which nothing is known first, then those that were looked into the longest ago.
    looks.sort_by_key(|look| look.known.map(|oldest| oldest.timestamp));
    looks.truncate(context.limits.peeks_max);
    let found = peek(context, &looks).await?;
    for look in looks {
        let Some(found) = found.get(&look.partition) else { continue };
        let it = &mut ends[look.index];
        let offset = found.offset.clamp(look.from, it.log_end);
        let same = look.known.filter(|known| known.offset == offset).map(|known| known.timestamp);
        let timestamp = found.timestamp.filter(|at| at.0 >= 0).or(same).unwrap_or(it.timestamp);
        it.oldest = Some(Oldest { from: look.from, offset, timestamp, bytes: found.bytes });
    }
    Ok(())
}

/// The first record of a partition, or where a reading ended that found none.
struct Found {
    offset: Offset,
    timestamp: Option<Millis>,
    bytes: u64,
}

impl Found {
    fn record(record: &Record) -> Found {
        Found { offset: record.offset, timestamp: Some(record.timestamp), bytes: record.size_bytes() }
    }
}

/// Reads the first record of each partition, as far as that is done in time.
async fn peek(context: &Context, looks: &[Look]) -> Result<BTreeMap<TopicPartition, Found>, RecordsError> {
    let mut found = BTreeMap::new();
    let starts: Vec<_> = looks.iter().map(|look| (look.partition.clone(), look.from)).collect();
    if starts.is_empty() {
        return Ok(found);
    }
    let mut fetch = context.kafka.peek(&starts).await?;
    let mut waiting: BTreeMap<TopicPartition, Offset> = starts.into_iter().collect();
    let reading = async {
        while !waiting.is_empty() {
            for fetched in fetch.next(context.limits.peek_wait).await? {
                let (partition, it) = match fetched {
                    Fetched::Records { partition, records, .. } => {
                        let from = waiting.get(&partition).copied();
                        let first = records.iter().find(|record| Some(record.offset) >= from);
                        (partition, first.map(Found::record))
                    }
                    Fetched::End { partition, position } => {
                        (partition, Some(Found { offset: position, timestamp: None, bytes: 0 }))
                    }
                    Fetched::OutOfRange { partition } | Fetched::Failed { partition, .. } => {
                        waiting.remove(&partition);
                        continue;
                    }
                    Fetched::Interrupted | Fetched::Assigned { .. } | Fetched::Revoked { .. } => continue,
                };
                if let Some(it) = it
                    && waiting.remove(&partition).is_some()
                {
                    fetch.stop(&partition).await?;
                    found.insert(partition, it);
                }
            }
        }
        Ok::<(), RecordsError>(())
    };
    // Whoever is not heard in time is looked at again at the next refresh.
    tokio::time::timeout(context.limits.peek_wait, reading).await.unwrap_or(Ok(()))?;
    Ok(found)
}

/// Asks for the retention of the topics that have something to lose.
async fn add_retention(context: &Context, ends: &mut [Ends], failures: &mut Vec<Failure>) {
    let is_behind = |it: &&mut Ends| it.oldest.is_none_or(|oldest| oldest.offset < it.log_end);
    let mut topics: Vec<Arc<str>> = ends.iter_mut().filter(is_behind).map(|it| it.topic.clone()).collect();
    topics.dedup();
    if topics.is_empty() {
        return;
    }
    let told = match context.kafka.retention(&topics).await {
        Ok(told) => told,
        Err(error) => return failures.push(Failure::of_backup(error)),
    };
    for (topic, retention) in topics.iter().zip(told) {
        match retention {
            Ok(retention) => {
                let of_topic = ends.iter_mut().filter(|it| it.topic == *topic);
                of_topic.for_each(|it| it.retention = Some(retention));
            }
            Err(error) => failures.push(Failure::of_topic(topic, error)),
        }
    }
}
