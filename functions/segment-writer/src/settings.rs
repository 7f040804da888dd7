//! From the settings to what the function works with.

use shared::{config::Settings, rollover::Rollover};

use crate::Backup;

impl Backup {
    /// The configured backups.
    #[must_use]
    pub fn all(settings: &Settings) -> Vec<Backup> {
        let backup = |(name, backup): (&shared::config::BackupName, &shared::config::BackupSettings)| Backup {
            name: name.to_string(),
            topics: backup.topics.clone(),
            rollover: Rollover { bytes_max: backup.segment.bytes_max.0, age_max: backup.segment.age_max.0 },
            compression: backup.segment.compression,
        };
        settings.backups.iter().map(backup).collect()
    }
}
