//! What a plan comes to, once everything was looked at.

use std::{collections::BTreeMap, sync::Arc};

use shared::{
    archive::{GroupSnapshot, Owner},
    ports::{acls::Acl, records::TopicSettings},
    record::{Millis, Partition},
    restore::{
        Finding, Plan, Selection, Severity, SourcePartition,
        preflight::{self, Facts, TargetTopic, preflight},
        progress::{Counts, Fixed, Position},
        raising::{needed, over},
    },
};

use crate::report::{Outcome, PartitionReport, Reached, RestoreReport, TopicReport};

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
    /// The rules that it gets; `None`: they are asked for, and the backup knows none.
    pub(crate) acls: Option<Vec<Acl>>,
    /// The source's partitions.
    pub(crate) source: Vec<SourcePartition>,
    /// Which records of those that are restored.
    pub(crate) selections: BTreeMap<Partition, Selection>,
}

impl PreparedTopic {
    /// What stands in the way, as the target is known now and with the settings that are raised for the run.
    pub(crate) fn findings(&self, plan: &Plan, now: Millis) -> Vec<Finding> {
        let raised = self.raised(plan, now);
        let with = |target: &TargetTopic| TargetTopic { settings: over(&target.settings, &raised), ..target.clone() };
        let mut findings = self.judged(plan, now, self.target.as_ref().map(with).as_ref());
        findings.extend((!raised.is_empty()).then(|| self.raising(&raised)));
        findings
    }

    /// The settings of the target that are raised.
    pub(crate) fn raised(&self, plan: &Plan, now: Millis) -> TopicSettings {
        let Some(target) = self.target.as_ref().filter(|_| plan.raise_settings) else { return TopicSettings::new() };
        needed(&target.settings, |settings| {
            let target = TargetTopic { settings: settings.clone(), ..target.clone() };
            self.judged(plan, now, Some(&target))
        })
    }

    fn raising(&self, raised: &TopicSettings) -> Finding {
        let settings = self.target.as_ref().map(|target| &target.settings);
        let was = |name: &String| settings.and_then(|all| all.get(name)).map_or("?", String::as_str);
        let each: Vec<_> = raised.iter().map(|(name, value)| format!("{name} from {} to {value}", was(name))).collect();
        let after = match raised.contains_key("retention.ms") || raised.contains_key("retention.bytes") {
            true => ": from then on Kafka deletes what is older, or more, than they keep",
            false => "",
        };
        let message = format!("raised while records are restored, and put back after: {}{after}", each.join(", "));
        let topic = Some(self.fixed.source.clone());
        Finding { severity: Severity::Note, kind: preflight::Kind::Settings, topic, partition: None, message }
    }

    fn judged(&self, plan: &Plan, now: Millis, target: Option<&TargetTopic>) -> Vec<Finding> {
        preflight(&Facts {
            fixed: &self.fixed,
            target_name: &self.target_name,
            source: &self.source,
            source_partitions: self.source_partitions,
            needed_partitions: self.needed_partitions,
            selections: &self.selections,
            target,
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
