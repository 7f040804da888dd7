//! Asking for stored segments at the locations.
//!
//! It is done behind the segment and before its offset is committed. So where a chain ends above the committed offset, a
//! writer may have died in between, and the segments above it are asked for once more when the chain is opened. That does no
//! harm: an operation has the same id whoever asks for it.

use shared::{
    archive::{self, SegmentEntry},
    chain::{ChainIdentity, Frontier, keys},
    record::Offset,
    replication::Stored,
};

use crate::{Context, WriteError};

/// Asks for segments at all locations; nothing to do where there is none.
pub(crate) async fn ask(context: &Context, segments: &[Stored]) -> Result<(), WriteError> {
    match &context.outgoing {
        Some(outgoing) if !segments.is_empty() => {
            outgoing.stored(segments).await.map_err(|error| WriteError::Replication(Box::new(error)))
        }
        _ => Ok(()),
    }
}

/// Asks once more for the segments from the committed offset on. Where there are more than a page of them, or nothing was
/// ever committed to a chain that has a past, it is the group that lost something and not a writer that died: what is
/// missing is then found by comparing.
pub(crate) async fn ask_again(
    context: &Context,
    chain: &ChainIdentity,
    frontier: &Frontier,
    committed: Option<Offset>,
) -> Result<(), WriteError> {
    let from = committed.unwrap_or(Offset(0));
    if context.outgoing.is_none() || from >= frontier.next {
        return Ok(());
    }
    let (page, _) = archive::chain_objects(&*context.objects, chain, &keys::before_segment(chain, from)).await?;
    let folder = keys::chain_folder(chain);
    let segments = page.into_iter().filter(|entry| SegmentEntry::of(&folder, entry).is_some());
    let stored = segments.map(|it| Stored { key: it.key, etag: it.etag, size_bytes: it.size_bytes });
    ask(context, &stored.collect::<Vec<_>>()).await
}
