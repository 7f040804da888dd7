//! Which log a chain is the backup of.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::record::{Partition, TopicId, TopicPartition};

/// One partition of one incarnation of a topic, in one backup.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ChainIdentity {
    /// The Kafka cluster's id.
    pub cluster_id: String,
    /// The backup's name.
    pub backup: String,
    /// The topic's name.
    pub topic: Arc<str>,
    /// The topic's id in the cluster.
    pub topic_id: TopicId,
    /// Which topic of that name this is, from 1.
    pub incarnation: u32,
    /// The partition.
    pub partition: Partition,
}

impl ChainIdentity {
    /// The topic and partition.
    #[must_use]
    pub fn topic_partition(&self) -> TopicPartition {
        TopicPartition { topic: self.topic.clone(), partition: self.partition }
    }

    /// An identity for tests.
    #[cfg(test)]
    pub(crate) fn example() -> Self {
        ChainIdentity {
            cluster_id: "kafka-1".into(),
            backup: "main".into(),
            topic: "orders".into(),
            topic_id: "lZ2hmFAmSf2a1xQxRnJhNw".into(),
            incarnation: 1,
            partition: Partition(0),
        }
    }
}
