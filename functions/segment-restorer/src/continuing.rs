//! Restores that take longer than a function may run: each run notes in the storage what it restores and until when it runs,
//! and a schedule starts again what stopped at its deadline or died.
//!
//! `<backup>/=restores/<fingerprint of the plan>.json`. The object is there as long as the restore is to go on. Whoever begins
//! a run changes it first, under the tag that was read, so of two that see the same only one begins. Were there two all the
//! same, one would take over from the other, as always.

use serde::{Deserialize, Serialize};
use shared::{
    archive::{self, control},
    chain::keys,
    ports::objects::ETag,
    record::Millis,
    restore::Plan,
    segment::metadata::FORMAT_VERSION,
};

use crate::{
    Restore,
    context::Context,
    error::RestoreError,
    handle,
    report::{Outcome, RestoreReport},
    source,
};

/// So many runs in a row may bring a restore no further before it is given up.
const IDLE_RUNS_MAX: u32 = 3;
/// How long after its deadline a run is taken for dead.
const DEAD_AFTER_MS: i64 = 60_000;

/// A restore that is under way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct UnderWay {
    format_version: u32,
    /// What is asked.
    plan: Plan,
    /// Until then a run is at work.
    running_until: Millis,
    /// How far the last run came: the sum of all positions.
    reached: i64,
    /// How many runs in a row came no further.
    idle_runs: u32,
}

/// Runs the function as a host that stops it at a deadline does: with a plan it begins, and without one it goes on with a
/// restore that was stopped, if there is any.
///
/// # Errors
/// As [`handle`].
pub async fn run(input: Restore, context: &Context) -> Result<Option<RestoreReport>, RestoreError> {
    match input.deadline {
        Some(deadline) if input.plan == Plan::default() && !input.dry_run => go_on(deadline, context).await,
        Some(deadline) if !input.dry_run => begin(input.plan, deadline, context).await.map(Some),
        _ => handle(input, context).await.map(Some),
    }
}

async fn begin(plan: Plan, deadline: Millis, context: &Context) -> Result<RestoreReport, RestoreError> {
    let backup = source::backup(&*context.objects, plan.backup.as_deref()).await?.backup;
    let key = key(&backup, &plan);
    let before = control::read::<UnderWay>(&*context.objects, &key).await?;
    let under_way =
        UnderWay { format_version: FORMAT_VERSION, plan, running_until: Millis(0), reached: 0, idle_runs: 0 };
    // Who asks again for what is under way takes it over.
    run_one(&key, under_way, before.map(|before| before.etag), deadline, context).await
}

/// Goes on with the first restore of which no run is at work.
async fn go_on(deadline: Millis, context: &Context) -> Result<Option<RestoreReport>, RestoreError> {
    for backup in archive::backups(&*context.objects).await? {
        for entry in archive::objects_below(&*context.objects, &keys::restores_folder(&backup)).await? {
            let Some(found) = control::read::<UnderWay>(&*context.objects, &entry.key).await? else { continue };
            if found.value.running_until >= context.clock.now() {
                continue;
            }
            return run_one(&entry.key, found.value, Some(found.etag), deadline, context).await.map(Some);
        }
    }
    Ok(None)
}

async fn run_one(
    key: &str,
    under_way: UnderWay,
    from: Option<ETag>,
    deadline: Millis,
    context: &Context,
) -> Result<RestoreReport, RestoreError> {
    let running_until = Millis(deadline.0.saturating_add(DEAD_AFTER_MS));
    let running = UnderWay { running_until, ..under_way };
    let etag = control::replace(&*context.objects, key, from, &running).await?;
    let input = Restore { plan: running.plan.clone(), dry_run: false, deadline: Some(deadline) };
    let ended = Box::pin(handle(input, context)).await;
    match next(running, &ended) {
        // Where somebody else has changed it, that one goes on.
        Some(next) => drop(control::compare_and_set(&*context.objects, key, Some(etag), &next).await?),
        None => control::remove(&*context.objects, key).await?,
    }
    ended
}

/// What is under way after a run; `None`: nothing any more.
fn next(running: UnderWay, ended: &Result<RestoreReport, RestoreError>) -> Option<UnderWay> {
    let reached = match ended {
        Ok(report) if report.outcome == Outcome::Stopped => reached(report),
        // The other run has its own time.
        Ok(report) if report.outcome == Outcome::TakenOver => return Some(running),
        Err(error) if error.retry() => running.reached,
        _ => return None,
    };
    let idle_runs = if reached > running.reached { 0 } else { running.idle_runs + 1 };
    if idle_runs >= IDLE_RUNS_MAX {
        tracing::error!(
            runs = idle_runs,
            "a restore came no further in several runs, and is given up: see why, then start it again"
        );
        return None;
    }
    Some(UnderWay { running_until: Millis(0), reached, idle_runs, ..running })
}

fn reached(report: &RestoreReport) -> i64 {
    let partitions = report.topics.iter().flat_map(|topic| &topic.partitions);
    partitions.fold(0, |sum, partition| sum.saturating_add(partition.next.0))
}

fn key(backup: &str, plan: &Plan) -> String {
    format!("{}{}.json", keys::restores_folder(backup), plan.fingerprint())
}
