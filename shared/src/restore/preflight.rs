//! What stands in the way of a restore, told before anything is written.

mod dates;

use std::{collections::BTreeMap, fmt, sync::Arc};

use serde::Serialize;

use super::{Missing, Selection, SourcePartition, SourceSegment, progress::Fixed, progress::Progress};
use crate::{
    ports::records::TopicSettings,
    record::{Millis, Partition, TopicId},
    segment::GapCause,
};

/// Kafka's own limit of a batch, where a topic's settings do not say.
const MESSAGE_BYTES_MAX: u64 = 1_048_588;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know.
    Note,
    /// The restore does not begin.
    Refused,
}

/// What it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The plan itself.
    Plan,
    /// A topic that the backup does not hold.
    UnknownTopic,
    /// A group that the backup holds no offsets of.
    UnknownGroup,
    /// A group that has members in the target.
    GroupActive,
    /// A partition that the backup does not hold.
    UnknownPartition,
    /// Two sources for one target, or a target that is read as well.
    OverlappingTargets,
    /// A range that holds nothing whatever the backup has.
    ImpossibleRange,
    /// The backup holds nothing of what is asked for.
    NothingThere,
    /// A range that has expired from the backup.
    Expired,
    /// A range that the backup never had.
    Gap,
    /// A chain that does not go on, or an object that cannot be read.
    Damaged,
    /// The target does not exist.
    TargetMissing,
    /// The target holds records of others.
    TargetNotEmpty,
    /// The target has too few partitions.
    TargetPartitions,
    /// The target is the topic that was backed up.
    TargetIsSource,
    /// The restore was begun with another plan.
    OtherPlan,
    /// Timestamps that the target, or a client, does not take.
    Timestamps,
    /// Settings that the target cluster does not take.
    Settings,
    /// Rules about topics (ACLs).
    Acls,
    /// The target would soon delete what is restored.
    Retention,
    /// The target compacts.
    Compaction,
    /// Records that are larger than the target takes.
    MessageBytes,
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What it is about.
    pub kind: Kind,
    /// The source topic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<Arc<str>>,
    /// Its partition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition: Option<Partition>,
    /// What is wrong, and what to do.
    pub message: String,
}

impl Finding {
    /// Whether the restore does not begin.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        self.severity == Severity::Refused
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.topic, self.partition) {
            (Some(topic), Some(partition)) => write!(f, "{topic}-{partition}: {}", self.message),
            (Some(topic), None) => write!(f, "{topic}: {}", self.message),
            (None, _) => f.write_str(&self.message),
        }
    }
}

/// The target as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetTopic {
    /// Its id.
    pub id: TopicId,
    /// How many partitions it has.
    pub partitions: i32,
    /// Whether any of them holds an offset.
    pub is_empty: bool,
    /// Its settings.
    pub settings: TopicSettings,
    /// What is known of a restore into it.
    pub progress: Progress,
}

/// One topic's restore, as far as it is known before it begins.
#[derive(Debug)]
pub struct Facts<'a> {
    /// What is restored.
    pub fixed: &'a Fixed,
    /// What the target is called.
    pub target_name: &'a str,
    /// The backup's partitions that are restored.
    pub source: &'a [SourcePartition],
    /// How many partitions the source had.
    pub source_partitions: i32,
    /// How many of them may hold a record: those from there on never had one.
    pub needed_partitions: i32,
    /// Which records of each.
    pub selections: &'a BTreeMap<Partition, Selection>,
    /// The target; `None`: it does not exist.
    pub target: Option<&'a TargetTopic>,
    /// May write behind what is there.
    pub append: bool,
    /// Restores around what is missing.
    pub accept_missing: bool,
    /// Goes on over what is damaged.
    pub skip_damaged: bool,
    /// Creates what does not exist.
    pub create: bool,
    /// Settings of a target that is created.
    pub created_settings: &'a TopicSettings,
    /// The time of day.
    pub now: Millis,
}

/// Everything that stands in the way, or should be known.
#[must_use]
pub fn preflight(facts: &Facts<'_>) -> Vec<Finding> {
    let mut check = Check { facts, findings: vec![] };
    check.target();
    for source in facts.source {
        let Some(selection) = facts.selections.get(&source.chain.partition) else { continue };
        check.complete(source, selection);
        check.timestamps(source, selection);
    }
    check.unknown_partitions();
    check.sizes();
    check.findings
}

struct Check<'a> {
    facts: &'a Facts<'a>,
    findings: Vec<Finding>,
}

impl<'a> Check<'a> {
    fn found(&mut self, severity: Severity, kind: Kind, partition: Option<Partition>, message: String) {
        let topic = Some(self.facts.fixed.source.clone());
        self.findings.push(Finding { severity, kind, topic, partition, message });
    }

    fn refuse(&mut self, kind: Kind, partition: Option<Partition>, message: String) {
        self.found(Severity::Refused, kind, partition, message);
    }

