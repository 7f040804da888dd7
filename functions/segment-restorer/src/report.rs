//! What a run answers.

use std::{collections::BTreeMap, sync::Arc};

use serde::Serialize;
use shared::{
    record::{Offset, Partition, TopicPartition},
    restore::{
        Finding, Missing,
        progress::{Counts, Position, Progress},
        translation::Exactness,
    },
};

/// How a restore ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Something stands in its way; nothing was written.
    Refused,
    /// A dry run: nothing was written.
    Planned,
    /// Everything that was asked for is in the target.
    Done,
    /// The deadline came; the next run goes on.
    Stopped,
    /// Another run of the same restore took over.
    TakenOver,
    /// It failed; another run goes on where it was committed.
    Failed,
}

/// How far the partitions of a topic are, as it was committed.
#[derive(Debug, Default)]
pub(crate) struct Reached {
    pub(crate) positions: BTreeMap<Partition, Position>,
    /// What was passed over.
    pub(crate) missing: BTreeMap<Partition, Vec<Missing>>,
}

impl Reached {
    pub(crate) fn of(progress: &Progress) -> Self {
        let missing = progress.skipped.iter().map(|(partition, all)| (*partition, all.values().cloned().collect()));
        Reached { positions: progress.positions.clone(), missing: missing.collect() }
    }
}

/// What a run answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RestoreReport {
    /// The backup.
    pub backup: String,
    /// How it ended.
    pub outcome: Outcome,
    /// What was found before anything was written.
    pub findings: Vec<Finding>,
    /// What became of each topic.
    pub topics: Vec<TopicReport>,
    /// What became of each group's offsets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupReport>,
}

/// What became of a topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TopicReport {
    /// The source.
    pub source: Arc<str>,
    /// Which topic of that name.
    pub incarnation: u32,
    /// The target.
    pub target: Arc<str>,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it did not end well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Its partitions.
    pub partitions: Vec<PartitionReport>,
}

/// How far a partition is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartitionReport {
    /// The source partition.
    pub partition: Partition,
    /// Everything below is restored, or was not asked for.
    pub next: Offset,
    /// Where it is done.
    pub end: Offset,
    /// How much is in the target, from all runs.
    #[serde(flatten)]
    pub counts: Counts,
    /// What should be in the backup, could not be restored, and was passed over.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Missing>,
    /// How many records there are at most.
    pub records_max: u64,
    /// How many bytes they have at most.
    pub record_bytes_max: u64,
}

impl RestoreReport {
    /// The worst that became of any topic.
    pub(crate) fn outcome_of(topics: &[TopicReport]) -> Outcome {
        let order = |outcome: &Outcome| match outcome {
            Outcome::Done | Outcome::Planned => 0,
            Outcome::Stopped => 1,
            Outcome::TakenOver => 2,
            Outcome::Refused => 3,
            Outcome::Failed => 4,
        };
        topics.iter().map(|topic| topic.outcome).max_by_key(order).unwrap_or(Outcome::Done)
    }
}

/// What became of a group's offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupOutcome {
    /// It is committed in the target, and was read back.
    Committed,
    /// The group is as far or further there already.
    Kept,
    /// A dry run.
    Planned,
    /// The group had committed nothing for this partition.
    None,
    /// It is not committed.
    Failed,
}

/// A group's offset of a target partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GroupReport {
    /// The group.
    pub group: String,
    /// The source topic.
    pub source: Arc<str>,
    /// What it had committed in the partition of the same number; absent: nothing, or the records were spread by their keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_offset: Option<Offset>,
    /// The target partition.
    pub target: TopicPartition,
    /// Where it goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<Offset>,
    /// How exact that is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exactness: Option<Exactness>,
    /// What became of it.
    pub outcome: GroupOutcome,
    /// Why it is not committed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}
