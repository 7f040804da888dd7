//! `[replication]`: objects copied to the locations.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::units::Span;

/// Objects copied to the locations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ReplicationSettings {
    /// Whether Highwater replicates to the locations. Off where another program does (Backbeat), whose figures are shown all the same.
    pub enabled: bool,
    /// The topic of objects to replicate. Backbeat's own entries are of another format: where it replicates on the same
    /// cluster, name another topic.
    #[schemars(length(min = 1, max = 249))]
    pub topic: String,
    /// How often `serve` compares the storage with each location and asks for what is missing there.
    pub reconcile_every: Span,
    /// How often a failed object is tried before a person must ask for it.
    #[schemars(range(min = 1))]
    pub attempts_max: u32,
    /// How many objects are copied to a location at once.
    #[schemars(range(min = 1))]
    pub objects_at_once: u16,
}

impl Default for ReplicationSettings {
    fn default() -> Self {
        ReplicationSettings {
            enabled: true,
            topic: crate::replication::TOPIC.to_owned(),
            reconcile_every: Span::seconds(900),
            attempts_max: 20,
            objects_at_once: 4,
        }
    }
}
