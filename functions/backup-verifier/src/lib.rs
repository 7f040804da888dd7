//! backup-verifier: whether a backup is what it says it is.
//!
//! One run of a backup (`verify`), under a pin so that nothing of it expires meanwhile:
//! 1. ask who else knows how far it goes: Kafka's group and the figures in Redis (`witnesses`);
//! 2. walk the storage ([`shared::archive::reading::walk`]): footers, or every record;
//! 3. compare the two, and the figures with the storage;
//! 4. where that is asked for, put figures right that are wrong (`repair`), and compare again.
//!
//! It only reads the storage. Kafka and Redis are asked where they are configured; the answer says whether they were. One
//! that does not answer is an error; the command goes on without it ([`Context::leave_out`]) and says so. The result
//! of each whole run is kept in Redis and shown as metrics ([`shared::metrics::verifications`]).

mod context;
mod error;
mod judge;
mod log;
mod repair;
mod report;
#[cfg(test)]
mod tests;
mod verify;
mod witnesses;

pub use context::{Context, Progress};
pub use error::VerifyError;
pub use repair::Repair;
pub use report::{Checked, NotCompared, Verified, Witness};

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use shared::{record::Millis, runs::Failed};

/// The function's name.
pub const NAME: &str = "backup-verifier";

/// So long before its deadline a run gives up, so that its error is still told.
const DEADLINE_MARGIN_MS: i64 = 2_000;

/// What to verify, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verify {
    /// Only this backup; absent: all that the storage holds.
    #[serde(default)]
    pub backup: Option<String>,
    /// Whether every record is read, and not the footers only.
    #[serde(default)]
    pub deep: bool,
    /// Whether figures that are wrong are put right. The storage is never touched.
    #[serde(default)]
    pub repair: bool,
    /// The answer must be there by then, in milliseconds since 1970.
    #[serde(default)]
    pub deadline: Option<Millis>,
}

impl Verify {
    /// The same, with an answer by `deadline` at the latest.
    #[must_use]
    pub fn by(mut self, deadline: Millis) -> Self {
        self.deadline = Some(self.deadline.map_or(deadline, |earlier| earlier.min(deadline)));
        self
    }
}

/// Runs the function once. What is wrong with a backup is in the answer.
///
/// # Errors
/// When the storage, Kafka or Redis does not answer, there is no such backup, or the deadline came first.
pub async fn handle(input: Verify, context: &Context) -> Result<Verified, VerifyError> {
    let asked_for = input.backup.as_deref().map(Arc::from);
    let verified = within_deadline(input, context).await;
    // What was looked at in part is no run that monitoring may count on.
    if context.witnesses.not_compared.is_empty() {
        note(context, asked_for.as_ref(), &verified).await;
    }
    verified
}

/// Notes what the run came to. That something is wrong with a backup is no failure of the run: it has a figure of its own.
async fn note(context: &Context, asked_for: Option<&Arc<str>>, verified: &Result<Verified, VerifyError>) {
    let now = context.clock.now();
    match verified {
        Ok(verified) => {
            for backup in &verified.backups {
                context.runs.note(now, Some(&Arc::from(&*backup.backup)), &[]).await;
            }
        }
        Err(error) => context.runs.note(now, asked_for, &[Failed::run(error.kind(), error)]).await,
    }
}

async fn within_deadline(input: Verify, context: &Context) -> Result<Verified, VerifyError> {
    let Some(deadline) = input.deadline else { return verify::run(&input, context).await };
    let left_ms = deadline.0 - DEADLINE_MARGIN_MS - context.clock.now().0;
    let left = Duration::from_millis(u64::try_from(left_ms).unwrap_or(0));
    // A time-out of nothing would still let a run end that never has to wait.
    if left.is_zero() {
        return Err(VerifyError::OutOfTime { left });
    }
    let answer = tokio::time::timeout(left, verify::run(&input, context)).await;
    answer.unwrap_or(Err(VerifyError::OutOfTime { left }))
}
