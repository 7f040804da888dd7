//! A consumer group: who is in it, who reads what, and what is committed.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use crate::{
    ports::records::{Committed, Fetched},
    record::TopicPartition,
};

/// A consumer group.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) committed: BTreeMap<TopicPartition, Committed>,
    members: BTreeMap<u64, Member>,
}

#[derive(Debug)]
struct Member {
    topics: Vec<Arc<str>>,
    assigned: BTreeSet<TopicPartition>,
    events: VecDeque<Fetched>,
}

impl Group {
    pub(super) fn join(&mut self, member: u64, topics: &[Arc<str>]) {
        let topics = topics.to_vec();
        self.members.insert(member, Member { topics, assigned: BTreeSet::new(), events: VecDeque::new() });
    }

    pub(super) fn has_members(&self) -> bool {
        !self.members.is_empty()
    }

    pub(super) fn leave(&mut self, member: u64) {
        self.members.remove(&member);
    }

    /// What the member has not been told yet.
    pub(super) fn take_events(&mut self, member: u64) -> Vec<Fetched> {
        self.members.get_mut(&member).map(|m| m.events.drain(..).collect()).unwrap_or_default()
    }

    pub(super) fn is_assigned(&self, member: u64, partition: &TopicPartition) -> bool {
        self.members.get(&member).is_some_and(|m| m.assigned.contains(partition))
    }

    /// Spreads the partitions of each topic over the members that subscribe to it, in turn. It takes effect at once:
    /// a member that has records of a lost partition in its hands finds out only later.
    pub(super) fn rebalance(&mut self, partitions_of: &BTreeMap<Arc<str>, i32>) {
        let mut wanted = self.spread(partitions_of);
        for (id, member) in &mut self.members {
            member.move_to(wanted.remove(id).unwrap_or_default());
        }
    }

    fn spread(&self, partitions_of: &BTreeMap<Arc<str>, i32>) -> BTreeMap<u64, BTreeSet<TopicPartition>> {
        let mut wanted: BTreeMap<u64, BTreeSet<TopicPartition>> = BTreeMap::new();
        for (topic, count) in partitions_of {
            let subscribed = self.members.iter().filter(|(_, member)| member.topics.contains(topic));
            let takers: Vec<u64> = subscribed.map(|(id, _)| *id).collect();
            for (partition, taker) in (0..*count).zip(takers.iter().cycle()) {
                wanted.entry(*taker).or_default().insert(TopicPartition::new(topic.clone(), partition));
            }
        }
        wanted
    }
}

impl Member {
    fn move_to(&mut self, wanted: BTreeSet<TopicPartition>) {
        for partition in self.assigned.difference(&wanted).cloned() {
            self.events.push_back(Fetched::Revoked { partition });
        }
        for partition in wanted.difference(&self.assigned).cloned() {
            self.events.push_back(Fetched::Assigned { partition });
        }
        self.assigned = wanted;
    }
}
