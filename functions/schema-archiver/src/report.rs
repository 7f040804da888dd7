//! What a run answers.

use std::collections::BTreeMap;

use serde::Serialize;
use shared::{record::Millis, schemas::Finding};

/// What a run answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SchemaReport {
    /// Of a backup.
    Backup(BackupReport),
    /// Of a check.
    Verify(VerifyReport),
    /// Of a restore.
    Restore(RestoreReport),
}

/// What a backup came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BackupReport {
    /// The registry's name.
    pub registry: String,
    /// When the snapshot that holds this was taken.
    pub taken_at: Millis,
    /// How many subjects there are, soft-deleted ones included.
    pub subjects: usize,
    /// How many versions.
    pub versions: usize,
    /// How many of them were not stored before.
    pub written: usize,
    /// Whether anything is another than in the snapshot before.
    pub changed: bool,
}

/// What a check came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct VerifyReport {
    /// The registry's name.
    pub registry: String,
    /// The snapshots that are whole, the oldest first.
    pub snapshots: Vec<SnapshotReport>,
    /// What is wrong.
    pub findings: Vec<String>,
}

/// A snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SnapshotReport {
    /// When it was taken.
    pub taken_at: Millis,
    /// How many subjects it holds.
    pub subjects: usize,
    /// How many versions.
    pub versions: usize,
}

/// How a restore ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RestoreOutcome {
    /// Something stands in its way; nothing was written.
    Refused,
    /// A dry run: nothing was written.
    Planned,
    /// The target holds what the snapshot does.
    Done,
}

/// What a restore came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RestoreReport {
    /// How it ended.
    pub outcome: RestoreOutcome,
    /// When the snapshot was taken.
    pub taken_at: Millis,
    /// What stands in the way.
    pub findings: Vec<Finding>,
    /// What is good to know.
    pub notes: Vec<String>,
    /// How many versions were, or would be, registered or deleted.
    pub registered: usize,
    /// How many were there.
    pub there: usize,
    /// Which id became which, where the registry chose them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ids: Option<BTreeMap<u32, u32>>,
}
