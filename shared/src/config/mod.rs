//! Settings: one file and the environment over it, the same for functions and runner.
//!
//! ```text
//! text + environment -> Draft (unknown settings found) -> secrets from files put in -> Settings, or every problem
//! ```
//! The structs are the truth: the JSON schema, the list of settings, the variables' names and the check for unknown
//! ones all come from them. Nothing here reads a file or the environment: `adapters::settings` does.

pub mod backups;
mod checks;
mod contradictions;
pub mod environment;
mod event_gateway;
pub mod kafka;
pub mod keys;
pub mod lambda;
pub mod listen;
pub mod load;
pub mod metrics;
pub mod names;
mod nearest;
pub mod network;
mod otlp;
pub mod problem;
pub mod redis;
pub mod registry;
pub mod replication;
pub mod secret;
pub mod selection;
mod settings;
pub mod storage;
#[cfg(test)]
mod tests;
pub mod units;
pub mod writer;

pub use backups::{BackupSettings, FilterSettings, IntegritySettings, RetentionSettings, SegmentSettings};
pub use event_gateway::EventGatewaySettings;
pub use kafka::KafkaSettings;
pub use lambda::LambdaSettings;
pub use load::Draft;
pub use names::{BackupName, LocationName};
pub use otlp::OtlpSettings;
pub use problem::{Problem, Problems};
pub use redis::RedisSettings;
pub use registry::RegistrySettings;
pub use replication::ReplicationSettings;
pub use settings::Settings;
pub use storage::StorageSettings;

pub use crate::record::topic_name;
