use proptest::prelude::*;

use super::{
    examples::{self, hashes, registers_after, registers_in},
    *,
};
use crate::{
    chain::Marks,
    record::{Millis, Offset, Partition},
};

fn standing(next: i64, epoch: u64, position: i64) -> Message {
    let job = super::super::standing::Job {
        state: crate::job::State::STREAMING,
        attempt: 0,
        since: Millis(1),
        expires: Some(Millis(100)),
        position: Offset(position),
        diverged_from: None,
        owner_epoch: epoch,
        sequence: 1,
    };
    Message::Standing(Standing {
        timestamp: Millis(10),
        backup: "main".into(),
        topic: "orders".into(),
        topic_id: "id-1".into(),
        incarnation: 1,
        partition: Partition(0),
        start: Offset(0),
        next: Offset(next),
        totals: examples::totals(next),
        totals_before_start: examples::totals(0),
        digest: examples::digest("orders", next),
        marks: Marks::default(),
        job: Some(job),
    })
}

fn chain(registers: &Registers) -> &Chain {
    chain_of(&registers.topics["orders"])
}

fn chain_of(topic: &TopicRegisters) -> &Chain {
    &topic.chains[&(1, Partition(0))]
}

#[test]
fn a_standing_comes_back_from_the_store_as_it_was_sent() {
    let registers = registers_after([&standing(389, 5, 392)]);
    let chain = chain(&registers);
    let head = chain.head.unwrap();
    assert_eq!(
        (head.next, head.totals, head.digest),
        (Offset(389), examples::totals(389), examples::digest("orders", 389))
    );
    assert_eq!(chain.floor.unwrap(), Floor { start: Offset(0), totals: examples::totals(0) });
    let Message::Standing(sent) = standing(389, 5, 392) else { unreachable!() };
    assert_eq!(chain.job, sent.job);
    assert_eq!(registers.topics["orders"].incarnations[&1], "id-1".into());
    assert!(registers.unreadable.is_empty());
}

#[test]
fn a_new_owners_position_replaces_what_a_dead_one_had_consumed_and_lost() {
    let registers = registers_after([&standing(389, 5, 392), &standing(389, 6, 389)]);
    assert_eq!(chain(&registers).job.as_ref().unwrap().position, Offset(389));
    let late = registers_after([&standing(389, 6, 389), &standing(389, 5, 392)]);
    assert_eq!(late, registers);
}

#[test]
fn a_standing_of_one_who_only_read_the_storage_leaves_the_owners_part_alone() {
    let Message::Standing(mut healed) = standing(400, 9, 400) else { unreachable!() };
    healed.job = None;
    let registers = registers_after([&standing(389, 5, 392), &Message::Standing(healed)]);
    let chain = chain(&registers);
    assert_eq!((chain.head.unwrap().next, chain.job.as_ref().unwrap().position), (Offset(400), Offset(392)));
}

#[test]
fn what_something_else_wrote_into_a_hash_is_named_and_can_be_taken_out() {
    let mut operations = super::operations(&standing(389, 5, 392));
    let junk = |kind: RegisterKind, field: &str, order: &[u64], value: &str| Operation::Max {
        key: kind.key("main"),
        field: field.into(),
        order: order.into(),
        value: value.into(),
    };
    let chain_field = names::chain_field("orders", 1, Partition(0));
    let head = |totals: &str| format!("{{\"totals\":{totals},\"digest\":\"{}\"}}", "0".repeat(64));
    operations.extend([
        junk(RegisterKind::Heads, "orders-1-0", &[1], "{}"),
        junk(RegisterKind::Heads, &names::chain_field("orders", 0, Partition(0)), &[1], "{}"),
        junk(RegisterKind::Floors, &chain_field, &[1, 2], "{\"totals\":{}}"),
        junk(RegisterKind::Jobs, &chain_field, &[99, 1], "not json"),
        junk(RegisterKind::Incarnations, &names::topic_field("orders", "2"), &[3], "{\"topicId\":\"x\"}"),
        junk(RegisterKind::Heads, &names::chain_field("orders", 1, Partition(1)), &[u64::MAX], &head("{}")),
        junk(RegisterKind::Ends, &names::topic_field("orders", "-1"), &[1, 2, 3], "{\"topicId\":\"x\"}"),
    ]);
    let store = hashes(operations.clone());
    let registers = registers_in(&store);
    assert_eq!(registers.unreadable.len(), 7);
    assert_eq!(chain(&registers).head.unwrap().next, Offset(389));

    operations.extend(remove::unreadable("main", &registers));
    assert!(registers_in(&hashes(operations)).unreadable.is_empty());
}

