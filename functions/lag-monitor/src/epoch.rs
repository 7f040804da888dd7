//! Beginning and completing epochs: after a loss the store is whole again when everything is seen in it.
//!
//! What an epoch is and why it cannot lie: [`shared::metrics::registers::epoch`].

use shared::{
    metrics::registers::{Epoch, Scope, Seen},
    ports::store::Applied,
};

use crate::{Context, MonitorError};

/// Begins the rebuilding of a store that holds nothing, or may have gone back. Answers the epoch that what is looked at
/// from now on may complete.
pub(crate) async fn begin(context: &Context, scope: Scope<'_>, known: &Seen) -> Result<Epoch, MonitorError> {
    let Some((step, notes)) = known.begin(scope, context.clock.now()) else { return Ok(known.epoch) };
    let to = step.to;
    let begun = match context.store.apply(&[step], &notes).await? {
        Applied::Done => Some(to),
        // When another lag-monitor was first, its epoch serves as well.
        Applied::Elsewhere(positions) => positions.into_iter().next().flatten(),
    };
    Ok(begun.and_then(Epoch::rebuilding).unwrap_or(known.epoch))
}

/// Waits, for as long as one refresh may, until `look` sees everything, and completes the epoch. What was looked at before
/// an epoch began says nothing about it, so it is `begun` that is completed and no other. Answers whether it is.
///
/// `look` reads the epoch, and whether everything is there, at one moment.
pub(crate) async fn complete<F: Future<Output = Result<(Seen, bool), MonitorError>> + Send>(
    context: &Context,
    scope: Scope<'_>,
    begun: Epoch,
    look: impl Fn() -> F,
) -> Result<bool, MonitorError> {
    for _ in 0..=context.limits.polls_max {
        let (seen, whole) = look().await?;
        if seen.epoch != begun {
            return Ok(matches!(seen.epoch, Epoch::Complete(_)));
        }
        if let Some(step) = seen.complete(scope).filter(|_| whole)
            && context.store.apply(&[step], &[]).await? == Applied::Done
        {
            return Ok(true);
        }
        tokio::time::sleep(context.limits.poll_wait).await;
    }
    Ok(false)
}

/// Since when the store is being filled again, if it is.
pub(crate) fn rebuilding_since(epoch: Epoch) -> Option<i64> {
    if let Epoch::Rebuilding(since) = epoch { Some(since) } else { None }
}
