//! What is paused, as it is told.

use std::{collections::BTreeMap, sync::Arc};

use serde::Serialize;
use shared::{archive::Pauses, record::Millis};

/// Whether a backup runs, and which of its topics do not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// The backup as a whole.
    #[serde(flatten)]
    pub backup: Enabled,
    /// Topics that are paused by themselves; they stay so when the backup is resumed.
    pub topics: BTreeMap<Arc<str>, Enabled>,
}

/// Whether something runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum Enabled {
    /// It does, as far as this goes.
    Enabled,
    /// It is paused.
    Paused {
        /// Since then, by the storage's clock, in milliseconds since 1970.
        since: Millis,
    },
}

impl Status {
    pub(crate) fn of(pauses: Pauses) -> Self {
        let paused = |since| Enabled::Paused { since };
        Status {
            backup: pauses.backup.map_or(Enabled::Enabled, paused),
            topics: pauses.topics.into_iter().map(|(topic, since)| (topic, paused(since))).collect(),
        }
    }
}
