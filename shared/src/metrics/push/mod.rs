//! Pushed progress: what a job says of itself to the event gateway, topic by topic.
//!
//! A push is addressed to a **run** of a job (kind, namespace, name, uuid) and a topic of it, and says that the work on the
//! topic started, stopped, or how far it is. It travels on the metrics topic as `"extension":"backup","type":"push"`, and the
//! store keeps the latest one of each event ([`register`]): a push that comes twice, late or out of order changes nothing.

mod body;
mod register;
mod runs;

pub use body::{Body, MESSAGE_CHARS_MAX, PARTITIONS_MAX, PartitionFigures, Ratio, message_of, schema};
pub use register::{KEY, KEYS, RESTORES_KEY, operation, over};
pub use runs::{Run, RunId, is_superseded, runs};

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use super::reason::Reason;
use crate::record::Millis;

/// What a sender's clock may be ahead. A push from further ahead would hide for as long what is pushed after it.
pub const AHEAD_MS_MAX: i64 = 60 * 60 * 1_000;
/// The longest name in a push.
pub const NAME_BYTES_MAX: usize = 255;

/// One push, as it lies on the metrics topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Push {
    /// When it was so.
    pub timestamp: Millis,
    /// Orders pushes of one time.
    #[serde(default)]
    pub sequence: u64,
    /// What kind of job it is.
    pub kind: Kind,
    /// The namespace the job runs in.
    pub namespace: Arc<str>,
    /// The job's name.
    pub name: Arc<str>,
    /// The run of the job.
    pub uuid: Arc<str>,
    /// The topic.
    pub topic: Arc<str>,
    /// What happened.
    pub event: Event,
    /// What the job says.
    #[serde(default)]
    pub body: Body,
}

/// A kind of job, as the routes spell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Kafka to the storage.
    Backups,
    /// The storage to Kafka.
    Restores,
    /// A schema registry to the storage.
    SchemaRegistryBackups,
    /// The storage to a schema registry.
    SchemaRegistryRestores,
    /// Objects to other locations.
    Replications,
    /// A backup compared with its storage.
    Verifications,
    /// A restore for practice.
    Drills,
}

/// What a push says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Event {
    /// The work on the topic began.
    Started,
    /// So far it is.
    Progress,
    /// The work on the topic ended.
    Stopped,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 7] = [
        Kind::Backups,
        Kind::Restores,
        Kind::SchemaRegistryBackups,
        Kind::SchemaRegistryRestores,
        Kind::Replications,
        Kind::Verifications,
        Kind::Drills,
    ];

    /// As routes and messages spell it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::Backups => "backups",
            Kind::Restores => "restores",
            Kind::SchemaRegistryBackups => "schema-registry-backups",
            Kind::SchemaRegistryRestores => "schema-registry-restores",
            Kind::Replications => "replications",
            Kind::Verifications => "verifications",
            Kind::Drills => "drills",
        }
    }

    /// One of them, as people say it: "schema registry backup".
    #[must_use]
    pub fn one(self) -> String {
        self.name().trim_end_matches('s').replace('-', " ")
    }

    /// The kind of that name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl Event {
    /// All of them, in the order in which they happen.
    pub const ALL: [Event; 3] = [Event::Started, Event::Progress, Event::Stopped];

    /// As routes and messages spell it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Event::Started => "started",
            Event::Progress => "progress",
            Event::Stopped => "stopped",
        }
    }

    /// The event of that name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Event> {
        Event::ALL.into_iter().find(|event| event.name() == name)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Push {
    /// The Kafka key: what is said of one topic of one run lies in one partition.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}/{}/{}/{}/{}", self.kind, self.namespace, self.name, self.uuid, self.topic)
    }

    /// Whether its names and numbers can be kept.
    ///
    /// # Errors
    /// Which of them cannot.
    pub fn check(&self) -> Result<(), Reason> {
        let names =
            [("namespace", &self.namespace), ("name", &self.name), ("uuid", &self.uuid), ("topic", &self.topic)];
        let wrong = |name: &str| name.is_empty() || name.len() > NAME_BYTES_MAX;
        if let Some((field, _)) = names.into_iter().find(|(_, name)| wrong(name)) {
            return Err(Reason::Name { field });
        }
        if self.timestamp.0 < 0 { Err(Reason::Negative { field: "timestamp" }) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests;
