//! The drain: every selected partition from its frontier to the end of the log, then an answer.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use shared::{
    function::BadField,
    ports::records::{LogBounds, RecordsError, Topic},
    record::{Millis, Offset, Partition, TopicId, TopicPartition, topic_name},
    runs::{Failed, FailureKind},
};

use crate::{
    Backup, Context, WriteError,
    lane::Until,
    resting::LogEnd,
    session::{LaneEnd, Session},
};

/// What to drain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drain {
    /// The backup's name.
    pub backup: String,
    /// Only these of its topics, by name.
    #[serde(default)]
    pub topics: Option<Vec<String>>,
    /// Only the partitions of this shard.
    #[serde(default)]
    pub shard: Option<Shard>,
    /// When the answer must be there, in milliseconds since 1970.
    #[serde(default)]
    pub deadline: Option<Millis>,
    /// Whether this is a backup that ends here: its state becomes Done, not Running.
    #[serde(default)]
    pub one_shot: bool,
}

/// One of several equal parts of all partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shard {
    /// Which, from 0.
    pub index: u32,
    /// Of how many.
    pub count: u32,
}

impl Shard {
    fn takes(self, partition: &TopicPartition) -> bool {
        // FNV-1a: the same on every machine and in every version.
        let name = partition.to_string();
        let hash = name.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        hash % self.count.max(1) == self.index
    }

    fn check(self) -> Result<(), BadField> {
        let Shard { index, count } = self;
        match (index, count) {
            (_, 0) => Err(BadField::new("shard.count", count, "it must be 1 or more")),
            _ if index >= count => Err(BadField::new(
                "shard.index",
                index,
                format!("it must be below shard.count = {count}, counted from 0"),
            )),
            _ => Ok(()),
        }
    }
}

impl Drain {
    /// A drain of all topics of this backup, however long it takes.
    #[must_use]
    pub fn of(backup: &str) -> Self {
        Drain { backup: backup.to_owned(), topics: None, shard: None, deadline: None, one_shot: false }
    }

    /// Refuses what would drain nothing and look like success.
    fn check(&self, context: &Context, backup: &Backup) -> Result<(), BadField> {
        if let Some(names) = &self.topics {
            if names.is_empty() {
                return Err(BadField::new("topics", names, "name a topic, or leave the field out for all"));
            }
            for (index, name) in names.iter().enumerate() {
                let bad = |rule: String| BadField::new(format!("topics[{index}]"), name, rule);
                topic_name(name).map_err(|rule| bad(rule.to_owned()))?;
                if !context.selects(backup, name) {
                    return Err(bad(format!("backups.{}.topics does not select it", backup.name)));
                }
            }
        }
        self.shard.map_or(Ok(()), Shard::check)?;
        BadField::check_time("deadline", self.deadline)
    }
}

/// What a drain did.
#[derive(Debug, Default, Serialize)]
pub struct DrainReport {
    /// Each partition, in the order they ended.
    pub partitions: Vec<PartitionReport>,
    /// Topics that were named, in the backup's `topics.include` or in the input, and are not in Kafka.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing_topics: Vec<String>,
}

/// Offsets at the end of a log that nobody can read yet: a transaction that began at the first of them is still open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// The first.
    pub from: Offset,
    /// The one after the last.
    pub to: Offset,
}

impl Waiting {
    fn of(bounds: LogBounds) -> Option<Self> {
        let LogBounds { stable_end, high_watermark, .. } = bounds;
        (stable_end < high_watermark).then_some(Waiting { from: stable_end, to: high_watermark })
    }
}

/// What a drain did for one partition.
#[derive(Debug, Serialize)]
pub struct PartitionReport {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: i32,
    /// Records stored.
    pub records: u64,
    /// Segments stored.
    pub segments: u64,
    /// The frontier at the end.
    pub next: Offset,
    /// The consumed position at the end.
    pub position: Offset,
    /// Whether it was left alone because its topic is paused.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub paused: bool,
    /// What was held back by an open transaction when the drain began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Waiting>,
    /// Why it was not drained to the end.
    #[serde(serialize_with = "error_text", skip_serializing_if = "Option::is_none")]
    pub error: Option<WriteError>,
}

fn error_text<S: serde::Serializer>(error: &Option<WriteError>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&error.as_ref().map(ToString::to_string).unwrap_or_default())
}

