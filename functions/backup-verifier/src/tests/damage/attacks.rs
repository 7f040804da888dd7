//! An attacker plays every row of the second matrix: all of this code, write access to the bucket, and no key.

use bytes::Bytes;
use shared::{
    archive::{self, AcceptedLoss, AcceptedLosses},
    chain::{ChainIdentity, Floor, SealKey, SealRule, verify::seals::Seals},
    record::{Millis, Offset, Record},
    segment::{ChainPoint, Compression, SegmentEncoder, SegmentStart, decoder, footer},
};

use super::{
    super::{How, test_backup::NOW},
    found,
    matrix::{ATTACKS, Attack},
    names,
    world::{FIRST, FLOOR, LAST, MIDDLE, Whole, World, metadata, replace},
};
use crate::{Verified, witnesses::Witnesses};

const KEY: &str = "the key of the backup, 32 characters long";
const FORMER: &str = "the key before it, 32 characters or longer";
const ATTACKERS: &str = "a key of the attacker's own, which is long too";

fn how(deep: bool, keys: &[&str], since: Option<i64>) -> How {
    let keys: Vec<_> = keys.iter().map(|secret| SealKey::new(secret)).collect();
    let rule = (!keys.is_empty()).then(|| SealRule { keys, since: since.map(Millis) });
    How { seals: rule.into_iter().map(|rule| ("main".to_owned(), rule)).collect(), ..How::new(deep) }
}

async fn told(world: &World<'_>, how: &How) -> Vec<String> {
    let verified = found(world, how).await;
    names(verified.findings().map(|finding| finding.kind)).into_iter().collect()
}

#[tokio::test]
async fn the_attacker_is_found_exactly_where_the_matrix_says() {
    let whole = Whole::sealed_with([Some(KEY); 3]).await;
    for row in ATTACKS {
        for variant in 0..2 {
            let mut world = World::of(&whole).await;
            if !attack(&mut world, row.attack, variant).await {
                continue;
            }
            let modes = [(how(true, &[], None), row.keyless), (how(false, &[KEY], None), row.quick)];
            for (how, expected) in modes.into_iter().chain([(how(true, &[KEY], None), row.deep)]) {
                let expected: Vec<_> = names(expected.iter().copied()).into_iter().collect();
                assert_eq!(told(&world, &how).await, expected, "{:?}, variant {variant}", row.attack);
            }
        }
    }
}

/// Plays a variant of an attack; whether there is such a variant.
async fn attack(world: &mut World<'_>, attack: Attack, variant: usize) -> bool {
    let whole_witnesses = std::mem::take(&mut world.witnesses);
    match attack {
        Attack::EncodedAnew => encode_anew(world, &[MIDDLE, LAST], None, true).await,
        Attack::EncodedAnewOwnKey => encode_anew(world, &[MIDDLE, LAST], Some(ATTACKERS), true).await,
        Attack::EncodedAnewForgedSeals => {
            encode_anew(world, &[MIDDLE, LAST], Some(ATTACKERS), true).await;
            for key in [MIDDLE, LAST] {
                let mut body = world.get(key).await.to_vec();
                let (own, right) = (SealKey::new(ATTACKERS), SealKey::new(KEY));
                for _ in 0..2 {
                    replace(&mut body, own.id(), right.id());
                }
                world.put(key, body.into()).await;
            }
        }
        Attack::Stripped => encode_anew(world, &[FIRST, MIDDLE, LAST], None, false).await,
        Attack::FooterChanged => {
            let mut body = world.get(MIDDLE).await.to_vec();
            replace(&mut body, &format!("\"written_at\":{NOW}"), "\"written_at\":1000000000000");
            world.put(MIDDLE, body.into()).await;
        }
        Attack::PagesChanged => {
            let mut body = world.get(MIDDLE).await.to_vec();
            let at = body.windows(5).position(|window| window == b"state").expect("a value");
            body[at..at + 5].copy_from_slice(b"STATE");
            world.put(MIDDLE, body.into()).await;
        }
        Attack::FloorRaised => raise_floor(world, |_, _| None).await,
        Attack::FloorOfAnother => {
            let of_another = |chain: &ChainIdentity, before: &ChainPoint| {
                let other = ChainIdentity { topic: "payments".into(), ..chain.clone() };
                Some(SealKey::new(KEY).floor(&other, Offset(5), before))
            };
            raise_floor(world, of_another).await;
        }
        Attack::FloorSetBack => {
            raise_floor(world, |chain, before| Some(SealKey::new(KEY).floor(chain, Offset(5), before))).await;
            world.delete(MIDDLE).await;
        }
        Attack::TailCut => {
            world.delete(LAST).await;
            match variant {
                0 => world.witnesses.kafka = whole_witnesses.kafka,
                _ => world.witnesses.store = whole_witnesses.store,
            }
            return true;
        }
        Attack::TailCutUnknown => world.delete(LAST).await,
        Attack::TailCutExcused => {
            world.delete(LAST).await;
            let chain = metadata(&world.get(FIRST).await).chain;
            let loss = AcceptedLoss::new(Offset(10), Offset(15), NOW);
            let none = AcceptedLosses::default();
            archive::accept_loss(&world.objects, &chain, none, loss, None).await.unwrap();
            world.witnesses.kafka = whole_witnesses.kafka;
        }
    }
    variant == 0
}

