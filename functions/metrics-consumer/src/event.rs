//! A Kafka event: records that somebody else chose, in batches that may come again, late, and cut otherwise.

use futures::future::join_all;
use shared::{
    metrics::part::Place,
    record::{Offset, Record, TopicId, TopicPartition},
};

use crate::{
    Context, CountError, Report,
    counting::{self, Delivered, Position},
    pull,
};

/// What an event brought: of each partition the records in offset order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Event {
    /// One entry for each partition.
    pub arrived: Vec<Arrived>,
}

/// What an event brought for one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrived {
    /// Which partition.
    pub partition: TopicPartition,
    /// Its records that could be decoded, in offset order.
    pub records: Vec<Record>,
    /// The least and the greatest offset of all that came, decoded or not.
    pub offsets: (Offset, Offset),
    /// Whether `records` is everything that came.
    pub whole: bool,
}

pub(crate) async fn run(event: Event, context: &Context) -> Result<Report, CountError> {
    if let Some(other) = event.arrived.iter().find(|arrived| arrived.partition.topic != context.topic) {
        let (found, expected) = (other.partition.topic.to_string(), context.topic.to_string());
        return Err(CountError::OtherTopic { found, expected });
    }
    let topic = counting::topic(context).await?;
    let counts = event.arrived.iter().map(|arrived| count(context, &topic.id, arrived));
    let counted = join_all(counts).await;
    let partitions: Vec<_> = event.arrived.iter().map(|arrived| arrived.partition.clone()).collect();
    pull::report(context, &partitions, counted).await
}

/// Counts one partition's records as they are where the store stands among them; else pulls up to their end from Kafka.
async fn count(context: &Context, topic_id: &TopicId, arrived: &Arrived) -> Result<Position, CountError> {
    let place = Place { topic_id: topic_id.clone(), partition: arrived.partition.partition };
    let (first, end) = (arrived.offsets.0, arrived.offsets.1.next());
    let mut position = if arrived.whole { Some(first) } else { counting::ask(context, &place).await? };
    while arrived.whole && position.is_some_and(|position| (first..end).contains(&position)) {
        match counting::deliver(context, &place, position, &arrived.records).await? {
            Delivered::Counted(position) => return Ok(position),
            Delivered::Elsewhere(elsewhere) => position = elsewhere,
        }
    }
    pull::pull(context, &arrived.partition, &place, position, end).await
}
