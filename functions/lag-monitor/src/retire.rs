//! What is gone, or cannot be true, and has to leave the store.

use std::{collections::BTreeSet, sync::Arc};

use shared::{
    chain::ChainIdentity,
    metrics::{
        processes,
        push::{self, AHEAD_MS_MAX},
        registers::{LogEnds, Registers, TopicRegisters, remove},
        standing::{Instance, Job},
    },
    ports::{
        records::Topic,
        store::{Operation, Query, StoreError, Value},
    },
    record::{Millis, Partition, TopicPartition},
};

use crate::{Context, stored::Stored};

/// What to take out, and whose series end by it.
pub(crate) struct Retired {
    pub operations: Vec<Operation>,
    pub topics: Vec<Arc<str>>,
}

/// What is there, as this refresh saw it.
pub(crate) struct There<'a> {
    pub selected: &'a [Topic],
    /// The partitions whose logs could not be observed.
    pub unobserved: &'a [TopicPartition],
    /// Since when the store is being filled again, if it is.
    pub since: Option<i64>,
    pub times: Times,
}

/// What is too early and too late to be believed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    now: Millis,
    refresh_ms: i64,
}

impl Times {
    pub fn of(context: &Context) -> Times {
        Times { now: context.clock.now(), refresh_ms: context.refresh_ms() }
    }

    fn in_refreshes(self, refreshes: i64) -> Millis {
        Millis(self.now.0.saturating_add(self.refresh_ms.saturating_mul(refreshes)))
    }

    /// Said by a clock that is off: it would hide for as long what others say from now on, and keep an owner's position
    /// as long when that dies.
    fn is_of_the_future(self, job: &Job) -> bool {
        i64::try_from(job.owner_epoch).is_ok_and(|epoch| epoch > self.in_refreshes(1).0)
            || job.expires.is_some_and(|expires| expires > self.in_refreshes(4))
    }

    fn is_over(self, instance: &Instance) -> bool {
        instance.expires <= self.now || instance.expires > self.in_refreshes(4)
    }

    /// Not heard of for two refreshes: one is not enough, since a cluster that is electing may tell only a part.
    fn is_long_ago(self, at: Millis) -> bool {
        at <= self.in_refreshes(-2)
    }
}

/// Decides what is gone. `known` was read before the topics were asked for, so a topic that is known and not there was
/// deleted or is no longer selected; its series end when nobody has observed it for two refreshes.
pub(crate) fn retired(backup: &str, known: &Registers, there: &There<'_>) -> Retired {
    let times = there.times;
    let mut retired = Retired { operations: remove::unreadable(backup, known), topics: vec![] };
    for (name, registers) in &known.topics {
        match there.selected.iter().find(|topic| topic.name == *name) {
            Some(topic) => {
                let ends = |partition, ends: &LogEnds| there.are_wrong(topic, partition, ends);
                retired.operations.extend(remove::ends(backup, name, registers, ends));
                let jobs = |id, job: &Job| times.is_of_the_future(job) || !is_current(topic, registers, id);
                retired.operations.extend(remove::jobs(backup, name, registers, jobs));
            }
            None if registers.is_live() && times.is_long_ago(last_observed(registers)) => {
                retired.operations.extend(remove::live(backup, name, registers));
                retired.topics.push(name.clone());
            }
            None => {}
        }
    }
    retired.operations.extend(remove::instances(backup, known, |instance| times.is_over(instance)));
    retired
}

impl There<'_> {
    /// Whether log ends are of no partition, by a clock that is off, or what the log was once, when nobody can say any more
    /// what it is.
    fn are_wrong(&self, topic: &Topic, partition: Partition, ends: &LogEnds) -> bool {
        let place = TopicPartition { topic: topic.name.clone(), partition };
        let is_outdated = || {
            let is_of_before = self.since.is_some_and(|since| ends.observed_at < Millis(since));
            self.unobserved.contains(&place) && (is_of_before || self.times.is_long_ago(ends.observed_at))
        };
        partition.0 >= topic.partitions || ends.observed_at > self.times.in_refreshes(4) || is_outdated()
    }
}

/// Takes out processes that ended, and pushes that are over. Nothing depends on it: what is over is not shown, or not missed.
pub(crate) async fn ended(context: &Context) -> Result<(), StoreError> {
    let keys = [&[processes::KEY], &push::KEYS[..]].concat();
    let queries: Vec<Query> = keys.iter().map(|key| Query::Registers((*key).to_owned())).collect();
    let read = context.store.read(&queries).await?;
    let times = Times::of(context);
    let latest = Millis(times.now.0.saturating_add(AHEAD_MS_MAX));
    let over = keys.into_iter().zip(&read).filter_map(|(key, read)| match read {
        Value::Registers(held) if key == processes::KEY => processes::over(held, times.now, times.in_refreshes(4)),
        Value::Registers(held) => push::over(key, held, times.now, latest),
        Value::Text(_) => None,
    });
    let over: Vec<Operation> = over.collect();
    if !over.is_empty() {
        context.store.apply(&[], &over).await?;
    }
    Ok(())
}

/// The word that chains cannot be read that can be read again, and heads and floors of chains that are no more: neither in
/// the storage, nor of a partition that exists. What is stored of topics of before stays. Only of topics that were looked
/// at whole is it known what is no more.
pub(crate) fn of_chains(backup: &str, known: &Registers, looked_at: &[Topic], stored: &Stored) -> Vec<Operation> {
    let place = |it: &ChainIdentity| (it.topic.clone(), it.incarnation, it.partition);
    let damaged: BTreeSet<_> = stored.damaged.iter().map(|(identity, _)| place(identity)).collect();
    let readable: BTreeSet<_> = stored.chains.iter().map(|it| place(&it.identity)).collect();
    let of_topic = |(name, registers): (&Arc<str>, &TopicRegisters)| {
        let topic = looked_at.iter().find(|topic| topic.name == *name);
        let place = |id: (u32, Partition)| (name.clone(), id.0, id.1);
        let is_stored = |id| readable.contains(&place(id)) || damaged.contains(&place(id));
        let gone = |id| topic.is_some_and(|topic| !is_stored(id) && !is_current(topic, registers, id));
        let mended = |id| readable.contains(&place(id)) || (topic.is_some() && !damaged.contains(&place(id)));
        let mut operations = remove::heads_and_floors(backup, name, registers, gone);
        operations.extend(remove::damage(backup, name, registers, mended));
        operations
    };
    known.topics.iter().flat_map(of_topic).collect()
}

/// Whether a chain is of a partition that exists.
fn is_current(topic: &Topic, registers: &TopicRegisters, (n, partition): (u32, Partition)) -> bool {
    registers.incarnations.get(&n) == Some(&topic.id) && partition.0 < topic.partitions
}

fn last_observed(topic: &TopicRegisters) -> Millis {
    topic.ends.values().map(|ends| ends.observed_at).max().unwrap_or(Millis(i64::MIN))
}
