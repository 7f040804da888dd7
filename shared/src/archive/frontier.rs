//! Finding the end of a chain.
//!
//! Warm, a listing after a hint and the last segment's footer are enough: the listing shows the tags of the floor and of accepted losses too. Cold, the
//! chain is bisected by offset: a listing that begins in its middle says on which side the end is, so the number of
//! requests grows with the logarithm of the offsets, not with the chain.

use std::collections::BTreeSet;

use super::{AcceptedLosses, ArchiveError, SegmentEntry, StoredFloor, read_accepted_losses, read_floor, read_metadata};
use crate::{
    chain::{ChainIdentity, Cuts, Frontier, keys},
    metrics::standing::Standing,
    ports::objects::{ETag, ListPage, ListRequest, Objects},
    record::{Millis, Offset},
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
    /// The keys of superseded segments that were met on the way.
    pub superseded: Vec<String>,
}

/// What is remembered of a chain. Being wrong it costs requests only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainHint {
    /// The base of a segment that is thought to be near the end.
    pub base: Offset,
    /// The floor and the accepted losses as they were read last: they hold as long as their objects have the same tags.
    pub known: Option<(StoredFloor, AcceptedLosses)>,
}

impl ChainEnd {
    /// The standing of a chain that somebody says who only read the storage.
    #[must_use]
    pub fn standing(&self, chain: &ChainIdentity, now: Millis) -> Standing {
        Standing {
            timestamp: now,
            backup: chain.backup.as_str().into(),
            topic: chain.topic.clone(),
            topic_id: chain.topic_id.clone(),
            incarnation: chain.incarnation,
            partition: chain.partition,
            start: self.floor.floor.base,
            next: self.frontier.next,
            totals: self.frontier.point.totals,
            totals_before_start: self.floor.floor.before.totals,
            digest: self.frontier.point.digest,
            marks: self.frontier.marks,
            job: None,
        }
    }
}

/// Finds the end of a chain.
pub async fn chain_end(
    objects: &dyn Objects,
    chain: &ChainIdentity,
    hint: Option<&ChainHint>,
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

async fn look_for_end(
    objects: &dyn Objects,
    chain: &ChainIdentity,
    hint: Option<&ChainHint>,
) -> Result<ChainEnd, ArchiveError> {
    let known = hint.and_then(|hint| hint.known.as_ref());
    let known_cuts = known.map(|known| known.1.cuts()).unwrap_or_default();
    let from = hint.map_or(Offset(0), |hint| hint.base);
    let Found { mut last, tags, mut superseded } = last_segment(objects, chain, from, &known_cuts).await?;
    let floor = floor_of(objects, chain, tags.as_ref(), known.map(|known| &known.0)).await?;
    let accepted = accepted_of(objects, chain, tags.as_ref(), known.map(|known| &known.1)).await?;
    let cuts = accepted.cuts();
    if last.as_ref().is_some_and(|last| last.is_superseded(&cuts)) {
        // A cut that was not known: the chain's end is near it, or was when it was made.
        Found { last, superseded, .. } = last_segment(objects, chain, cuts.last().unwrap_or_default(), &cuts).await?;
    }
    let base = floor.floor.base;
    if base > Offset(0) && last.as_ref().is_none_or(|last| last.base < base) {
        // The floor may have moved behind the listing. From its reading on there is a last segment at or above it at any
        // moment, since the last one never expires: so what is listed below it only waits to be deleted, and where
        // nothing else is listed the tail is missing.
        last = last_segment(objects, chain, base, &cuts).await?.last.filter(|last| last.base >= base);
    }
    let Some(last) = last else {
        let mut frontier = Frontier::at(&floor.floor);
        frontier.marks.losses = accepted.steps();
        return Ok(ChainEnd { frontier, floor, accepted, superseded });
    };
    let metadata = read_metadata(objects, chain, &last).await?;
    let frontier = Frontier::behind(&metadata, last.size_bytes, accepted.steps());
    Ok(ChainEnd { frontier, floor, accepted, superseded })
}

/// The floor as the listing showed it, read only where it is not known.
async fn floor_of(
    objects: &dyn Objects,
    chain: &ChainIdentity,
    tags: Option<&Tags>,
    known: Option<&StoredFloor>,
) -> Result<StoredFloor, ArchiveError> {
    match (tags, known) {
        (Some(Tags { floor: None, .. }), _) => Ok(StoredFloor::ground(chain)),
        (Some(tags), Some(known)) if known.etag == tags.floor => Ok(known.clone()),
        _ => read_floor(objects, chain).await,
    }
}

/// The accepted losses, likewise.
async fn accepted_of(
    objects: &dyn Objects,
    chain: &ChainIdentity,
    tags: Option<&Tags>,
    known: Option<&AcceptedLosses>,
) -> Result<AcceptedLosses, ArchiveError> {
    match (tags, known) {
        (Some(Tags { accepted: None, .. }), _) => Ok(AcceptedLosses::default()),
        (Some(tags), Some(known)) if known.etag == tags.accepted => Ok(known.clone()),
        _ => read_accepted_losses(objects, chain).await,
    }
}

/// What a listing after a chain's segment shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Newer {
    /// Whether the chain goes on behind it.
    pub segments: bool,
    /// The keys of superseded segments behind it.
    pub superseded: Vec<String>,
    /// The floor's entity tag, if there is a floor.
    pub floor_etag: Option<ETag>,
    /// The entity tag of its accepted losses, if there are any.
    pub accepted_etag: Option<ETag>,
}

