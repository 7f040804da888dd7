//! A Kafka event: records that somebody else chose, in batches that may come again, late, and cut otherwise.

use futures::future::join_all;
use shared::{
    metrics::part::Place,
    record::{
        TopicId,
        kafka_event::{Batch, KafkaEvent},
    },
};

use crate::{
    Context, CountError, Report,
    counting::{self, Delivered, Position},
    pull,
};

pub(crate) async fn run(event: KafkaEvent, context: &Context) -> Result<Report, CountError> {
    if let Some(other) = event.batches.iter().find(|batch| batch.partition.topic != context.topic) {
        let (found, expected) = (other.partition.topic.to_string(), context.topic.to_string());
        return Err(CountError::OtherTopic { found, expected });
    }
    let topic = counting::topic(context).await?;
    let none_lost = event.lost.is_empty();
    let counts = event.batches.iter().map(|batch| count(context, &topic.id, batch, none_lost));
    let counted = join_all(counts).await;
    let partitions: Vec<_> = event.batches.iter().map(|batch| batch.partition.clone()).collect();
    pull::report(context, &partitions, counted).await
}

/// Counts one partition's records as they are where the store stands among them; else pulls up to their end from Kafka,
/// as it does where not every record could be decoded.
async fn count(context: &Context, topic_id: &TopicId, batch: &Batch, none_lost: bool) -> Result<Position, CountError> {
    let place = Place { topic_id: topic_id.clone(), partition: batch.partition.partition };
    let Some((first, last)) = batch.offsets().filter(|_| none_lost && batch.undecoded.is_empty()) else {
        let position = counting::ask(context, &place).await?;
        let end = counting::bounds(context, &batch.partition).await?.stable_end;
        return pull::pull(context, &batch.partition, &place, position, end).await;
    };
    let mut position = Some(first);
    while position.is_some_and(|position| (first..=last).contains(&position)) {
        match counting::deliver(context, &place, position, &batch.records).await? {
            Delivered::Counted(position) => return Ok(position),
            Delivered::Elsewhere(elsewhere) => position = elsewhere,
        }
    }
    pull::pull(context, &batch.partition, &place, position, last.next()).await
}
