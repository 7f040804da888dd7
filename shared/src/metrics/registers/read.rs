//! The registers read back, as the facts they stand for.

use std::{collections::BTreeMap, sync::Arc};

use serde::de::DeserializeOwned;

use super::{
    RegisterKind, names,
    values::{EndsValue, FloorValue, HeadValue, IncarnationValue, InstanceValue, JobValue},
};
use crate::{
    chain::{ChainDigest, Marks, Totals},
    metrics::standing::{Earlier, Instance, Job, Oldest, OpenTransaction},
    ports::{records::Retention, store::Register},
    record::{Millis, Offset, Partition, TopicId},
};

/// All registers of one backup.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Registers {
    /// By topic.
    pub topics: BTreeMap<Arc<str>, TopicRegisters>,
    /// What is in the hashes and was not written by [`super::operations`]. While there is any, nothing can be said of the
    /// topics it may belong to; lag-monitor takes it out and sends the standings again.
    pub unreadable: Vec<Unreadable>,
}

/// The registers of one topic.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TopicRegisters {
    /// The topic's ids, by incarnation.
    pub incarnations: BTreeMap<u32, TopicId>,
    /// By incarnation and partition.
    pub chains: BTreeMap<(u32, Partition), Chain>,
    /// The latest log bounds, by partition.
    pub ends: BTreeMap<Partition, LogEnds>,
    /// By instance.
    pub instances: BTreeMap<Arc<str>, Instance>,
}

/// The registers of a chain.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Chain {
    /// How far it goes.
    pub head: Option<Head>,
    /// Where it begins.
    pub floor: Option<Floor>,
    /// What its owner says.
    pub job: Option<Job>,
    /// Whether its end cannot be read in the storage: what is known of it may be too little.
    pub damaged: bool,
}

/// How far a chain goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The frontier.
    pub next: Offset,
    /// What the chain counts up to it.
    pub totals: Totals,
    /// The digest there.
    pub digest: ChainDigest,
    /// What else the storage told there.
    pub marks: Marks,
}

/// Where a chain begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Floor {
    /// The first valid base.
    pub start: Offset,
    /// What the chain counts below it.
    pub totals: Totals,
}

/// Where a log starts and ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEnds {
    /// When it was observed.
    pub observed_at: Millis,
    /// The topic's id then.
    pub topic_id: TopicId,
    /// The log start offset.
    pub log_start: Offset,
    /// The log end offset.
    pub log_end: Offset,
    /// Whether more was stored before it was observed than the log holds.
    pub behind_storage: bool,
    /// The oldest record that was not stored then.
    pub oldest: Option<Oldest>,
    /// An observation before.
    pub earlier: Option<Earlier>,
    /// When Kafka deletes what is in the log.
    pub retention: Option<Retention>,
    /// The open transaction that holds the end of what is committed back.
    pub open_transaction: Option<OpenTransaction>,
}

/// A register that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// In which hash.
    pub kind: RegisterKind,
    /// Its field.
    pub field: String,
}

impl TopicRegisters {
    /// Whether no register of a chain is missing that is written together with another one that is there.
    fn is_whole(&self) -> bool {
        let is_whole = |((n, _), chain): (&(u32, Partition), &Chain)| match (chain.head, chain.floor) {
            (None, None) => true,
            (Some(head), Some(floor)) => floor.start <= head.next && self.incarnations.contains_key(n),
            _ => false,
        };
        self.chains.iter().all(is_whole)
    }

    /// Whether somebody observes its log, or says how the work on it is: it is not deleted, as far as is known.
    #[must_use]
    pub fn is_live(&self) -> bool {
        !self.ends.is_empty() || self.chains.values().any(|chain| chain.job.is_some())
    }
}