/// Whether anything of the chain, with these cuts, lies behind the segment at `base`, in one request nearly always.
pub async fn newer_than(
    objects: &dyn Objects,
    chain: &ChainIdentity,
    base: Offset,
    cuts: &Cuts,
) -> Result<Newer, ArchiveError> {
    let folder = keys::chain_folder(chain);
    let mut newer = Newer { segments: false, superseded: vec![], floor_etag: None, accepted_etag: None };
    let mut after = keys::segment(chain, base);
    loop {
        let page = objects.list(ListRequest { after: &after, ..ListRequest::prefix(&folder) }).await?;
        for entry in &page.objects {
            match keys::parse(&folder, &entry.key) {
                keys::ChainKey::Segment(base, known) if cuts.is_superseded(base, known) => {
                    newer.superseded.push(entry.key.clone())
                }
                keys::ChainKey::Segment(..) => newer.segments = true,
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

/// What the listings showed.
struct Found {
    last: Option<SegmentEntry>,
    /// Unknown where no listing came behind the last segment.
    tags: Option<Tags>,
    /// The keys of superseded segments on them.
    superseded: Vec<String>,
}

/// The tags of what lies behind a chain's segments; `None`: there is none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Tags {
    floor: Option<ETag>,
    accepted: Option<ETag>,
}

/// The last segment of a chain. `from` is a base that is likely to be near it.
async fn last_segment(
    objects: &dyn Objects,
    chain: &ChainIdentity,
    from: Offset,
    cuts: &Cuts,
) -> Result<Found, ArchiveError> {
    let mut listings = Listings { objects, chain, cuts, superseded: BTreeSet::new() };
    let mut near = listings.behind(from).await?;
    if near.last.is_none() && from > Offset(0) {
        // Nothing there: the hint was above the end.
        near = listings.behind(Offset(0)).await?;
    }
    let Behind { last, tags } = match near {
        Behind { last: Some(last), tags: None } => listings.bisect(last).await?,
        found => found,
    };
    Ok(Found { last, tags, superseded: listings.superseded.into_iter().collect() })
}

/// Listings of a chain with these cuts.
struct Listings<'a> {
    objects: &'a dyn Objects,
    chain: &'a ChainIdentity,
    cuts: &'a Cuts,
    /// The keys of superseded segments on them so far.
    superseded: BTreeSet<String>,
}

/// How many times the first, small steps widen the search; the end is near more often than not.
const SMALL_STEPS: u32 = 4;

/// What one listing that begins at an offset shows.
struct Behind {
    /// The last segment on it.
    last: Option<SegmentEntry>,
    /// Known where there is no segment behind that.
    tags: Option<Tags>,
}

impl Listings<'_> {
    /// Narrows [`found`, `high`) until the listing that holds the last segment is complete.
    async fn bisect(&mut self, found: SegmentEntry) -> Result<Behind, ArchiveError> {
        let (mut found, mut high) = (found, Offset(i64::MAX));
        // The chain's end is near its last known segment more often than near the end of all offsets: widen first, soon by
        // much, so that finding it takes at most 64 requests wherever it is.
        let (mut step, mut widened) = ((found.base.0 / 8).max(1_000), Some(0));
        while found.base.next() < high {
            let low = found.base.0;
            let middle = match widened {
                Some(_) => low.saturating_add(step).min(high.0 - 1),
                None => low + (high.0 - low) / 2,
            };
            let middle = Offset(middle.max(low + 1));
            let Behind { last, tags } = self.behind(middle).await?;
            let Some(last) = last else {
                (high, widened) = (middle, None);
                continue;
            };
            found = last;
            if tags.is_some() {
                return Ok(Behind { last: Some(found), tags });
            }
            if let Some(times) = &mut widened {
                *times += 1;
                step = step.saturating_mul(if *times <= SMALL_STEPS { 8 } else { 1 << 16 });
            }
        }
        Ok(Behind { last: Some(found), tags: None })
    }

    /// Lists a chain's segments with a base of `base` or more: one page, or as many as it takes to see one, or their end.
    async fn behind(&mut self, base: Offset) -> Result<Behind, ArchiveError> {
        let Listings { objects, chain, cuts, superseded } = self;
        let folder = keys::chain_folder(chain);
        let (mut after, mut tags) = (keys::before_segment(chain, base), Tags::default());
        loop {
            let page: ListPage = objects.list(ListRequest { after: &after, ..ListRequest::prefix(&folder) }).await?;
            let segments = page.objects.iter().filter_map(|entry| SegmentEntry::of(&folder, entry));
            let (gone, there): (Vec<_>, Vec<_>) = segments.partition(|segment| segment.is_superseded(cuts));
            superseded.extend(gone.into_iter().map(|segment| segment.key));
            let last = there.into_iter().next_back();
            for entry in &page.objects {
                match keys::parse(&folder, &entry.key) {
                    keys::ChainKey::Floor => tags.floor = Some(entry.etag.clone()),
                    keys::ChainKey::AcceptedLoss => tags.accepted = Some(entry.etag.clone()),
                    keys::ChainKey::Segment(..) | keys::ChainKey::Foreign => {}
                }
            }
            let came_to_all = page.objects.last().is_some_and(|entry| entry.key >= keys::floor(chain));
            match page.next_after {
                Some(next) if last.is_none() && !came_to_all => after = next,
                Some(_) if !came_to_all => return Ok(Behind { last, tags: None }),
                _ => return Ok(Behind { last, tags: Some(tags) }),
            }
        }
    }
}

#[cfg(test)]
mod tests;
