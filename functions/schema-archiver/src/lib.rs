//! schema-archiver: a schema registry into the storage, and back.
//!
//! ```text
//! read      a registry as it is at a moment
//! store     snapshots in the storage: written only when something changed, read only when every digest is right
//! backup    the one into the other
//! restore   a snapshot into a registry: with its ids (import mode), or with a map of ids
//! ```

mod backup;
mod context;
mod error;
mod pushed;
mod read;
mod report;
mod restore;
mod store;
#[cfg(test)]
mod tests;

pub use context::Context;
pub use error::SchemaError;
pub use report::{BackupReport, RestoreOutcome, RestoreReport, SchemaReport, SnapshotReport, VerifyReport};

use serde::{Deserialize, Serialize};
use shared::{metrics::push::Kind, record::Millis};

use crate::pushed::Pushed;

/// The function's name.
pub const NAME: &str = "schema-archiver";

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Input {
    /// Backs the registry up.
    Backup {
        /// Reads every version, also those that the last snapshot holds.
        #[serde(default)]
        whole: bool,
    },
    /// Checks every object of every snapshot.
    Verify {},
    /// Restores a snapshot.
    Restore(Restore),
}

/// A restore.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Restore {
    /// The last snapshot that was taken by then; absent: the last.
    pub at: Option<Millis>,
    /// Only these subjects; empty: all.
    pub subjects: Vec<String>,
    /// The registry chooses ids, and which became which is kept under this name for `restore`. Absent: ids are kept.
    pub map_ids: Option<String>,
    /// Sets subjects that are not empty to import mode.
    pub force: bool,
    /// Tells what would be done, and writes nothing.
    pub dry_run: bool,
}

/// Runs the function once.
///
/// # Errors
/// When the registry or the storage cannot be asked, or a digest is wrong.
pub async fn handle(input: Input, context: &Context) -> Result<SchemaReport, SchemaError> {
    match input {
        Input::Backup { whole } => {
            let pushed = Pushed::start(context, Kind::SchemaRegistryBackups);
            let report = backup::run(whole, context, &|done, all| pushed.progress(done, all)).await;
            pushed.backed_up(&report).await;
            context.note(report.as_ref().err()).await;
            Ok(SchemaReport::Backup(report?))
        }
        Input::Verify {} => Ok(SchemaReport::Verify(store::verify(&*context.objects, &context.name).await?)),
        Input::Restore(restore) if restore.dry_run => {
            Ok(SchemaReport::Restore(restore::run(&restore, context, &|_, _| ()).await?))
        }
        Input::Restore(restore) => {
            let pushed = Pushed::start(context, Kind::SchemaRegistryRestores);
            let report = restore::run(&restore, context, &|done, all| pushed.progress(done, all)).await;
            pushed.restored(&report).await;
            Ok(SchemaReport::Restore(report?))
        }
    }
}
