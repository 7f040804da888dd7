//! Segments that do not exist, since their writer did not know of a loss that was accepted ([`shared::chain::cuts`]).

use shared::{
    archive::{self, AcceptedLosses},
    chain::keys,
    record::Offset,
};

use crate::{Backup, Context, WriteError, believed::is_believed, opened::OpenChain};

/// Whether the losses are still those that the chain was opened with. Where they are not, a segment that was just put at
/// `base` is not acknowledged: what becomes of it is seen by opening the chain again. One that is superseded is deleted.
pub(crate) async fn check(
    context: &Context,
    backup: &Backup,
    open: &OpenChain,
    base: Offset,
) -> Result<(), WriteError> {
    let accepted = archive::read_accepted_losses(&*context.objects, &open.chain).await?;
    if accepted.etag == open.accepted.etag {
        return Ok(());
    }
    let known = open.accepted.cuts().count();
    if accepted.cuts().is_superseded(base, known) {
        let now = OpenChain { accepted, ..open.clone() };
        sweep(context, backup, &now, &[keys::segment_behind(&open.chain, base, known)]).await;
    }
    Err(WriteError::LostRace { partition: open.chain.topic_partition(), base })
}

/// Deletes segments that are superseded in this chain. Nobody needs that: one that stays is passed over by all.
pub(crate) async fn sweep(context: &Context, backup: &Backup, open: &OpenChain, superseded: &[String]) {
    let partition = open.chain.topic_partition();
    if superseded.is_empty() || !is_believed(backup, &open.chain, &open.accepted) {
        return;
    }
    tracing::warn!(%partition, ?superseded, "deleting segments of writers that did not know of an accepted loss");
    if let Err(error) = context.objects.delete_all(superseded).await {
        tracing::warn!(%partition, error = &error as &dyn std::error::Error, "superseded segments are still there; nobody reads them");
    }
}

/// Whether segments are cut off by somebody without the key, where there is one: then nothing goes on there.
pub(crate) fn is_cut_by_others(backup: &Backup, open: &OpenChain, superseded: &[String]) -> bool {
    let AcceptedLosses { losses, .. } = &open.accepted;
    !superseded.is_empty() && !losses.is_empty() && !is_believed(backup, &open.chain, &open.accepted)
}
