//! A Kafka event: records that somebody else chose, in batches that may come again, late, and cut otherwise.

use futures::future::join_all;
use shared::{
    metrics::part::Place,
    record::{
        TopicId,
        kafka_event::{Batch, KafkaEvent},
    },
};
use tokio_util::sync::CancellationToken;

use crate::{
    Context, CountError, Report,
    counting::{self, Position},
    pull,
};

pub(crate) async fn run(event: KafkaEvent, context: &Context, stop: &CancellationToken) -> Result<Report, CountError> {
    if let Some(other) = event.batches.iter().find(|batch| batch.partition.topic != context.topic) {
        let (found, expected) = (other.partition.topic.to_string(), context.topic.to_string());
        return Err(CountError::OtherTopic { found, expected });
    }
    if !event.lost.is_empty() {
        tracing::warn!(
            records = event.lost.len(),
            "records that tell no partition: counting all that kafka holds instead"
        );
        return pull::to_the_ends(context, stop).await;
    }
    let topic = counting::topic(context).await?;
    let counts = event.batches.iter().map(|batch| count(context, &topic.id, batch, stop));
    let counted = join_all(counts).await;
    let partitions: Vec<_> = event.batches.iter().map(|batch| batch.partition.clone()).collect();
    pull::report(context, &partitions, counted).await
}

/// Counts one partition from where the store stands up to the last record that came, from Kafka: an event tells neither its
/// topic's id nor what was left out between its records. Where not every offset could be read, it is counted to the end.
async fn count(
    context: &Context,
    topic_id: &TopicId,
    batch: &Batch,
    stop: &CancellationToken,
) -> Result<Position, CountError> {
    let place = Place { topic_id: topic_id.clone(), partition: batch.partition.partition };
    let position = counting::ask(context, &place).await?;
    let stable_end = counting::bounds(context, &batch.partition).await?.stable_end;
    let last = batch.offsets().filter(|_| batch.undecoded.is_empty()).map(|(_, last)| last.next());
    let end = last.map_or(stable_end, |last| last.min(stable_end));
    pull::pull(context, &batch.partition, &place, position, end, stop).await
}