impl Registers {
    /// Whether what is there can be read, and nothing is missing beside it. What is missing is not zero.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.unreadable.is_empty() && self.topics.values().all(TopicRegisters::is_whole)
    }

    /// The facts behind one backup's hashes, given in the order of [`RegisterKind::ALL`].
    #[must_use]
    pub fn from_hashes(backup: &Arc<str>, hashes: [Vec<Register>; RegisterKind::ALL.len()]) -> Registers {
        let mut registers = Registers::default();
        for (kind, hash) in RegisterKind::ALL.into_iter().zip(hashes) {
            for register in hash.into_iter().filter(|register| register.field != names::MARK) {
                if registers.place(backup, kind, &register).is_none() {
                    registers.unreadable.push(Unreadable { kind, field: register.field });
                }
            }
        }
        registers
    }

    fn place(&mut self, backup: &Arc<str>, kind: RegisterKind, register: &Register) -> Option<()> {
        match kind {
            RegisterKind::Heads | RegisterKind::Floors | RegisterKind::Jobs | RegisterKind::Damaged => {
                self.place_in_chain(kind, register)
            }
            RegisterKind::Incarnations => self.place_incarnation(register),
            RegisterKind::Ends => self.place_ends(register),
            RegisterKind::Instances => self.place_instance(backup, register),
        }
    }

    fn place_in_chain(&mut self, kind: RegisterKind, register: &Register) -> Option<()> {
        let [topic, n, partition] = names::split(&register.field)?;
        let id = (incarnation(n)?, partition_number(partition)?);
        let mut read = Chain::default();
        match kind {
            RegisterKind::Heads => read.head = Some(head(register)?),
            RegisterKind::Floors => read.floor = Some(floor(register)?),
            RegisterKind::Jobs => read.job = Some(job(register)?),
            _ => read.damaged = true,
        }
        let chain = self.topic(topic).chains.entry(id).or_default();
        chain.head = chain.head.or(read.head);
        chain.floor = chain.floor.or(read.floor);
        chain.job = chain.job.take().or(read.job);
        chain.damaged |= read.damaged;
        Some(())
    }

    fn place_incarnation(&mut self, register: &Register) -> Option<()> {
        let [topic, n] = names::split(&register.field)?;
        let n = incarnation(n)?;
        let [order] = order(register)?;
        let value: IncarnationValue = value(register)?;
        (order == u64::from(n)).then(|| self.topic(topic).incarnations.insert(n, value.topic_id))?;
        Some(())
    }

    fn place_ends(&mut self, register: &Register) -> Option<()> {
        let [topic, partition] = names::split(&register.field)?;
        let partition = partition_number(partition)?;
        let [time, log_end, log_start] = order(register)?;
        let value: EndsValue = value(register)?;
        let ends = LogEnds {
            observed_at: Millis(signed(time)?),
            topic_id: value.topic_id,
            log_start: offset(log_start)?,
            log_end: offset(log_end)?,
            behind_storage: value.behind_storage,
            oldest: value.oldest,
            earlier: value.earlier,
            retention: value.retention,
            open_transaction: value.open_transaction,
        };
        self.topic(topic).ends.insert(partition, ends);
        Some(())
    }

    fn place_instance(&mut self, backup: &Arc<str>, register: &Register) -> Option<()> {
        let [topic, name] = names::split(&register.field)?;
        let [time, jobs_count] = order(register)?;
        let InstanceValue { idle_us, elapsed_us, expires } = value(register)?;
        let (topic, name): (Arc<str>, Arc<str>) = (topic.into(), name.into());
        let instance = Instance {
            timestamp: Millis(signed(time)?),
            backup: backup.clone(),
            topic: topic.clone(),
            instance: name.clone(),
            jobs_count,
            idle_us,
            elapsed_us,
            expires,
        };
        self.topics.entry(topic).or_default().instances.insert(name, instance);
        Some(())
    }

    fn topic(&mut self, topic: &str) -> &mut TopicRegisters {
        self.topics.entry(topic.into()).or_default()
    }
}

fn head(register: &Register) -> Option<Head> {
    let [losses, next] = order(register)?;
    let HeadValue { totals, digest, marks } = value(register)?;
    if losses != u64::from(marks.losses) {
        return None;
    }
    Some(Head { next: offset(next)?, totals, digest, marks })
}

fn floor(register: &Register) -> Option<Floor> {
    let [start] = order(register)?;
    let FloorValue { totals } = value(register)?;
    Some(Floor { start: offset(start)?, totals })
}

fn job(register: &Register) -> Option<Job> {
    let [owner_epoch, sequence] = order(register)?;
    let JobValue { state, attempt, since, expires, position, diverged_from } = value(register)?;
    Some(Job { state, attempt, since, expires, position, diverged_from, owner_epoch, sequence })
}

fn value<T: DeserializeOwned>(register: &Register) -> Option<T> {
    serde_json::from_str(&register.value).ok()
}

fn order<const N: usize>(register: &Register) -> Option<[u64; N]> {
    register.order.as_slice().try_into().ok()
}

fn incarnation(text: &str) -> Option<u32> {
    text.parse().ok().filter(|n: &u32| *n >= 1 && n.to_string() == text)
}

fn partition_number(text: &str) -> Option<Partition> {
    text.parse().ok().filter(|n: &i32| *n >= 0 && n.to_string() == text).map(Partition)
}

fn offset(number: u64) -> Option<Offset> {
    signed(number).map(Offset)
}

fn signed(number: u64) -> Option<i64> {
    i64::try_from(number).ok()
}
