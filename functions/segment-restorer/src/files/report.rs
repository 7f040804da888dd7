//! What a restore into files answers.

use std::sync::Arc;

use serde::Serialize;
use shared::{
    function::with_sources,
    record::Partition,
    restore::{Finding, Missing, Selection, SourcePartition, progress::Counts},
};

use super::Written;
use crate::{Outcome, error::RestoreError, prepared::PreparedTopic};

/// What a restore into files answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FilesReport {
    /// The backup.
    pub backup: String,
    /// How it ended.
    pub outcome: Outcome,
    /// What was found before anything was written.
    pub findings: Vec<Finding>,
    /// What became of each topic.
    pub topics: Vec<TopicFiles>,
}

/// What became of a topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TopicFiles {
    /// The source.
    pub source: Arc<str>,
    /// Which topic of that name.
    pub incarnation: u32,
    /// The name of its folder.
    pub folder: Arc<str>,
    /// Why it did not end well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Its partitions.
    pub partitions: Vec<PartitionFiles>,
}

/// What became of a partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartitionFiles {
    /// The source partition.
    pub partition: Partition,
    /// Files that this run wrote.
    pub files_written: u64,
    /// Files that were there already.
    pub files_there: u64,
    /// How much is in those that this run wrote.
    #[serde(flatten)]
    pub counts: Counts,
    /// What should be in the backup, and is in no file.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Missing>,
    /// How many records there are at most, in all files.
    pub records_max: u64,
}

impl PartitionFiles {
    /// A partition of which nothing is written yet.
    pub(super) fn begin(source: &SourcePartition, selection: &Selection) -> Self {
        PartitionFiles {
            partition: source.chain.partition,
            files_written: 0,
            files_there: 0,
            counts: Counts::default(),
            missing: source.missing_of(selection),
            records_max: source.upper_bound(selection).records,
        }
    }

    /// Adds what became of a segment.
    pub(super) fn add(&mut self, written: Written) {
        self.files_written += u64::from(written.is_file);
        self.counts = self.counts.plus(written.counts);
        self.missing.extend(written.missing);
    }
}

impl TopicFiles {
    /// What would be done.
    pub(super) fn planned(topic: &PreparedTopic) -> Self {
        let partitions = topic.restored().map(|(source, selection)| PartitionFiles::begin(source, selection));
        Self::with(topic, None, partitions.collect())
    }

    /// What was done.
    pub(super) fn of(topic: &PreparedTopic, written: Result<Vec<PartitionFiles>, RestoreError>) -> Self {
        match written {
            Ok(partitions) => Self::with(topic, None, partitions),
            Err(error) => Self::with(topic, Some(with_sources(&error)), vec![]),
        }
    }

    fn with(topic: &PreparedTopic, error: Option<String>, partitions: Vec<PartitionFiles>) -> Self {
        TopicFiles {
            source: topic.fixed.source.clone(),
            incarnation: topic.fixed.incarnation,
            folder: topic.target_name.clone(),
            error,
            partitions,
        }
    }
}
