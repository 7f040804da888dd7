//! A store that lost what it held, or never heard of it.

use shared::{
    archive::{self, AcceptedLoss, AcceptedLosses, Cut},
    chain::ChainIdentity,
    metrics::{
        registers::{self, Epoch, Head, RegisterKind, Scope, names},
        standing::{Instance, Message},
    },
    ports::{
        objects::{GetRange, PutCondition},
        store::{Operation, Query, Store as _, Value},
    },
    record::{Millis, Offset, Partition, TopicPartition},
};

use super::world::World;

/// A world with two topics backed up, whose store agrees with it.
async fn backed_up() -> World {
    let mut world = World::new();
    for (topic, partitions) in [("orders", 3), ("clicks", 1)] {
        world.kafka.create(topic, partitions, &[]);
        (0..partitions).for_each(|partition| world.append(topic, partition, 10));
    }
    world.drain().await;
    world.later_refresh().await;
    world.later_refresh().await;
    assert!(matches!(world.epoch().await, Epoch::Complete(_)));
    world
}

#[tokio::test]
async fn a_store_that_agrees_is_told_no_standing_again() {
    let report = backed_up().await.refresh().await;
    assert_eq!((report.standings, report.ends, report.complete), (0, 4, true));
}

#[tokio::test]
async fn what_is_said_again_claims_nothing_about_who_works() {
    let world = backed_up().await;
    world.wipe();
    assert_eq!(world.refresh().await.standings, 4);
    let registers = world.snapshot().await.registers;
    let chains: Vec<_> = registers.topics.values().flat_map(|topic| topic.chains.values()).collect();
    assert_eq!(chains.len(), 4);
    assert!(chains.iter().all(|chain| chain.head.is_some() && chain.job.is_none()));
}

#[tokio::test]
async fn the_store_is_whole_as_soon_as_every_owner_has_spoken_and_without_dead_ones_after_a_refresh() {
    let mut world = backed_up().await;
    world.wipe();
    assert!(!world.refresh().await.complete);
    world.drain().await;
    world.carry().await;
    assert!(world.refresh().await.complete, "the owners spoke again: no need to wait");

    world.wipe();
    assert!(!world.refresh().await.complete);
    world.clock.advance(Millis(14_999));
    assert!(!world.refresh().await.complete, "an owner may still speak");
    world.clock.advance(Millis(1));
    assert!(world.refresh().await.complete);
}

#[tokio::test]
async fn segments_that_appear_while_the_store_is_filled_put_nothing_off() {
    let mut world = backed_up().await;
    world.wipe();
    let mut refresh_after_a_segment = async || {
        world.append("orders", 1, 3);
        world.drain().await;
        world.later_refresh().await.complete
    };
    assert!(!refresh_after_a_segment().await);
    assert!(refresh_after_a_segment().await);
}

#[tokio::test]
async fn a_hash_that_was_lost_alone_is_noticed_and_filled_again() {
    for kind in RegisterKind::ALL {
        let mut world = backed_up().await;
        let (orders, clicks) = (world.facts("orders").await, world.facts("clicks").await);
        let hashes = world.store.read(&[Query::Registers(kind.key("main"))]).await.unwrap();
        let Some(Value::Registers(held)) = hashes.into_iter().next() else { panic!("a hash") };
        let fields = held.into_iter().map(|register| register.field).collect();
        world.store.apply(&[], &[Operation::Remove { key: kind.key("main"), fields }]).await.unwrap();
        assert!(matches!(world.epoch().await, Epoch::Doubtful(_)), "{kind:?}");

        world.later_refresh().await;
        assert!(world.later_refresh().await.complete, "{kind:?}");
        assert_eq!((world.facts("orders").await, world.facts("clicks").await), (orders, clicks), "{kind:?}");
    }
}

#[tokio::test]
async fn a_single_register_that_was_lost_is_noticed_and_said_again() {
    for kind in [RegisterKind::Heads, RegisterKind::Floors, RegisterKind::Incarnations] {
        let mut world = backed_up().await;
        let facts = world.facts("orders").await;
        let field = match kind {
            RegisterKind::Incarnations => names::topic_field("orders", "1"),
            _ => names::chain_field("orders", 1, Partition(2)),
        };
        world.store.apply(&[], &[Operation::Remove { key: kind.key("main"), fields: vec![field] }]).await.unwrap();
        assert!(!world.snapshot().await.registers.is_whole(), "{kind:?}");
        world.later_refresh().await;
        assert!(world.snapshot().await.registers.is_whole(), "{kind:?}");
        assert_eq!(world.facts("orders").await, facts, "{kind:?}");
    }
}

