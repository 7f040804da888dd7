//! What commands that write backups have in common: segment-writer in this process, and the topics it is asked about.

use std::sync::Arc;

use segment_writer::{Backup, Context};
use shared::{
    adapters::{connect, instance, system_clock::SystemClock},
    config::{Settings, selection::TopicPattern},
    ports::{
        clock::Clock,
        objects::Objects,
        records::{Kafka, Topic},
    },
};

use crate::failure::Failure;

/// segment-writer over the configured services.
pub(super) struct Writer {
    pub context: Arc<Context>,
    pub kafka: Arc<dyn Kafka>,
    pub objects: Arc<dyn Objects>,
    pub clock: Arc<dyn Clock>,
}

impl Writer {
    pub async fn connect(settings: &Settings) -> Result<Self, Failure> {
        let (kafka, objects) = connect::backups(settings).await?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let instance = instance::name(&*clock);
        let context = Context::of(settings, kafka.clone(), objects.clone(), clock.clone(), &instance)
            .pushing(connect::event_gateway(settings, connect::neighbour_gateway(settings).await)?);
        Ok(Writer { context, kafka, objects, clock })
    }

    /// The topics of a backup that the pattern matches too.
    pub async fn topics(
        &self,
        settings: &Settings,
        backup: &Backup,
        only: Option<&TopicPattern>,
    ) -> Result<Vec<Topic>, Failure> {
        let own = settings.own_topics();
        let mut topics = self.kafka.topics(None).await?;
        topics.retain(|topic| {
            backup.topics.selects(&topic.name, &own) && only.is_none_or(|pattern| pattern.matches(&topic.name))
        });
        Ok(topics)
    }
}
