//! Somebody with all of this code, write access to the bucket and no key wants good segments to expire.

use bytes::Bytes;
use shared::{
    archive::{self, AcceptedLoss, AcceptedLosses, Cut},
    chain::{ChainIdentity, Floor, SealKey, keys},
    ports::{
        clock::Clock as _,
        objects::{GetRange, PutCondition},
    },
    record::{Millis, Offset, Record},
    segment::{Compression, SegmentEncoder, SegmentMetadata, SegmentStart, decoder},
};

use super::world::{DAY, START, World};
use crate::{BackupReport, Expire, ExpireError, handle};

const KEY: &str = "the key of the backup, 32 characters long";
const FORMER: &str = "the key before it, 32 characters or longer";
const ATTACKERS: &str = "a key of the attacker's own, which is long too";

/// Segments of five days, sealed; the first two have expired.
async fn sealed_with(secret: &str) -> World {
    let world = World { keys: vec![SealKey::new(secret)], ..World::new() };
    world.a_segment_a_day(5).await;
    world.clock.set(Millis(START.0 + 32 * DAY));
    world
}

async fn run(world: &World) -> BackupReport {
    handle(Expire::default(), &world.context()).await.unwrap().backups.remove(0)
}

/// What was refused in two runs, with the grace period between them.
async fn refused(world: &World) -> Vec<String> {
    let mut refused = vec![];
    for _ in 0..2 {
        let report = run(world).await;
        assert!(report.changed.is_empty() && !report.complete, "{report:?}");
        for failure in report.failures {
            assert!(!failure.error.retry(), "{failure}");
            let ExpireError::NotBelieved { key, .. } = failure.error else { panic!("{failure}") };
            refused.push(key);
        }
        world.hours(2);
    }
    refused
}

async fn put(world: &World, key: &str, body: Bytes) {
    world.objects.delete(key).await.unwrap();
    world.objects.put(key, body, PutCondition::IfAbsent).await.unwrap();
}

async fn segment(world: &World, base: i64) -> (SegmentMetadata, Vec<Record>) {
    let object = world.objects.get(&world.key(base).await, GetRange::Whole).await.unwrap().unwrap();
    decoder::records(object.body).unwrap()
}

/// Lays a floor at a segment as the expirer would, with whatever seal.
async fn raise_floor(world: &World, base: i64, seal: impl Fn(&ChainIdentity, &mut Floor)) {
    let metadata = segment(world, base).await.0;
    let mut floor = Floor { format_version: 1, base: Offset(base), before: metadata.before, seal: None, losses: 0 };
    seal(&metadata.chain, &mut floor);
    put(world, &keys::floor(&metadata.chain), serde_json::to_vec(&floor).unwrap().into()).await;
}

/// A segment like that at `like` that says other times, at `base`.
async fn forge(world: &World, like: i64, base: i64, time: Millis, key: Option<&str>) {
    let (metadata, mut records) = segment(world, like).await;
    let moved = base - like;
    for record in &mut records {
        (record.timestamp, record.offset) = (time, Offset(record.offset.0 + moved));
    }
    let before = if moved == 0 { metadata.before } else { metadata.after(0) };
    let start = SegmentStart { chain: metadata.chain.clone(), base: Offset(base), before, last_gap_at: None };
    let key = key.map(|secret| SealKey::new(secret).into());
    let mut encoder = SegmentEncoder::new(start, Compression::None).unwrap().sealed_with(key);
    encoder.append(&records).unwrap();
    let body = encoder.finish(Offset(metadata.next.0 + moved), time).unwrap().body;
    put(world, &keys::segment(&metadata.chain, Offset(base)), body).await;
}

#[tokio::test]
async fn a_sealed_backup_expires_like_any_other_and_its_floor_is_sealed() {
    let world = sealed_with(KEY).await;
    world.expire().await;
    assert_eq!(world.bases().await, [4, 6, 8]);
    let floor = world.floor().await.floor;
    assert_eq!(floor.seal, Some(SealKey::new(KEY).floor(&world.chain().await, floor.base, &floor.before)));
}

