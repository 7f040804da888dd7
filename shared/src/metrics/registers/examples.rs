//! Worlds of messages for property tests: what a register holds is a function of its order, as it is in truth.

use std::{collections::BTreeMap, sync::Arc};

use proptest::prelude::*;

use super::{RegisterKind, Registers};
use crate::{
    chain::{ChainDigest, Marks, Totals},
    job::State,
    metrics::standing::{Ends, Instance, Job, Message, Standing},
    ports::store::{Operation, Register},
    record::{Millis, Offset, Partition},
};

const TOPICS: [&str; 3] = ["orders", "a", "1:a,1:1,"];

/// What a chain counts up to `next`: grows with it.
pub(crate) fn totals(next: i64) -> Totals {
    let n = u64::try_from(next).unwrap_or(0);
    Totals {
        records: n,
        record_bytes: n * 10,
        filtered: n / 7,
        filter_errors: n / 11,
        segments: n.div_ceil(10),
        stored_bytes: n * 4,
        gaps: n / 50,
        gap_offsets: n / 25,
    }
}

/// A digest that tells chains and places in them apart.
pub(crate) fn digest(topic: &str, next: i64) -> ChainDigest {
    let bytes = topic.bytes().fold(next.unsigned_abs(), |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
    serde_json::from_value(format!("{bytes:064x}").into()).unwrap()
}

fn marks(next: i64) -> Marks {
    let last_gap_at = (next > 50).then_some(Millis(next - 50));
    Marks { written_at: (next > 0).then_some(Millis(next)), last_gap_at, losses: 0 }
}

fn job(next: i64, epoch: u64, sequence: u64) -> Job {
    let codes = [0_u16, 100, 101, 200, 305, 800, 900];
    let seed = epoch * 3 + sequence;
    let position = Offset(next + i64::try_from(seed % 4).unwrap_or(0));
    let state = State::try_from(codes[usize::try_from(seed).unwrap_or(0) % codes.len()]).unwrap();
    let expires = (!seed.is_multiple_of(5)).then_some(Millis(1_000 + i64::try_from(seed).unwrap_or(0) * 100));
    Job {
        state,
        attempt: u32::try_from(seed % 3).unwrap_or(0),
        since: Millis(500),
        expires,
        position,
        diverged_from: None,
        owner_epoch: epoch,
        sequence,
    }
}

/// What an owner says is said once, so its `next` follows from its epoch and sequence.
fn standing() -> impl Strategy<Value = Message> {
    (prop::sample::select(&TOPICS[..]), 1..3_u32, 0..3_i32, 0..60_i64, prop::option::of((1..4_u64, 0..6_u64))).prop_map(
        |(topic, n, partition, next, owner)| {
            let next = owner.map_or(next, |(epoch, sequence)| i64::try_from(epoch * 7 + sequence * 3).unwrap_or(0));
            let start = next / 3;
            Message::Standing(Standing {
                timestamp: Millis(1_000 + next),
                backup: "main".into(),
                topic: topic.into(),
                topic_id: format!("{topic}-{n}").as_str().into(),
                incarnation: n,
                partition: Partition(partition),
                start: Offset(start),
                next: Offset(next),
                totals: totals(next),
                totals_before_start: totals(start),
                digest: digest(topic, next),
                marks: marks(next),
                job: owner.map(|(epoch, sequence)| job(next, epoch, sequence)),
            })
        },
    )
}

fn ends() -> impl Strategy<Value = Message> {
    (prop::sample::select(&TOPICS[..]), 0..3_i32, 0..100_i64).prop_map(|(topic, partition, time)| {
        let topic_id = format!("{topic}-{}", 1 + time / 40);
        Message::Ends(Ends {
            timestamp: Millis(time),
            backup: "main".into(),
            topic: topic.into(),
            topic_id: topic_id.as_str().into(),
            partition: Partition(partition),
            log_start: Offset(time / 4),
            log_end: Offset(time / 2),
            behind_storage: false,
            oldest: None,
            earlier: None,
            retention: None,
            open_transaction: None,
        })
    })
}

fn instance() -> impl Strategy<Value = Message> {
    (prop::sample::select(&TOPICS[..]), 0..3_i32, 0..100_u32).prop_map(|(topic, name, time)| {
        Message::Instance(Instance {
            timestamp: Millis(time.into()),
            backup: "main".into(),
            topic: topic.into(),
            instance: format!("i{name}").into(),
            jobs_count: u64::from(time) * 3,
            idle_us: time.into(),
            elapsed_us: u64::from(time) * 2,
            expires: Millis(i64::from(time) * 20),
        })
    })
}

/// Any message of such a world.
pub(crate) fn message() -> impl Strategy<Value = Message> {
    prop_oneof![4 => standing(), 2 => ends(), 1 => instance()]
}

/// The hashes a store holds after these operations, by the port's rules for `Max` and both removals.
pub(crate) fn hashes(operations: impl IntoIterator<Item = Operation>) -> BTreeMap<String, BTreeMap<String, Register>> {
    let mut hashes = BTreeMap::<String, BTreeMap<String, Register>>::new();
    for operation in operations {
        match operation {
            Operation::Max { key, field, order, value } => {
                let hash = hashes.entry(key).or_default();
                if hash.get(&field).is_none_or(|held| order > held.order) {
                    hash.insert(field.clone(), Register { field, order, value });
                }
            }
            Operation::Remove { key, fields } => {
                let hash = hashes.entry(key).or_default();
                fields.iter().for_each(|field| drop(hash.remove(field)));
            }
            Operation::RemoveUpTo { key, field, order } => {
                let hash = hashes.entry(key).or_default();
                hash.retain(|it, held| *it != field || held.order > order);
            }
            Operation::Add { .. }
            | Operation::Contribute { .. }
            | Operation::Forget { .. }
            | Operation::Replace { .. } => {
                panic!("no standing asks for this")
            }
        }
    }
    hashes
}

/// The registers of backup `main` in such a store.
pub(crate) fn registers_in(hashes: &BTreeMap<String, BTreeMap<String, Register>>) -> Registers {
    let backup: Arc<str> = "main".into();
    let hash = |kind: RegisterKind| {
        hashes.get(&kind.key(&backup)).map(|hash| hash.values().cloned().collect()).unwrap_or_default()
    };
    Registers::from_hashes(&backup, RegisterKind::ALL.map(hash))
}

/// The registers after these messages.
pub(crate) fn registers_after<'a>(messages: impl IntoIterator<Item = &'a Message>) -> Registers {
    registers_in(&hashes(messages.into_iter().flat_map(super::operations)))
}
