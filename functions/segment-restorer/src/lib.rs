//! segment-restorer: topics of a backup, written into a Kafka cluster record by record, each exactly once.
//!
//! ```text
//! prepare    what the plan means, what the backup holds, what the target is like, what stands in the way
//! creation   the settings of a target that is made, and which of them its cluster refuses
//! acls       the rules that the target gets, where the plan asks for them
//! topic      one topic: its target is made, its workers run
//! take_over  one run at a time, and what those before had committed
//! continuing what a deadline stopped is started again
//! worker     one producer: records, their progress and where they lie, transaction by transaction
//! drill      a restore into a scratch topic, compared with the backup
//! files      a restore into files, without any Kafka
//! reading    the segments of a worker's partitions, fetched ahead and decoded
//! ```
//! # Why each record comes once
//! A worker's progress is written in the transaction of its records. Whoever starts takes over all producers of the run before
//! (`take_over`), and reads the progress after that: from then on nobody else can commit, and what was not committed is
//! aborted. So what it reads is exactly what lies in the target, wherever the one before was killed, and also when that one
//! still lives: it is fenced, says so, and stops.

mod acls;
mod context;
mod continuing;
mod creation;
pub mod drill;
mod error;
pub mod files;
mod groups;
mod ids;
mod limiter;
mod meter;
mod prepare;
mod prepared;
mod progress_log;
mod pushed;
mod raising;
mod reading;
mod report;
mod source;
mod take_over;
mod target;
#[cfg(test)]
mod tests;
mod topic;
mod worker;

pub use context::{Context, Limits};
pub use continuing::run;
pub use drill::{Drill, DrillReport, PartitionDrill, TopicDrill};
pub use error::RestoreError;
pub use files::{FileFormat, FilesReport, IntoFiles, PartitionFiles, TopicFiles, into_files};
pub use meter::{Meter, PartitionMeter, TopicMeter};
pub use report::{GroupOutcome, GroupReport, Outcome, PartitionReport, RestoreReport, TopicReport};

use serde::{Deserialize, Serialize};
use shared::{
    archive::{pins::Hold, reading::pinned},
    crash,
    record::Millis,
    restore::Plan,
};

use crate::pushed::{Pushed, Pushes};

/// The function's name.
pub const NAME: &str = "segment-restorer";

/// What to restore.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restore {
    /// What is asked. Where there is a deadline and no plan, the function goes on with a restore that was stopped.
    #[serde(default)]
    pub plan: Plan,
    /// Tells what would be done, and writes nothing.
    #[serde(default)]
    pub dry_run: bool,
    /// No transaction is begun after this, in milliseconds since 1970. What is left is restored by the next run.
    #[serde(default)]
    pub deadline: Option<Millis>,
}

/// What the function is invoked with: a restore, or a drill.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// What to restore.
    #[serde(default)]
    pub plan: Plan,
    /// Tells what would be restored, and writes nothing.
    #[serde(default)]
    pub dry_run: bool,
    /// What to drill instead.
    #[serde(default)]
    pub drill: Option<Drill>,
    /// The answer must be there by then, in milliseconds since 1970.
    #[serde(default)]
    pub deadline: Option<Millis>,
}

impl Input {
    /// The same, with an answer by `deadline` at the latest.
    #[must_use]
    pub fn by(mut self, deadline: Millis) -> Self {
        self.deadline = Some(self.deadline.map_or(deadline, |earlier| earlier.min(deadline)));
        self
    }
}

/// What the function answers.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// What became of a restore; nothing where there was none to go on with.
    Restored(Option<RestoreReport>),
    /// What became of a drill.
    Drilled(DrillReport),
    /// The last drill is not long enough ago.
    NotDue,
}

/// Runs the function once, for whoever invokes it.
///
/// # Errors
/// As [`handle`] and [`drill::drill`].
pub async fn answer(input: Input, context: &Context) -> Result<Answer, RestoreError> {
    let Input { plan, dry_run, drill, deadline } = input;
    let Some(drill) = drill else {
        return run(Restore { plan, dry_run, deadline }, context).await.map(Answer::Restored);
    };
    if dry_run || plan != Plan::default() {
        return Err(RestoreError::DrillWithPlan);
    }
    if !drill::is_due(&drill, context).await? {
        return Ok(Answer::NotDue);
    }
    let drilled = drill::drill(&drill, deadline, context).await;
    drill::log(&drilled);
    drill::count(&drilled, context).await;
    drilled.map(Answer::Drilled)
}

/// Runs the function once.
///
/// # Errors
/// When the backup or the target cannot be asked. What stands in the way of the plan, and what fails for one topic, is in
/// the answer.
pub async fn handle(input: Restore, context: &Context) -> Result<RestoreReport, RestoreError> {
    let backup = source::backup(&*context.objects, input.plan.backup.as_deref()).await?;
    let work = async {
        let prepared = prepare::prepare(&input.plan, backup.clone(), context).await?;
        let mut report = if prepared.is_refused() || input.dry_run || input.plan.groups_only {
            if prepared.is_refused() && !input.dry_run {
                pushed::refused(context, &prepared).await;
            }
            prepared.report(input.dry_run)
        } else {
            let pushed = Pushed::start(context, Pushes::of_restore(context, &prepared));
            let report = topic::restore_all(&prepared, &input, context).await;
            crash::point("restore-before-last-push");
            pushed.end(&report).await;
            report
        };
        if matches!(report.outcome, Outcome::Done | Outcome::Planned) {
            report.groups = groups::restore(&prepared, input.dry_run, context).await?;
        }
        if report.groups.iter().any(|group| group.outcome == GroupOutcome::Failed) {
            report.outcome = Outcome::Failed;
        }
        Ok(report)
    };
    // Pinned before the floors are read, so that what is found there stays.
    let id = format!("restore-{}", context.instance);
    Box::pin(pinned(&*context.objects, &backup.backup, holds(&input.plan), &id, work)).await?
}

/// The topics of the plan where they are named; everything where they are patterns.
pub(crate) fn holds(plan: &Plan) -> Vec<Hold> {
    let names: Vec<_> = plan.topics.iter().map(|rule| rule.source.to_string()).collect();
    let are_names = names.iter().all(|name| shared::config::topic_name(name).is_ok());
    if are_names { names.iter().map(|name| Hold::topic(name)).collect() } else { vec![] }
}
