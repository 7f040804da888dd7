//! Clusters that lack what a restore relies on, to show that it is needed.

use std::sync::Arc;

use async_trait::async_trait;
use shared::{
    ports::{
        acls::{Acl, AclAnswer, AclOperation, Acls},
        records::{
            Committed, Fetch, Groups, ListedGroup, Log, LogBounds, Message, Publisher, RecordsError, Topic,
            TopicLayout, TopicSettings,
        },
        transactions::{Acknowledged, ProducerLimits, Target, TransactionError, TransactionalProducer, Transactions},
    },
    record::{Offset, Record, TopicPartition},
    restore::PROGRESS_TOPIC,
};

/// What is taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Without {
    /// Nothing: the cluster is as it should be.
    Nothing,
    /// Whoever takes a transactional id over does not end the one before.
    Fencing,
    /// The progress is not written in the transaction of the records, but at once.
    OneTransaction,
}

impl Without {
    /// The cluster as a run sees it.
    #[must_use]
    pub fn of(self, target: Arc<dyn Target>, run: u32) -> Arc<dyn Target> {
        match self {
            Without::Nothing => target,
            without => Arc::new(Lacking { target, without, run }),
        }
    }
}

struct Lacking {
    target: Arc<dyn Target>,
    without: Without,
    run: u32,
}

#[async_trait]
impl Transactions for Lacking {
    async fn take_over(
        &self,
        transactional_id: &str,
        limits: ProducerLimits,
    ) -> Result<Box<dyn TransactionalProducer>, TransactionError> {
        let own = format!("{transactional_id}-{}", self.run);
        let id = if self.without == Without::Fencing { &own } else { transactional_id };
        let inner = self.target.take_over(id, limits).await?;
        Ok(match self.without {
            Without::OneTransaction => Box::new(Apart { inner, target: self.target.clone() }),
            _ => inner,
        })
    }
}

/// A producer that writes the progress at once.
struct Apart {
    inner: Box<dyn TransactionalProducer>,
    target: Arc<dyn Target>,
}

#[async_trait]
impl TransactionalProducer for Apart {
    async fn begin(&mut self) -> Result<(), TransactionError> {
        self.inner.begin().await
    }

    async fn send(&mut self, to: &TopicPartition, records: &[Record]) -> Result<(), TransactionError> {
        if &*to.topic != PROGRESS_TOPIC {
            return self.inner.send(to, records).await;
        }
        let message = |record: &Record| Message {
            partition: Some(to.partition),
            key: record.key.clone(),
            value: record.value.clone(),
            headers: vec![],
        };
        Ok(self.target.publish(&to.topic, records.iter().map(message).collect()).await?)
    }

    async fn acknowledged(&mut self) -> Result<Vec<Acknowledged>, TransactionError> {
        self.inner.acknowledged().await
    }

    async fn commit(&mut self) -> Result<(), TransactionError> {
        self.inner.commit().await
    }

    async fn abort(&mut self) -> Result<(), TransactionError> {
        self.inner.abort().await
    }
}

#[async_trait]
impl Log for Lacking {
    async fn cluster_id(&self) -> Result<String, RecordsError> {
        self.target.cluster_id().await
    }

    async fn topics(&self, names: Option<&[Arc<str>]>) -> Result<Vec<Topic>, RecordsError> {
        self.target.topics(names).await
    }

    async fn bounds(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<Vec<Result<LogBounds, RecordsError>>, RecordsError> {
        self.target.bounds(partitions).await
    }

    async fn fetch(&self, starts: &[(TopicPartition, Offset)]) -> Result<Box<dyn Fetch>, RecordsError> {
        self.target.fetch(starts).await
    }

    async fn peek(&self, starts: &[(TopicPartition, Offset)]) -> Result<Box<dyn Fetch>, RecordsError> {
        self.target.peek(starts).await
    }

    async fn layout(&self, topics: &[Arc<str>]) -> Result<Vec<TopicLayout>, RecordsError> {
        self.target.layout(topics).await
    }

    async fn settings(&self, topics: &[Arc<str>]) -> Result<Vec<Result<TopicSettings, RecordsError>>, RecordsError> {
        self.target.settings(topics).await
    }

    async fn overrides(&self, topics: &[Arc<str>]) -> Result<Vec<Result<TopicSettings, RecordsError>>, RecordsError> {
        self.target.overrides(topics).await
    }
}

#[async_trait]
impl Groups for Lacking {
    async fn join(&self, group: &str, topics: &[Arc<str>]) -> Result<Box<dyn Fetch>, RecordsError> {
        self.target.join(group, topics).await
    }

    async fn committed(
        &self,
        group: &str,
        partitions: &[TopicPartition],
    ) -> Result<Vec<Option<Committed>>, RecordsError> {
        self.target.committed(group, partitions).await
    }

    async fn groups(&self) -> Result<Vec<ListedGroup>, RecordsError> {
        self.target.groups().await
    }

    async fn commit_idle(&self, group: &str, offsets: &[(TopicPartition, Committed)]) -> Result<(), RecordsError> {
        self.target.commit_idle(group, offsets).await
    }

    async fn commit(&self, group: &str, offsets: &[(TopicPartition, Committed)]) -> Result<(), RecordsError> {
        self.target.commit(group, offsets).await
    }
}

#[async_trait]
impl Acls for Lacking {
    async fn acls(&self) -> Result<AclAnswer, RecordsError> {
        self.target.acls().await
    }

    async fn allowed(&self, topic: &str) -> Result<Option<Vec<AclOperation>>, RecordsError> {
        self.target.allowed(topic).await
    }

    async fn add_acls(&self, acls: &[Acl]) -> Result<(), RecordsError> {
        self.target.add_acls(acls).await
    }
}

#[async_trait]
impl Publisher for Lacking {
    async fn publish(&self, topic: &str, messages: Vec<Message>) -> Result<(), RecordsError> {
        self.target.publish(topic, messages).await
    }

    async fn check_topic(&self, name: &str, partitions: i32, configs: &[(&str, String)]) -> Result<(), RecordsError> {
        self.target.check_topic(name, partitions, configs).await
    }

    async fn create_topic(&self, name: &str, partitions: i32, configs: &[(&str, String)]) -> Result<(), RecordsError> {
        self.target.create_topic(name, partitions, configs).await
    }

    async fn alter_topic(&self, name: &str, changes: &[(&str, Option<String>)]) -> Result<(), RecordsError> {
        self.target.alter_topic(name, changes).await
    }

    async fn delete_topic(&self, name: &str) -> Result<(), RecordsError> {
        self.target.delete_topic(name).await
    }
}
