//! Backups of which something is damaged or gone: a restore stops there, or goes on and says exactly what is missing.

use shared::{
    ports::objects::{GetRange, ListRequest, Objects as _, PutCondition},
    record::Partition,
    segment::decoder::SegmentReader,
};

use super::*;
use crate::{Drill, drill::drill};

const SKIPPING: &str = "skip_damaged = true\n[[topics]]\nsource = \"orders\"";

/// Keys and ranges of a partition's segments.
async fn segments(world: &World, partition: i32) -> Vec<(String, i64, i64)> {
    let prefix = format!("main/orders/1/{partition}/");
    let listed = world.objects.list(ListRequest::prefix(&prefix)).await.unwrap().objects;
    let mut segments = vec![];
    for entry in listed.into_iter().filter(|entry| entry.key.ends_with(".kan")) {
        let body = world.objects.get(&entry.key, GetRange::Whole).await.unwrap().unwrap().body;
        let metadata = SegmentReader::open(body).unwrap().metadata().clone();
        segments.push((entry.key, metadata.base.0, metadata.next.0));
    }
    segments
}

/// Changes one byte of an object, counted from its beginning or, below 0, from its end.
async fn damage(world: &World, key: &str, at: isize) {
    let object = world.objects.get(key, GetRange::Whole).await.unwrap().unwrap();
    let mut body = object.body.to_vec();
    let index = if at < 0 { body.len().checked_add_signed(at).unwrap() } else { at.unsigned_abs() };
    body[index] ^= 1;
    world.objects.put(key, body.into(), PutCondition::IfMatch(object.etag)).await.unwrap();
}

fn missing(report: &RestoreReport, partition: i32) -> Vec<(i64, i64)> {
    let partitions = &report.topics[0].partitions;
    let of = partitions.iter().find(|it| it.partition == Partition(partition)).unwrap();
    of.missing.iter().map(|missing| (missing.from.0, missing.to.0)).collect()
}

/// The target holds what the source does, but for these offsets of partition 0.
async fn assert_all_but(world: &World, ranges: &[(i64, i64)]) {
    let mut fetch = world.source.fetch(&[(TopicPartition::new("orders", 0), Offset(0))]).await.unwrap();
    let mut expected = vec![];
    loop {
        let came = fetch.next(Duration::ZERO).await.unwrap();
        if came.is_empty() {
            break;
        }
        for fetched in came {
            let Fetched::Records { records, .. } = fetched else { continue };
            expected.extend(records);
        }
    }
    expected.retain(|record| !ranges.iter().any(|(from, to)| (*from..*to).contains(&record.offset.0)));
    let expected: Vec<_> = expected.into_iter().map(|it| (it.timestamp, it.key, it.value, it.headers)).collect();
    let found = world.contents(&world.target, "orders").await;
    assert_eq!(found[&0], expected);
    let source = world.contents(&world.source, "orders").await;
    assert_eq!((&found[&1], &found[&2]), (&source[&1], &source[&2]), "the other partitions are whole");
}

#[tokio::test(start_paused = true)]
async fn a_hole_a_damaged_footer_and_damaged_records_are_passed_over_and_listed() {
    let world = World::with(100).await;
    let all = segments(&world, 0).await;
    assert!(all.len() > 8, "{all:?}");
    world.objects.delete(&all[2].0).await.unwrap();
    damage(&world, &all[4].0, -9).await;
    damage(&world, &all[6].0, 8).await;
    let lost = [2, 4, 6].map(|number| (all[number].1, all[number].2));

    let refused = world.restore(ORDERS).await;
    assert_eq!(kinds(&refused), [Kind::Damaged, Kind::Damaged], "what the footers tell: {refused:?}");
    let report = world.restore(SKIPPING).await;
    assert_eq!(report.outcome, Outcome::Done, "{report:?}");
    assert_eq!((missing(&report, 0), missing(&report, 1)), (lost.to_vec(), vec![]));
    assert_all_but(&world, &lost).await;
    assert_eq!(missing(&world.restore(SKIPPING).await, 0), lost, "a later run still lists it");
    assert_all_but(&world, &lost).await;
}

#[tokio::test(start_paused = true)]
async fn only_what_is_asked_for_is_listed_as_missing() {
    let world = World::with(100).await;
    let all = segments(&world, 0).await;
    world.objects.delete(&all[2].0).await.unwrap();
    world.objects.delete(&all[3].0).await.unwrap();
    let (from, until) = (all[2].1 + 1, all[5].1);
    let plan = format!("{SKIPPING}\npartitions = [{{ number = 0, from_offset = {from}, until_offset = {until} }}]");
    let report = world.restore(&plan).await;
    assert_eq!((report.outcome, missing(&report, 0)), (Outcome::Done, vec![(from, all[3].2)]), "{report:?}");
}

#[tokio::test(start_paused = true)]
async fn a_restore_that_stopped_at_damage_goes_on_over_it_when_it_is_told() {
    let world = World::with(100).await;
    let all = segments(&world, 0).await;
    damage(&world, &all[6].0, 8).await;
    assert_eq!(world.restore(ORDERS).await.outcome, Outcome::Failed);
    let report = world.restore(SKIPPING).await;
    assert_eq!((report.outcome, missing(&report, 0)), (Outcome::Done, vec![(all[6].1, all[6].2)]));
    assert_all_but(&world, &[(all[6].1, all[6].2)]).await;
}

#[tokio::test(start_paused = true)]
async fn where_the_last_segment_cannot_be_read_the_restore_ends_before_it_and_says_so() {
    let world = World::with(100).await;
    let all = segments(&world, 0).await;
    let (last, base, next) = all.last().unwrap();
    damage(&world, last, -9).await;
    assert_eq!(kinds(&world.restore(ORDERS).await), [Kind::Damaged]);
    let report = world.restore(SKIPPING).await;
    assert_eq!(report.outcome, Outcome::Done, "{report:?}");
    assert!(report.findings.iter().any(|it| it.kind == Kind::Damaged && it.message.contains(last.as_str())));
    assert_all_but(&world, &[(*base, *next)]).await;
}

#[tokio::test(start_paused = true)]
async fn a_partition_whose_only_segment_cannot_be_read_is_no_empty_one() {
    let world = World::with(100).await;
    let all = segments(&world, 0).await;
    for (key, ..) in &all[1..] {
        world.objects.delete(key).await.unwrap();
    }
    damage(&world, &all[0].0, -9).await;
    assert_eq!(kinds(&world.restore(ORDERS).await), [Kind::Damaged]);
    let drilled = drill(&Drill::default(), None, &world.context()).await.unwrap();
    assert!(!drilled.good && drilled.topics[0].error.as_ref().unwrap().contains(all[0].0.as_str()), "{drilled:?}");
}

#[tokio::test(start_paused = true)]
async fn an_offset_in_a_last_segment_that_cannot_be_read_is_asked_for() {
    let world = World::with(100).await;
    let all = segments(&world, 0).await;
    let (last, base, _) = all.last().unwrap();
    damage(&world, last, -9).await;
    let from = base + 1;
    let plan = format!("[[topics]]\nsource = \"orders\"\npartitions = [{{ number = 0, from_offset = {from} }}]");
    assert_eq!(kinds(&world.restore(&plan).await), [Kind::Damaged]);
}
