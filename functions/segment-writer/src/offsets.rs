//! The committed offsets of the backups' groups, read and committed once for all who do so at the same time: a thousand
//! partitions that are opened, or closed, together would send a thousand requests each.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use shared::{
    ports::records::{Committed, Kafka, RecordsError},
    record::TopicPartition,
};

use crate::together::Together;

/// Those of one process.
#[derive(Debug, Default)]
pub(crate) struct Offsets {
    groups: Mutex<HashMap<String, Arc<Group>>>,
}

#[derive(Debug, Default)]
struct Group {
    reading: Together<TopicPartition, Result<Option<Committed>, RecordsError>>,
    committing: Together<(TopicPartition, Committed), Result<(), RecordsError>>,
}

impl Offsets {
    /// What a group has committed for a partition at some moment after this call.
    pub async fn committed(
        &self,
        kafka: &dyn Kafka,
        group: &str,
        partition: &TopicPartition,
    ) -> Result<Option<Committed>, RecordsError> {
        let send = async |partitions: Vec<TopicPartition>| match kafka.committed(group, &partitions).await {
            Ok(committed) => committed.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error); partitions.len()],
        };
        self.group(group).reading.ask(partition.clone(), send).await
    }

    /// Commits an offset for a group. Where that of another partition cannot be, this one is nevertheless.
    pub async fn commit(
        &self,
        kafka: &dyn Kafka,
        group: &str,
        partition: TopicPartition,
        committed: Committed,
    ) -> Result<(), RecordsError> {
        let send = async |all: Vec<(TopicPartition, Committed)>| {
            // Of two of a partition the later counts.
            let offsets: Vec<_> = all.iter().cloned().collect::<BTreeMap<_, _>>().into_iter().collect();
            let outcome = kafka.commit(group, &offsets).await;
            if outcome.is_ok() || offsets.len() == 1 {
                return vec![outcome; all.len()];
            }
            let mut outcomes = HashMap::new();
            for offset in offsets {
                let outcome = kafka.commit(group, std::slice::from_ref(&offset)).await;
                outcomes.insert(offset.0, outcome);
            }
            all.iter().map(|(partition, _)| outcomes[partition].clone()).collect()
        };
        self.group(group).committing.ask((partition, committed), send).await
    }

    fn group(&self, name: &str) -> Arc<Group> {
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        groups.entry(name.to_owned()).or_default().clone()
    }
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;
    use shared::{
        adapters::memory::{clock::ManualClock, kafka::MemoryKafka},
        record::{Millis, Offset},
    };

    use super::*;

    #[tokio::test]
    async fn an_offset_that_cannot_be_committed_keeps_no_other_from_it() {
        let kafka = MemoryKafka::new(Arc::new(ManualClock::at(Millis(0))), 1);
        kafka.create("orders", 3, &[]);
        let offsets = Offsets::default();
        let partitions = [("orders", 0), ("gone", 0), ("orders", 1), ("orders", 2)];
        let partitions = partitions.map(|(topic, partition)| TopicPartition::new(topic, partition));
        let commits = partitions.clone().map(|it| offsets.commit(&kafka, "group", it, Offset(7).into()));
        let outcomes = join_all(commits).await;
        assert_eq!(outcomes.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true, true]);
        let committed = join_all(partitions.iter().map(|it| offsets.committed(&kafka, "group", it))).await;
        let seven = Ok(Some(Offset(7).into()));
        assert_eq!(committed, [seven.clone(), Ok(None), seven.clone(), seven]);
    }

    #[tokio::test]
    async fn of_two_commits_of_a_partition_the_later_counts() {
        let kafka = MemoryKafka::new(Arc::new(ManualClock::at(Millis(0))), 1);
        kafka.create("orders", 1, &[]);
        let (offsets, orders) = (Offsets::default(), TopicPartition::new("orders", 0));
        let commits = [5, 9, 7].map(|next| offsets.commit(&kafka, "group", orders.clone(), Offset(next).into()));
        assert_eq!(join_all(commits).await, [Ok(()), Ok(()), Ok(())]);
        assert_eq!(offsets.committed(&kafka, "group", &orders).await, Ok(Some(Offset(7).into())));
    }
}
