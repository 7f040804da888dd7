//! `[kafka]`: the cluster.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The Kafka cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KafkaSettings {
    /// The brokers to ask first, separated by commas: `host:9092,host2:9092`.
    pub bootstrap_servers: String,
}
