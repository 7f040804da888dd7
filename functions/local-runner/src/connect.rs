//! Settings to ports: which adapter stands behind which section.

use std::sync::Arc;

use shared::{
    adapters::{kafka::KafkaCluster, redis::RedisStore, s3::S3Objects},
    config::{KafkaSettings, RedisSettings, StorageSettings},
    ports::{objects::Objects, records::Kafka, store::Store},
};

use crate::failure::Failure;

/// The storage of the backups.
pub async fn storage(settings: &StorageSettings) -> Result<Arc<dyn Objects>, Failure> {
    Ok(Arc::new(S3Objects::connect("storage", settings).await?))
}

/// The store of figures.
pub fn redis(settings: &RedisSettings) -> Result<Arc<dyn Store>, Failure> {
    Ok(Arc::new(RedisStore::open(settings)?))
}

/// The Kafka cluster.
pub async fn kafka(settings: &KafkaSettings) -> Result<Arc<dyn Kafka>, Failure> {
    Ok(Arc::new(KafkaCluster::connect(settings.clone()).await?))
}
