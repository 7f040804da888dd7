//! The whole configuration.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    BackupName, BackupSettings, EventGatewaySettings, KafkaSettings, LambdaSettings, LocationName, OtlpSettings,
    Problem, RedisSettings, RegistrySettings, ReplicationSettings, StorageSettings, listen::ListenSettings,
    metrics::MetricsSettings, writer::WriterSettings,
};
/// Highwater's configuration. A section that is absent is not needed by what is asked for, or has its defaults.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The Kafka cluster that is backed up, and that the metrics topic is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kafka: Option<KafkaSettings>,
    /// The Kafka cluster that a restore writes to; absent: that of `kafka`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<KafkaSettings>,
    /// Where the backups are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage: Option<StorageSettings>,
    /// Where the figures are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redis: Option<RedisSettings>,
    /// The schema registry that is backed up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema_registry: Option<RegistrySettings>,
    /// The schema registry that schemas are restored into; absent: that of `schema_registry`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_schema_registry: Option<RegistrySettings>,
    /// The backups, by name.
    pub backups: BTreeMap<BackupName, BackupSettings>,
    /// segment-writer, whatever it writes.
    pub writer: WriterSettings,
    /// The replication locations, by name.
    pub locations: BTreeMap<LocationName, StorageSettings>,
    /// Objects copied to the locations.
    pub replication: ReplicationSettings,
    /// The metrics topic and the windows of the figures.
    pub metrics: MetricsSettings,
    /// Pushed progress.
    pub event_gateway: EventGatewaySettings,
    /// Traces and figures for an OpenTelemetry collector.
    pub otlp: OtlpSettings,
    /// Functions on AWS Lambda.
    pub lambda: LambdaSettings,
    /// The runner's listeners.
    pub listen: ListenSettings,
}

impl Settings {
    /// The Kafka cluster, or what to set.
    pub fn kafka(&self) -> Result<&KafkaSettings, Problem> {
        let remedy = "write [kafka] bootstrap_servers = \"host:9092\", or set KAFKA_BOOTSTRAP_SERVERS";
        self.kafka.as_ref().ok_or_else(|| Problem::missing("kafka.bootstrap_servers", remedy))
    }

    /// The Kafka cluster that a restore writes to, or what to set.
    pub fn target(&self) -> Result<&KafkaSettings, Problem> {
        let remedy = "write [target] bootstrap_servers = \"host:9092\", or set HIGHWATER_TARGET_BOOTSTRAP_SERVERS";
        let missing = || Problem::missing("target.bootstrap_servers", remedy);
        self.target.as_ref().or(self.kafka.as_ref()).ok_or_else(missing)
    }

    /// The storage of the backups, or what to set.
    pub fn storage(&self) -> Result<&StorageSettings, Problem> {
        let remedy = "write [storage] url = \"s3://bucket/prefix\", or set STORAGE_URL";
        self.storage.as_ref().ok_or_else(|| Problem::missing("storage.url", remedy))
    }

    /// The store of figures, or what to set.
    pub fn redis(&self) -> Result<&RedisSettings, Problem> {
        let remedy = "write [redis] url = \"redis://host:6379\", or set REDIS_URL";
        self.redis.as_ref().ok_or_else(|| Problem::missing("redis.url", remedy))
    }

    /// The schema registry that is backed up, or what to set.
    pub fn schema_registry(&self) -> Result<&RegistrySettings, Problem> {
        let remedy = "write [schema_registry] url = \"http://host:8081\", or set HIGHWATER_SCHEMA_REGISTRY_URL";
        self.schema_registry.as_ref().ok_or_else(|| Problem::missing("schema_registry.url", remedy))
    }

    /// The schema registry that schemas are restored into, or what to set.
    pub fn target_schema_registry(&self) -> Result<&RegistrySettings, Problem> {
        let remedy =
            "write [target_schema_registry] url = \"http://host:8081\", or set HIGHWATER_TARGET_SCHEMA_REGISTRY_URL";
        let missing = || Problem::missing("target_schema_registry.url", remedy);
        self.target_schema_registry.as_ref().or(self.schema_registry.as_ref()).ok_or_else(missing)
    }

    /// The backups, of which there must be one.
    pub fn backups(&self) -> Result<&BTreeMap<BackupName, BackupSettings>, Problem> {
        let remedy =
            "write [backups.main] topics = { include = [\"orders-*\"] }, or set HIGHWATER_BACKUPS_MAIN_TOPICS_INCLUDE";
        if self.backups.is_empty() { Err(Problem::missing("backups", remedy)) } else { Ok(&self.backups) }
    }

    /// Whether Highwater replicates.
    #[must_use]
    pub fn replicates(&self) -> bool {
        self.replication.enabled && !self.locations.is_empty()
    }

    /// Highwater's own topics, which no pattern selects.
    #[must_use]
    pub fn own_topics(&self) -> [&str; 3] {
        [&self.metrics.topic, &self.replication.topic, crate::restore::PROGRESS_TOPIC]
    }
}