impl DrainReport {
    /// Whether every partition was drained to the end, or is paused, and no topic is missing.
    #[must_use]
    pub fn complete(&self) -> bool {
        self.missing_topics.is_empty() && self.partitions.iter().all(|partition| partition.error.is_none())
    }
}

pub(crate) async fn run(drain: Drain, context: &Arc<Context>) -> Result<DrainReport, WriteError> {
    let backup = Arc::from(&*drain.backup);
    let report = drain_backup(drain, context).await;
    let failed = failures(&report);
    // One that had no time to reach the end has neither failed nor done all it had to.
    if !failed.is_empty() || report.as_ref().is_ok_and(DrainReport::complete) {
        context.runs.count(context.clock.now(), Some(&backup), &failed).await;
    }
    report
}

/// What a drain could not do.
fn failures(report: &Result<DrainReport, WriteError>) -> Vec<Failed> {
    let report = match report {
        Ok(report) => report,
        Err(error) => return vec![Failed::run(error.kind(), error)],
    };
    let of_partition = |it: &PartitionReport| {
        let error = it.error.as_ref().filter(|error| !matches!(error, WriteError::OutOfTime { .. }))?;
        let (topic, partition) = (Some(it.topic.clone()), Some(Partition(it.partition)));
        Some(Failed { topic, partition, ..Failed::run(error.kind(), error) })
    };
    let of_missing = |topic: &String| Failed {
        topic: Some(topic.as_str().into()),
        ..Failed::run(FailureKind::Settings, &format!("topic {topic} is not in kafka"))
    };
    let missing = report.missing_topics.iter().map(of_missing);
    report.partitions.iter().filter_map(of_partition).chain(missing).collect()
}

async fn drain_backup(drain: Drain, context: &Arc<Context>) -> Result<DrainReport, WriteError> {
    let backup = context.backup(&drain.backup).ok_or_else(|| WriteError::UnknownBackup(drain.backup.clone()))?;
    drain.check(context, backup)?;
    let close_at = close_at(context, drain.deadline);
    shared::archive::claim_owner(&*context.objects, &backup.name, &context.kafka.cluster_id().await?).await?;
    let topics = context.kafka.topics(None).await?;
    let missing_topics = missing_topics(&drain, context, backup, &topics);
    let targets = targets(&drain, context, backup, &topics).await?;
    let report = pull(context, backup, targets, drain.one_shot, close_at).await?;
    Ok(DrainReport { missing_topics, ..report })
}

/// The topics that were asked for by name and are not in Kafka; those of the settings become a figure.
fn missing_topics(drain: &Drain, context: &Context, backup: &Backup, topics: &[Topic]) -> Vec<String> {
    let configured = context.note_missing_topics(backup, topics);
    match &drain.topics {
        None => configured,
        Some(names) => {
            names.iter().filter(|name| !topics.iter().any(|topic| *topic.name == ***name)).cloned().collect()
        }
    }
}

/// When to begin closing segments so that the answer is there by the deadline: some time before it, and after half of the
/// time that is left at the latest, so that a short run does something too.
pub(crate) fn close_at(context: &Context, deadline: Option<Millis>) -> Option<Millis> {
    let margin = i64::try_from(context.limits.deadline_margin.as_millis()).unwrap_or(i64::MAX);
    Some(with_margin(context.clock.now(), deadline?, margin))
}

fn with_margin(now: Millis, deadline: Millis, margin_ms: i64) -> Millis {
    let left_ms = deadline.0.saturating_sub(now.0);
    Millis(deadline.0.saturating_sub(margin_ms.min(left_ms / 2)))
}

