//! Where the selected logs start and end.

use std::sync::Arc;

use shared::{
    metrics::standing::{Ends, OpenTransaction},
    ports::records::{LogBounds, RecordsError, Topic},
    record::{Millis, TopicPartition},
};

use crate::{Backup, Context, Failure, MonitorError};

/// The logs' ends as they were observed, and what could not be.
pub(crate) struct Observed {
    pub ends: Vec<Ends>,
    /// The partitions whose logs could not be observed: they have no leader, or were deleted just now.
    pub unobserved: Vec<TopicPartition>,
    pub failures: Vec<Failure>,
}

/// Observes the logs of these topics.
pub(crate) async fn observe(context: &Context, backup: &Backup, topics: &[Topic]) -> Result<Observed, MonitorError> {
    let places: Vec<(&Topic, TopicPartition)> =
        topics.iter().flat_map(|topic| topic.each_partition().map(move |partition| (topic, partition))).collect();
    let partitions: Vec<TopicPartition> = places.iter().map(|(_, partition)| partition.clone()).collect();
    let bounds = context.kafka.bounds(&partitions).await?;
    Ok(observed(&backup.name, places, bounds, context.clock.now()))
}

fn observed(
    backup: &Arc<str>,
    places: Vec<(&Topic, TopicPartition)>,
    bounds: Vec<Result<LogBounds, RecordsError>>,
    now: Millis,
) -> Observed {
    let mut observed = Observed { ends: vec![], unobserved: vec![], failures: vec![] };
    for ((topic, place), bounds) in places.into_iter().zip(bounds) {
        match bounds {
            Ok(bounds) => observed.ends.push(Ends {
                timestamp: now,
                backup: backup.clone(),
                topic: place.topic,
                topic_id: topic.id.clone(),
                partition: place.partition,
                log_start: bounds.start,
                log_end: bounds.high_watermark,
                behind_storage: false,
                oldest: None,
                earlier: None,
                retention: None,
                open_transaction: open_transaction(bounds, now),
            }),
            Err(error) => {
                observed.failures.push(Failure::of_partition(&place.topic, place.partition, error));
                observed.unobserved.push(place);
            }
        }
    }
    observed
}

/// The last stable offset is that of the first open transaction, where there is one.
fn open_transaction(bounds: LogBounds, now: Millis) -> Option<OpenTransaction> {
    let is_open = bounds.stable_end < bounds.high_watermark;
    is_open.then_some(OpenTransaction { offset: bounds.stable_end, since: now })
}
