//! Finding the end of a chain.
//!
//! Warm, a hint and a listing after it are enough. Cold, the chain is bisected by offset: a listing that begins in its middle
//! says on which side the end is, so the number of requests grows with the logarithm of the offsets, not with the chain.

use super::{AcceptedLosses, ArchiveError, SegmentEntry, StoredFloor, read_accepted_losses, read_floor, read_metadata};
use crate::{
    chain::{ChainIdentity, Frontier, keys},
    ports::objects::{ETag, ListPage, ListRequest, Objects},
    record::Offset,
};

/// How often an end is looked for that expires while it is read.
const ATTEMPTS_MAX: u32 = 5;

/// The end of a chain, and its beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainEnd {
    /// Where it ends. Where its floor lies above its last segment the tail is missing: then it is the floor.
    pub frontier: Frontier,
    /// Where it begins.
    pub floor: StoredFloor,
    /// The losses of its tail that were accepted.
    pub accepted: AcceptedLosses,
}

/// Finds the end of a chain. `hint` is the base of a segment that is thought to be near it; a wrong one costs requests only.
pub async fn chain_end(
    objects: &dyn Objects,
    chain: &ChainIdentity,
    hint: Option<Offset>,
) -> Result<ChainEnd, ArchiveError> {
    let mut attempt = 1;
    loop {
        match look_for_end(objects, chain, hint).await {
            // The chain went on and the segment expired, between the listing and the reading.
            Err(ArchiveError::Missing { .. }) if attempt < ATTEMPTS_MAX => attempt += 1,
            end => return end,
        }
    }
}

/// The floor is read first. From then on there is a last segment at or above it at any moment, since the last one never
/// expires: so what is listed below it only waits to be deleted, and where nothing else is listed the tail is missing.
async fn look_for_end(
    objects: &dyn Objects,
    chain: &ChainIdentity,
    hint: Option<Offset>,
) -> Result<ChainEnd, ArchiveError> {
    let floor = read_floor(objects, chain).await?;
    let mut accepted_seen = false;
    let from = hint.unwrap_or(Offset(0)).max(floor.floor.base);
    let last = last_segment(objects, chain, from, &mut accepted_seen).await?;
    let accepted = if accepted_seen { read_accepted_losses(objects, chain).await? } else { AcceptedLosses::default() };
    let Some(last) = last.filter(|last| last.base >= floor.floor.base) else {
        let mut frontier = Frontier::at(&floor.floor);
        frontier.marks.losses = accepted.count();
        return Ok(ChainEnd { frontier, floor, accepted });
    };
    let metadata = read_metadata(objects, chain, &last).await?;
    let frontier = Frontier::behind(&metadata, last.size_bytes, accepted.count());
    Ok(ChainEnd { frontier, floor, accepted })
}

/// What a listing after a chain's segment shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Newer {
    /// Whether the chain goes on behind it.
    pub segments: bool,
    /// The floor's entity tag, if there is a floor.
    pub floor_etag: Option<ETag>,
    /// The entity tag of its accepted losses, if there are any.
    pub accepted_etag: Option<ETag>,
}

/// Whether anything of the chain lies behind the segment at `base`, in one request nearly always.
pub async fn newer_than(objects: &dyn Objects, chain: &ChainIdentity, base: Offset) -> Result<Newer, ArchiveError> {
    let folder = keys::chain_folder(chain);
    let mut newer = Newer { segments: false, floor_etag: None, accepted_etag: None };
    let mut after = keys::segment(chain, base);
    loop {
        let page = objects.list(ListRequest { after: &after, ..ListRequest::prefix(&folder) }).await?;
        for entry in &page.objects {
            match keys::parse(&folder, &entry.key) {
                keys::ChainKey::Segment(_) => newer.segments = true,
                keys::ChainKey::Floor => newer.floor_etag = Some(entry.etag.clone()),
                keys::ChainKey::AcceptedLoss => newer.accepted_etag = Some(entry.etag.clone()),
                keys::ChainKey::Foreign => {}
            }
        }
        match page.next_after {
            // Behind newer segments the floor's tag does not matter any more: the caller must look again anyway.
            Some(next) if !newer.segments => after = next,
            _ => return Ok(newer),
        }
    }
}

/// The last segment of a chain. `from` is a base that is likely to be near it.
async fn last_segment(
    objects: &dyn Objects,
    chain: &ChainIdentity,
    from: Offset,
    accepted: &mut bool,
) -> Result<Option<SegmentEntry>, ArchiveError> {
    let (mut low, mut found) = (from, None);
    if from > Offset(0) {
        let near = behind(objects, chain, from, accepted).await?;
        match near {
            Behind { last: Some(last), complete: true } => return Ok(Some(last)),
            Behind { last: Some(last), .. } => {
                low = last.base;
                found = Some(last);
            }
            // Nothing there: the hint was above the end.
            Behind { last: None, .. } => low = Offset(0),
        }
    }
    if found.is_none() {
        match behind(objects, chain, Offset(0), accepted).await? {
            Behind { last: None, .. } => return Ok(None),
            Behind { last, complete: true } => return Ok(last),
            Behind { last: Some(last), .. } => {
                low = last.base;
                found = Some(last);
            }
        }
    }
    bisect(objects, chain, low, found, accepted).await
}

/// Narrows [`low`, `high`) until the listing that holds the last segment is complete.
async fn bisect(
    objects: &dyn Objects,
    chain: &ChainIdentity,
    mut low: Offset,
    mut found: Option<SegmentEntry>,
    accepted: &mut bool,
) -> Result<Option<SegmentEntry>, ArchiveError> {
    let mut high = Offset(i64::MAX);
    // The chain's end is near its last known segment more often than near the end of all offsets: widen first.
    let mut step = (low.0 / 8).max(1_000);
    let mut widening = true;
    while low.next() < high {
        let middle = if widening { low.0.saturating_add(step).min(high.0 - 1) } else { low.0 + (high.0 - low.0) / 2 };
        match behind(objects, chain, Offset(middle.max(low.0 + 1)), accepted).await? {
            Behind { last: Some(last), complete } => {
                low = last.base;
                found = Some(last);
                step = step.saturating_mul(8);
                if complete {
                    break;
                }
            }
            Behind { last: None, .. } => {
                high = Offset(middle.max(low.0 + 1));
                widening = false;
            }
        }
    }
    Ok(found)
}

/// What one listing that begins at an offset shows.
struct Behind {
    /// The last segment on it.
    last: Option<SegmentEntry>,
    /// Whether there is none behind that.
    complete: bool,
}

/// Lists a chain's segments with a base of `base` or more: one page, or as many as hold foreign objects only. A listing that
/// comes to the end of the segments sees whether losses were `accepted`: they are the first behind them.
async fn behind(
    objects: &dyn Objects,
    chain: &ChainIdentity,
    base: Offset,
    accepted: &mut bool,
) -> Result<Behind, ArchiveError> {
    let folder = keys::chain_folder(chain);
    let mut after = keys::before_segment(chain, base);
    loop {
        let page: ListPage = objects.list(ListRequest { after: &after, ..ListRequest::prefix(&folder) }).await?;
        let last = page.objects.iter().rev().find_map(|entry| SegmentEntry::of(&folder, entry));
        let past_segments = page.objects.last().is_some_and(|entry| keys::is_behind_segments(&folder, &entry.key));
        *accepted |= page.objects.iter().any(|entry| entry.key == keys::accepted_loss(chain));
        let complete = page.next_after.is_none() || past_segments;
        match page.next_after {
            Some(next) if last.is_none() && !complete => after = next,
            _ => return Ok(Behind { last, complete }),
        }
    }
}
