//! The state of the cluster in memory: topics, groups, transactions.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    PublishFault,
    groups::Group,
    partition_log::{PartitionLog, TransactionId},
};
use crate::{
    ports::{
        acls::AclAnswer,
        clock::Clock,
        records::{Message, RecordsError, TopicSettings},
    },
    record::{Offset, Partition, Record, TimestampType, TopicId, TopicPartition},
};

/// Topics, groups and what numbers come next.
#[derive(Debug, Default)]
pub(super) struct Cluster {
    pub(super) topics: BTreeMap<Arc<str>, TopicLog>,
    pub(super) groups: BTreeMap<String, Group>,
    pub(super) publish_faults: BTreeMap<Arc<str>, PublishFault>,
    pub(super) holders: BTreeMap<String, Holder>,
    /// Topics with any of these are not created.
    pub(super) refused_settings: BTreeSet<String>,
    /// Part of the ids of its topics, so that those of two clusters differ.
    pub(super) seed: u64,
    last_number: u64,
    /// Partitions without a leader: what is sent to them waits.
    pub(super) leaderless: BTreeSet<TopicPartition>,
    /// What it says of its rules about topics.
    pub(super) acls: AclAnswer,
    /// How often readers lost their connections.
    pub(super) interruptions: u64,
}

/// What the cluster knows of a transactional id.
#[derive(Debug, Default)]
pub(super) struct Holder {
    /// How often the id was taken over.
    pub(super) epoch: u64,
    /// The transaction that is not ended.
    pub(super) open: Option<TransactionId>,
}

impl Holder {
    /// Takes the open transaction away from its producer, which can write no more.
    pub(super) fn expire(&mut self) -> Option<TransactionId> {
        let open = self.open.take()?;
        self.epoch += 1;
        Some(open)
    }
}

/// A topic and its logs.
#[derive(Debug)]
pub(super) struct TopicLog {
    pub(super) id: TopicId,
    pub(super) partitions: Vec<PartitionLog>,
    pub(super) configs: TopicSettings,
    keyless: usize,
}

impl Cluster {
    /// A number that was never given before.
    pub(super) fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    /// Creates a topic; one that exists stays as it is.
    pub(super) fn create_topic(&mut self, name: &str, partitions: i32, configs: &[(&str, String)]) {
        if self.topics.contains_key(name) {
            return;
        }
        let number = self.next_number();
        let topic = TopicLog {
            id: TopicId::from(format!("memory-{}-{number}", self.seed).as_str()),
            partitions: (0..partitions).map(|_| PartitionLog::default()).collect(),
            configs: configs.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect(),
            keyless: 0,
        };
        self.topics.insert(name.into(), topic);
        self.rebalance_all();
    }

    /// Deletes a topic, its logs and what groups committed for it.
    pub(super) fn delete_topic(&mut self, name: &str) {
        self.topics.remove(name);
        for group in self.groups.values_mut() {
            group.committed.retain(|partition, _| &*partition.topic != name);
        }
        self.rebalance_all();
    }

    pub(super) fn log(&self, partition: &TopicPartition) -> Option<&PartitionLog> {
        let index = usize::try_from(partition.partition.0).ok()?;
        self.topics.get(&partition.topic)?.partitions.get(index)
    }

    pub(super) fn log_mut(&mut self, partition: &TopicPartition) -> Option<&mut PartitionLog> {
        let index = usize::try_from(partition.partition.0).ok()?;
        self.topics.get_mut(&partition.topic)?.partitions.get_mut(index)
    }

    /// Appends a record, under the topic's own timestamps where the topic says so.
    pub(super) fn append(
        &mut self,
        partition: &TopicPartition,
        mut record: Record,
        transaction: Option<TransactionId>,
        clock: &dyn Clock,
    ) -> Option<Offset> {
        if self.topics.get(&partition.topic)?.config("message.timestamp.type") == Some("LogAppendTime") {
            record.timestamp = clock.now();
            record.timestamp_type = TimestampType::LogAppendTime;
        }
        Some(self.log_mut(partition)?.append(record, transaction))
    }

    /// Publishes a message where its partition or its key says.
    pub(super) fn publish(&mut self, topic: &str, message: Message, clock: &dyn Clock) -> Result<(), RecordsError> {
        let unknown = || unknown("publish", topic);
        let partition = self.topics.get_mut(topic).ok_or_else(unknown)?.partition_for(&message);
        let record = Record {
            offset: Offset(0),
            timestamp: clock.now(),
            timestamp_type: TimestampType::CreateTime,
            key: message.key,
            value: message.value,
            headers: message.headers,
        };
        let partition = TopicPartition { topic: topic.into(), partition };
        self.append(&partition, record, None, clock).map(drop).ok_or_else(unknown)
    }

    /// Ends a transaction in every partition it wrote to.
    pub(super) fn end_transaction(&mut self, id: TransactionId, commit: bool) {
        let logs = self.topics.values_mut().flat_map(|topic| &mut topic.partitions);
        logs.for_each(|log| log.end_transaction(id, commit));
    }

    pub(super) fn rebalance(&mut self, group: &str) {
        let counts = self.partition_counts();
        if let Some(group) = self.groups.get_mut(group) {
            group.rebalance(&counts);
        }
    }

    fn rebalance_all(&mut self) {
        let counts = self.partition_counts();
        self.groups.values_mut().for_each(|group| group.rebalance(&counts));
    }

    fn partition_counts(&self) -> BTreeMap<Arc<str>, i32> {
        self.topics.iter().map(|(name, topic)| (name.clone(), topic.partition_count())).collect()
    }
}

impl TopicLog {
    pub(super) fn partition_count(&self) -> i32 {
        i32::try_from(self.partitions.len()).unwrap_or(i32::MAX)
    }

    fn config(&self, name: &str) -> Option<&str> {
        self.configs.get(name).map(String::as_str)
    }

    fn partition_for(&mut self, message: &Message) -> Partition {
        if let Some(partition) = message.partition {
            return partition;
        }
        let spread = match &message.key {
            Some(key) => crc32c::crc32c(key) as usize,
            None => {
                self.keyless += 1;
                self.keyless
            }
        };
        Partition(i32::try_from(spread % self.partitions.len().max(1)).unwrap_or(0))
    }
}

pub(super) fn unknown(operation: &'static str, name: impl ToString) -> RecordsError {
    RecordsError::Unknown { operation, name: name.to_string() }
}
