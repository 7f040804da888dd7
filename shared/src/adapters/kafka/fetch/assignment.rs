//! Which partitions a reading client has, and what the group does to that.

use std::{
    collections::HashMap,
    error::Error,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rdkafka::{
    ClientContext, TopicPartitionList,
    client::OAuthToken,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer as _, ConsumerContext, RebalanceProtocol},
    error::{KafkaError, KafkaResult},
    types::RDKafkaRespErr,
};

use super::handover::{Generation, Handover};
use crate::{adapters::kafka::context::ClientState, record::TopicPartition};

/// What a reading client remembers; its callbacks run on the reading thread.
pub(super) struct Assignment {
    pub(super) client: ClientState,
    pub(super) handover: Arc<Handover>,
    reading: Mutex<Reading>,
}

/// The partitions that are read, and for which generation. By topic first, so that a lookup copies no name.
#[derive(Default)]
pub(super) struct Reading(HashMap<Arc<str>, HashMap<i32, (TopicPartition, Generation)>>);

impl Reading {
    pub(super) fn get(&self, topic: &str, partition: i32) -> Option<(TopicPartition, Generation)> {
        self.0.get(topic)?.get(&partition).cloned()
    }

    pub(super) fn insert(&mut self, partition: TopicPartition, generation: Generation) {
        let topic = self.0.entry(partition.topic.clone()).or_default();
        topic.insert(partition.partition.0, (partition, generation));
    }

    /// Removes a partition; whether it was read.
    pub(super) fn remove(&mut self, partition: &TopicPartition) -> bool {
        self.0.get_mut(&partition.topic).is_some_and(|topic| topic.remove(&partition.partition.0).is_some())
    }
}

impl Assignment {
    pub(super) fn new(client: ClientState, handover: Arc<Handover>) -> Self {
        Assignment { client, handover, reading: Mutex::default() }
    }

    pub(super) fn reading(&self) -> MutexGuard<'_, Reading> {
        self.reading.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing is read from what the group gave until the caller starts it: the client is told that it reads nothing.
    fn assigned(&self, consumer: &BaseConsumer<Self>, given: &TopicPartitionList) -> KafkaResult<()> {
        match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => consumer.incremental_assign(&TopicPartitionList::new())?,
            _ => consumer.assign(&TopicPartitionList::new())?,
        }
        self.handover.grant(partitions(given));
        Ok(())
    }

    fn revoked(&self, consumer: &BaseConsumer<Self>, taken: &TopicPartitionList) -> KafkaResult<()> {
        let taken = partitions(taken);
        let read: Vec<_> = taken.iter().filter(|partition| self.reading().remove(partition)).cloned().collect();
        self.handover.revoke(taken);
        match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => consumer.incremental_unassign(&list(&read)),
            _ => consumer.unassign(),
        }
    }
}

impl ClientContext for Assignment {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, config: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.client.generate_oauth_token(config)
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        self.client.log(level, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.client.error(error, reason);
    }
}

impl ConsumerContext for Assignment {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, kind: RDKafkaRespErr, partitions: &mut TopicPartitionList) {
        let done = match kind {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => self.assigned(consumer, partitions),
            _ => self.revoked(consumer, partitions),
        };
        if let Err(error) = done {
            tracing::warn!(%error, ?partitions, "the kafka client did not take the group's assignment");
        }
    }
}

fn partitions(list: &TopicPartitionList) -> Vec<TopicPartition> {
    let elements = list.elements();
    elements.iter().map(|element| TopicPartition::new(element.topic(), element.partition())).collect()
}

/// A list without offsets.
pub(super) fn list(partitions: &[TopicPartition]) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for partition in partitions {
        list.add_partition(&partition.topic, partition.partition.0);
    }
    list
}
