//! `--repair`: what it puts right, and what it leaves.

use std::sync::Arc;

use shared::{
    metrics::{
        registers::{self, RegisterKind, names},
        standing::{Message, Standing},
    },
    ports::store::{Operation, Query, Register, Store, Value},
    record::{Offset, Partition},
};

use super::{
    super::{How, everything, verified},
    figures, found,
    matrix::Damage,
    world::{Whole, World},
};
use crate::{Repair, Verified, witnesses::Witnesses};

async fn repaired(world: &World<'_>) -> Verified {
    found(world, &How { repair: true, ..How::new(false) }).await
}

fn store(world: &World<'_>) -> Arc<dyn Store> {
    world.witnesses.store.clone().unwrap()
}

/// Heads, floors and incarnations, as they are held.
async fn held(world: &World<'_>) -> Vec<Vec<Register>> {
    let queries = registers::repair::Held::KINDS.map(|kind| Query::Registers(kind.key("main")));
    let hash = |answer| match answer {
        Value::Registers(registers) => registers,
        Value::Text(_) => vec![],
    };
    store(world).read(&queries).await.unwrap().into_iter().map(hash).collect()
}

/// What was done, as "what it was about: what was wrong", and what was left.
fn told(verified: &Verified) -> (Vec<String>, Vec<String>) {
    let repairs = verified.backups.iter().flat_map(|backup| &backup.repairs);
    let (done, left): (Vec<_>, Vec<_>) = repairs.partition(|it| it.left_because.is_none());
    let text = |it: &&Repair| format!("{} {}: {}", it.hash, it.field, it.what);
    let why = |it: &&Repair| it.left_because.clone().unwrap();
    (done.iter().map(text).collect(), left.iter().map(why).collect())
}

#[tokio::test]
async fn figures_that_are_missing_behind_wrong_or_beyond_what_was_committed_are_put_right() {
    let whole = Whole::make().await;
    let rows = [
        (Damage::FiguresMissing, "missing"),
        (Damage::FiguresBehind, "behind"),
        (Damage::FiguresWrong, "wrong"),
        (Damage::FiguresAhead, "ahead"),
    ];
    for (damage, what) in rows {
        let mut world = World::of(&whole).await;
        let before = held(&world).await;
        world.damage(damage, 0).await;
        assert!(!found(&world, &How::new(false)).await.good);
        let verified = repaired(&world).await;
        assert_eq!(told(&verified), (vec![format!("hw1:heads:4:main, 6:orders,1:1,1:0,: {what}")], vec![]));
        assert!(verified.good && found(&world, &How::new(false)).await.good);
        assert_eq!(held(&world).await, before);
    }
}

#[tokio::test]
async fn a_store_that_was_emptied_holds_afterwards_what_it_held() {
    let whole = Whole::make().await;
    let mut world = World::of(&whole).await;
    let before = held(&world).await;
    world.witnesses.store = Some(figures::of(&[]).await);
    let verified = repaired(&world).await;
    let here: Vec<_> = held(&world).await;
    assert!(verified.good);
    // Payments' second partition has no segment, and so nothing that the storage could tell.
    let of_chains =
        |held: &[Vec<Register>]| held[0].iter().filter(|it| it.order != [0, 0]).cloned().collect::<Vec<_>>();
    assert_eq!(of_chains(&here), of_chains(&before));
}

#[tokio::test]
async fn counts_of_a_deleted_topic_that_are_missing_or_wrong_are_told_and_put_right() {
    let whole = Whole::make().await;
    whole.delete_topic("orders");
    let of_others: Vec<Message> = whole.messages.iter().filter(|it| !is_of(it, "orders")).cloned().collect();
    let world = async || {
        let mut world = World::of(&whole).await;
        world.witnesses.configured = [("main".to_owned(), everything())].into();
        world
    };
    let held_before = held(&world().await).await;
    assert!(found(&world().await, &How::new(false)).await.good);

    let mut without = world().await;
    without.witnesses.store = Some(figures::of(&of_others).await);
    let mut wrong = world().await;
    wrong.damage(Damage::FiguresWrong, 0).await;
    for world in [without, wrong] {
        let told = found(&world, &How::new(false)).await;
        let keys: Vec<_> = told.findings().map(|finding| finding.key.as_str()).collect();
        assert!(keys.contains(&"main/orders/1/0/") && !keys.iter().any(|key| key.contains("payments")), "{keys:?}");
        assert!(repaired(&world).await.good && found(&world, &How::new(false)).await.good);
        assert_eq!(held(&world).await, held_before);
    }
}

