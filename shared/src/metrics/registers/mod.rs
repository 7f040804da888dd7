//! Standings as registers of the store: each only grows, by an order of its own.
//!
//! | register | of | order | holds |
//! |---|---|---|---|
//! | head | chain | steps of accepting losses of its tail, next | totals, digest, times |
//! | floor | chain | start | totals before it |
//! | incarnation | topic, n | n | topic id |
//! | job | chain | owner epoch, sequence | state, attempt, since, expires, position |
//! | ends | topic, partition | time of observation, log end, log start | topic id, oldest record not stored, an earlier end, retention, an open transaction |
//! | instance | topic, instance | time, count | idle time, expiry |
//! | damaged | chain | time | why its end cannot be read; lag-monitor's own word, not on the metrics topic |
//!
//! A chain is a partition of an incarnation of a topic. The storage makes what a head or a floor holds a function of its
//! order, so applying a message twice, late or out of order changes nothing. The consumed position belongs to the owner
//! and not to the head: a new owner begins at the frontier, below what a dead one had consumed and lost.
//!
//! What the store holds grows with topics and partitions, not with events. What is gone is taken out by [`remove`].

pub mod epoch;
#[cfg(test)]
pub(crate) mod examples;
pub mod names;
pub mod read;
pub mod remove;
pub mod repair;
mod values;

pub use epoch::{Epoch, Scope, Seen};
pub use names::RegisterKind;
pub use read::{Chain, Floor, Head, LogEnds, Registers, TopicRegisters, Unreadable};

use serde::Serialize;
use serde_json::Value;

use self::values::{EndsValue, FloorValue, HeadValue, IncarnationValue, InstanceValue, JobValue};
use super::{
    processes, push,
    reason::Reason,
    standing::{Ends, Instance, Message, Standing},
};
use crate::{
    chain::{ChainIdentity, Totals},
    ports::store::Operation,
    record::{Millis, Offset},
};

/// What a message changes in the store.
#[must_use]
pub fn operations(message: &Message) -> Vec<Operation> {
    match message {
        Message::Standing(standing) => of_standing(standing),
        Message::Ends(ends) => vec![of_ends(ends)],
        Message::Instance(instance) => vec![of_instance(instance)],
        Message::Process(process) => vec![processes::operation(process)],
        Message::Push(push) => vec![push::operation(push)],
        Message::Location(frontier) => vec![frontier.operation()],
    }
}

/// What a message of extension `backup` means for the store, as it stands on the metrics topic.
///
/// # Errors
/// Why the message is to be counted and skipped.
pub fn of_message(value: &Value) -> Result<Vec<Operation>, Reason> {
    Ok(operations(&Message::decode(value)?))
}

/// Says that a chain's end cannot be read in the storage, found at that time.
#[must_use]
pub fn damaged(chain: &ChainIdentity, at: Millis, why: &str) -> Operation {
    let field = names::chain_field(&chain.topic, chain.incarnation, chain.partition);
    max(RegisterKind::Damaged, &chain.backup, &field, vec![unsigned(at.0)], why.to_owned())
}

fn of_standing(s: &Standing) -> Vec<Operation> {
    let chain = names::chain_field(&s.topic, s.incarnation, s.partition);
    let incarnation = names::topic_field(&s.topic, &s.incarnation.to_string());
    let register = |kind: RegisterKind, field: &str, order, value| max(kind, &s.backup, field, order, value);
    let mut operations = vec![
        register(
            RegisterKind::Incarnations,
            &incarnation,
            vec![s.incarnation.into()],
            json(&IncarnationValue { topic_id: s.topic_id.clone() }),
        ),
        register(
            RegisterKind::Heads,
            &chain,
            head_order(s.marks.losses, s.next),
            json(&HeadValue { totals: s.totals, digest: s.digest, marks: s.marks }),
        ),
        register(
            RegisterKind::Floors,
            &chain,
            floor_order(s.start),
            json(&FloorValue { totals: s.totals_before_start }),
        ),
    ];
    if let Some(job) = &s.job {
        let value = json(&JobValue::from(job));
        operations.push(register(RegisterKind::Jobs, &chain, vec![job.owner_epoch, job.sequence], value));
    }
    operations
}

/// Says where a chain begins: its floor was moved.
#[must_use]
pub fn floor(chain: &ChainIdentity, start: Offset, totals_before: Totals) -> Operation {
    let field = names::chain_field(&chain.topic, chain.incarnation, chain.partition);
    max(RegisterKind::Floors, &chain.backup, &field, floor_order(start), json(&FloorValue { totals: totals_before }))
}

fn of_ends(e: &Ends) -> Operation {
    let field = names::topic_field(&e.topic, &e.partition.to_string());
    let order = vec![unsigned(e.timestamp.0), unsigned(e.log_end.0), unsigned(e.log_start.0)];
    let value = EndsValue {
        topic_id: e.topic_id.clone(),
        behind_storage: e.behind_storage,
        oldest: e.oldest,
        earlier: e.earlier,
        retention: e.retention,
        open_transaction: e.open_transaction,
    };
    max(RegisterKind::Ends, &e.backup, &field, order, json(&value))
}

fn of_instance(i: &Instance) -> Operation {
    let field = names::topic_field(&i.topic, &i.instance);
    let value = json(&InstanceValue { idle_us: i.idle_us, elapsed_us: i.elapsed_us, expires: i.expires });
    max(RegisterKind::Instances, &i.backup, &field, vec![unsigned(i.timestamp.0), i.jobs_count], value)
}

fn max(kind: RegisterKind, backup: &str, field: &str, order: Vec<u64>, value: String) -> Operation {
    Operation::Max { key: kind.key(backup), field: field.to_owned(), order, value }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("a struct of numbers and texts is valid JSON")
}

fn head_order(losses: u32, next: Offset) -> Vec<u64> {
    vec![losses.into(), unsigned(next.0)]
}

fn floor_order(start: Offset) -> Vec<u64> {
    vec![unsigned(start.0)]
}

/// Decoding refuses negative numbers; one made in this program that is negative nevertheless counts as the least.
fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

#[cfg(test)]
mod tests;
