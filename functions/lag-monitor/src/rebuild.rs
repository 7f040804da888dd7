//! After a loss: the store is whole again when everything that was sent has arrived.
//!
//! The epoch and why it cannot lie: [`shared::metrics::registers::epoch`]. Beyond what the storage holds, it waits for the
//! owners of the chains to say how their work is, which they do at every refresh; those that have not within one are dead.

use std::sync::Arc;

use shared::{
    metrics::{
        registers::{
            Epoch,
            epoch::{Snapshot, queries, snapshots},
        },
        standing::Ends,
    },
    ports::store::Applied,
    record::Millis,
};

use crate::{
    Context, MonitorError,
    compare::{Required, everybody_spoke, everything_arrived},
};

/// What the store holds of a backup now.
pub(crate) async fn snapshot(context: &Context, backup: &Arc<str>) -> Result<Snapshot, MonitorError> {
    let backups = std::slice::from_ref(backup);
    let answers = context.store.read(&queries(backups)).await?;
    Ok(snapshots(backups, answers).remove(0))
}

/// Begins the rebuilding of a store that holds nothing.
pub(crate) async fn begin(context: &Context, known: &Snapshot) -> Result<(), MonitorError> {
    if known.epoch == Epoch::Absent {
        // When another lag-monitor was first, its epoch serves as well.
        context.store.apply(&[Epoch::begin(&known.backup, context.clock.now())], &[]).await?;
    }
    Ok(())
}

/// Waits, for as long as one refresh may, until the store is whole, and says so in its epoch. Answers the epoch.
pub(crate) async fn complete(
    context: &Context,
    backup: &Arc<str>,
    required: &[Required],
    ends: &[Ends],
) -> Result<Epoch, MonitorError> {
    let mut polls = 0;
    loop {
        let seen = snapshot(context, backup).await?;
        let step = seen.epoch.complete(backup).filter(|_| is_whole(context, &seen, required, ends));
        if let Some(step) = step {
            let to = step.to;
            if context.store.apply(&[step], &[]).await? == Applied::Done {
                return Ok(Epoch::Complete(to));
            }
        }
        polls += 1;
        if !matches!(seen.epoch, Epoch::Rebuilding(_)) || polls > context.limits.arrival_polls_max {
            return Ok(seen.epoch);
        }
        tokio::time::sleep(context.limits.arrival_poll_wait).await;
    }
}

fn is_whole(context: &Context, seen: &Snapshot, required: &[Required], ends: &[Ends]) -> bool {
    let Epoch::Rebuilding(since) = seen.epoch else { return false };
    let now = context.clock.now();
    let waited = now >= Millis(since.saturating_add(context.refresh_ms()));
    everything_arrived(required, ends, &seen.registers) && (waited || everybody_spoke(required, &seen.registers, now))
}
