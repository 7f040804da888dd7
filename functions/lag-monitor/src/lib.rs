//! lag-monitor: one look at Kafka, the storage and the store of figures, and what follows from it.
//!
//! One refresh of a backup:
//! 1. read what the store holds;
//! 2. observe the logs of the selected topics and publish their ends (`observe`), with what is
//!    not stored of them and how long Kafka keeps it (`backlog`);
//! 3. find the end of every chain of these topics in the storage (`stored`) and publish the standings of those the
//!    store knows less of (`compare`): nothing is claimed about who works on them;
//! 4. take out what is gone: deleted topics, ended programs, registers nobody can read (`retire`);
//! 5. after a loss of the store, say that it is whole again once it is (`rebuild`).
//!
//! Meanwhile, and whatever backups there are, it says the same of the counters of Backbeat's changes (`changes`).
//!
//! Everything it needs is asked anew each time, so that it may run anywhere, twice at once, or be missed.

mod backlog;
mod changes;
mod compare;
mod context;
mod error;
mod former;
mod history;
mod kept;
mod observe;
mod rebuild;
mod refresh;
mod retire;
mod stored;
mod targets;
#[cfg(test)]
mod tests;
mod watch;

pub use context::{Backup, Context, Limits};
pub use error::{Failure, MonitorError};
pub use refresh::{BackupReport, ChangesReport, RefreshReport};
pub use watch::{Watch, watch};

use serde::{Deserialize, Serialize};

/// The function's name.
pub const NAME: &str = "lag-monitor";

/// What to look at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refresh {
    /// Only this backup; absent: all that are configured.
    #[serde(default)]
    pub backup: Option<String>,
}

/// Runs one refresh.
///
/// # Errors
/// When nothing could be looked at: the backup is unknown, Kafka does not tell its topics. What fails for one backup,
/// topic or partition is in the answer and costs no other anything.
pub async fn handle(input: Refresh, context: &Context) -> Result<RefreshReport, MonitorError> {
    refresh::run(&input, context).await
}
