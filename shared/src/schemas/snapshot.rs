//! A registry at a moment, and how it lies in the storage.
//!
//! ```text
//! =schemas/<name>/versions/<sha256>.json               one version of a subject, as the registry said it; never changed
//! =schemas/<name>/snapshots/<time, 15 digits>-<sha256>.json   the registry at a moment: settings, and which versions it had
//! =schemas/<name>/ids/<map>.json                       which id became which in another registry
//! ```
//! Every object but the maps is named by the SHA-256 of its bytes, and a snapshot names its versions by theirs, so whoever reads
//! proves that nothing was changed. A snapshot is written only when the registry is another than in the last one, and a version
//! only when it was never stored.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{ports::registry::Version, record::Millis};

/// A registry at a moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// What is set for all subjects.
    pub compatibility: Option<String>,
    /// The mode of all subjects; absent where the registry knows no modes.
    pub mode: Option<String>,
    /// The subjects, by name.
    pub subjects: Vec<Subject>,
}

/// A subject.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subject {
    /// Its name.
    pub name: String,
    /// What is set for it alone.
    pub compatibility: Option<String>,
    /// What is set for it alone.
    pub mode: Option<String>,
    /// Its versions, ascending.
    pub versions: Vec<Held>,
}

/// A version, and whether it is soft-deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The version.
    pub version: Version,
    /// Whether it is soft-deleted.
    pub deleted: bool,
}

/// A snapshot as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of the format.
    pub format_version: u32,
    /// When it was taken.
    pub taken_at: Millis,
    /// What is set for all subjects.
    pub compatibility: Option<String>,
    /// The mode of all subjects.
    pub mode: Option<String>,
    /// The subjects, by name.
    pub subjects: Vec<SubjectEntry>,
}

/// A subject as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubjectEntry {
    /// Its name.
    pub name: String,
    /// What is set for it alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compatibility: Option<String>,
    /// What is set for it alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// Its versions, ascending.
    pub versions: Vec<VersionEntry>,
}

/// A version as a snapshot names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionEntry {
    /// Its number.
    pub version: u32,
    /// Its id.
    pub id: u32,
    /// Whether it is soft-deleted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
    /// The SHA-256 of its object.
    pub sha256: String,
}

impl Snapshot {
    /// All versions.
    pub fn held(&self) -> impl Iterator<Item = &Held> {
        self.subjects.iter().flat_map(|subject| &subject.versions)
    }

    /// A subject.
    #[must_use]
    pub fn subject(&self, name: &str) -> Option<&Subject> {
        self.subjects.iter().find(|subject| subject.name == name)
    }

    /// A version.
    #[must_use]
    pub fn version(&self, subject: &str, version: u32) -> Option<&Held> {
        self.subject(subject)?.versions.iter().find(|held| held.version.version == version)
    }
}

/// How a version is stored: as a snapshot names it, and its bytes.
///
/// # Errors
/// Never in truth: a version is JSON.
pub fn stored(version: &Version, deleted: bool) -> Result<(VersionEntry, Bytes), serde_json::Error> {
    let body = Bytes::from(serde_json::to_vec(version)?);
    let entry = VersionEntry { version: version.version, id: version.id, deleted, sha256: sha256(&body) };
    Ok((entry, body))
}

impl Manifest {
    /// Whether both say the same, whenever it was.
    #[must_use]
    pub fn is_same(&self, other: &Manifest) -> bool {
        (&self.compatibility, &self.mode, &self.subjects) == (&other.compatibility, &other.mode, &other.subjects)
    }

    /// How many versions there are.
    #[must_use]
    pub fn versions(&self) -> usize {
        self.subjects.iter().map(|subject| subject.versions.len()).sum()
    }
}

/// The SHA-256 of some bytes, as text.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// The folder of a registry.
#[must_use]
pub fn folder(registry: &str) -> String {
    format!("=schemas/{registry}/")
}

/// The folder of its snapshots.
#[must_use]
pub fn snapshots_folder(registry: &str) -> String {
    format!("{}snapshots/", folder(registry))
}

/// Where a version lies.
#[must_use]
pub fn version_key(registry: &str, sha256: &str) -> String {
    format!("{}versions/{sha256}.json", folder(registry))
}

/// Where a snapshot lies.
#[must_use]
pub fn snapshot_key(registry: &str, taken_at: Millis, sha256: &str) -> String {
    format!("{}{:015}-{sha256}.json", snapshots_folder(registry), taken_at.0.max(0))
}

/// What a snapshot's key says: when it was taken, and its SHA-256.
#[must_use]
pub fn parse_snapshot(key: &str) -> Option<(Millis, &str)> {
    let (time, sha256) = key.rsplit('/').next()?.strip_suffix(".json")?.split_once('-')?;
    Some((Millis(time.parse().ok()?), sha256))
}

/// Where a map of ids lies.
#[must_use]
pub fn ids_key(registry: &str, map: &str) -> String {
    format!("{}ids/{map}.json", folder(registry))
}
