//! What the function has at hand.

use std::{sync::Arc, time::Duration};

use shared::{
    chain::{Retention, SealRule},
    config::{BackupName, BackupSettings, Settings},
    ports::{clock::Clock, objects::Objects, store::Store},
    runs::RunLog,
};

use crate::NAME;

/// The function's ports and settings.
pub struct Context {
    /// The object storage.
    pub objects: Arc<dyn Objects>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The configured backups.
    pub backups: Vec<Backup>,
    /// How much.
    pub limits: Limits,
    /// The store of figures, where there is one: it is told of every floor that moves.
    pub store: Option<Arc<dyn Store>>,
    /// What is told of the runs.
    pub runs: RunLog,
}

/// One configured backup.
#[derive(Debug, Clone)]
pub struct Backup {
    /// Its name.
    pub name: String,
    /// When its segments expire; `None`: never.
    pub retention: Option<Retention>,
    /// What seals are checked by, where it has a key; the first key seals its floors.
    pub seals: Option<SealRule>,
}

/// How much one run does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Chains at the same time.
    pub chains_max: usize,
    /// Footers of a chain that are read at the same time.
    pub footers_at_once_max: usize,
    /// Footers of a chain that are read in one run; the next one goes on from there.
    pub footers_max: usize,
    /// How long before its deadline it begins nothing new.
    pub deadline_margin: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { chains_max: 8, footers_at_once_max: 16, footers_max: 10_000, deadline_margin: Duration::from_secs(20) }
    }
}

impl Context {
    /// A context by the settings.
    #[must_use]
    pub fn new(
        settings: &Settings,
        objects: Arc<dyn Objects>,
        store: Option<Arc<dyn Store>>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let backup = |(name, backup): (&BackupName, &BackupSettings)| Backup {
            name: name.to_string(),
            retention: backup.retention.map(|retention| retention.rule()),
            seals: backup.integrity.rule(),
        };
        let backups = settings.backups.iter().map(backup).collect();
        let runs = RunLog::new(NAME, store.clone());
        Context { objects, clock, backups, limits: Limits::default(), store, runs }
    }
}
