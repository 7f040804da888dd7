//! A Kafka cluster inside this process, for `highwater dev` and tests: librdkafka's mock cluster.
//!
//! It listens on loopback ports of its own choice, so other programs (kcat) can use it as long as it lives; it gives
//! topics ids, speaks consumer groups, keeps at most 5 MiB or 100,000 messages of a partition, and forgets everything
//! when it ends. It knows no request that creates topics: [`MockKafka::create_topic`] does, before clients ask for them.

use rdkafka::{mocking::MockCluster, producer::DefaultProducerContext};

/// Why the mock cluster does not do what was asked.
#[derive(Debug, thiserror::Error)]
#[error("{operation}: {source}")]
pub struct MockError {
    /// What was tried.
    operation: String,
    /// What the client library said.
    source: rdkafka::error::KafkaError,
}

/// A running mock cluster; it ends when dropped.
pub struct MockKafka(MockCluster<'static, DefaultProducerContext>);

// SAFETY: librdkafka's mock cluster has a thread of its own, and every call is a message to it.
unsafe impl Send for MockKafka {}
// SAFETY: as above.
unsafe impl Sync for MockKafka {}

impl MockKafka {
    /// Starts a cluster of so many brokers.
    pub fn start(brokers: u16) -> Result<Self, MockError> {
        let failed = |source| MockError { operation: format!("start a mock cluster of {brokers} brokers"), source };
        MockCluster::new(brokers.into()).map(MockKafka).map_err(failed)
    }

    /// Where its clients connect first: setting `kafka.bootstrap_servers`.
    #[must_use]
    pub fn bootstrap_servers(&self) -> String {
        self.0.bootstrap_servers()
    }

    /// Creates a topic; one that exists is refused.
    pub fn create_topic(&self, name: &str, partitions: u16) -> Result<(), MockError> {
        let failed =
            |source| MockError { operation: format!("create topic {name} with {partitions} partitions"), source };
        self.0.create_topic(name, partitions.into(), 1).map_err(failed)
    }
}