#[tokio::test]
async fn a_wiped_store_agrees_with_the_storage_again_within_two_refreshes() {
    let mut world = backed_up().await;
    let (orders, clicks) = (world.facts("orders").await, world.facts("clicks").await);
    world.wipe();

    let first = world.later_refresh().await;
    assert_eq!((first.standings, first.complete), (4, false));
    assert!(matches!(world.epoch().await, Epoch::Rebuilding(_)));
    let second = world.later_refresh().await;

    assert_eq!((second.standings, second.complete), (0, true));
    assert_eq!((world.facts("orders").await, world.facts("clicks").await), (orders, clicks));
}

#[tokio::test]
async fn a_standing_that_never_arrived_is_made_good() {
    let mut world = backed_up().await;
    world.append("orders", 1, 5);
    let before = world.store.snapshot();
    world.drain().await;
    world.carry().await;
    let heard = world.facts("orders").await.chains;
    world.store.restore(before);
    assert_ne!(world.facts("orders").await.chains, heard);

    assert_eq!(world.later_refresh().await.standings, 1);
    assert_eq!(world.facts("orders").await.chains, heard);
}

#[tokio::test]
async fn an_empty_system_is_complete_at_the_first_refresh() {
    let world = World::new();
    let report = world.refresh().await;
    assert!(report.complete);
    assert_eq!(world.epoch().await, Epoch::Complete(world.now().0));
}

#[tokio::test]
async fn a_wipe_while_it_is_rebuilt_begins_the_rebuilding_anew() {
    let mut world = backed_up().await;
    world.wipe();
    world.later_refresh().await;
    world.wipe();
    assert_eq!(world.epoch().await, Epoch::Absent);

    let report = world.later_refresh().await;
    assert_eq!((report.standings, report.complete), (4, false));
    assert!(world.later_refresh().await.complete);
}

#[tokio::test]
async fn a_register_that_nobody_can_read_is_taken_out_and_said_again() {
    let mut world = backed_up().await;
    let facts = world.facts("orders").await;
    let junk = Operation::Max {
        key: RegisterKind::Heads.key("main"),
        field: names::chain_field("orders", 1, Partition(2)),
        order: vec![1 << 62],
        value: "junk".into(),
    };
    world.store.apply(&[], &[junk]).await.unwrap();
    assert_eq!(world.snapshot().await.registers.unreadable.len(), 1);

    assert_eq!(world.later_refresh().await.standings, 1);
    assert_eq!(world.facts("orders").await, facts);
    assert!(world.snapshot().await.registers.unreadable.is_empty());
}

#[tokio::test]
async fn programs_that_ended_leave_the_store() {
    let mut world = backed_up().await;
    let expires = Millis(world.now().0 + 20_000);
    let instance = Message::Instance(Instance {
        timestamp: world.now(),
        backup: "main".into(),
        topic: "orders".into(),
        instance: "writer-1".into(),
        jobs_count: 10,
        idle_us: 1,
        elapsed_us: 2,
        expires,
    });
    world.store.apply(&[], &registers::operations(&instance)).await.unwrap();
    let count = async |world: &World| world.snapshot().await.registers.topics["orders"].instances.len();

    world.later_refresh().await;
    assert_eq!(count(&world).await, 1);
    world.later_refresh().await;
    assert_eq!(count(&world).await, 0);
}

/// A segment of a partition, [10, 15): its last.
const TAIL: &str = "main/orders/1/1/00000000000000000010.kan";

/// A world whose backup of a partition lost its last segment.
async fn without_a_tail() -> World {
    let world = with_a_tail().await;
    world.objects.delete(TAIL).await.unwrap();
    world
}

async fn with_a_tail() -> World {
    let mut world = backed_up().await;
    world.append("orders", 1, 5);
    world.drain().await;
    world.later_refresh().await;
    assert_eq!(head_of(&world).await.next, Offset(15));
    world
}

async fn head_of(world: &World) -> Head {
    world.facts("orders").await.chains[&(1, Partition(1))].head.unwrap()
}

