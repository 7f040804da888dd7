//! From a plan to what is done, with everything that stands in the way.

use std::{collections::BTreeMap, sync::Arc};

use shared::{
    archive::{GroupSnapshot, Owner},
    ports::records::TopicSettings,
    record::Partition,
    restore::{
        Finding, Plan, Selection, Severity, SourcePartition, TopicJob,
        preflight::{self, Facts, Kind, TargetTopic, preflight},
        progress::{Counts, Fixed, Position},
        resolve,
    },
};

use crate::{
    context::Context,
    creation,
    error::RestoreError,
    groups, ids,
    report::{Outcome, PartitionReport, Reached, RestoreReport, TopicReport},
    source::{self, SourceTopic},
    target,
};

/// What a plan comes to.
pub(crate) struct Prepared {
    pub(crate) backup: Owner,
    pub(crate) plan: Plan,
    pub(crate) findings: Vec<Finding>,
    pub(crate) topics: Vec<PreparedTopic>,
    /// What groups had committed.
    pub(crate) snapshots: Vec<GroupSnapshot>,
}

/// One topic of it.
#[derive(Debug, Clone)]
pub(crate) struct PreparedTopic {
    /// What is restored.
    pub(crate) fixed: Fixed,
    /// The target's name.
    pub(crate) target_name: Arc<str>,
    /// The target, where it exists.
    pub(crate) target: Option<TargetTopic>,
    /// How many partitions it gets where it is created.
    pub(crate) create_partitions: i32,
    /// How many the source had.
    pub(crate) source_partitions: i32,
    /// How many of them may hold a record.
    pub(crate) needed_partitions: i32,
    /// The settings that it gets where it is created.
    pub(crate) create_settings: TopicSettings,
    /// The source's partitions.
    pub(crate) source: Vec<SourcePartition>,
    /// Which records of those that are restored.
    pub(crate) selections: BTreeMap<Partition, Selection>,
}

/// Looks at everything and writes nothing.
pub(crate) async fn prepare(plan: &Plan, backup: Owner, context: &Context) -> Result<Prepared, RestoreError> {
    let held = source::topics(&*context.objects, &backup).await?;
    let (jobs, mut findings) = resolve(plan, &held);
    let names: Vec<_> = jobs.iter().map(|job| job.target.clone()).collect();
    let mut targets = target::describe(&*context.target, &backup.cluster_id, &backup.backup, &names).await?;
    let mut topics = vec![];
    for job in jobs {
        match source::topic(&*context.objects, &backup, &job).await? {
            Some(source) => topics.push(PreparedTopic::new(plan, &job, source, targets.remove(&job.target))),
            None => findings.push(no_such_incarnation(&job)),
        }
    }
    findings.extend(ids::put(plan, &mut topics, &*context.objects).await?);
    for topic in topics.iter_mut().filter(|_| plan.create && !plan.groups_only) {
        findings.extend(creation::check(topic, plan, &*context.target).await?);
    }
    let now = context.clock.now();
    if !plan.groups_only {
        findings.extend(topics.iter().flat_map(|topic| topic.findings(plan, now)));
    }
    let groups = groups::find(plan, &backup.backup, &topics, context).await?;
    findings.extend(groups.findings);
    let snapshots = groups.snapshots;
    Ok(Prepared { backup, plan: plan.clone(), findings, topics, snapshots })
}

fn no_such_incarnation(job: &TopicJob) -> Finding {
    let message = match job.incarnation {
        Some(n) => format!("the backup holds no incarnation {n} of this topic: `highwater topics` lists them"),
        None => "nobody claimed this topic in the backup: `highwater verify` tells more".to_owned(),
    };
    let topic = Some(job.source.clone());
    Finding { severity: Severity::Refused, kind: Kind::UnknownTopic, topic, partition: None, message }
}

