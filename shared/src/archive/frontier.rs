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
    /// The keys of stale segments that were met on the way.
    pub stale: Vec<String>,
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
    let Found { mut last, tags, mut stale } = last_segment(objects, chain, from, &known_cuts).await?;
    let floor = floor_of(objects, chain, tags.as_ref(), known.map(|known| &known.0)).await?;
    let accepted = accepted_of(objects, chain, tags.as_ref(), known.map(|known| &known.1)).await?;
    let cuts = accepted.cuts();
    if last.as_ref().is_some_and(|last| last.is_stale(&cuts)) {
        // A cut that was not known: the chain's end is near it, or was when it was made.
        Found { last, stale, .. } = last_segment(objects, chain, cuts.last().unwrap_or_default(), &cuts).await?;
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
        frontier.marks.losses = accepted.count();
        return Ok(ChainEnd { frontier, floor, accepted, stale });
    };
    let metadata = read_metadata(objects, chain, &last).await?;
    let frontier = Frontier::behind(&metadata, last.size_bytes, accepted.count());
    Ok(ChainEnd { frontier, floor, accepted, stale })
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
    /// The keys of stale segments behind it.
    pub stale: Vec<String>,
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
    let mut newer = Newer { segments: false, stale: vec![], floor_etag: None, accepted_etag: None };
    let mut after = keys::segment(chain, base);
    loop {
        let page = objects.list(ListRequest { after: &after, ..ListRequest::prefix(&folder) }).await?;
        for entry in &page.objects {
            match keys::parse(&folder, &entry.key) {
                keys::ChainKey::Segment(base, known) if cuts.is_stale(base, known) => {
                    newer.stale.push(entry.key.clone())
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
    /// The keys of stale segments on them.
    stale: Vec<String>,
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
    let mut listings = Listings { objects, chain, cuts, stale: BTreeSet::new() };
    let mut near = listings.behind(from).await?;
    if near.last.is_none() && from > Offset(0) {
        // Nothing there: the hint was above the end.
        near = listings.behind(Offset(0)).await?;
    }
    let Behind { last, tags } = match near {
        Behind { last: Some(last), tags: None } => listings.bisect(last).await?,
        found => found,
    };
    Ok(Found { last, tags, stale: listings.stale.into_iter().collect() })
}

/// Listings of a chain with these cuts.
struct Listings<'a> {
    objects: &'a dyn Objects,
    chain: &'a ChainIdentity,
    cuts: &'a Cuts,
    /// The keys of stale segments on them so far.
    stale: BTreeSet<String>,
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
        let Listings { objects, chain, cuts, stale } = self;
        let folder = keys::chain_folder(chain);
        let (mut after, mut tags) = (keys::before_segment(chain, base), Tags::default());
        loop {
            let page: ListPage = objects.list(ListRequest { after: &after, ..ListRequest::prefix(&folder) }).await?;
            let segments = page.objects.iter().filter_map(|entry| SegmentEntry::of(&folder, entry));
            let (gone, there): (Vec<_>, Vec<_>) = segments.partition(|segment| segment.is_stale(cuts));
            stale.extend(gone.into_iter().map(|segment| segment.key));
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
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;

    use super::*;
    use crate::{
        adapters::{
            counting::CountingObjects,
            memory::{clock::ManualClock, objects::MemoryObjects},
        },
        archive::{AcceptedLoss, json},
        chain::Floor,
        ports::objects::{Operation, PutCondition},
        record::Millis,
        segment::{Compression, SegmentEncoder, SegmentStart},
    };

    fn store() -> CountingObjects {
        CountingObjects::new(Arc::new(MemoryObjects::new(Arc::new(ManualClock::at(Millis(0))))))
    }

    /// How often the store was asked for an object or a listing so far.
    fn asked(store: &CountingObjects) -> u64 {
        let counts = store.counts().unwrap().requests;
        counts[&Operation::Get] + counts[&Operation::List]
    }

    /// Segments at these bases, of which only the last can be read.
    async fn chain_of(bases: impl Iterator<Item = i64>) -> (CountingObjects, ChainIdentity, Offset) {
        let (store, chain) = (store(), ChainIdentity::example());
        let mut last = Offset(0);
        for base in bases {
            last = Offset(base);
            put(&store, &keys::segment(&chain, last), Bytes::from_static(b"-")).await;
        }
        store.delete(&keys::segment(&chain, last)).await.unwrap();
        let before = StoredFloor::ground(&chain).floor.before;
        let start = SegmentStart { chain: chain.clone(), base: last, before, last_gap_at: None };
        let segment = SegmentEncoder::new(start, Compression::None).unwrap().finish(last.next(), Millis(0)).unwrap();
        put(&store, &keys::segment(&chain, last), segment.body).await;
        (store, chain, last)
    }

    async fn put(store: &CountingObjects, key: &str, body: Bytes) -> ETag {
        store.put(key, body, PutCondition::IfAbsent).await.unwrap()
    }

    async fn put_floor(store: &CountingObjects, chain: &ChainIdentity, base: Offset) -> StoredFloor {
        let floor = Floor { base, ..StoredFloor::ground(chain).floor };
        let key = keys::floor(chain);
        let etag = put(store, &key, json::bytes(&key, &floor).unwrap()).await;
        StoredFloor { floor, etag: Some(etag), ..StoredFloor::ground(chain) }
    }

    #[tokio::test]
    async fn the_end_is_found_in_two_requests_when_warm_also_with_a_floor() {
        let (store, chain, last) = chain_of((0..3_000).map(|n| n * 100)).await;
        let hint = ChainHint { base: Offset(last.0 - 500), known: None };
        let end = chain_end(&store, &chain, Some(&hint)).await.unwrap();
        assert_eq!((end.frontier.last_base, end.floor.etag, asked(&store)), (Some(last), None, 2));
        let floor = put_floor(&store, &chain, Offset(1_000)).await;
        let hint = ChainHint { base: last, known: Some((floor.clone(), AcceptedLosses::default())) };
        let end = chain_end(&store, &chain, Some(&hint)).await.unwrap();
        assert_eq!((end.frontier.last_base, end.floor, asked(&store)), (Some(last), floor, 2 + 2));
    }

    #[tokio::test]
    async fn a_floor_that_moved_since_is_read_again() {
        let (store, chain, last) = chain_of((0..30).map(|n| n * 100)).await;
        let floor = put_floor(&store, &chain, Offset(1_000)).await;
        let old = StoredFloor { etag: Some(ETag("\"old\"".to_owned())), ..StoredFloor::ground(&chain) };
        let end =
            chain_end(&store, &chain, Some(&ChainHint { base: last, known: Some((old, AcceptedLosses::default())) }))
                .await
                .unwrap();
        assert_eq!((end.floor.floor, end.floor.etag, asked(&store)), (floor.floor, floor.etag, 3));
    }

    #[tokio::test]
    async fn the_end_of_a_hundred_thousand_segments_is_found_cold_in_at_most_64_requests() {
        let shapes: [fn(i64) -> i64; 5] = [
            |n| n,
            |n| n * 100_000,
            |n| if n < 1_000 { n } else { (1 << 62) + n },
            |n| if n < 50_000 { n } else { (1 << 40) + n * 7 },
            |n| if n < 99_999 { n } else { i64::MAX - 1 },
        ];
        for (number, shape) in shapes.into_iter().enumerate() {
            let (store, chain, last) = chain_of((0..100_000).map(shape)).await;
            put_floor(&store, &chain, Offset(shape(10))).await;
            let wrong = ChainHint { base: last.next(), known: None };
            for hint in [None, Some(&wrong)] {
                let before = asked(&store);
                let end = chain_end(&store, &chain, hint).await.unwrap();
                assert_eq!(end.frontier.last_base, Some(last), "shape {number}");
                let requests = asked(&store) - before;
                assert!(requests <= 64, "shape {number}: {requests} requests");
            }
        }
    }

    /// A chain of so many segments that was cut at its end, one behind that, and two stale ones: in the middle and beyond.
    async fn cut_chain(count: i64) -> (CountingObjects, ChainIdentity, AcceptedLosses) {
        let (store, chain, last) = chain_of((0..count).map(|n| n * 100)).await;
        let loss = AcceptedLoss::new(last.next(), Offset(i64::MAX), Millis(0));
        super::super::accept_loss(&store, &chain, AcceptedLosses::default(), loss, None).await.unwrap();
        let start = SegmentStart {
            chain: chain.clone(),
            base: last.next(),
            before: StoredFloor::ground(&chain).floor.before,
            last_gap_at: None,
        };
        let encoder = SegmentEncoder::new(start, Compression::None).unwrap().behind_cuts(1);
        let segment = encoder.finish(Offset(last.0 + 50), Millis(0)).unwrap();
        put(&store, &keys::segment_behind(&chain, last.next(), 1), segment.body).await;
        for stale in [last.0 + 7, last.0 + 9_000_000] {
            put(&store, &keys::segment(&chain, Offset(stale)), Bytes::from_static(b"-")).await;
        }
        let accepted = read_accepted_losses(&store, &chain).await.unwrap();
        (store, chain, accepted)
    }

    #[tokio::test]
    async fn what_is_stale_is_no_end_of_a_chain_and_costs_nothing_when_that_is_known() {
        let (store, chain, accepted) = cut_chain(3_000).await;
        let base = Offset(2_999 * 100 + 1);
        for (from, known, requests) in
            [(base, true, 2), (base, false, 6), (Offset(i64::MAX), false, 64), (Offset(0), false, 64)]
        {
            let before = asked(&store);
            let floor = read_floor(&store, &chain).await.unwrap();
            let hint = ChainHint { base: from, known: known.then(|| (floor, accepted.clone())) };
            let end = chain_end(&store, &chain, Some(&hint)).await.unwrap();
            assert_eq!((end.frontier.last_base, end.frontier.next), (Some(base), Offset(base.0 + 49)));
            assert_eq!(end.stale.len(), 2, "{:?}", end.stale);
            let asked = asked(&store) - before - 1;
            assert!(asked <= requests, "{asked} requests from {from}");
        }
        let newer = newer_than(&store, &chain, base, &accepted.cuts()).await.unwrap();
        assert_eq!((newer.segments, newer.stale.len(), newer.accepted_etag), (false, 2, accepted.etag));
        assert!(newer_than(&store, &chain, base, &Cuts::default()).await.unwrap().segments);
    }

    #[tokio::test]
    async fn a_chain_of_which_nothing_is_left_but_its_floor_ends_there() {
        let (store, chain) = (store(), ChainIdentity::example());
        assert_eq!(chain_end(&store, &chain, None).await.unwrap().frontier.next, Offset(0));
        put_floor(&store, &chain, Offset(7)).await;
        assert_eq!(chain_end(&store, &chain, None).await.unwrap().frontier.next, Offset(7));
    }
}
