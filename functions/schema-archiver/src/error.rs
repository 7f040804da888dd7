//! Why schemas were not backed up or restored.

use shared::{
    archive::ArchiveError,
    function::HandlerError,
    ports::{objects::ObjectsError, registry::RegistryError},
    record::Millis,
    runs::FailureKind,
};

/// Why schemas were not backed up or restored.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// The registry fails.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The storage fails.
    #[error(transparent)]
    Objects(#[from] ObjectsError),
    /// What is kept in the storage cannot be read or written.
    #[error(transparent)]
    Archive(Box<ArchiveError>),
    /// Something cannot be written as JSON.
    #[error("schemas cannot be written as JSON")]
    Json(#[from] serde_json::Error),
    /// No registry is configured.
    #[error("no schema registry is configured: write [{0}] url = \"http://host:8081\"")]
    NoRegistry(&'static str),
    /// The registry says that it holds nothing, where it held something.
    #[error(
        "the schema registry says that it holds no subjects, and the snapshot of {taken_at} holds {subjects}: that one is kept"
    )]
    Emptied {
        /// When the last snapshot was taken, in milliseconds since 1970.
        taken_at: Millis,
        /// How many subjects it holds.
        subjects: usize,
    },
    /// The registry changes faster than it can be read.
    #[error(
        "the schema registry changed while it was read ({subject}, version {version}): nothing is stored, the next run tries again"
    )]
    Changing {
        /// The subject.
        subject: String,
        /// The version that was listed and then was not there.
        version: u32,
    },
    /// The storage holds no snapshot.
    #[error(
        "the storage holds no snapshot of a schema registry called {name:?}{when}: `highwater schemas backup` takes one"
    )]
    NoSnapshot {
        /// The registry's name.
        name: String,
        /// Before when.
        when: String,
    },
    /// An object is missing, or is not what its name says.
    #[error("{key}: {what}")]
    Damaged {
        /// Its key.
        key: String,
        /// What is wrong.
        what: String,
    },
    /// A snapshot of a newer version of Highwater.
    #[error("{key} has format version {found}, this program knows {known}: use a newer one")]
    Newer {
        /// Its key.
        key: String,
        /// Its version.
        found: u32,
        /// What is known here.
        known: u32,
    },
    /// A subject that is not in the snapshot.
    #[error("the snapshot holds no subject {0:?}")]
    UnknownSubject(String),
    /// A name that cannot be that of a map.
    #[error("{0:?} cannot be the name of a map of ids: use letters, digits, - and _")]
    BadMapName(String),
    /// Some schemas are registered and the rest is not.
    #[error(
        "{done} of {all} schemas are registered, then {subject} version {version} was refused; the subjects stay in their mode: mend it and start again, it goes on"
    )]
    Partly {
        /// How many are registered.
        done: usize,
        /// How many there are to register.
        all: usize,
        /// Which one failed.
        subject: String,
        /// Its version.
        version: u32,
        /// Why.
        #[source]
        source: RegistryError,
    },
}

impl From<ArchiveError> for SchemaError {
    fn from(error: ArchiveError) -> Self {
        SchemaError::Archive(Box::new(error))
    }
}

impl SchemaError {
    /// Whether the same may succeed later.
    #[must_use]
    pub fn retry(&self) -> bool {
        match self {
            SchemaError::Registry(error) | SchemaError::Partly { source: error, .. } => error.retry(),
            SchemaError::Objects(error) => error.retry(),
            SchemaError::Archive(error) => error.retry(),
            SchemaError::Changing { .. } => true,
            _ => false,
        }
    }

    /// What is to blame.
    pub(crate) fn kind(&self) -> FailureKind {
        match self {
            SchemaError::Archive(error) => (&**error).into(),
            SchemaError::Objects(_) => FailureKind::Storage,
            SchemaError::Damaged { .. } | SchemaError::Newer { .. } => FailureKind::Damaged,
            SchemaError::NoRegistry(_) => FailureKind::Settings,
            _ => FailureKind::Registry,
        }
    }
}

impl HandlerError for SchemaError {
    fn retry(&self) -> bool {
        SchemaError::retry(self)
    }
}