impl PreparedTopic {
    fn new(plan: &Plan, job: &TopicJob, source: SourceTopic, target: Option<TargetTopic>) -> Self {
        let SourceTopic { claim, partitions, selections, setup } = source;
        let needed_partitions = target::partition_count(partitions.iter().map(|partition| &partition.chain));
        let source_partitions = setup.as_ref().map_or(0, |setup| setup.partitions).max(needed_partitions);
        let fixed = Fixed {
            source: job.source.clone(),
            source_topic_id: claim.topic_id,
            incarnation: claim.incarnation,
            time: job.time,
            partitions: job.partitions.clone(),
            filter: job.filter.as_ref().map(ToString::to_string),
            rehash: plan.rehash,
            origin_headers: plan.origin_headers.clone(),
            schema_ids: None,
        };
        PreparedTopic {
            fixed,
            target_name: job.target.clone(),
            target,
            create_partitions: job.target_partitions.map_or(source_partitions, i32::from),
            source_partitions,
            needed_partitions,
            create_settings: creation::settings(plan, setup.as_ref()),
            source: partitions,
            selections,
        }
    }

    /// What stands in the way, as the target is known now.
    pub(crate) fn findings(&self, plan: &Plan, now: shared::record::Millis) -> Vec<Finding> {
        preflight(&Facts {
            fixed: &self.fixed,
            target_name: &self.target_name,
            source: &self.source,
            source_partitions: self.source_partitions,
            needed_partitions: self.needed_partitions,
            selections: &self.selections,
            target: self.target.as_ref(),
            append: plan.append,
            accept_missing: plan.accept_missing,
            skip_damaged: plan.skip_damaged,
            create: plan.create,
            created_settings: &self.create_settings,
            now,
        })
    }

    /// The partitions that are restored.
    pub(crate) fn restored(&self) -> impl Iterator<Item = (&SourcePartition, &Selection)> {
        self.source.iter().filter_map(|source| Some((source, self.selections.get(&source.chain.partition)?)))
    }

    /// A report of it, given how far each partition is.
    pub(crate) fn report(&self, outcome: Outcome, reached: &Reached) -> TopicReport {
        let partition = |(source, selection): (&SourcePartition, &Selection)| {
            let partition = source.chain.partition;
            let bound = source.upper_bound(selection);
            let position = reached.positions.get(&partition).copied().unwrap_or_else(|| Position {
                next: selection.offsets.from.unwrap_or(source.floor.base),
                counts: Counts::default(),
            });
            PartitionReport {
                partition,
                next: position.next,
                end: source.end(selection),
                counts: position.counts,
                missing: reached.missing.get(&partition).cloned().unwrap_or_default(),
                records_max: bound.records,
                record_bytes_max: bound.record_bytes,
            }
        };
        TopicReport {
            source: self.fixed.source.clone(),
            incarnation: self.fixed.incarnation,
            target: self.target_name.clone(),
            outcome,
            error: None,
            partitions: self.restored().map(partition).collect(),
        }
    }
}

impl Prepared {
    /// Whether anything stands in the way.
    pub(crate) fn is_refused(&self) -> bool {
        self.findings.iter().any(preflight::Finding::is_refusal)
    }

    /// What would be done.
    pub(crate) fn report(&self, dry_run: bool) -> RestoreReport {
        let outcome = match (self.is_refused(), dry_run) {
            (true, _) => Outcome::Refused,
            (false, true) => Outcome::Planned,
            // Only groups are restored.
            (false, false) => Outcome::Done,
        };
        let reached = |topic: &PreparedTopic| {
            topic.target.as_ref().map(|target| Reached::of(&target.progress)).unwrap_or_default()
        };
        let topics = self.topics.iter().map(|topic| topic.report(outcome, &reached(topic))).collect();
        let (backup, findings) = (self.backup.backup.clone(), self.findings.clone());
        RestoreReport { backup, outcome, findings, topics, groups: vec![] }
    }
}