/// Encodes segments anew so that each goes on from the one before it, the first with other records.
async fn encode_anew(world: &World<'_>, segments: &[&str], key: Option<&str>, other: bool) {
    let mut point = metadata(&world.get(segments[0]).await).before;
    for (number, segment) in segments.iter().enumerate() {
        let (like, mut records) = decoder::records(world.get(segment).await).unwrap();
        if other && number == 0 {
            records[0].value = Some(Bytes::from_static(b"bought by the attacker"));
        }
        let body = encode(&like, point, &records, key);
        point = metadata(&body).after(body.len() as u64);
        world.put(segment, body).await;
    }
}

fn encode(like: &shared::segment::SegmentMetadata, before: ChainPoint, records: &[Record], key: Option<&str>) -> Bytes {
    let start = SegmentStart { chain: like.chain.clone(), base: like.base, before, last_gap_at: None };
    let key = key.map(|secret| SealKey::new(secret).into());
    let mut encoder = SegmentEncoder::new(start, Compression::None).unwrap().sealed_with(key);
    encoder.append(records).unwrap();
    encoder.finish(like.next, like.written_at).unwrap().body
}

/// Deletes the first segment, and lays the floor behind it.
async fn raise_floor(world: &World<'_>, seal: impl Fn(&ChainIdentity, &ChainPoint) -> Option<shared::chain::Seal>) {
    let metadata = metadata(&world.get(MIDDLE).await);
    let seal = seal(&metadata.chain, &metadata.before);
    let floor = Floor { format_version: 1, base: Offset(5), before: metadata.before, seal, losses: 0 };
    world.put(FLOOR, serde_json::to_vec(&floor).unwrap().into()).await;
    world.delete(FIRST).await;
}

#[tokio::test]
async fn a_loss_that_was_accepted_with_the_key_is_excused() {
    let whole = Whole::sealed_with([Some(KEY); 3]).await;
    let world = World::of(&whole).await;
    world.delete(LAST).await;
    let chain = metadata(&world.get(FIRST).await).chain;
    let loss = AcceptedLoss::new(Offset(10), Offset(15), NOW);
    let (none, key) = (AcceptedLosses::default(), SealKey::new(KEY));
    archive::accept_loss(&world.objects, &chain, none, loss, Some(&key)).await.unwrap();
    assert_eq!(told(&world, &how(true, &[KEY], None)).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_floor_sealed_by_the_key_is_right_and_one_without_it_is_told() {
    let whole = Whole::sealed_with([Some(KEY); 3]).await;
    let mut world = World::of(&whole).await;
    world.witnesses = Witnesses::default();
    raise_floor(&world, |chain, before| Some(SealKey::new(KEY).floor(chain, Offset(5), before))).await;
    assert_eq!(told(&world, &how(true, &[KEY], None)).await, Vec::<String>::new());
}

/// How far keys vouch for all chains together.
fn seals(verified: &Verified) -> Seals {
    let chains = verified.backups.iter().flat_map(|backup| &backup.chains);
    chains.fold(Seals::default(), |sum, chain| sum.plus(chain.seals))
}

#[tokio::test]
async fn a_backup_that_got_its_key_later_is_vouched_for_by_its_first_seal() {
    let whole = Whole::sealed_with([None, None, Some(KEY)]).await;
    let world = World::of(&whole).await;
    // Partition 1 of orders and payments got nothing since: only the date of the key excuses them.
    assert_eq!(told(&world, &how(false, &[KEY], None)).await, ["unsealed"]);
    let verified = found(&world, &how(true, &[KEY], Some(NOW.0 + 1))).await;
    assert!(verified.good, "{:#?}", verified.findings().collect::<Vec<_>>());
    let sum = seals(&verified);
    assert_eq!((sum.valid, sum.covered, sum.older_than_the_key), (1, 2, 3));
    assert_eq!(told(&world, &how(false, &[KEY], Some(NOW.0))).await, ["unsealed"], "written at that moment");
}

#[tokio::test]
async fn after_a_rotation_former_seals_need_their_key_only_where_no_newer_one_follows() {
    let whole = Whole::sealed_with([Some(FORMER), Some(KEY), Some(KEY)]).await;
    let world = World::of(&whole).await;
    assert_eq!(told(&world, &how(true, &[KEY, FORMER], None)).await, Vec::<String>::new());
    let verified = found(&world, &how(true, &[KEY], None)).await;
    let keys: Vec<_> = verified.findings().map(|finding| finding.key.as_str()).collect();
    assert_eq!(keys, ["main/orders/1/1/00000000000000000000.kan"]);
    assert_eq!(told(&world, &how(true, &[FORMER], None)).await, ["unsealed"]);
}

#[tokio::test]
async fn without_a_key_the_rest_is_checked_and_the_report_says_so() {
    let whole = Whole::sealed_with([Some(KEY); 3]).await;
    let verified = found(&World::of(&whole).await, &how(true, &[], None)).await;
    assert!(verified.good);
    assert_eq!(seals(&verified).unchecked, 6);
}

#[tokio::test]
async fn a_seal_is_one_entry_of_the_footer_over_the_other() {
    let whole = Whole::sealed_with([Some(KEY); 3]).await;
    let body = World::of(&whole).await.get(FIRST).await;
    let footer = footer::read(&body, body.len() as u64).unwrap();
    assert_eq!(footer.seal, Some(SealKey::new(KEY).segment(&footer.text)));
    assert_eq!(footer.metadata.sealed_by.as_deref(), Some(SealKey::new(KEY).id()));
}
