//! Consumer groups go on in the target where they stood in the source.
//!
//! Their offsets come from the snapshots in the backup, and are translated by where the records came to lie. Only a group
//! without members is written: the cluster refuses others, also one that got a member a moment ago.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use shared::{
    archive::{self, GroupSnapshot},
    ports::records::{Committed, GroupState, LogBounds},
    record::{Offset, Partition, TopicPartition},
    restore::{
        Finding, Plan, RestoreId, Severity,
        preflight::Kind,
        progress::Progress,
        translation::{Exactness, Origin, Restored, Translated, Untranslatable, translate, translate_spread},
    },
};

use crate::{
    context::Context,
    error::RestoreError,
    prepared::{Prepared, PreparedTopic},
    progress_log,
    report::{GroupOutcome, GroupReport},
};

/// So many names are told in a message.
const NAMES_MAX: usize = 5;

/// The snapshots that a plan means, and what stands in their way.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) snapshots: Vec<GroupSnapshot>,
    pub(crate) findings: Vec<Finding>,
}

/// Looks for the groups of a plan in the backup, and at those of their names in the target.
pub(crate) async fn find(
    plan: &Plan,
    backup: &str,
    topics: &[PreparedTopic],
    context: &Context,
) -> Result<Found, RestoreError> {
    let mut found = Found::default();
    if plan.groups.is_empty() {
        if plan.groups_only {
            found.refuse(Kind::Plan, None, "groups_only without groups restores nothing: name `groups`".to_owned());
        }
        return Ok(found);
    }
    let held = archive::groups(&*context.objects, backup).await?;
    let until = plan.groups_at.map(|moment| moment.0);
    let mut snapshots = BTreeMap::new();
    for pattern in &plan.groups {
        let mut matching = vec![];
        for group in held.iter().filter(|group| pattern.matches(group)) {
            matching.extend(archive::latest_group(&*context.objects, backup, group, until).await?);
        }
        let (known, others): (Vec<_>, Vec<_>) = matching.into_iter().partition(|snapshot| has_any(snapshot, topics));
        if known.is_empty() {
            found.refuse(Kind::UnknownGroup, None, no_such_group(&pattern.to_string(), &others));
        }
        snapshots.extend(known.into_iter().map(|snapshot| (snapshot.group.clone(), snapshot)));
    }
    found.snapshots = snapshots.into_values().collect();
    found.look_at_target(plan, topics, context).await?;
    Ok(found)
}

fn has_any(snapshot: &GroupSnapshot, topics: &[PreparedTopic]) -> bool {
    topics.iter().any(|topic| snapshot.of_topic(&topic.fixed.source, &topic.fixed.source_topic_id).next().is_some())
}

fn no_such_group(pattern: &str, others: &[GroupSnapshot]) -> String {
    let topics: BTreeSet<_> =
        others.iter().flat_map(|snapshot| &snapshot.offsets).map(|offset| &*offset.topic).collect();
    if topics.is_empty() {
        return format!(
            "the backup holds no offsets of a group {pattern:?} of that time: `highwater groups` lists what it holds"
        );
    }
    let names: Vec<_> = topics.into_iter().take(NAMES_MAX).collect();
    format!(
        "group {pattern:?} had committed nothing for a topic that is restored, in the incarnation that is: it had for {}",
        names.join(", ")
    )
}

impl Found {
    fn refuse(&mut self, kind: Kind, topic: Option<Arc<str>>, message: String) {
        self.findings.push(Finding { severity: Severity::Refused, kind, topic, partition: None, message });
    }

    /// The groups have no members, and where only they are restored the records are there.
    async fn look_at_target(
        &mut self,
        plan: &Plan,
        topics: &[PreparedTopic],
        context: &Context,
    ) -> Result<(), RestoreError> {
        if self.snapshots.is_empty() {
            return Ok(());
        }
        let listed = context.target.groups().await?;
        let is_ours = |name: &str| self.snapshots.iter().any(|snapshot| snapshot.group == name);
        let active = listed.iter().filter(|group| group.state == GroupState::Active && is_ours(&group.name));
        for group in active.map(|group| group.name.clone()).collect::<Vec<_>>() {
            let message = format!("group {group:?} has members in the target cluster: stop them, then restore it");
            self.refuse(Kind::GroupActive, None, message);
        }
        for topic in topics.iter().filter(|_| plan.groups_only) {
            let started = topic.target.as_ref().and_then(|target| target.progress.started.as_ref());
            if started.is_none_or(|started| started.fixed.source_topic_id != topic.fixed.source_topic_id) {
                let message = format!(
                    "no restore of this topic into {:?} is known: restore its records first, without groups_only",
                    topic.target_name
                );
                self.refuse(Kind::TargetMissing, Some(topic.fixed.source.clone()), message);
            }
        }
        Ok(())
    }
}