fn is_of(message: &Message, topic: &str) -> bool {
    matches!(message, Message::Standing(standing) if &*standing.topic == topic)
}

#[tokio::test]
async fn a_head_that_tells_of_a_missing_tail_is_left_and_the_report_says_why() {
    let whole = Whole::make().await;
    for (has_kafka, why) in [(true, "accept-loss"), (false, "kafka's group says nothing")] {
        let mut world = World::of(&whole).await;
        let before = held(&world).await;
        world.damage(Damage::LastMissing, 1).await;
        if has_kafka {
            world.witnesses.kafka = World::of(&whole).await.witnesses.kafka;
        }
        let verified = repaired(&world).await;
        let (done, left) = told(&verified);
        assert!(!verified.good && done.is_empty() && left.len() == 1 && left[0].contains(why), "{done:?} {left:?}");
        assert_eq!(held(&world).await, before);
    }
}

#[tokio::test]
async fn the_digest_of_a_last_segment_that_may_have_been_replaced_is_left() {
    let whole = Whole::make().await;
    let mut world = World::of(&whole).await;
    world.damage(Damage::OtherContentLast, 0).await;
    let (done, left) = told(&repaired(&world).await);
    assert!(done.is_empty() && left[0].contains("which may have been replaced"), "{done:?} {left:?}");
}

async fn standing_of(world: &World<'_>, change: impl Fn(&mut Standing)) {
    let mut standing = world.standing();
    change(&mut standing);
    let operations = registers::operations(&Message::Standing(standing));
    let removals = operations.iter().filter_map(|operation| match operation {
        Operation::Max { key, field, .. } => Some(Operation::Remove { key: key.clone(), fields: vec![field.clone()] }),
        _ => None,
    });
    let all: Vec<_> = removals.chain(operations.clone()).collect();
    store(world).apply(&[], &all).await.unwrap();
}

#[tokio::test]
async fn a_floor_or_an_id_that_is_wrong_is_put_right() {
    let whole = Whole::make().await;
    let world = World::of(&whole).await;
    let before = held(&world).await;
    standing_of(&world, |standing| (standing.start, standing.topic_id) = (Offset(5), "other".into())).await;
    assert!(!found(&world, &How::new(false)).await.good);
    assert!(repaired(&world).await.good);
    assert_eq!(held(&world).await, before);
}

#[tokio::test]
async fn registers_of_a_topic_that_is_nowhere_are_taken_out_where_kafka_can_tell() {
    let whole = Whole::make().await;
    let mut world = World::of(&whole).await;
    let before = held(&world).await;
    standing_of(&world, |standing| (standing.topic, standing.topic_id) = ("ghost".into(), "of nothing".into())).await;
    let kafka = world.witnesses.kafka.take();
    let (done, left) = told(&repaired(&world).await);
    assert!(done.is_empty() && left[0].contains("no [kafka] is configured"), "{done:?} {left:?}");
    world.witnesses.kafka = kafka;
    assert!(repaired(&world).await.good);
    assert_eq!(held(&world).await, before);
}

#[tokio::test]
async fn registers_that_nobody_can_read_are_told_and_made_anew() {
    let whole = Whole::make().await;
    let world = World::of(&whole).await;
    let before = held(&world).await;
    let (key, field) = (RegisterKind::Heads.key("main"), names::chain_field("orders", 1, Partition(0)));
    let garbage = Operation::Max { key, field, order: vec![u64::MAX, 0], value: "garbage".into() };
    store(&world).apply(&[], &[garbage]).await.unwrap();
    assert!(!found(&world, &How::new(false)).await.good);
    assert!(repaired(&world).await.good);
    assert_eq!(held(&world).await, before);
}

#[tokio::test]
async fn without_a_store_there_is_nothing_to_repair_and_that_is_an_error() {
    let whole = Whole::make().await;
    let mut world = World::of(&whole).await;
    world.witnesses = Witnesses { store: None, ..world.witnesses };
    let how = How { repair: true, ..How::new(false) };
    let error = verified(&world.objects, None, &world.witnesses, &how).await.unwrap_err();
    assert!(error.to_string().contains("no [redis] is configured"), "{error}");
}
