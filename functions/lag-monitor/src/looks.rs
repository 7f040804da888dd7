//! Which chains are looked at in the storage in this refresh.
//!
//! A look costs a request, and most chains are idle. So a chain is looked at when something says that the storage may have
//! more than the store of figures: the writer's commit, which is made behind every segment, is above the known frontier;
//! or what is known of it is damaged or not whole. Beside that, every topic has its turn once in
//! [`Limits::full_look`](crate::Limits::full_look), spread evenly, whatever anybody says. While the store is filled again,
//! everything is looked at.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use shared::{
    archive,
    chain::ChainIdentity,
    metrics::registers::{Chain, Epoch, Registers, TopicRegisters, epoch::Snapshot},
    ports::records::Topic,
    record::{Millis, Offset, Partition, TopicId, TopicPartition},
};

use crate::{Backup, Context, MonitorError, epoch::rebuilding_since};

/// What to look at.
#[derive(Debug, Default)]
pub(crate) struct Looks {
    /// Topics with all chains of all their incarnations. One that is no longer selected, or deleted, has no partition.
    pub topics: Vec<Topic>,
    /// Single chains of other topics, all of them of the topics' present incarnations.
    pub chains: Vec<SingleChain>,
}

/// A chain of a topic's present incarnation.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SingleChain {
    partition: TopicPartition,
    topic_id: TopicId,
    incarnation: u32,
}

impl SingleChain {
    pub fn identity(&self, cluster_id: &str, backup: &str) -> ChainIdentity {
        ChainIdentity {
            cluster_id: cluster_id.to_owned(),
            backup: backup.to_owned(),
            topic: self.partition.topic.clone(),
            topic_id: self.topic_id.clone(),
            incarnation: self.incarnation,
            partition: self.partition.partition,
        }
    }
}

/// Decides what to look at.
pub(crate) async fn looks(
    context: &Context,
    backup: &Backup,
    selected: &[Topic],
    known: &Snapshot,
    begun: Epoch,
) -> Result<Looks, MonitorError> {
    let is_former = |name: &Arc<str>| selected.iter().all(|topic| topic.name != *name);
    let mut former: BTreeSet<Arc<str>> =
        known.registers.topics.keys().filter(|name| is_former(name)).cloned().collect();
    // No topic has this id.
    let former_topic = |name: Arc<str>| Topic { name, id: "".into(), partitions: 0 };
    if rebuilding_since(begun).is_some() {
        let stored = archive::topics(&*context.objects, &backup.name).await?;
        former.extend(stored.iter().map(|name| Arc::from(name.as_str())).filter(is_former));
        let topics = selected.iter().cloned().chain(former.into_iter().map(former_topic)).collect();
        return Ok(Looks { topics, chains: vec![] });
    }
    let turn = Turn::of(context.clock.now(), context.limits.refresh, context.limits.full_look);
    let committed = committed(context, backup, selected).await?;
    let mut looks = Looks::default();
    for (topic, committed) in selected.iter().zip(committed) {
        if turn.is_of(&topic.name) {
            looks.topics.push(topic.clone());
        } else {
            looks.add_moved(topic, &committed, &known.registers);
        }
    }
    looks.topics.extend(former.into_iter().filter(|name| turn.is_of(name)).map(former_topic));
    Ok(looks)
}

/// What the writer committed for each partition of each topic; nothing where another topic of that name was meant.
async fn committed(
    context: &Context,
    backup: &Backup,
    topics: &[Topic],
) -> Result<Vec<Vec<Option<Offset>>>, MonitorError> {
    let partitions: Vec<_> = topics.iter().flat_map(Topic::each_partition).collect();
    let mut committed = context.kafka.committed(&backup.group(), &partitions).await?.into_iter();
    let of_topic = |topic: &Topic| {
        let of_topic = committed.by_ref().take(usize::try_from(topic.partitions).unwrap_or(0));
        of_topic.map(|committed| committed.and_then(|committed| committed.in_topic(&topic.id))).collect()
    };
    Ok(topics.iter().map(of_topic).collect())
}

impl Looks {
    /// Adds those chains of a topic that may have moved.
    fn add_moved(&mut self, topic: &Topic, committed: &[Option<Offset>], known: &Registers) {
        let registers = known.topics.get(&topic.name);
        let incarnation = registers.and_then(|registers| incarnation(registers, &topic.id));
        match (registers, incarnation) {
            (Some(registers), Some(incarnation)) => {
                let chain = |partition| registers.chains.get(&(incarnation, partition));
                let moved = topic.each_partition().zip(committed);
                let moved = moved.filter(|(it, committed)| may_have_moved(chain(it.partition), **committed));
                self.chains.extend(moved.map(|(partition, _)| SingleChain {
                    partition,
                    topic_id: topic.id.clone(),
                    incarnation,
                }));
                if is_any_former_unsound(registers, incarnation) {
                    self.topics.push(topic.clone());
                    self.chains.retain(|chain| chain.partition.topic != topic.name);
                }
            }
            // Somebody has stored something, and nobody has said what.
            _ if committed.iter().any(Option::is_some) => self.topics.push(topic.clone()),
            _ => {}
        }
    }
}

fn incarnation(registers: &TopicRegisters, id: &TopicId) -> Option<u32> {
    registers.incarnations.iter().find(|(_, claimed)| *claimed == id).map(|(n, _)| *n)
}

fn may_have_moved(chain: Option<&Chain>, committed: Option<Offset>) -> bool {
    match chain {
        Some(chain) => !is_sound(chain) || committed > chain.head.map(|head| head.next),
        None => committed.is_some(),
    }
}

/// Whether something is known of an earlier incarnation's chain that wants another look.
fn is_any_former_unsound(registers: &TopicRegisters, present: u32) -> bool {
    registers.chains.iter().any(|((n, _), chain): (&(u32, Partition), _)| *n != present && !is_sound(chain))
}

fn is_sound(chain: &Chain) -> bool {
    !chain.damaged && chain.head.is_some() == chain.floor.is_some()
}

/// Which topics have their turn in this refresh.
#[derive(Debug, Clone, Copy)]
struct Turn {
    /// How many refreshes there are in one round.
    of: u64,
    /// Which of them this is.
    this: u64,
}

impl Turn {
    fn of(now: Millis, refresh: Duration, round: Duration) -> Turn {
        let refresh_ms = refresh.as_millis().max(1);
        let of = u64::try_from((round.as_millis() / refresh_ms).max(1)).unwrap_or(u64::MAX);
        let refreshes = u128::from(now.0.unsigned_abs()) / refresh_ms;
        Turn { of, this: u64::try_from(refreshes).unwrap_or(0) % of }
    }

    fn is_of(self, topic: &str) -> bool {
        // FNV-1a: the same on every machine and in every version.
        let hash = topic
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        hash % self.of == self.this
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_topic_has_its_turn_once_in_a_round() {
        let (refresh, round) = (Duration::from_secs(15), Duration::from_secs(3_600));
        let turns = |topic: &str| {
            let at =
                |refresh_number: i64| Turn::of(Millis(1_700_000_000_000 + 15_000 * refresh_number), refresh, round);
            (0..240).filter(|number| at(*number).is_of(topic)).count()
        };
        for topic in ["orders", "clicks", "payments", ""] {
            assert_eq!(turns(topic), 1, "{topic}");
        }
        let always = Turn::of(Millis(7), refresh, refresh);
        assert!(always.is_of("orders") && always.is_of("clicks"));
    }
}