#[test]
fn what_is_alive_of_a_deleted_topic_leaves_the_store_what_is_stored_stays_and_others_are_untouched() {
    let mut messages: Vec<Message> = Vec::new();
    for topic in ["orders", "gone"] {
        let Message::Standing(mut it) = standing(389, 5, 392) else { unreachable!() };
        it.topic = topic.into();
        messages.push(Message::Standing(it));
        messages.push(Message::Ends(Ends {
            timestamp: Millis(1),
            backup: "main".into(),
            topic: topic.into(),
            topic_id: "id-1".into(),
            partition: Partition(0),
            log_start: Offset(0),
            log_end: Offset(9),
            behind_storage: false,
            oldest: None,
            earlier: None,
            retention: None,
            open_transaction: None,
        }));
        messages.push(Message::Instance(Instance {
            timestamp: Millis(1),
            backup: "main".into(),
            topic: topic.into(),
            instance: "i".into(),
            jobs_count: 1,
            idle_us: 1,
            elapsed_us: 2,
            expires: Millis(9),
        }));
    }
    let mut operations: Vec<Operation> = messages.iter().flat_map(super::operations).collect();
    let registers = registers_in(&hashes(operations.clone()));
    operations.extend(remove::live("main", "gone", &registers.topics["gone"]));
    let left = registers_in(&hashes(operations));
    let gone = &left.topics["gone"];
    assert!(gone.ends.is_empty() && gone.instances.is_empty() && !gone.is_live());
    assert_eq!((chain_of(gone).head, &chain_of(gone).job), (chain_of(&registers.topics["gone"]).head, &None));
    assert_eq!(left.topics["orders"], registers.topics["orders"]);
}

#[test]
fn a_chain_that_is_no_more_is_taken_out_unless_more_was_said_of_it_since() {
    let known = super::operations(&standing(0, 1, 0));
    let registers = registers_in(&hashes(known.clone()));
    let removal = remove::heads_and_floors("main", "orders", &registers.topics["orders"], |_| true);
    assert_eq!(removal.len(), 2);
    for (since, left) in [(0, None), (7, Some(Offset(7)))] {
        let said = super::operations(&standing(since, 1, 9));
        let operations = known.iter().cloned().chain(said).chain(removal.clone());
        let store = registers_in(&hashes(operations));
        assert_eq!(chain(&store).head.map(|head| head.next), left);
    }
}

#[test]
fn programs_that_ended_and_partitions_that_are_no_more_are_taken_out() {
    let instance = |name: &str, expires| {
        Message::Instance(Instance {
            timestamp: Millis(1),
            backup: "main".into(),
            topic: "orders".into(),
            instance: name.into(),
            jobs_count: 1,
            idle_us: 1,
            elapsed_us: 2,
            expires: Millis(expires),
        })
    };
    let ends = |partition| {
        Message::Ends(Ends {
            timestamp: Millis(1),
            backup: "main".into(),
            topic: "orders".into(),
            topic_id: "id-1".into(),
            partition: Partition(partition),
            log_start: Offset(0),
            log_end: Offset(9),
            behind_storage: false,
            oldest: None,
            earlier: None,
            retention: None,
            open_transaction: None,
        })
    };
    let mut operations: Vec<Operation> =
        [instance("dead", 50), instance("live", 51), ends(0), ends(1)].iter().flat_map(super::operations).collect();
    let registers = registers_in(&hashes(operations.clone()));
    operations.extend(remove::instances("main", &registers, |instance| instance.expires <= Millis(50)));
    let registers = &registers.topics["orders"];
    operations.extend(remove::ends("main", "orders", registers, |partition, _| partition != Partition(0)));
    let left = &registers_in(&hashes(operations)).topics["orders"];
    assert_eq!(left.instances.keys().map(|name| &**name).collect::<Vec<_>>(), ["live"]);
    assert_eq!(left.ends.keys().collect::<Vec<_>>(), [&Partition(0)]);
}

proptest! {
    #[test]
    fn messages_that_come_twice_late_or_out_of_order_change_nothing(
        (messages, other_order) in prop::collection::vec(examples::message(), 1..60).prop_flat_map(|messages| {
            let twice = messages.iter().chain(&messages).cloned().collect::<Vec<_>>();
            (Just(messages), Just(twice).prop_shuffle())
        })
    ) {
        prop_assert_eq!(registers_after(&messages), registers_after(&other_order));
    }

    #[test]
    fn the_store_grows_with_chains_and_not_with_messages(messages in prop::collection::vec(examples::message(), 1..200)) {
        let stored: usize = hashes(messages.iter().flat_map(super::operations)).values().map(|hash| hash.len()).sum();
        // 3 topics: 2 incarnations, 6 chains of 3 registers, 3 log ends and 3 instances each.
        prop_assert!(stored <= 3 * (2 + 6 * 3 + 3 + 3));
    }
}
