//! What a run did, as it is told.

use std::sync::Arc;

use serde::Serialize;
use shared::record::{Millis, Offset, Partition};

use crate::Failure;

/// What a run did.
#[derive(Debug, Serialize)]
pub struct ExpireReport {
    /// By backup.
    pub backups: Vec<BackupReport>,
}

/// What a run did for one backup.
#[derive(Debug, Default, Serialize)]
pub struct BackupReport {
    /// The backup.
    pub backup: String,
    /// The time that ages were judged by: the earlier of the store's and this process's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub now: Option<Millis>,
    /// Who holds a pin.
    pub pins: Vec<String>,
    /// How many chains were looked at.
    pub chains: usize,
    /// The chains of which something expired or was deleted.
    pub changed: Vec<ChainReport>,
    /// Whether all chains were looked at, to the end of what has expired.
    pub complete: bool,
    /// What could not be looked at.
    pub failures: Vec<Failure>,
}

/// What a run did to a chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChainReport {
    /// The topic.
    pub topic: Arc<str>,
    /// Its incarnation.
    pub incarnation: u32,
    /// The partition.
    pub partition: Partition,
    /// The first offset that counts now.
    pub start: Offset,
    /// Segments that expired in this run.
    pub expired_segments: u64,
    /// Records in them.
    pub expired_records: u64,
    /// Objects below the floor that were deleted.
    pub deleted_segments: u64,
}

impl ExpireReport {
    /// Whether everything could be looked at.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.backups.iter().all(|backup| backup.failures.is_empty())
    }
}

impl BackupReport {
    pub(crate) fn log(&self) {
        let backup = &self.backup;
        let sum = |of: fn(&ChainReport) -> u64| self.changed.iter().map(of).sum::<u64>();
        let (expired, deleted) = (sum(|chain| chain.expired_segments), sum(|chain| chain.deleted_segments));
        if !self.changed.is_empty() {
            tracing::info!(
                backup,
                expired,
                deleted,
                complete = self.complete,
                "segments expired, and expired ones deleted"
            );
        }
    }
}
