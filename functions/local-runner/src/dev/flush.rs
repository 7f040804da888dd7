//! Waiting until everything that is in the logs is in segments.

use std::{sync::Arc, time::Duration};

use shared::{
    ports::records::{Kafka, RecordsError},
    record::{Offset, TopicPartition},
};

const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Segments close after two seconds here; twice that and some more.
const WAIT_MAX: Duration = Duration::from_secs(6);

/// Waits until the group has committed these topics to their ends; whether it did in time.
pub async fn wait(kafka: &Arc<dyn Kafka>, group: &str, topics: &[Arc<str>]) -> bool {
    let caught_up = async {
        while !is_caught_up(&**kafka, group, topics).await.unwrap_or(false) {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    tokio::time::timeout(WAIT_MAX, caught_up).await.is_ok()
}

async fn is_caught_up(kafka: &dyn Kafka, group: &str, topics: &[Arc<str>]) -> Result<bool, RecordsError> {
    let topics = kafka.topics(Some(topics)).await?;
    let of_topic = |topic: &shared::ports::records::Topic| {
        (0..topic.partitions).map(|number| TopicPartition::new(topic.name.clone(), number)).collect::<Vec<_>>()
    };
    let partitions: Vec<_> = topics.iter().flat_map(of_topic).collect();
    let ends = kafka.bounds(&partitions).await?;
    let committed = kafka.committed(group, &partitions).await?;
    let stored = |(end, committed): (Result<shared::ports::records::LogBounds, RecordsError>, Option<Offset>)| {
        end.map(|end| committed.unwrap_or(Offset(0)) >= end.stable_end)
    };
    ends.into_iter().zip(committed).map(stored).try_fold(true, |all, one| Ok(all && one?))
}
