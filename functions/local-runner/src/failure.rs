//! How a command can end.

use backup_control::ControlError;
use backup_verifier::VerifyError;
use lag_monitor::MonitorError;
use schema_archiver::SchemaError;
use segment_restorer::RestoreError;
use segment_writer::WriteError;
use shared::{
    adapters::{
        connect::{KAFKA_REMEDY, REDIS_REMEDY, STORAGE_REMEDY, StartError},
        s3::embedded::EmbeddedError,
        settings::SettingsError,
    },
    archive::ArchiveError,
    config::Problem,
    ports::{objects::ObjectsError, records::RecordsError, store::StoreError},
    segment::decoder::DecodeError,
};

use crate::{emulation::PackageError, http::server::ListenError};

/// What a command found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// All is well.
    Good,
    /// What was checked is wrong.
    Wrong,
    /// What was checked is good, and not all could be checked.
    Incomplete,
}

/// Why a command could not do what it was asked: used wrongly, or something cannot be reached.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// What it works with cannot be used.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The settings are wrong.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// A setting is missing.
    #[error(transparent)]
    Setting(#[from] Problem),
    /// Nothing could be paused or resumed.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The backup cannot be read.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The storage fails.
    #[error(transparent)]
    Objects(#[from] ObjectsError),
    /// Kafka fails.
    #[error(transparent)]
    Records(#[from] RecordsError),
    /// The store of figures fails.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A segment cannot be decoded.
    #[error("{key} cannot be read: run `highwater verify`")]
    Segment {
        /// Its key.
        key: String,
        /// Why.
        #[source]
        source: DecodeError,
    },
    /// The folder of `highwater dev` cannot be used.
    #[error(transparent)]
    Embedded(#[from] EmbeddedError),
    /// A file cannot be read or written.
    #[error("{what}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
    /// A port of this process cannot be opened.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// A packaged function cannot be started.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// The backup cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The figures cannot be refreshed.
    #[error(transparent)]
    Monitor(#[from] MonitorError),
    /// Nothing can be restored.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// Schemas were not backed up or restored.
    #[error(transparent)]
    Schemas(#[from] SchemaError),
    /// The backup cannot be verified.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// A location cannot be verified.
    #[error("location {name} cannot be verified")]
    Location {
        /// Its name.
        name: String,
        /// Why.
        source: Box<VerifyError>,
    },
    /// What was asked makes no sense here.
    #[error("{0}")]
    Usage(String),
    /// Nothing can be written to standard output.
    #[error("standard output cannot be written")]
    Output(#[source] std::io::Error),
}

/// What to look at where a location does not answer.
const LOCATION_REMEDY: &str =
    "start it, or correct url, endpoint_url, region or credentials in its section [locations.<name>]";

fn is_away(error: &VerifyError) -> bool {
    let (VerifyError::Objects(error) | VerifyError::Archive(ArchiveError::Objects(error))) = error else {
        return false;
    };
    matches!(error, ObjectsError::Unavailable { .. })
}

impl Failure {
    /// Whether only the reader of the output went away, as `head` does.
    #[must_use]
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Failure::Output(error) if error.kind() == std::io::ErrorKind::BrokenPipe)
    }

    /// The exit code: 1 where the backup is not whole, which is what was looked at; else 2.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Failure::Archive(ArchiveError::Hole { .. } | ArchiveError::Overlap { .. }) => 1,
            Failure::Archive(error) if error.is_damage() => 1,
            _ => 2,
        }
    }

    /// Which setting to look at, where something does not answer.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Failure::Objects(ObjectsError::Unavailable { .. })
            | Failure::Archive(ArchiveError::Objects(ObjectsError::Unavailable { .. }))
            | Failure::Verify(
                VerifyError::Objects(ObjectsError::Unavailable { .. })
                | VerifyError::Archive(ArchiveError::Objects(ObjectsError::Unavailable { .. })),
            ) => Some(STORAGE_REMEDY),
            Failure::Location { source, .. } if is_away(source) => Some(LOCATION_REMEDY),
            Failure::Records(RecordsError::Unavailable { .. })
            | Failure::Verify(VerifyError::Records(RecordsError::Unavailable { .. })) => Some(KAFKA_REMEDY),
            Failure::Store(StoreError::Unavailable { .. })
            | Failure::Verify(VerifyError::Store(StoreError::Unavailable { .. })) => Some(REDIS_REMEDY),
            _ => None,
        }
    }
}
