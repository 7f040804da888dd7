//! lag-monitor: one look at Kafka, the storage and the store of figures, and what follows from it.
//!
//! One refresh of a backup:
//! 1. read what the store holds, and begin an epoch where it holds nothing or may have gone back (`epoch`);
//! 2. take out what is gone: deleted topics, ended programs, registers nobody can read (`retire`);
//! 3. decide which chains to look at (`looks`), find their ends in the storage (`stored`), and write what the store knows
//!    less of (`compare`): nothing is claimed about who works on them;
//! 4. observe the logs of the selected topics (`observe`), with what is not stored of them and how long Kafka keeps it
//!    (`backlog`), and write that;
//! 5. complete the epoch when everything is there.
//!
//! Meanwhile, and whatever backups there are, it says the same of the counters of Backbeat's changes (`changes`).
//!
//! It writes to the store directly: registers only grow, so it matters neither who writes them nor how often.
//! Everything it needs is asked anew each time, so that it may run anywhere, twice at once, or be missed.

mod backlog;
mod changes;
mod compare;
mod context;
mod epoch;
mod error;
mod health;
mod history;
mod kept;
mod locations;
mod looks;
mod observe;
mod refresh;
mod retire;
mod stored;
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
#[serde(deny_unknown_fields)]
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
