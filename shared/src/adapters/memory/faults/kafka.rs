//! A Kafka that fails.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

use super::{Faults, Injected};
use crate::{
    ports::acls::{Acl, AclAnswer, AclOperation, Acls},
    ports::records::{
        Committed, Fetch, Fetched, Groups, Kafka, ListedGroup, Log, LogBounds, Message, Publisher, RecordsError, Topic,
        TopicLayout, TopicSettings,
    },
    record::{Offset, TopicPartition},
};

/// Kafka as a process with [`Faults`] meets it.
pub struct FaultyKafka<K: ?Sized = dyn Kafka> {
    inner: Arc<K>,
    faults: Arc<Faults>,
}

impl<K: ?Sized> FaultyKafka<K> {
    /// `inner` behind `faults`.
    #[must_use]
    pub fn new(inner: Arc<K>, faults: Arc<Faults>) -> Self {
        FaultyKafka { inner, faults }
    }

    pub(super) fn inner(&self) -> &K {
        &self.inner
    }

    pub(super) fn faults(&self) -> Arc<Faults> {
        self.faults.clone()
    }

    fn fetch_of(&self, inner: Box<dyn Fetch>) -> Box<dyn Fetch> {
        Box::new(FaultyFetch { inner, faults: self.faults.clone() })
    }
}

fn unavailable(operation: &'static str) -> impl Fn(Injected) -> RecordsError {
    move |fault| RecordsError::Unavailable {
        operation,
        bootstrap_servers: "memory".to_owned(),
        message: fault.to_string(),
    }
}

/// One call between the two draws of the dice.
macro_rules! faulty {
    ($self:ident, $operation:literal, $call:expr) => {{
        $self.faults.before().await.map_err(unavailable($operation))?;
        let answer = $call.await?;
        $self.faults.after().await.map_err(unavailable($operation))?;
        Ok(answer)
    }};
}

#[async_trait]
impl<K: Kafka + ?Sized> Log for FaultyKafka<K> {
    async fn cluster_id(&self) -> Result<String, RecordsError> {
        faulty!(self, "read the cluster id", self.inner.cluster_id())
    }

    async fn topics(&self, names: Option<&[Arc<str>]>) -> Result<Vec<Topic>, RecordsError> {
        faulty!(self, "list topics", self.inner.topics(names))
    }

    async fn bounds(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<Vec<Result<LogBounds, RecordsError>>, RecordsError> {
        faulty!(self, "read log bounds", self.inner.bounds(partitions))
    }

    async fn fetch(&self, starts: &[(TopicPartition, Offset)]) -> Result<Box<dyn Fetch>, RecordsError> {
        let fetch: Result<_, RecordsError> = faulty!(self, "fetch", self.inner.fetch(starts));
        Ok(self.fetch_of(fetch?))
    }

    async fn peek(&self, starts: &[(TopicPartition, Offset)]) -> Result<Box<dyn Fetch>, RecordsError> {
        let fetch: Result<_, RecordsError> = faulty!(self, "fetch", self.inner.peek(starts));
        Ok(self.fetch_of(fetch?))
    }

    /// Passed on as it is: nothing but what people are told depends on it.
    async fn layout(&self, topics: &[Arc<str>]) -> Result<Vec<TopicLayout>, RecordsError> {
        self.inner.layout(topics).await
    }

    async fn overrides(&self, topics: &[Arc<str>]) -> Result<Vec<Result<TopicSettings, RecordsError>>, RecordsError> {
        faulty!(self, "describe topic settings", self.inner.overrides(topics))
    }

    async fn settings(&self, topics: &[Arc<str>]) -> Result<Vec<Result<TopicSettings, RecordsError>>, RecordsError> {
        faulty!(self, "describe topic settings", self.inner.settings(topics))
    }
}

#[async_trait]
impl<K: Kafka + ?Sized> Groups for FaultyKafka<K> {
    async fn join(&self, group: &str, topics: &[Arc<str>]) -> Result<Box<dyn Fetch>, RecordsError> {
        let fetch: Result<_, RecordsError> = faulty!(self, "join", self.inner.join(group, topics));
        Ok(self.fetch_of(fetch?))
    }

