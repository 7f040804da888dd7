//! Waiting until everything that is in the logs is in segments.

use std::{sync::Arc, time::Duration};

use shared::{
    ports::records::{Kafka, LogBounds, RecordsError, Topic},
    record::Offset,
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
    let partitions: Vec<_> = topics.iter().flat_map(Topic::each_partition).collect();
    let ends = kafka.bounds(&partitions).await?;
    let committed = kafka.committed_offsets(group, &partitions).await?;
    let stored = |(end, committed): (Result<LogBounds, RecordsError>, Option<Offset>)| {
        end.map(|end| committed.unwrap_or(Offset(0)) >= end.stable_end)
    };
    ends.into_iter().zip(committed).map(stored).try_fold(true, |all, one| Ok(all && one?))
}
