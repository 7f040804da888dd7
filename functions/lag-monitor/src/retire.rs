//! What is gone and has to leave the store.

use std::{collections::BTreeSet, sync::Arc};

use shared::{
    metrics::registers::{Registers, TopicRegisters, remove},
    ports::{records::Topic, store::Operation},
    record::{Millis, Partition},
};

/// What to take out, and whose series end by it.
pub(crate) struct Retired {
    pub operations: Vec<Operation>,
    pub topics: Vec<Arc<str>>,
}

/// Decides what is gone. `known` was read before `selected` was asked for, so a topic that is known and not there was
/// deleted or is no longer selected. Once is not enough to end its series, since a cluster that is electing its controller
/// may tell only a part of its topics: it goes when nobody has observed it for two refreshes.
pub(crate) fn retired(backup: &str, known: &Registers, selected: &[Topic], now: Millis, refresh_ms: i64) -> Retired {
    let mut retired = Retired { operations: remove::unreadable(backup, known), topics: vec![] };
    let latest = Millis(now.0.saturating_add(refresh_ms.saturating_mul(4)));
    let unseen_since = Millis(now.0.saturating_sub(refresh_ms.saturating_mul(2)));
    for (name, registers) in &known.topics {
        match selected.iter().find(|topic| topic.name == *name) {
            Some(topic) => {
                let partitions: BTreeSet<Partition> = (0..topic.partitions).map(Partition).collect();
                retired.operations.extend(remove::ends_that_are_none(backup, name, registers, &partitions, latest));
            }
            None if last_observed(registers) <= unseen_since => {
                retired.operations.extend(remove::topic(backup, name, registers));
                retired.topics.push(name.clone());
            }
            None => {}
        }
    }
    retired.operations.extend(remove::expired_instances(backup, known, now));
    retired
}

fn last_observed(topic: &TopicRegisters) -> Millis {
    topic.ends.values().map(|ends| ends.observed_at).max().unwrap_or(Millis(i64::MIN))
}