/// Restores the groups of a plan, for the topics whose records are in the target.
pub(crate) async fn restore(
    prepared: &Prepared,
    dry_run: bool,
    context: &Context,
) -> Result<Vec<GroupReport>, RestoreError> {
    let mut reports = vec![];
    if prepared.snapshots.is_empty() {
        return Ok(reports);
    }
    for topic in &prepared.topics {
        let aim = Aim::of(topic, prepared, dry_run && !prepared.plan.groups_only, context).await?;
        for snapshot in &prepared.snapshots {
            let mut rows = aim.rows(snapshot, &prepared.plan);
            if !dry_run {
                commit(&snapshot.group, &mut rows, &aim, prepared.plan.rewind, context).await?;
            }
            reports.extend(rows);
        }
    }
    Ok(reports)
}

/// A target, and where the records of its source lie in it.
struct Aim<'a> {
    topic: &'a PreparedTopic,
    progress: Progress,
    origins: Vec<Origin>,
    logs: BTreeMap<Partition, LogBounds>,
    /// The records are not there yet: what becomes of the offsets is not known.
    is_to_come: bool,
}

impl<'a> Aim<'a> {
    async fn of(
        topic: &'a PreparedTopic,
        prepared: &Prepared,
        is_to_come: bool,
        context: &Context,
    ) -> Result<Aim<'a>, RestoreError> {
        let target = &*context.target;
        let found = target.topics(Some(std::slice::from_ref(&topic.target_name))).await?.pop();
        let (mut progress, mut logs) = (Progress::default(), BTreeMap::new());
        if let Some(found) = found {
            let within = context.limits.open_transactions_within;
            let id = RestoreId::of(&prepared.backup.cluster_id, &prepared.backup.backup, &found.id);
            let known = progress_log::read_all(target, std::slice::from_ref(&id), within).await?;
            progress = known.progress.into_values().next().unwrap_or_default();
            let partitions: Vec<_> = found.each_partition().collect();
            for (partition, log) in partitions.iter().zip(progress_log::ended_bounds(target, &partitions).await?) {
                logs.insert(partition.partition, log);
            }
        }
        let origins = origins(topic, &progress);
        Ok(Aim { topic, progress, origins, logs, is_to_come })
    }

    /// What becomes of a group, partition by partition.
    fn rows(&self, snapshot: &GroupSnapshot, plan: &Plan) -> Vec<GroupReport> {
        let fixed = &self.topic.fixed;
        let committed = snapshot.of_topic(&fixed.source, &fixed.source_topic_id);
        let committed: BTreeMap<_, _> = committed.map(|it| (it.partition, it.offset)).collect();
        if committed.is_empty() {
            return vec![];
        }
        let is_spread = self.progress.started.as_ref().map_or(fixed.rehash, |started| started.fixed.rehash);
        let partitions: Vec<_> = match is_spread && !self.is_to_come {
            true => self.logs.keys().copied().collect(),
            false => {
                let restored = self.origins.iter().map(|origin| origin.partition);
                restored.chain(committed.keys().copied()).collect::<BTreeSet<_>>().into_iter().collect()
            }
        };
        let row = |partition: Partition| {
            let source_offset = committed.get(&partition).copied().filter(|_| !is_spread);
            let translated = match (self.is_to_come, is_spread, source_offset) {
                (false, true, _) => Some(self.spread(&committed, partition)),
                (false, false, Some(offset)) => Some(self.translated(partition, offset)),
                _ => None,
            };
            let is_none = !is_spread && source_offset.is_none();
            self.row(snapshot, partition, source_offset, translated, is_none, plan)
        };
        partitions.into_iter().map(row).collect()
    }

    fn row(
        &self,
        snapshot: &GroupSnapshot,
        partition: Partition,
        source_offset: Option<Offset>,
        translated: Option<Result<Translated, Untranslatable>>,
        is_none: bool,
        plan: &Plan,
    ) -> GroupReport {
        let may_repeat = "no offset has all that was read before it and all else behind it: write may_repeat = true to go on at the first that was not read";
        let (translated, error) = match translated {
            Some(Ok(it)) if it.exactness == Exactness::MayRepeat && !plan.may_repeat => {
                (Some(it), Some(may_repeat.to_owned()))
            }
            Some(Ok(it)) => (Some(it), None),
            Some(Err(error)) => (None, Some(error.to_string())),
            None => (None, None),
        };
        GroupReport {
            group: snapshot.group.clone(),
            source: self.topic.fixed.source.clone(),
            source_offset,
            target: TopicPartition { topic: self.topic.target_name.clone(), partition },
            offset: translated.map(|it| it.offset),
            exactness: translated.map(|it| it.exactness),
            outcome: match (&error, is_none) {
                (Some(_), _) => GroupOutcome::Failed,
                (None, true) => GroupOutcome::None,
                (None, false) => GroupOutcome::Planned,
            },
            error,
        }
    }

    fn restored(&self, partition: Partition) -> Restored<'_> {
        let log = self.logs.get(&partition);
        let log_start = log.map_or(Offset(0), |log| log.start);
        Restored { progress: &self.progress, log_start, log_end: log.map_or(log_start, |log| log.stable_end) }
    }

    fn translated(&self, partition: Partition, committed: Offset) -> Result<Translated, Untranslatable> {
        // A partition that never had a record is not in the backup.
        let empty = || Origin { partition, from: Offset(0), end: Offset(0) };
        let is_left_out = self.topic.source.iter().any(|source| source.chain.partition == partition);
        let origin = self.origins.iter().find(|origin| origin.partition == partition).copied();
        match origin {
            None if is_left_out => Err(Untranslatable::Unknown),
            origin => translate(self.restored(partition), origin.unwrap_or_else(empty), committed),
        }
    }

    fn spread(
        &self,
        committed: &BTreeMap<Partition, Offset>,
        partition: Partition,
    ) -> Result<Translated, Untranslatable> {
        translate_spread(self.restored(partition), &self.origins, committed, partition)
    }
}

