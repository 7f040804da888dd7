//! Pushes as registers of the store: the latest of each event, by run and topic.
//!
//! ```text
//! key    hw1:pushes, of restores hw1:pushes:restores
//! field  <kind>,<namespace>,<name>,<uuid>,<topic>,<event>,   as netstrings
//! order  timestamp, sequence
//! ```
//! They are kept while a job is paused and after it is done. What nobody pushed to for [`KEPT`] leaves, and so do the
//! oldest above [`REGISTERS_MAX`], so that no sender can fill the store.

use std::time::Duration;

use super::{Body, Event, Kind, Push, RunId};
use crate::{
    metrics::registers::names::{join, split},
    ports::store::{Operation, Register},
    record::Millis,
};

/// The hash that holds the others, which are many.
pub const KEY: &str = "hw1:pushes";
/// The hash that holds those of restores, and of jobs of schema registries. They are on `:9000/metrics`, which reads no others.
pub const RESTORES_KEY: &str = "hw1:pushes:restores";
/// All of them.
pub const KEYS: [&str; 2] = [KEY, RESTORES_KEY];
/// How long a push is kept.
pub const KEPT: Duration = Duration::from_secs(30 * 24 * 3_600);
/// How many are kept in each.
pub const REGISTERS_MAX: usize = 15_000;

/// What a push changes in the store.
#[must_use]
pub fn operation(push: &Push) -> Operation {
    let Push { kind, namespace, name, uuid, topic, event, body, .. } = push;
    let field = join(&[kind.name(), namespace, name, uuid, topic, event.name()]);
    let order = vec![u64::try_from(push.timestamp.0).unwrap_or(0), push.sequence];
    let body = Body { timestamp: None, sequence: 0, ..body.clone() };
    let value = serde_json::to_string(&body).expect("a struct of numbers and texts is valid JSON");
    let key = match kind {
        Kind::Restores | Kind::SchemaRegistryBackups | Kind::SchemaRegistryRestores => RESTORES_KEY,
        Kind::Backups | Kind::Drills | Kind::Replications | Kind::Verifications => KEY,
    };
    Operation::Max { key: key.to_owned(), field, order, value }
}

/// A push as it was read back.
pub(super) struct Said {
    pub run: RunId,
    pub topic: String,
    pub event: Event,
    pub at: Millis,
    pub sequence: u64,
    pub body: Body,
}

/// What a register holds; `None` of one that was not written by [`operation`].
pub(super) fn read(register: &Register) -> Option<Said> {
    let [kind, namespace, name, uuid, topic, event] = split::<6>(&register.field)?;
    let [at, sequence] = register.order.as_slice().try_into().ok()?;
    let run = RunId { kind: Kind::of_name(kind)?, namespace: namespace.into(), name: name.into(), uuid: uuid.into() };
    let body = serde_json::from_str(&register.value).ok()?;
    let at = Millis(i64::try_from(at).ok()?);
    Some(Said { run, topic: topic.to_owned(), event: Event::of_name(event)?, at, sequence, body })
}

/// Takes out of the hash at `key` what is too old, what is too many, what a clock ahead of `latest` said, and what cannot be read.
#[must_use]
pub fn over(key: &str, registers: &[Register], now: Millis, latest: Millis) -> Option<Operation> {
    let since = Millis(now.0.saturating_sub(i64::try_from(KEPT.as_millis()).unwrap_or(i64::MAX)));
    let mut fields = vec![];
    let mut kept = vec![];
    for register in registers {
        match read(register) {
            Some(said) if since <= said.at && said.at <= latest => kept.push((said.at, &register.field)),
            _ => fields.push(register.field.clone()),
        }
    }
    kept.sort_unstable();
    let too_many = kept.len().saturating_sub(REGISTERS_MAX);
    fields.extend(kept[..too_many].iter().map(|(_, field)| (*field).clone()));
    (!fields.is_empty()).then(|| Operation::Remove { key: key.to_owned(), fields })
}
