//! What a drill answers.

use std::sync::Arc;

use serde::Serialize;
use shared::{
    metrics::drills::DrillResult,
    record::{Millis, Offset, Partition},
    restore::Finding,
};

use super::{Candidate, sample::Window};
use crate::{Outcome, RestoreReport};

/// What a drill answers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DrillReport {
    /// The backup.
    pub backup: String,
    /// Whether everything that was drilled came back as it was stored.
    pub good: bool,
    /// Whether only a sample was drilled: then nothing is said of the rest.
    pub sample: bool,
    /// How long it took.
    pub seconds: f64,
    /// How many topics the backup holds of those that were asked for.
    pub topics_total: usize,
    /// The topics that were drilled.
    pub topics: Vec<TopicDrill>,
    /// Scratch topics of drills that were killed, which were removed first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub leftovers_removed: Vec<Arc<str>>,
    /// Scratch topics that could not be removed, and why. The next drill tries again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_behind: Vec<String>,
}

/// What became of a topic.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TopicDrill {
    /// Its name.
    pub topic: Arc<str>,
    /// Which topic of that name.
    pub incarnation: u32,
    /// Whether everything that was drilled came back as it was stored.
    pub good: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What a restore of it says before it writes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    /// How many of its partitions hold a segment.
    pub partitions_total: usize,
    /// The partitions that were compared.
    pub partitions: Vec<PartitionDrill>,
}

/// What became of a partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartitionDrill {
    /// Which.
    pub partition: Partition,
    /// The first offset that was drilled.
    pub from: Offset,
    /// The offset after the last.
    pub to: Offset,
    /// Segments that came back.
    pub segments: usize,
    /// Segments that there were when the drill began.
    pub segments_total: usize,
    /// Records that came back as they were stored.
    pub records: u64,
    /// Their bytes.
    pub record_bytes: u64,
    /// The first thing that did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub difference: Option<String>,
}

impl PartitionDrill {
    /// A partition of which nothing is compared yet.
    pub(super) fn begin(partition: Partition, from: Offset, to: Offset, window: Option<&Window>) -> Self {
        let segments_total = window.map_or(0, |window| window.segments_total);
        PartitionDrill {
            partition,
            from,
            to,
            segments: 0,
            segments_total,
            records: 0,
            record_bytes: 0,
            difference: None,
        }
    }
}

impl TopicDrill {
    /// What a restore and a comparison came to.
    pub(super) fn new(
        candidate: &Candidate,
        restored: &RestoreReport,
        compared: Result<Vec<PartitionDrill>, String>,
    ) -> Self {
        let (partitions, failed) = match compared {
            Ok(partitions) => (partitions, None),
            Err(error) => (vec![], Some(error)),
        };
        let name =
            |it: &PartitionDrill| Some(format!("{}-{}: {}", candidate.topic, it.partition, it.difference.as_ref()?));
        let different = partitions.iter().find_map(name);
        let error = not_restored(restored).or(failed).or(different);
        TopicDrill {
            topic: candidate.topic.clone(),
            incarnation: candidate.claim.incarnation,
            good: error.is_none(),
            error,
            findings: restored.findings.clone(),
            partitions_total: candidate.partitions_total,
            partitions,
        }
    }
}

/// Why the restore did not end.
fn not_restored(restored: &RestoreReport) -> Option<String> {
    if restored.outcome == Outcome::Done {
        return None;
    }
    let refusals = restored.findings.iter().filter(|it| it.is_refusal()).map(ToString::to_string);
    let errors = restored.topics.iter().filter_map(|topic| topic.error.clone());
    let all: Vec<_> = refusals.chain(errors).collect();
    Some(if all.is_empty() { "it was not restored".to_owned() } else { all.join("; ") })
}

impl DrillReport {
    pub(super) fn new(backup: String, sample: bool, leftovers_removed: Vec<Arc<str>>) -> Self {
        DrillReport {
            backup,
            good: true,
            sample,
            seconds: 0.0,
            topics_total: 0,
            topics: vec![],
            leftovers_removed,
            left_behind: vec![],
        }
    }

    /// The records that came back as they were stored.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.topics.iter().flat_map(|topic| &topic.partitions).map(|partition| partition.records).sum()
    }

    /// What metrics show of it.
    pub(super) fn result(&self, at: Millis) -> DrillResult {
        DrillResult {
            backup: self.backup.as_str().into(),
            sample: self.sample,
            at,
            good: self.good,
            seconds: self.seconds,
            records: self.records(),
        }
    }
}
