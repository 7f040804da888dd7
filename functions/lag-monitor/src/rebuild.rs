//! After a loss: the store is whole again when everything that was sent has arrived.
//!
//! The epoch and why it cannot lie: [`shared::metrics::registers::epoch`]. Beyond what the storage holds, it waits for the
//! owners of the chains to say how their work is, which they do at every refresh; those that have not within one are dead.

use std::sync::Arc;

use shared::{
    metrics::{
        registers::{
            Epoch, Registers, Scope, Seen,
            epoch::{Snapshot, queries, snapshots},
        },
        standing::Ends,
    },
    ports::store::{Applied, Operation},
    record::Millis,
};

use crate::{
    Context, MonitorError,
    changes::{self, Target},
    compare::{everybody_spoke, everything_arrived},
    targets::Targets,
};

/// What the store holds of a backup now.
pub(crate) async fn snapshot(context: &Context, backup: &Arc<str>) -> Result<Snapshot, MonitorError> {
    let backups = std::slice::from_ref(backup);
    let answers = context.store.read(&queries(backups)).await?;
    Ok(snapshots(backups, answers).remove(0))
}

/// Begins the rebuilding of a store that holds nothing, or may have gone back. Answers the epoch that what is looked at
/// from now on may complete.
pub(crate) async fn begin(context: &Context, scope: Scope<'_>, known: &Seen) -> Result<Epoch, MonitorError> {
    let Some((step, run)) = known.begin(scope, context.clock.now()) else { return Ok(known.epoch) };
    let to = step.to;
    let begun = match context.store.apply(&[step], &[run]).await? {
        Applied::Done => Some(to),
        // When another lag-monitor was first, its epoch serves as well.
        Applied::Elsewhere(positions) => positions.into_iter().next().flatten(),
    };
    Ok(begun.and_then(Epoch::rebuilding).unwrap_or(known.epoch))
}

/// Everything that must be seen in the store, to call its figures whole.
pub(crate) enum Wanted<'a> {
    /// A backup's.
    Backup { name: &'a Arc<str>, targets: &'a Targets, ends: &'a [Ends] },
    /// The counters of changes: positions that must be reached.
    Changes(&'a [Target]),
}

impl Wanted<'_> {
    fn scope(&self) -> Scope<'_> {
        match self {
            Wanted::Backup { name, .. } => Scope::Backup(name),
            Wanted::Changes(_) => Scope::Changes,
        }
    }

    /// What the store need not keep any more once the epoch is complete.
    fn obsolete(&self) -> &[Operation] {
        match self {
            Wanted::Backup { targets, .. } => targets.obsolete.as_slice(),
            Wanted::Changes(_) => &[],
        }
    }

    /// The epoch, and whether everything is there, at one moment.
    async fn look(&self, context: &Context, since: i64) -> Result<(Seen, bool), MonitorError> {
        match self {
            Wanted::Backup { name, targets, ends } => {
                let Snapshot { seen, registers, .. } = snapshot(context, name).await?;
                let whole = is_whole(context, since, &registers, targets, ends);
                Ok((seen, whole))
            }
            Wanted::Changes(targets) => changes::look(context, targets).await,
        }
    }
}

/// Waits, for as long as one refresh may, until everything wanted is there, and completes the epoch. What was looked at
/// before an epoch began says nothing about it, so it is `begun` that is completed and no other. Answers whether it is.
pub(crate) async fn complete(context: &Context, begun: Epoch, wanted: &Wanted<'_>) -> Result<bool, MonitorError> {
    let Epoch::Rebuilding(since) = begun else { return Ok(matches!(begun, Epoch::Complete(_))) };
    for _ in 0..=context.limits.arrival_polls_max {
        let (seen, whole) = wanted.look(context, since).await?;
        if seen.epoch != begun {
            return Ok(matches!(seen.epoch, Epoch::Complete(_)));
        }
        if let Some(step) = seen.complete(wanted.scope()).filter(|_| whole)
            && context.store.apply(&[step], wanted.obsolete()).await? == Applied::Done
        {
            return Ok(true);
        }
        tokio::time::sleep(context.limits.arrival_poll_wait).await;
    }
    Ok(false)
}

fn is_whole(context: &Context, since: i64, registers: &Registers, targets: &Targets, ends: &[Ends]) -> bool {
    let now = context.clock.now();
    let waited = now >= Millis(since.saturating_add(context.refresh_ms()));
    everything_arrived(&targets.required, ends, Millis(since), registers)
        && (waited || everybody_spoke(&targets.required, registers, now))
}
