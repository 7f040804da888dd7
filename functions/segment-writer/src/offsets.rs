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

use crate::coalesce::Coalesce;

/// Those of one process.
#[derive(Debug, Default)]
pub(crate) struct Offsets {
    groups: Mutex<HashMap<String, Arc<Group>>>,
}

#[derive(Debug, Default)]
struct Group {
    reading: Coalesce<TopicPartition, Result<Option<Committed>, RecordsError>>,
    committing: Coalesce<(TopicPartition, Committed), Result<(), RecordsError>>,
}

impl Offsets {
    /// What a group has committed for a partition at some moment after this call.
    pub async fn committed(
        &self,
        kafka: &dyn Kafka,
        group: &str,
        partition: &TopicPartition,
    ) -> Result<Option<Committed>, RecordsError> {
        let read = async |partitions: &[TopicPartition]| kafka.committed(group, partitions).await;
        let send = async |partitions: Vec<TopicPartition>| match read(&partitions).await {
            Ok(committed) => committed.into_iter().map(Ok).collect(),
            Err(error) if is_of_all(&error, &partitions) => vec![Err(error); partitions.len()],
            Err(_) => {
                let mut answers = vec![];
                for partition in &partitions {
                    answers.push(read(std::slice::from_ref(partition)).await.map(|it| it.into_iter().next().flatten()));
                }
                answers
            }
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
            match kafka.commit(group, &offsets).await {
                Err(error) if !is_of_all(&error, &offsets) => {}
                outcome => return vec![outcome; all.len()],
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

/// Whether an error tells of all that was asked for. Each of them asked for alone would wait as long for a group that does
/// not answer.
fn is_of_all<T>(error: &RecordsError, asked: &[T]) -> bool {
    error.retry() || asked.len() == 1
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::future::join_all;
    use shared::{
        adapters::memory::{
            clock::ManualClock,
            faults::{Faults, FaultyKafka, Odds},
            kafka::MemoryKafka,
        },
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

    #[tokio::test(start_paused = true)]
    async fn a_group_that_does_not_answer_is_asked_once_for_all() {
        let kafka = MemoryKafka::new(Arc::new(ManualClock::at(Millis(0))), 1);
        kafka.create("orders", 3, &[]);
        // The third request would hang.
        let odds = Odds { fail_before: 1.0, ..Odds::NONE };
        let kafka = FaultyKafka::new(Arc::new(kafka), Arc::new(Faults::new(1, odds, Some(3))));
        let offsets = Offsets::default();
        let commits = (0..3).map(|partition| {
            offsets.commit(&kafka, "group", TopicPartition::new("orders", partition), Offset(7).into())
        });
        let outcomes = tokio::time::timeout(Duration::from_secs(60), join_all(commits)).await.expect("two requests");
        assert!(outcomes.iter().all(Result::is_err), "{outcomes:?}");
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