/// The partitions whose records were restored, and which of them.
fn origins(topic: &PreparedTopic, progress: &Progress) -> Vec<Origin> {
    let fixed = progress.started.as_ref().map_or(&topic.fixed, |started| &started.fixed);
    let sources = topic.source.iter().filter_map(|source| {
        let partition = source.chain.partition;
        let range = match (fixed.partitions.get(&partition), fixed.partitions.is_empty()) {
            (None, false) => return None,
            (range, _) => range.copied().unwrap_or_default(),
        };
        let from = range.from.map_or(source.floor.base, |from| from.max(source.floor.base));
        let end = range.until.map_or(source.next, |until| until.min(source.next));
        Some(Origin { partition, from, end })
    });
    sources.collect()
}

/// Commits what is planned in these rows, never backwards unless told, and reads it back. A partition that cannot be committed
/// holds up no other.
async fn commit(
    group: &str,
    rows: &mut [GroupReport],
    aim: &Aim<'_>,
    rewind: bool,
    context: &Context,
) -> Result<(), RestoreError> {
    let target = &*context.target;
    let asked: Vec<_> = rows.iter().map(|row| row.target.clone()).collect();
    let before = target.committed_once(group, &asked).await?;
    let mut wanted = vec![];
    for (row, before) in rows.iter_mut().zip(before) {
        let (GroupOutcome::Planned, Some(offset)) = (row.outcome, row.offset) else { continue };
        // What lies behind the log's end is no place in this topic.
        let end = aim.logs.get(&row.target.partition).map_or(Offset(0), |log| log.high_watermark);
        match before.filter(|before| *before <= end) {
            Some(before) if before == offset || (before > offset && !rewind) => row.outcome = GroupOutcome::Kept,
            _ => wanted.push((row.target.clone(), Committed::from(offset))),
        }
    }
    if wanted.is_empty() {
        return Ok(());
    }
    let refused = target.commit_idle(group, &wanted).await.err();
    let found = target.committed_once(group, &asked).await?;
    for (row, found) in rows.iter_mut().zip(found) {
        if row.outcome != GroupOutcome::Planned {
            continue;
        }
        if found.is_some() && found == row.offset {
            row.outcome = GroupOutcome::Committed;
        } else {
            row.outcome = GroupOutcome::Failed;
            row.error = Some(refused.as_ref().map_or_else(|| moved(row.offset, found), ToString::to_string));
        }
    }
    Ok(())
}

fn moved(committed: Option<Offset>, found: Option<Offset>) -> String {
    let text = |offset: Option<Offset>| offset.map_or_else(|| "none".to_owned(), |offset| offset.to_string());
    format!("{} was committed, and {} was read back: somebody else commits for the group", text(committed), text(found))
}