#[tokio::test]
async fn a_floor_that_was_raised_without_the_key_deletes_nothing() {
    let (key, own) = (SealKey::new(KEY), SealKey::new(ATTACKERS));
    type Sealing = Box<dyn Fn(&ChainIdentity, &mut Floor)>;
    let ways: [Sealing; 4] = [
        Box::new(|_, _| ()),
        Box::new(move |chain, floor| floor.seal = Some(own.floor(chain, floor.base, &floor.before))),
        // The seal of another place, which the key did make.
        Box::new(move |chain, floor| floor.seal = Some(key.floor(chain, Offset(2), &floor.before))),
        Box::new(|chain, floor| {
            let mut seal = SealKey::new(ATTACKERS).floor(chain, floor.base, &floor.before);
            seal.key = SealKey::new(KEY).id().to_owned();
            floor.seal = Some(seal);
        }),
    ];
    for way in ways {
        let world = sealed_with(KEY).await;
        raise_floor(&world, 8, way).await;
        world.hours(2);
        assert_eq!(refused(&world).await, ["main/orders/1/0/=floor.json"; 2]);
        assert_eq!(world.bases().await, [0, 2, 4, 6, 8]);
    }
}

#[tokio::test]
async fn a_footer_with_forged_times_makes_nothing_expire() {
    for key in [None, Some(ATTACKERS)] {
        let world = sealed_with(KEY).await;
        forge(&world, 4, 4, Millis(0), key).await;
        assert_eq!(refused(&world).await, [world.key(4).await, world.key(4).await]);
        assert_eq!(world.bases().await, [0, 2, 4, 6, 8]);
    }
}

#[tokio::test]
async fn a_segment_that_was_added_at_the_end_lets_the_last_good_one_not_expire() {
    let world = sealed_with(KEY).await;
    world.days(400);
    forge(&world, 8, 10, world.clock.now(), None).await;
    assert_eq!(refused(&world).await, [world.key(10).await, world.key(10).await]);
    assert_eq!(world.bases().await, [0, 2, 4, 6, 8, 10]);
    assert_eq!(world.floor().await.etag, None, "what the attacker says gets no seal of ours");
}

#[tokio::test]
async fn a_loss_that_was_accepted_without_the_key_takes_no_good_segment_out_of_the_chain() {
    for (losses, secret) in [(0, None), (1, Some(ATTACKERS))] {
        let world = sealed_with(KEY).await;
        let chain = world.chain().await;
        if losses > 0 {
            raise_floor(&world, 0, |chain, floor| {
                floor.losses = losses;
                floor.seal = Some(SealKey::new(KEY).floor(chain, floor.base, &floor.before));
            })
            .await;
            world.hours(2);
        }
        let cut = AcceptedLoss { cut: Some(Cut::Made), ..AcceptedLoss::new(Offset(2), Offset(8), START) };
        let key = secret.map(SealKey::new);
        archive::note_loss(&*world.objects, &chain, AcceptedLosses::default(), cut, key.as_ref()).await.unwrap();
        assert_eq!(refused(&world).await, ["main/orders/1/0/=accepted-loss.json"; 2]);
        assert_eq!(world.bases().await, [0, 2, 4, 6, 8]);
    }
}

#[tokio::test]
async fn after_a_rotation_former_seals_are_believed_where_their_key_is_told() {
    let mut world = sealed_with(FORMER).await;
    run(&world).await;
    world.hours(2);
    world.keys = vec![SealKey::new(KEY)];
    assert_eq!(refused(&world).await, ["main/orders/1/0/=floor.json"; 2]);
    world.keys.push(SealKey::new(FORMER));
    world.expire().await;
    assert_eq!(world.bases().await, [6, 8]);
}

#[tokio::test]
async fn what_is_older_than_the_first_key_may_be_unsealed_where_the_settings_say_when_that_was() {
    let mut world = World::new();
    world.a_segment_a_day(3).await;
    world.keys = vec![SealKey::new(KEY)];
    let since = world.clock.now();
    world.a_segment_a_day(2).await;
    world.clock.set(Millis(START.0 + 31 * DAY + 1));
    assert_eq!(refused(&world).await, [world.key(4).await, world.key(4).await]);
    world.sealed_since = Some(since);
    world.expire().await;
    assert_eq!(world.bases().await, [4, 6, 8]);
    assert!(archive::read_floor(&*world.objects, &world.chain().await).await.unwrap().floor.seal.is_some());
}

#[tokio::test]
async fn without_a_key_a_floor_and_footers_are_taken_as_they_are() {
    let world = World::new();
    world.a_segment_a_day(5).await;
    world.clock.set(Millis(START.0 + 20 * DAY));
    raise_floor(&world, 4, |chain, floor| {
        floor.seal = Some(SealKey::new(ATTACKERS).floor(chain, floor.base, &floor.before));
    })
    .await;
    world.hours(2);
    world.expire().await;
    assert_eq!(world.bases().await, [4, 6, 8]);
}