async fn chain_of(world: &World) -> ChainIdentity {
    let topic_id = world.facts("orders").await.incarnations[&1].clone();
    let (cluster_id, backup, topic) = ("memory".into(), "main".into(), "orders".into());
    ChainIdentity { cluster_id, backup, topic, topic_id, incarnation: 1, partition: Partition(1) }
}

async fn accept_the_loss(world: &World) {
    let (objects, chain) = (&*world.objects, chain_of(world).await);
    let known = archive::read_accepted_losses(objects, &chain).await.unwrap();
    let loss = AcceptedLoss::new(Offset(10), Offset(15), world.now());
    archive::accept_loss(objects, &chain, known, loss, None).await.unwrap();
}

#[tokio::test]
async fn a_head_that_was_seen_before_a_loss_was_decided_falls_when_it_is() {
    let mut world = with_a_tail().await;
    let tail = world.objects.get(TAIL, GetRange::Whole).await.unwrap().unwrap().body;
    world.objects.delete(TAIL).await.unwrap();
    let (objects, chain) = (world.objects.clone(), chain_of(&world).await);
    let begun = AcceptedLoss { cut: Some(Cut::Proposed), ..AcceptedLoss::new(Offset(10), Offset(20), world.now()) };
    archive::note_loss(&*objects, &chain, AcceptedLosses::default(), begun, None).await.unwrap();
    objects.put(TAIL, tail, PutCondition::IfAbsent).await.expect("a writer that woke stores it");
    world.later_refresh().await;
    world.later_refresh().await;
    let undecided = head_of(&world).await;
    assert_eq!((undecided.next, undecided.totals.records), (Offset(15), 15));

    accept_the_loss(&world).await;
    world.later_refresh().await;
    let decided = head_of(&world).await;
    assert_eq!((decided.next, decided.totals.records), (Offset(10), 10));
    world.carry_from(Offset(0)).await;
    assert_eq!(head_of(&world).await, decided);
}

#[tokio::test]
async fn a_head_above_a_loss_that_was_accepted_falls_to_the_storages_and_never_comes_back() {
    let mut world = without_a_tail().await;
    let before = head_of(&world).await;
    accept_the_loss(&world).await;
    assert_eq!(world.later_refresh().await.standings, 1);
    let after = head_of(&world).await;
    assert_eq!((after.next, after.marks.losses, after.totals.records), (Offset(10), 2, 10));
    assert_eq!(world.later_refresh().await.standings, 0);

    // All that was ever said comes once more.
    world.carry_from(Offset(0)).await;
    assert_eq!(head_of(&world).await, after);
    world.drain().await;
    world.carry_from(Offset(0)).await;
    assert_eq!(head_of(&world).await.totals.records, before.totals.records, "it was fetched again");
    assert_eq!(head_of(&world).await.marks.losses, 2);
}

#[tokio::test]
async fn from_the_acceptance_on_nothing_is_answered_until_the_figures_are_the_storages() {
    let world = without_a_tail().await;
    accept_the_loss(&world).await;
    let scope = Scope::Backup("main");
    let (step, notes) = world.snapshot().await.seen.begin_again(scope, world.now()).unwrap();
    world.store.apply(&[step], &notes).await.unwrap();
    assert!(matches!(world.epoch().await, Epoch::Rebuilding(_)));
    assert_eq!(head_of(&world).await.next, Offset(15));
    assert!(world.refresh().await.complete);
    assert_eq!(head_of(&world).await.next, Offset(10));
}

#[tokio::test]
async fn a_topic_with_an_aborted_tail_is_wholly_backed_up_from_the_first_answer_on() {
    let mut world = World::new();
    world.kafka.create("orders", 1, &[]);
    world.append("orders", 0, 5);
    let orders = TopicPartition::new("orders", 0);
    let aborted = world.kafka.begin();
    for _ in 0..2 {
        world.kafka.append_in(aborted, &orders, world.record());
    }
    world.kafka.abort_transaction(aborted);
    world.drain().await;
    world.later_refresh().await;
    // Nobody is at work any more, and the store is new.
    world.clock.advance(Millis(600_000));
    world.wipe();
    while !world.refresh().await.complete {
        world.clock.advance(Millis(15_000));
    }
    let partition = world.view_of("orders").await.unwrap().partitions[&Partition(0)];
    assert_eq!((partition.progress, partition.lag.map(|lag| lag.records)), (Some(1.0), Some(0)));
}
