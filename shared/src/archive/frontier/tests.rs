use std::sync::Arc;

use bytes::Bytes;

use super::*;
use crate::{
    adapters::{
        counting::CountingObjects,
        memory::{clock::ManualClock, objects::MemoryObjects},
    },
    archive::AcceptedLoss,
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
    let etag = put(store, &key, serde_json::to_vec(&floor).unwrap().into()).await;
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
    let end = chain_end(&store, &chain, Some(&ChainHint { base: last, known: Some((old, AcceptedLosses::default())) }))
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

/// A chain of so many segments that was cut at its end, one behind that, and two superseded ones: in the middle and beyond.
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
    for superseded in [last.0 + 7, last.0 + 9_000_000] {
        put(&store, &keys::segment(&chain, Offset(superseded)), Bytes::from_static(b"-")).await;
    }
    let accepted = read_accepted_losses(&store, &chain).await.unwrap();
    (store, chain, accepted)
}

#[tokio::test]
async fn what_is_superseded_is_no_end_of_a_chain_and_costs_nothing_when_that_is_known() {
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
        assert_eq!(end.superseded.len(), 2, "{:?}", end.superseded);
        let asked = asked(&store) - before - 1;
        assert!(asked <= requests, "{asked} requests from {from}");
    }
    let newer = newer_than(&store, &chain, base, &accepted.cuts()).await.unwrap();
    assert_eq!((newer.segments, newer.superseded.len(), newer.accepted_etag), (false, 2, accepted.etag));
    assert!(newer_than(&store, &chain, base, &Cuts::default()).await.unwrap().segments);
}

#[tokio::test]
async fn a_chain_of_which_nothing_is_left_but_its_floor_ends_there() {
    let (store, chain) = (store(), ChainIdentity::example());
    assert_eq!(chain_end(&store, &chain, None).await.unwrap().frontier.next, Offset(0));
    put_floor(&store, &chain, Offset(7)).await;
    assert_eq!(chain_end(&store, &chain, None).await.unwrap().frontier.next, Offset(7));
}
