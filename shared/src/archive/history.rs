//! Comparing a chain with the log that it is the backup of ([`crate::chain::history`]).
//!
//! It reads the log through one consumer of its own, so it is for few partitions: where something looks wrong, and for
//! verification. A writer that is well compares the first record that it fetches.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use super::{ArchiveError, ChainEnd, SegmentEntry, chain_end, chain_objects, read_metadata, read_segment};
use crate::{
    chain::{ChainIdentity, Frontier, History, LastRead, keys},
    ports::{
        objects::Objects,
        records::{Fetch, Fetched, Log, LogBounds, RecordsError},
    },
    record::{Offset, Record, TopicPartition},
};

/// How long to wait for one record.
const WAIT: Duration = Duration::from_secs(10);

/// What the backup holds and the log does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Divergence {
    /// The first stored offset at which the log has another record, or none any more.
    pub from: Offset,
    /// The offset after the last one that is stored.
    pub to: Offset,
    /// Where the log ends.
    pub log_end: Offset,
}

/// Compares chains with their logs, which it reads with one consumer.
pub struct LogComparison<'a> {
    kafka: &'a dyn Log,
    objects: &'a dyn Objects,
    fetch: Box<dyn Fetch>,
}

impl<'a> LogComparison<'a> {
    /// A consumer that reads nothing yet.
    pub async fn begin(kafka: &'a dyn Log, objects: &'a dyn Objects) -> Result<Self, ArchiveError> {
        Ok(LogComparison { kafka, objects, fetch: kafka.fetch(&[]).await? })
    }

    /// Compares a chain that ends at `frontier` with its log; `None` where the log holds what the chain ends with, or where
    /// nothing can be told, because retention or compaction took the last stored record.
    pub async fn divergence(
        &mut self,
        chain: &ChainIdentity,
        frontier: &Frontier,
    ) -> Result<Option<Divergence>, ArchiveError> {
        let partition = chain.topic_partition();
        let bounds = self.kafka.bounds(std::slice::from_ref(&partition)).await?.pop();
        let bounds = bounds.ok_or_else(|| no_answer(&partition))??;
        let mut log = LogReader { fetch: &mut *self.fetch, partition, bounds, came: VecDeque::new() };
        let is_same = match frontier.last_read {
            _ if bounds.stable_end < frontier.next => false,
            Some(last) => log.holds(&last).await?,
            None => true,
        };
        if is_same {
            log.fetch.stop(&log.partition).await?;
            return Ok(None);
        }
        let from = first_difference(&mut log, self.objects, chain).await?;
        log.fetch.stop(&log.partition).await?;
        let from = from.unwrap_or_else(|| frontier.next.min(bounds.stable_end));
        Ok(Some(Divergence { from, to: frontier.next, log_end: bounds.high_watermark }))
    }
}

/// The first stored offset at which the log differs. What comes before a record that is the same is the same too, so the
/// segment is found by bisection.
async fn first_difference(
    log: &mut LogReader<'_>,
    objects: &dyn Objects,
    chain: &ChainIdentity,
) -> Result<Option<Offset>, ArchiveError> {
    let segments = segments(objects, chain).await?;
    let (mut same, mut other) = (0, segments.len());
    while same < other {
        let middle = usize::midpoint(same, other);
        let last = read_metadata(objects, chain, &segments[middle]).await?.last_read;
        let is_same = match last {
            Some(last) => log.holds(&last).await?,
            None => true,
        };
        if is_same { same = middle + 1 } else { other = middle }
    }
    let Some(segment) = segments.get(same) else { return Ok(None) };
    let stored = read_segment(objects, &segment.key).await?;
    let next = stored.metadata().next;
    let logged = log.range(segment.base, next).await?;
    for group in stored.row_groups() {
        let group = group.map_err(|error| super::undecodable(&segment.key, error))?;
        let differs = group.iter().find(|record| match logged.get(&record.offset) {
            Some(other) => other != *record,
            None => record.offset >= log.bounds.stable_end,
        });
        if let Some(record) = differs {
            return Ok(Some(record.offset));
        }
    }
    Ok(Some(Offset(next.0 - 1).min(log.bounds.stable_end)))
}

