//! A Kafka whose reads go wrong as a test says, and which counts them.

use std::sync::atomic::{AtomicUsize, Ordering};

use shared::{
    adapters::memory::kafka::MemoryKafka,
    ports::acls::{Acl, AclAnswer, AclOperation, Acls},
    ports::records::{
        Committed, Fetch, Fetched, Groups, ListedGroup, Log, LogBounds, Message, Publisher, RecordsError, Topic,
        TopicLayout, TopicSettings,
    },
};

use super::*;

/// What becomes of what was read.
type Read = Box<dyn Fn(Vec<Fetched>) -> Result<Vec<Fetched>, RecordsError> + Send + Sync>;

/// Kafka in memory, read through a test's own eyes.
pub struct ReadingKafka {
    kafka: MemoryKafka,
    read: Arc<Read>,
    /// How many reads were begun.
    pub reads: AtomicUsize,
}

impl ReadingKafka {
    pub fn of(
        world: &World,
        read: impl Fn(Vec<Fetched>) -> Result<Vec<Fetched>, RecordsError> + Send + Sync + 'static,
    ) -> Arc<Self> {
        let read: Read = Box::new(read);
        Arc::new(ReadingKafka { kafka: world.kafka.clone(), read: Arc::new(read), reads: AtomicUsize::new(0) })
    }

    fn through(&self, inner: Box<dyn Fetch>) -> Box<dyn Fetch> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        Box::new(Through { inner, read: self.read.clone() })
    }
}

struct Through {
    inner: Box<dyn Fetch>,
    read: Arc<Read>,
}

#[async_trait::async_trait]
impl Fetch for Through {
    async fn next(&mut self, wait: Duration) -> Result<Vec<Fetched>, RecordsError> {
        (self.read)(self.inner.next(wait).await?)
    }

    async fn start(&mut self, partition: &TopicPartition, from: Offset) -> Result<(), RecordsError> {
        self.inner.start(partition, from).await
    }

    async fn start_behind(
        &mut self,
        partition: &TopicPartition,
        from: Offset,
        leader_epoch: i32,
    ) -> Result<(), RecordsError> {
        self.inner.start_behind(partition, from, leader_epoch).await
    }

    async fn stop(&mut self, partition: &TopicPartition) -> Result<(), RecordsError> {
        self.inner.stop(partition).await
    }

    async fn close(self: Box<Self>) {
        self.inner.close().await;
    }
}

#[async_trait::async_trait]
impl Log for ReadingKafka {
    async fn cluster_id(&self) -> Result<String, RecordsError> {
        self.kafka.cluster_id().await
    }

    async fn topics(&self, names: Option<&[Arc<str>]>) -> Result<Vec<Topic>, RecordsError> {
        self.kafka.topics(names).await
    }

    async fn bounds(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<Vec<Result<LogBounds, RecordsError>>, RecordsError> {
        self.kafka.bounds(partitions).await
    }

    async fn fetch(&self, starts: &[(TopicPartition, Offset)]) -> Result<Box<dyn Fetch>, RecordsError> {
        Ok(self.through(self.kafka.fetch(starts).await?))
    }

    async fn peek(&self, starts: &[(TopicPartition, Offset)]) -> Result<Box<dyn Fetch>, RecordsError> {
        self.kafka.peek(starts).await
    }

    async fn layout(&self, topics: &[Arc<str>]) -> Result<Vec<TopicLayout>, RecordsError> {
        self.kafka.layout(topics).await
    }

    async fn overrides(&self, topics: &[Arc<str>]) -> Result<Vec<Result<TopicSettings, RecordsError>>, RecordsError> {
        self.kafka.overrides(topics).await
    }

    async fn settings(&self, topics: &[Arc<str>]) -> Result<Vec<Result<TopicSettings, RecordsError>>, RecordsError> {
        self.kafka.settings(topics).await
    }
}

#[async_trait::async_trait]
impl Groups for ReadingKafka {
    async fn join(&self, group: &str, topics: &[Arc<str>]) -> Result<Box<dyn Fetch>, RecordsError> {
        Ok(self.through(self.kafka.join(group, topics).await?))
    }

    async fn committed(
        &self,
        group: &str,
        partitions: &[TopicPartition],
    ) -> Result<Vec<Option<Committed>>, RecordsError> {
        self.kafka.committed(group, partitions).await
    }

    async fn groups(&self) -> Result<Vec<ListedGroup>, RecordsError> {
        self.kafka.groups().await
    }

    async fn commit_idle(&self, group: &str, offsets: &[(TopicPartition, Committed)]) -> Result<(), RecordsError> {
        self.kafka.commit_idle(group, offsets).await
    }

    async fn commit(&self, group: &str, offsets: &[(TopicPartition, Committed)]) -> Result<(), RecordsError> {
        self.kafka.commit(group, offsets).await
    }
}

#[async_trait::async_trait]
impl Acls for ReadingKafka {
    async fn acls(&self) -> Result<AclAnswer, RecordsError> {
        self.kafka.acls().await
    }

    async fn allowed(&self, topic: &str) -> Result<Option<Vec<AclOperation>>, RecordsError> {
        self.kafka.allowed(topic).await
    }

    async fn add_acls(&self, acls: &[Acl]) -> Result<(), RecordsError> {
        self.kafka.add_acls(acls).await
    }
}

#[async_trait::async_trait]
impl Publisher for ReadingKafka {
    async fn publish(&self, topic: &str, messages: Vec<Message>) -> Result<(), RecordsError> {
        self.kafka.publish(topic, messages).await
    }

    async fn check_topic(&self, name: &str, partitions: i32, configs: &[(&str, String)]) -> Result<(), RecordsError> {
        self.kafka.check_topic(name, partitions, configs).await
    }

    async fn create_topic(&self, name: &str, partitions: i32, configs: &[(&str, String)]) -> Result<(), RecordsError> {
        self.kafka.create_topic(name, partitions, configs).await
    }

    async fn alter_topic(&self, name: &str, changes: &[(&str, Option<String>)]) -> Result<(), RecordsError> {
        self.kafka.alter_topic(name, changes).await
    }

    async fn delete_topic(&self, name: &str) -> Result<(), RecordsError> {
        self.kafka.delete_topic(name).await
    }
}
