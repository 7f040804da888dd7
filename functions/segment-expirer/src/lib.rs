//! segment-expirer: what is older than a backup's retention leaves it, chain by chain, from the beginning.
//!
//! One run of a backup (`run`):
//! 1. ask the store for its time; the earlier of that and this process's clock counts, so that neither alone expires anything;
//! 2. look at the pins of readers ([`shared::archive::pins`]);
//! 3. for every chain whose floor has not moved within the grace period (`expire`): delete what lies below the floor, then
//!    move the floor to the first segment that has not expired.
//!
//! Where the backup has a key, only what is sealed with it is believed (`seals`).
//!
//! So expired segments are no part of the backup from one run on, and are deleted by a later one, when those who were
//! reading them are done. Any run may be killed anywhere, missed, or done by several at once: the next one sweeps whatever
//! lies below a floor, also what a writer that woke too late put there.

mod context;
mod error;
mod expire;
mod listed;
mod prefix;
mod report;
mod rules;
mod run;
mod seals;
#[cfg(test)]
mod tests;

pub use context::{Backup, Context, Limits};
pub use error::{ExpireError, Failure};
pub use report::{BackupReport, ChainReport, ExpireReport};

use serde::{Deserialize, Serialize};
use shared::{function::BadField, record::Millis};

/// The function's name.
pub const NAME: &str = "segment-expirer";

/// What to look at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expire {
    /// Only this backup; absent: all that have a retention.
    #[serde(default)]
    pub backup: Option<String>,
    /// No chain is begun after this, in milliseconds since 1970.
    #[serde(default)]
    pub deadline: Option<Millis>,
}

impl Expire {
    /// The same, with an answer by `deadline` at the latest.
    #[must_use]
    pub fn by(mut self, deadline: Millis) -> Self {
        self.deadline = Some(self.deadline.map_or(deadline, |earlier| earlier.min(deadline)));
        self
    }
}

/// Runs the function once.
///
/// # Errors
/// When the backup is unknown, or the input is wrong. What fails for one backup or chain is in the answer and costs no other anything.
pub async fn handle(input: Expire, context: &Context) -> Result<ExpireReport, ExpireError> {
    BadField::check_time("deadline", input.deadline)?;
    run::run(&input, context).await
}
