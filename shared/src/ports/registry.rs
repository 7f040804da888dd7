//! A schema registry, as Confluent's documented REST API has it: subjects of versions, each version a schema with an id.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A schema registry.
#[async_trait]
pub trait Registry: Send + Sync {
    /// The names of the subjects; with `deleted` those too of which every version is soft-deleted.
    async fn subjects(&self, deleted: bool) -> Result<Vec<String>, RegistryError>;

    /// The versions of a subject, ascending; with `deleted` those too that are soft-deleted. None of a subject that is not there.
    async fn versions(&self, subject: &str, deleted: bool) -> Result<Vec<u32>, RegistryError>;

    /// A version, soft-deleted or not; `None` when it is not there.
    async fn version(&self, subject: &str, version: u32) -> Result<Option<Version>, RegistryError>;

    /// Adds a schema to a subject, and answers its id. In import mode it gets the id and the version that `place` says; else
    /// the registry chooses. A schema that the subject has already keeps its id.
    async fn register(&self, subject: &str, schema: &Schema, place: Option<Place>) -> Result<u32, RegistryError>;

    /// Soft-deletes a version.
    async fn delete(&self, subject: &str, version: u32) -> Result<(), RegistryError>;

    /// What is set for a subject, or for all (`None`); `None` where nothing is set for it, or the registry has no such setting.
    async fn setting(&self, setting: Setting, subject: Option<&str>) -> Result<Option<String>, RegistryError>;

    /// Sets it; a value of `None` takes what is set for the subject away. `force` lets a mode be set that the registry else
    /// refuses because the subject is not empty.
    async fn set(
        &self,
        setting: Setting,
        subject: Option<&str>,
        value: Option<&str>,
        force: bool,
    ) -> Result<(), RegistryError>;
}

/// The mode in which a schema gets the id that it is registered with.
pub const IMPORT: &str = "IMPORT";

/// What can be set for a subject, or for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// Which schemas may follow which: `BACKWARD`, `NONE`, ...
    Compatibility,
    /// What may be done: `READWRITE`, `READONLY`, `IMPORT`, ...
    Mode,
}

/// A schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Schema {
    /// `AVRO`, `JSON` or `PROTOBUF`.
    #[serde(default = "avro", skip_serializing_if = "is_avro")]
    pub schema_type: String,
    /// Its text, byte for byte.
    pub schema: String,
    /// What it refers to by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<Reference>,
    /// Everything else that the registry says of it, such as `metadata` and `ruleSet`.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Schema {
    /// An Avro schema with this text, which refers to others: by name, subject and version.
    #[must_use]
    pub fn avro(text: &str, references: &[(&str, &str, u32)]) -> Self {
        let reference = |(name, subject, version): &(&str, &str, u32)| Reference {
            name: (*name).to_owned(),
            subject: (*subject).to_owned(),
            version: *version,
        };
        Schema {
            schema_type: avro(),
            schema: text.to_owned(),
            references: references.iter().map(reference).collect(),
            other: Map::default(),
        }
    }
}

/// A name in a schema, and the version that it means.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Reference {
    /// The name.
    pub name: String,
    /// The subject.
    pub subject: String,
    /// Its version.
    pub version: u32,
}

/// A version of a subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// The subject.
    pub subject: String,
    /// The number.
    pub version: u32,
    /// The schema's id, which records begin with.
    pub id: u32,
    /// The schema.
    #[serde(flatten)]
    pub schema: Schema,
}

/// Where a schema belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Its id.
    pub id: u32,
    /// Its version in the subject.
    pub version: u32,
}

impl Schema {
    /// Whether both are the same to whoever reads records: type, text and references.
    #[must_use]
    pub fn is_same(&self, other: &Schema) -> bool {
        (&self.schema_type, &self.schema, &self.references) == (&other.schema_type, &other.schema, &other.references)
    }
}

fn avro() -> String {
    "AVRO".to_owned()
}

fn is_avro(schema_type: &str) -> bool {
    schema_type == "AVRO"
}

/// Why a registry did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// It does not answer, or says that it cannot now.
    #[error("{what}: the schema registry at {url} does not answer: {reason}")]
    Unavailable {
        /// What was asked.
        what: String,
        /// Where.
        url: String,
        /// What happened.
        reason: String,
    },
    /// It refuses.
    #[error("{what}: the schema registry refuses ({code}): {reason}")]
    Refused {
        /// What was asked.
        what: String,
        /// Its own number of the error, or the status.
        code: u32,
        /// What it says.
        reason: String,
    },
}

impl RegistryError {
    /// Whether the same may succeed later.
    #[must_use]
    pub fn retry(&self) -> bool {
        matches!(self, RegistryError::Unavailable { .. })
    }
}
