//! The embedded Kafka: librdkafka's mock cluster, under an id that lasts.
//!
//! The mock forgets everything at its end and gets another id at each start, but the folder beside it stays, and a backup
//! belongs to one cluster. So the id is ours, and what starts anew are its topics: each has a new id, so each is a new
//! incarnation.

use std::sync::Arc;

use async_trait::async_trait;
use shared::{
    adapters::kafka::{
        KafkaCluster,
        mock::{MockError, MockKafka},
    },
    config::{KafkaSettings, units::Span},
    ports::acls::{Acl, AclAnswer, AclOperation, Acls},
    ports::records::{
        Committed, Fetch, Groups, ListedGroup, Log, LogBounds, Message, Publisher, RecordsError, Topic, TopicLayout,
        TopicSettings,
    },
    record::{Offset, TopicPartition},
};

use crate::failure::Failure;

/// The cluster's id, for every start.
const CLUSTER_ID: &str = "highwater-dev";
/// The mock drops the oldest batches of a partition that holds more.
const PARTITION_BYTES_MAX: u64 = 5 << 20;
/// A second start must not wait long for the partitions of a first that was killed.
const SESSION_TIMEOUT: Span = Span::seconds(6);

/// The embedded Kafka; it ends when dropped.
pub struct DevKafka {
    // The client goes before the brokers that it talks to.
    client: KafkaCluster,
    mock: MockKafka,
}

impl DevKafka {
    /// Starts it, with these topics and so many partitions each.
    pub async fn start(topics: &[(&str, u16)]) -> Result<Self, Failure> {
        let mock = MockKafka::start(1)?;
        topics.iter().try_for_each(|(name, partitions)| mock.create_topic(name, *partitions))?;
        let settings =
            KafkaSettings { session_timeout: SESSION_TIMEOUT, ..KafkaSettings::at(mock.bootstrap_servers()) };
        let client = KafkaCluster::connect(settings).await?;
        Ok(DevKafka { mock, client })
    }

    /// Where other programs reach it.
    #[must_use]
    pub fn bootstrap_servers(&self) -> String {
        self.mock.bootstrap_servers()
    }
}

impl From<MockError> for Failure {
    fn from(error: MockError) -> Self {
        Failure::Usage(format!("the embedded kafka does not start: {}", crate::output::chain(&error)))
    }
}

#[async_trait]
impl Log for DevKafka {
    async fn cluster_id(&self) -> Result<String, RecordsError> {
        Ok(CLUSTER_ID.to_owned())
    }

    async fn topics(&self, names: Option<&[Arc<str>]>) -> Result<Vec<Topic>, RecordsError> {
        self.client.topics(names).await
    }

    async fn bounds(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<Vec<Result<LogBounds, RecordsError>>, RecordsError> {
        self.client.bounds(partitions).await
    }

    async fn fetch(&self, starts: &[(TopicPartition, Offset)]) -> Result<Box<dyn Fetch>, RecordsError> {
        self.client.fetch(starts).await
    }

    async fn peek(&self, starts: &[(TopicPartition, Offset)]) -> Result<Box<dyn Fetch>, RecordsError> {
        self.client.peek(starts).await
    }

    async fn layout(&self, topics: &[Arc<str>]) -> Result<Vec<TopicLayout>, RecordsError> {
        self.client.layout(topics).await
    }

    async fn overrides(&self, topics: &[Arc<str>]) -> Result<Vec<Result<TopicSettings, RecordsError>>, RecordsError> {
        Ok(topics.iter().map(|_| Ok(TopicSettings::new())).collect())
    }

    /// The mock has no settings; it keeps so many bytes of a partition.
    async fn settings(&self, topics: &[Arc<str>]) -> Result<Vec<Result<TopicSettings, RecordsError>>, RecordsError> {
        let kept = [("retention.ms", "-1".to_owned()), ("retention.bytes", PARTITION_BYTES_MAX.to_string())];
        let settings: TopicSettings = kept.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Ok(topics.iter().map(|_| Ok(settings.clone())).collect())
    }
}

#[async_trait]
impl Groups for DevKafka {
    async fn join(&self, group: &str, topics: &[Arc<str>]) -> Result<Box<dyn Fetch>, RecordsError> {
        self.client.join(group, topics).await
    }

    async fn committed(
        &self,
        group: &str,
        partitions: &[TopicPartition],
    ) -> Result<Vec<Option<Committed>>, RecordsError> {
        self.client.committed(group, partitions).await
    }

    /// The mock knows no such request.
    async fn groups(&self) -> Result<Vec<ListedGroup>, RecordsError> {
        Ok(vec![])
    }

    async fn commit_idle(&self, group: &str, offsets: &[(TopicPartition, Committed)]) -> Result<(), RecordsError> {
        self.client.commit_idle(group, offsets).await
    }

    async fn commit(&self, group: &str, offsets: &[(TopicPartition, Committed)]) -> Result<(), RecordsError> {
        self.client.commit(group, offsets).await
    }
}

#[async_trait]
impl Acls for DevKafka {
    /// The mock lets everybody in.
    async fn acls(&self) -> Result<AclAnswer, RecordsError> {
        Ok(AclAnswer::default())
    }

    async fn allowed(&self, _: &str) -> Result<Option<Vec<AclOperation>>, RecordsError> {
        Ok(None)
    }

    async fn add_acls(&self, _: &[Acl]) -> Result<(), RecordsError> {
        let message = "the cluster of `highwater dev` has no access rules".to_owned();
        Err(RecordsError::Refused { operation: "add access rules", message })
    }
}

#[async_trait]
impl Publisher for DevKafka {
    async fn publish(&self, topic: &str, messages: Vec<Message>) -> Result<(), RecordsError> {
        self.client.publish(topic, messages).await
    }

    async fn publish_repeatable(&self, topic: &str, messages: Vec<Message>) -> Result<(), RecordsError> {
        self.client.publish_repeatable(topic, messages).await
    }

    async fn check_topic(&self, _: &str, _: i32, _: &[(&str, String)]) -> Result<(), RecordsError> {
        Ok(())
    }

    /// The mock knows no such request from clients, so the topic is made in the cluster itself.
    async fn create_topic(&self, name: &str, partitions: i32, _: &[(&str, String)]) -> Result<(), RecordsError> {
        let known = self.client.topics(Some(&[Arc::from(name)])).await?;
        if !known.is_empty() {
            return Ok(());
        }
        let partitions = u16::try_from(partitions).unwrap_or(1);
        self.mock
            .create_topic(name, partitions)
            .map_err(|error| RecordsError::Refused { operation: "create topic", message: crate::output::chain(&error) })
    }

    async fn alter_topic(&self, name: &str, _: &[(&str, Option<String>)]) -> Result<(), RecordsError> {
        let message = format!("the cluster of `highwater dev` has no settings to change, not of {name:?} either");
        Err(RecordsError::Refused { operation: "change topic settings", message })
    }

    async fn delete_topic(&self, name: &str) -> Result<(), RecordsError> {
        let message =
            format!("the cluster of `highwater dev` cannot delete a topic, so {name:?} stays until it is stopped");
        Err(RecordsError::Refused { operation: "delete topic", message })
    }
}
