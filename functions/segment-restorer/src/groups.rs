//! Consumer groups go on in the target where they stood in the source.
//!
//! Their offsets come from the snapshots in the backup, and are translated by where the records came to lie. Only a group
//! without members is written: the cluster refuses others, also one that got a member in between.

use std::{collections::BTreeMap, sync::Arc};

use serde::Serialize;
use shared::{
    archive::{self, GroupOffset, GroupSnapshot},
    ports::records::{Committed, RecordsError},
    record::{Millis, Offset, Partition, TopicPartition},
    restore::{
        Plan, RestoreId,
        progress::Progress,
        translation::{Exactness, translate},
    },
};

use crate::{
    context::Context,
    error::RestoreError,
    prepare::{Prepared, PreparedTopic},
    progress_log,
};

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
    /// It is not committed.
    Failed,
}

/// A group's offset of a partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GroupReport {
    /// The group.
    pub group: String,
    /// When its snapshot was taken.
    pub taken_at: Millis,
    /// The source partition.
    pub source: TopicPartition,
    /// What it had committed there.
    pub source_offset: Offset,
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

/// The snapshots that a plan means; and the patterns that mean none.
pub(crate) async fn snapshots(
    plan: &Plan,
    backup: &str,
    context: &Context,
) -> Result<(Vec<GroupSnapshot>, Vec<String>), RestoreError> {
    if plan.groups.is_empty() {
        return Ok((vec![], vec![]));
    }
    let objects = &*context.objects;
    let held = archive::groups(objects, backup).await?;
    let until = plan.groups_at.map(|moment| moment.0);
    let (mut snapshots, mut missed) = (BTreeMap::new(), vec![]);
    for pattern in &plan.groups {
        let before = snapshots.len();
        for group in held.iter().filter(|group| pattern.matches(group)) {
            if let Some(snapshot) = archive::latest_group(objects, backup, group, until).await? {
                snapshots.insert(group.clone(), snapshot);
            }
        }
        let is_new = snapshots.len() > before || snapshots.keys().any(|group| pattern.matches(group));
        if !is_new {
            missed.push(pattern.to_string());
        }
    }
    Ok((snapshots.into_values().collect(), missed))
}

/// Restores the groups of a plan, for the topics whose records are in the target.
pub(crate) async fn restore(
    prepared: &Prepared,
    dry_run: bool,
    context: &Context,
) -> Result<Vec<GroupReport>, RestoreError> {
    let snapshots = &prepared.snapshots;
    if snapshots.is_empty() {
        return Ok(vec![]);
    }
    let mut reports = vec![];
    for topic in &prepared.topics {
        let Some(aim) = Aim::of(topic, prepared, context).await? else { continue };
        for snapshot in snapshots {
            let of_topic =
                |it: &&GroupOffset| *it.topic == *topic.fixed.source && it.topic_id == topic.fixed.source_topic_id;
            let offsets: Vec<_> = snapshot.offsets.iter().filter(of_topic).collect();
            reports.extend(aim.group(snapshot, &offsets, prepared.plan.rewind, dry_run, context).await);
        }
    }
    Ok(reports)
}

/// A target, and where the records of its source lie in it.
struct Aim<'a> {
    topic: &'a PreparedTopic,
    progress: Progress,
    ends: BTreeMap<Partition, Offset>,
}

impl<'a> Aim<'a> {
    async fn of(
        topic: &'a PreparedTopic,
        prepared: &Prepared,
        context: &Context,
    ) -> Result<Option<Aim<'a>>, RestoreError> {
        let target = &*context.target;
        let found = target.topics(Some(std::slice::from_ref(&topic.target_name))).await?.pop();
        let Some(found) = found else { return Ok(None) };
        let id = RestoreId::of(&prepared.backup.cluster_id, &prepared.backup.backup, &found.id);
        let known = progress_log::read(target, std::slice::from_ref(&id)).await?;
        let progress = known.progress.into_values().next().unwrap_or_default();
        let partitions: Vec<_> = found.each_partition().collect();
        let bounds = target.bounds(&partitions).await?;
        let end = |(partition, bounds): (&TopicPartition, Result<_, RecordsError>)| {
            bounds.map(|bounds: shared::ports::records::LogBounds| (partition.partition, bounds.stable_end))
        };
        let ends = partitions.iter().zip(bounds).map(end).collect::<Result<_, _>>()?;
        Ok(Some(Aim { topic, progress, ends }))
    }

    /// One group, partition by partition: one that cannot be committed holds up no other.
    async fn group(
        &self,
        snapshot: &GroupSnapshot,
        offsets: &[&GroupOffset],
        rewind: bool,
        dry_run: bool,
        context: &Context,
    ) -> Vec<GroupReport> {
        let mut reports: Vec<_> = offsets.iter().map(|offset| self.translated(snapshot, offset)).collect();
        if dry_run {
            return reports;
        }
        for report in reports.iter_mut().filter(|report| report.error.is_none()) {
            let Some(offset) = report.offset else { continue };
            let committed = commit(&report.group, &report.target, offset, rewind, context).await;
            match committed {
                Ok(outcome) => report.outcome = outcome,
                Err(error) => {
                    report.outcome = GroupOutcome::Failed;
                    report.error = Some(error.to_string());
                }
            }
        }
        reports
    }

    fn translated(&self, snapshot: &GroupSnapshot, committed: &GroupOffset) -> GroupReport {
        let partition = committed.partition;
        let target = TopicPartition { topic: self.topic.target_name.clone(), partition };
        let from = self.topic.restored().find(|(source, _)| source.chain.partition == partition);
        let from = from.map_or(Offset(0), |(source, selection)| {
            selection.offsets.from.map_or(source.floor.base, |from| from.max(source.floor.base))
        });
        let end = self.ends.get(&partition).copied().unwrap_or_default();
        let translated = translate(&self.progress, partition, from, committed.offset, end);
        GroupReport {
            group: snapshot.group.clone(),
            taken_at: snapshot.taken_at,
            source: TopicPartition { topic: Arc::clone(&committed.topic), partition },
            source_offset: committed.offset,
            target,
            offset: translated.ok().map(|it| it.offset),
            exactness: translated.ok().map(|it| it.exactness),
            outcome: if translated.is_ok() { GroupOutcome::Planned } else { GroupOutcome::Failed },
            error: translated.err().map(|error| error.to_string()),
        }
    }
}

/// Commits an offset, never backwards unless told, and reads it back.
async fn commit(
    group: &str,
    partition: &TopicPartition,
    offset: Offset,
    rewind: bool,
    context: &Context,
) -> Result<GroupOutcome, RestoreError> {
    let target = &*context.target;
    let asked = std::slice::from_ref(partition);
    let read = async || Ok::<_, RestoreError>(target.committed_once(group, asked).await?.swap_remove(0));
    let before = read().await?;
    if before.is_some_and(|before| before == offset || (before > offset && !rewind)) {
        return Ok(GroupOutcome::Kept);
    }
    target.commit(group, &[(partition.clone(), Committed::from(offset))]).await?;
    match read().await? {
        Some(found) if found == offset => Ok(GroupOutcome::Committed),
        found => Err(RestoreError::GroupMoved { group: group.to_owned(), partition: partition.clone(), offset, found }),
    }
}
