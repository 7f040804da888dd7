//! Taking out what is gone, so that the store does not grow with what once was.

use std::collections::BTreeSet;

use super::{Kind, Registers, TopicRegisters, names};
use crate::{
    ports::store::Operation,
    record::{Millis, Partition},
};

/// Takes out everything of a topic: its series end. A message that comes late can bring a part back, until the next
/// refresh takes it out again.
#[must_use]
pub fn topic(backup: &str, topic: &str, registers: &TopicRegisters) -> Vec<Operation> {
    let chains: Vec<String> =
        registers.chains.keys().map(|(n, partition)| names::chain_field(topic, *n, *partition)).collect();
    let incarnations = registers.incarnations.keys().map(|n| names::topic_field(topic, &n.to_string())).collect();
    let ends = registers.ends.keys().map(|partition| names::topic_field(topic, &partition.to_string())).collect();
    let instances = registers.instances.keys().map(|name| names::topic_field(topic, name)).collect();
    [
        (Kind::Heads, chains.clone()),
        (Kind::Floors, chains.clone()),
        (Kind::Jobs, chains),
        (Kind::Incarnations, incarnations),
        (Kind::Ends, ends),
        (Kind::Instances, instances),
    ]
    .into_iter()
    .filter_map(|(kind, fields)| remove(kind, backup, fields))
    .collect()
}

/// Takes out log ends of partitions that a topic no longer has (it was created again with fewer), and those observed
/// after `latest`, by a clock that is off: they would hide all that are observed from now on.
#[must_use]
pub fn ends_that_are_none(
    backup: &str,
    topic: &str,
    registers: &TopicRegisters,
    partitions: &BTreeSet<Partition>,
    latest: Millis,
) -> Option<Operation> {
    let wrong = registers.ends.iter().filter(|(it, ends)| !partitions.contains(it) || ends.observed_at > latest);
    remove(Kind::Ends, backup, wrong.map(|(it, _)| names::topic_field(topic, &it.to_string())).collect())
}

/// Takes out programs that have not been heard of since they expired.
#[must_use]
pub fn expired_instances(backup: &str, registers: &Registers, now: Millis) -> Option<Operation> {
    let all = registers
        .topics
        .iter()
        .flat_map(|(topic, of_topic)| of_topic.instances.values().map(move |instance| (topic, instance)));
    let expired = all.filter(|(_, instance)| instance.expires <= now);
    remove(
        Kind::Instances,
        backup,
        expired.map(|(topic, instance)| names::topic_field(topic, &instance.instance)).collect(),
    )
}

/// Takes out what cannot be read.
#[must_use]
pub fn unreadable(backup: &str, registers: &Registers) -> Vec<Operation> {
    registers.unreadable.iter().filter_map(|it| remove(it.kind, backup, vec![it.field.clone()])).collect()
}

fn remove(kind: Kind, backup: &str, fields: Vec<String>) -> Option<Operation> {
    (!fields.is_empty()).then(|| Operation::Remove { key: kind.key(backup), fields })
}
