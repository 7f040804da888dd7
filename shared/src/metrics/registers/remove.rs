//! Taking out what is gone, so that the store does not grow with what once was.

use super::{Chain, LogEnds, RegisterKind, Registers, TopicRegisters, floor_order, head_order, names};
use crate::{
    metrics::standing::{Instance, Job},
    ports::store::Operation,
    record::Partition,
};

/// Takes out what is alive of a topic: log ends, and what owners and programs say. Its live series end; what is stored of
/// it is counted still. A message that comes late can bring a part back, until the next refresh takes it out again.
#[must_use]
pub fn live(backup: &str, topic: &str, registers: &TopicRegisters) -> Vec<Operation> {
    let instances = registers.instances.keys().map(|name| names::topic_field(topic, name)).collect();
    [
        ends(backup, topic, registers, |_, _| true),
        jobs(backup, topic, registers, |_, _| true),
        remove(RegisterKind::Instances, backup, instances),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Takes out the log ends that are wrong.
#[must_use]
pub fn ends(
    backup: &str,
    topic: &str,
    registers: &TopicRegisters,
    wrong: impl Fn(Partition, &LogEnds) -> bool,
) -> Option<Operation> {
    let wrong = registers.ends.iter().filter(|(partition, ends)| wrong(**partition, ends));
    remove(RegisterKind::Ends, backup, wrong.map(|(it, _)| names::topic_field(topic, &it.to_string())).collect())
}

/// Takes out what owners said that is wrong.
#[must_use]
pub fn jobs(
    backup: &str,
    topic: &str,
    registers: &TopicRegisters,
    wrong: impl Fn((u32, Partition), &Job) -> bool,
) -> Option<Operation> {
    let wrong = |id: &(u32, Partition), chain: &Chain| chain.job.as_ref().is_some_and(|job| wrong(*id, job));
    remove(RegisterKind::Jobs, backup, chain_fields(topic, registers, wrong))
}

/// Takes out heads and floors of chains that are no more; what was said of one since stays.
#[must_use]
pub fn heads_and_floors(
    backup: &str,
    topic: &str,
    registers: &TopicRegisters,
    gone: impl Fn((u32, Partition)) -> bool,
) -> Vec<Operation> {
    let known = |((n, partition), chain): (&(u32, Partition), &Chain)| {
        let field = names::chain_field(topic, *n, *partition);
        let remove =
            |kind: RegisterKind, order| Operation::RemoveUpTo { key: kind.key(backup), field: field.clone(), order };
        let head =
            chain.head.as_ref().map(|head| remove(RegisterKind::Heads, head_order(head.marks.losses, head.next)));
        let floor = chain.floor.as_ref().map(|floor| remove(RegisterKind::Floors, floor_order(floor.start)));
        head.into_iter().chain(floor)
    };
    registers.chains.iter().filter(|(id, _)| gone(**id)).flat_map(known).collect()
}

/// Takes out the word that chains cannot be read.
#[must_use]
pub fn damage(
    backup: &str,
    topic: &str,
    registers: &TopicRegisters,
    mended: impl Fn((u32, Partition)) -> bool,
) -> Option<Operation> {
    let mended = |id: &(u32, Partition), chain: &Chain| chain.damaged && mended(*id);
    remove(RegisterKind::Damaged, backup, chain_fields(topic, registers, mended))
}

fn chain_fields(
    topic: &str,
    registers: &TopicRegisters,
    wanted: impl Fn(&(u32, Partition), &Chain) -> bool,
) -> Vec<String> {
    let wanted = registers.chains.iter().filter(|(id, chain)| wanted(id, chain));
    wanted.map(|((n, partition), _)| names::chain_field(topic, *n, *partition)).collect()
}

/// Takes out the words of programs that are wrong.
#[must_use]
pub fn instances(backup: &str, registers: &Registers, wrong: impl Fn(&Instance) -> bool) -> Option<Operation> {
    let all = registers
        .topics
        .iter()
        .flat_map(|(topic, of_topic)| of_topic.instances.values().map(move |instance| (topic, instance)));
    let wrong = all.filter(|(_, instance)| wrong(instance));
    remove(
        RegisterKind::Instances,
        backup,
        wrong.map(|(topic, instance)| names::topic_field(topic, &instance.instance)).collect(),
    )
}

/// Takes out what cannot be read.
#[must_use]
pub fn unreadable(backup: &str, registers: &Registers) -> Vec<Operation> {
    registers.unreadable.iter().filter_map(|it| remove(it.kind, backup, vec![it.field.clone()])).collect()
}

fn remove(kind: RegisterKind, backup: &str, fields: Vec<String>) -> Option<Operation> {
    (!fields.is_empty()).then(|| Operation::Remove { key: kind.key(backup), fields })
}