/// The segments of a chain from its floor on.
async fn segments(objects: &dyn Objects, chain: &ChainIdentity) -> Result<Vec<SegmentEntry>, ArchiveError> {
    let ChainEnd { floor, accepted, .. } = chain_end(objects, chain, None).await?;
    let (folder, mut after) = (keys::chain_folder(chain), keys::before_segment(chain, floor.floor.base));
    let (cuts, mut segments) = (accepted.cuts(), vec![]);
    loop {
        let (page, next) = chain_objects(objects, chain, &after).await?;
        let there = page.iter().filter_map(|entry| SegmentEntry::of(&folder, entry));
        segments.extend(there.filter(|segment| !segment.is_superseded(&cuts)));
        match next {
            Some(next) => after = next,
            None => return Ok(segments),
        }
    }
}

/// What comes next of a log.
enum Next {
    /// Records of one leader epoch.
    Records(Vec<Record>, Option<i32>),
    /// The end.
    End,
    /// The log does not have the offset, or not what came before it.
    OutOfRange,
}

/// One partition's log.
struct LogReader<'a> {
    fetch: &'a mut dyn Fetch,
    partition: TopicPartition,
    bounds: LogBounds,
    /// What was fetched and not looked at yet.
    came: VecDeque<Fetched>,
}

impl LogReader<'_> {
    /// Whether the log holds a record, or nothing can be told.
    async fn holds(&mut self, last: &LastRead) -> Result<bool, ArchiveError> {
        if last.offset < self.bounds.start {
            return Ok(true);
        }
        if last.offset >= self.bounds.stable_end {
            return Ok(false);
        }
        self.came.clear();
        self.fetch.start(&self.partition, last.offset).await?;
        let found = match self.next().await? {
            Next::Records(records, epoch) => last.compare(&records[0], epoch),
            Next::End | Next::OutOfRange => History::Unknown,
        };
        match (found, last.leader_epoch) {
            (History::Unknown, Some(epoch)) => {
                self.came.clear();
                self.fetch.start_behind(&self.partition, last.offset.next(), epoch).await?;
                Ok(!matches!(self.next().await?, Next::OutOfRange))
            }
            (found, _) => Ok(found != History::Other),
        }
    }

    /// The records in a range, as far as the log has them.
    async fn range(&mut self, from: Offset, to: Offset) -> Result<BTreeMap<Offset, Record>, ArchiveError> {
        let (from, to) = (from.max(self.bounds.start), to.min(self.bounds.stable_end));
        let mut found = BTreeMap::new();
        if from >= to {
            return Ok(found);
        }
        self.came.clear();
        self.fetch.start(&self.partition, from).await?;
        while let Next::Records(records, _) = self.next().await? {
            let came_to = records[records.len() - 1].offset.next();
            found.extend(records.into_iter().filter(|it| it.offset < to).map(|record| (record.offset, record)));
            if came_to >= to {
                break;
            }
        }
        Ok(found)
    }

    async fn next(&mut self) -> Result<Next, ArchiveError> {
        match tokio::time::timeout(WAIT, self.read()).await {
            Ok(read) => read,
            Err(_) => Err(no_answer(&self.partition).into()),
        }
    }

    async fn read(&mut self) -> Result<Next, ArchiveError> {
        loop {
            while let Some(fetched) = self.came.pop_front() {
                match fetched {
                    Fetched::Records { records, leader_epoch, .. } => return Ok(Next::Records(records, leader_epoch)),
                    Fetched::End { .. } => return Ok(Next::End),
                    Fetched::OutOfRange { .. } => return Ok(Next::OutOfRange),
                    Fetched::Failed { error, .. } => return Err(RecordsError::clone(&error).into()),
                    Fetched::Interrupted | Fetched::Assigned { .. } | Fetched::Revoked { .. } => {}
                }
            }
            self.came.extend(self.fetch.next(WAIT).await?);
        }
    }
}

fn no_answer(partition: &TopicPartition) -> RecordsError {
    RecordsError::Unavailable {
        operation: "compare the log with the backup",
        bootstrap_servers: partition.to_string(),
        message: format!("nothing came for {} s", WAIT.as_secs()),
    }
}