/// Pulls partitions up to their targets, or until it is time to close.
pub(crate) async fn pull(
    context: &Arc<Context>,
    backup: &Arc<Backup>,
    targets: Vec<Target>,
    finished: bool,
    close_at: Option<Millis>,
) -> Result<DrainReport, WriteError> {
    let pauses = shared::archive::read_pauses(&*context.objects, &backup.name).await?;
    let paused = pauses.clone();
    let mut session = Session::new(context, backup, pauses);
    let mut report = DrainReport::default();
    let mut waiting = HashMap::new();
    let mut ends = vec![];
    for Target { partition, log_end, end, waiting: held_back } in targets {
        waiting.extend(held_back.map(|held_back| (partition.clone(), held_back)));
        if let Some(log_end) = log_end.filter(|_| !finished && paused.since(&partition.topic).is_none()) {
            if let Some(summary) = context.resting.rest(context, &backup.name, &partition, &log_end) {
                session.rests(&partition);
                report.add(LaneEnd::rested(partition, summary));
                continue;
            }
            ends.push((partition.clone(), log_end));
        }
        match end {
            Ok(target) => session.add(partition, Until::End { target, finished }),
            Err(error) => report.add(LaneEnd::of(partition, error.into())),
        }
    }
    while !session.is_idle() && close_at.is_none_or(|at| context.clock.now() < at) {
        match session.round().await {
            Ok(ended) => ended.into_iter().for_each(|end| report.add(end)),
            // Each partition that is not at its end says so.
            Err(_) => break,
        }
    }
    session.finish().await.into_iter().for_each(|end| report.add(end));
    let done = report.done();
    for (partition, end) in ends.into_iter().filter(|(partition, _)| done.contains(partition)) {
        context.resting.at(&backup.name, &partition, end);
    }
    for partition in &mut report.partitions {
        partition.waiting = waiting.get(&TopicPartition::new(partition.topic.clone(), partition.partition)).copied();
    }
    Ok(report)
}

/// A partition and how far to pull it, or why it cannot be.
pub(crate) struct Target {
    pub partition: TopicPartition,
    /// Where the whole log ends, where that is the target: then a chain may be left alone that is there already.
    pub log_end: Option<LogEnd>,
    pub end: Result<Offset, RecordsError>,
    /// What lies behind it and cannot be read yet.
    pub waiting: Option<Waiting>,
}

/// The partitions to drain, each to its last stable offset, taken once.
async fn targets(
    drain: &Drain,
    context: &Context,
    backup: &Backup,
    topics: &[Topic],
) -> Result<Vec<Target>, WriteError> {
    let wanted = |topic: &&Topic| {
        drain.topics.as_ref().is_none_or(|names| names.iter().any(|name| **name == *topic.name))
            && context.selects(backup, &topic.name)
    };
    let wanted: Vec<&Topic> = topics.iter().filter(wanted).collect();
    let all = wanted.iter().flat_map(|topic| topic.each_partition());
    let partitions: Vec<TopicPartition> =
        all.filter(|partition| drain.shard.is_none_or(|shard| shard.takes(partition))).collect();
    let ids: HashMap<&Arc<str>, &TopicId> = wanted.iter().map(|topic| (&topic.name, &topic.id)).collect();
    let bounds = context.kafka.bounds(&partitions).await?;
    let target = |(partition, bounds): (TopicPartition, Result<LogBounds, _>)| Target {
        log_end: bounds.as_ref().ok().and_then(|bounds| {
            let topic_id = (*ids.get(&partition.topic)?).clone();
            Some(LogEnd { topic_id, offset: bounds.stable_end, leader_epoch: bounds.leader_epoch })
        }),
        partition,
        waiting: bounds.as_ref().ok().copied().and_then(Waiting::of),
        end: bounds.map(|bounds| bounds.stable_end),
    };
    Ok(partitions.into_iter().zip(bounds).map(target).collect())
}

impl DrainReport {
    /// The partitions that came to their ends.
    fn done(&self) -> HashSet<TopicPartition> {
        let done = self.partitions.iter().filter(|it| it.error.is_none());
        done.map(|it| TopicPartition::new(it.topic.clone(), it.partition)).collect()
    }

    fn add(&mut self, LaneEnd { partition, summary, error, .. }: LaneEnd) {
        if let Some(error) = &error {
            tracing::warn!(%partition, error = error as &dyn std::error::Error, "not drained to the end: {error}");
        }
        self.partitions.push(PartitionReport {
            topic: partition.topic,
            partition: partition.partition.0,
            records: summary.records,
            segments: summary.segments,
            next: summary.next,
            position: summary.position,
            paused: summary.paused,
            waiting: None,
            error,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_begins_some_time_before_the_deadline_and_after_half_of_a_short_time() {
        let closing = |deadline| with_margin(Millis(1_000), Millis(deadline), 10_000).0;
        assert_eq!((closing(61_000), closing(5_000), closing(1_000)), (51_000, 3_000, 1_000));
    }

    #[test]
    fn every_partition_is_in_exactly_one_shard() {
        for partition in (0..50).map(|p| TopicPartition::new("orders", p)) {
            let taken = (0..7).filter(|index| Shard { index: *index, count: 7 }.takes(&partition)).count();
            assert_eq!(taken, 1, "{partition}");
        }
    }
}