    async fn committed(
        &self,
        group: &str,
        partitions: &[TopicPartition],
    ) -> Result<Vec<Option<Committed>>, RecordsError> {
        faulty!(self, "read committed offsets", self.inner.committed(group, partitions))
    }

    async fn groups(&self) -> Result<Vec<ListedGroup>, RecordsError> {
        faulty!(self, "list consumer groups", self.inner.groups())
    }

    async fn commit_idle(&self, group: &str, offsets: &[(TopicPartition, Committed)]) -> Result<(), RecordsError> {
        faulty!(self, "commit", self.inner.commit_idle(group, offsets))
    }

    async fn commit(&self, group: &str, offsets: &[(TopicPartition, Committed)]) -> Result<(), RecordsError> {
        faulty!(self, "commit", self.inner.commit(group, offsets))
    }
}

#[async_trait]
impl<K: Kafka + ?Sized> Publisher for FaultyKafka<K> {
    async fn publish(&self, topic: &str, messages: Vec<Message>) -> Result<(), RecordsError> {
        faulty!(self, "publish", self.inner.publish(topic, messages))
    }

    async fn check_topic(&self, name: &str, partitions: i32, configs: &[(&str, String)]) -> Result<(), RecordsError> {
        faulty!(self, "check topic", self.inner.check_topic(name, partitions, configs))
    }

    async fn create_topic(&self, name: &str, partitions: i32, configs: &[(&str, String)]) -> Result<(), RecordsError> {
        faulty!(self, "create a topic", self.inner.create_topic(name, partitions, configs))
    }

    async fn alter_topic(&self, name: &str, changes: &[(&str, Option<String>)]) -> Result<(), RecordsError> {
        faulty!(self, "change topic settings", self.inner.alter_topic(name, changes))
    }

    async fn delete_topic(&self, name: &str) -> Result<(), RecordsError> {
        faulty!(self, "delete a topic", self.inner.delete_topic(name))
    }
}

#[async_trait]
impl<K: Kafka + ?Sized> Acls for FaultyKafka<K> {
    async fn acls(&self) -> Result<AclAnswer, RecordsError> {
        faulty!(self, "list access rules", self.inner.acls())
    }

    async fn allowed(&self, topic: &str) -> Result<Option<Vec<AclOperation>>, RecordsError> {
        faulty!(self, "describe a topic", self.inner.allowed(topic))
    }

    async fn add_acls(&self, acls: &[Acl]) -> Result<(), RecordsError> {
        faulty!(self, "add access rules", self.inner.add_acls(acls))
    }
}

struct FaultyFetch {
    inner: Box<dyn Fetch>,
    faults: Arc<Faults>,
}

#[async_trait]
impl Fetch for FaultyFetch {
    async fn next(&mut self, wait: Duration) -> Result<Vec<Fetched>, RecordsError> {
        // A fetch that fails fails before: what was handed out is handed out once.
        self.faults.before().await.map_err(unavailable("fetch"))?;
        self.inner.next(wait).await
    }

    async fn start(&mut self, partition: &TopicPartition, from: Offset) -> Result<(), RecordsError> {
        faulty!(self, "fetch", self.inner.start(partition, from))
    }

    async fn start_behind(
        &mut self,
        partition: &TopicPartition,
        from: Offset,
        leader_epoch: i32,
    ) -> Result<(), RecordsError> {
        faulty!(self, "fetch", self.inner.start_behind(partition, from, leader_epoch))
    }

    async fn stop(&mut self, partition: &TopicPartition) -> Result<(), RecordsError> {
        faulty!(self, "fetch", self.inner.stop(partition))
    }

    async fn close(self: Box<Self>) {
        self.inner.close().await;
    }
}