    fn settings(&self) -> &'a TopicSettings {
        self.facts.target.map_or(self.facts.created_settings, |target| &target.settings)
    }

    fn setting(&self, name: &str) -> Option<&'a str> {
        self.settings().get(name).map(String::as_str)
    }

    fn number(&self, name: &str) -> Option<i64> {
        self.setting(name)?.trim().parse().ok()
    }

    fn target(&mut self) {
        let Facts { fixed, target_name: name, target, .. } = *self.facts;
        let Some(target) = target else {
            if !self.facts.create {
                let message =
                    format!("the target {name:?} does not exist, and create = false: create it, or leave that out");
                self.refuse(Kind::TargetMissing, None, message);
            }
            return;
        };
        if target.id == fixed.source_topic_id {
            let message = format!(
                "the target {name:?} is the topic that was backed up: delete it first, or restore under another name"
            );
            return self.refuse(Kind::TargetIsSource, None, message);
        }
        match &target.progress.started {
            Some(started) if started.fixed != *fixed => {
                let text = |fixed: &Fixed| serde_json::to_string(fixed).unwrap_or_default();
                let message = format!(
                    "a restore into {name:?} was begun with another plan: it was {}, and is now {}; go on with that one, or delete the target",
                    text(&started.fixed),
                    text(fixed)
                );
                self.refuse(Kind::OtherPlan, None, message);
            }
            None if !target.is_empty && !self.facts.append => {
                let message = format!(
                    "the target {name:?} is not empty: restore under another name, or write append = true to add to it"
                );
                self.refuse(Kind::TargetNotEmpty, None, message);
            }
            _ => {}
        }
        if target.partitions < self.facts.needed_partitions && !fixed.rehash {
            let message = format!(
                "the target {name:?} has {} partitions, and the source had {}: add partitions, or restore under another name",
                target.partitions, self.facts.source_partitions
            );
            self.refuse(Kind::TargetPartitions, None, message);
        } else if target.partitions != self.facts.source_partitions && !fixed.rehash {
            let message = format!(
                "the target {name:?} has {} partitions, and the source had {}: records keep their partition, so new records of a key may go to another one",
                target.partitions, self.facts.source_partitions
            );
            self.found(Severity::Note, Kind::TargetPartitions, None, message);
        }
    }

    fn unknown_partitions(&mut self) {
        let held: Vec<_> = self.facts.source.iter().map(|source| source.chain.partition).collect();
        for partition in self.facts.fixed.partitions.keys().filter(|partition| !held.contains(partition)) {
            let message = "the backup holds no such partition of this topic".to_owned();
            self.refuse(Kind::UnknownPartition, Some(*partition), message);
        }
    }

    /// Everything that is asked for is there.
    fn complete(&mut self, source: &SourcePartition, selection: &Selection) {
        let partition = Some(source.chain.partition);
        for missing in source.missing_of(selection) {
            let Missing { from, to, key, why } = missing;
            let range = if from == to { format!("at offset {from}") } else { format!("offsets {from} to {to}") };
            let (severity, advice) = match self.facts.skip_damaged {
                true => (Severity::Note, "what lies there is not restored"),
                false => {
                    (Severity::Refused, "run `highwater verify`, or write skip_damaged = true to restore the others")
                }
            };
            self.found(severity, Kind::Damaged, partition, format!("{key}, {range}: {why}: {advice}"));
        }
        let lacking = if self.facts.accept_missing { Severity::Note } else { Severity::Refused };
        let floor = source.floor.base;
        match selection.offsets.from {
            Some(from) if from < floor => {
                let message = format!(
                    "offsets {from} to {floor} have expired from the backup: begin at {floor}, or write accept_missing = true"
                );
                self.found(lacking, Kind::Expired, partition, message);
            }
            None if floor.0 > 0 => {
                let message = format!("offsets below {floor} have expired from the backup, and are not restored");
                self.found(Severity::Note, Kind::Expired, partition, message);
            }
            _ => {}
        }
        for gap in source.gaps(selection) {
            let (severity, why) = match gap.cause {
                GapCause::BeforeBackup => (Severity::Note, "were gone before the backup began"),
                GapCause::BelowLogStart => (lacking, "were deleted by Kafka before they were backed up"),
                GapCause::TailMissingAccepted => (lacking, "are missing from the backup, which was accepted"),
            };
            let advice =
                if severity == Severity::Refused { ": write accept_missing = true to restore the others" } else { "" };
            self.found(severity, Kind::Gap, partition, format!("offsets {} to {} {why}{advice}", gap.from, gap.to));
        }
        if source.needed(selection).next().is_none() {
            let message = format!(
                "nothing of it is restored: the backup holds no record there, and ends at offset {}",
                source.next
            );
            self.found(Severity::Note, Kind::NothingThere, partition, message);
        }
    }

    fn sizes(&mut self) {
        if self.setting("cleanup.policy").is_some_and(|policy| policy.contains("compact")) {
            let message = "the target compacts: it refuses records without a key, which stops the restore there, and deletes all but the last of each key".to_owned();
            self.found(Severity::Note, Kind::Compaction, None, message);
        }
        let max = self.number("max.message.bytes").map_or(MESSAGE_BYTES_MAX, i64::unsigned_abs);
        let may_exceed = |source: &&SourcePartition| {
            let selection = self.facts.selections.get(&source.chain.partition);
            selection.is_some_and(|selection| source.needed(selection).any(|segment| average(segment) > max))
        };
        if let Some(source) = self.facts.source.iter().find(may_exceed) {
            let message = format!("records are larger than the target takes (max.message.bytes={max}): raise it");
            self.refuse(Kind::MessageBytes, Some(source.chain.partition), message);
        }
    }
}

/// The average size of a segment's records: some are at least as large.
fn average(segment: &SourceSegment) -> u64 {
    segment.metadata.own.record_bytes.checked_div(segment.metadata.own.records).unwrap_or(0)
}

#[cfg(test)]
mod tests;
