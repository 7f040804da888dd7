//! The topic of a partition as the cluster has it now, asked once for all who ask at the same time.
//!
//! Every segment asks for its topic's id before it is stored (C4). A thousand partitions of a topic that are closed
//! together would ask a thousand times for an answer that grows with the partitions.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use shared::{
    ports::records::{Kafka, RecordsError, Topic},
    record::TopicPartition,
};

use crate::{WriteError, coalesce::Coalesce};

/// The questions of one process.
#[derive(Debug, Default)]
pub(crate) struct Topics {
    questions: Mutex<HashMap<Arc<str>, Question>>,
}

/// All who ask about one topic.
type Question = Arc<Coalesce<(), Answer>>;
/// A failure is shared too: who waited for it would only wait for the next.
type Answer = Result<Option<Topic>, RecordsError>;

impl Topics {
    /// The topic of a partition as the cluster has it at some moment after this call.
    ///
    /// # Errors
    /// [`WriteError::Gone`] when the topic is not there, or has no such partition.
    pub async fn topic_now(&self, kafka: &dyn Kafka, partition: &TopicPartition) -> Result<Topic, WriteError> {
        let found = self.ask(kafka, &partition.topic).await?;
        let found = found.filter(|topic| partition.partition.0 < topic.partitions);
        found.ok_or_else(|| WriteError::Gone { partition: partition.clone() })
    }

    async fn ask(&self, kafka: &dyn Kafka, name: &Arc<str>) -> Answer {
        let question =
            self.questions.lock().unwrap_or_else(PoisonError::into_inner).entry(name.clone()).or_default().clone();
        let send = async |askers: Vec<()>| {
            let topics = kafka.topics(Some(std::slice::from_ref(name))).await;
            let found = topics.map(|topics| topics.into_iter().find(|topic| topic.name == *name));
            vec![found; askers.len()]
        };
        question.ask((), send).await
    }
}

#[cfg(test)]
mod tests {
    use shared::{
        adapters::memory::{clock::ManualClock, kafka::MemoryKafka},
        record::Millis,
    };

    use super::*;

    fn kafka() -> MemoryKafka {
        let kafka = MemoryKafka::new(Arc::new(ManualClock::at(Millis(0))), 1);
        kafka.create("orders", 2, &[]);
        kafka
    }

    #[tokio::test]
    async fn a_topic_that_was_created_again_is_seen_by_the_next_question() {
        let (kafka, topics) = (kafka(), Topics::default());
        let first = topics.topic_now(&kafka, &TopicPartition::new("orders", 0)).await.unwrap();
        kafka.delete("orders");
        assert!(matches!(
            topics.topic_now(&kafka, &TopicPartition::new("orders", 0)).await,
            Err(WriteError::Gone { .. })
        ));
        kafka.create("orders", 1, &[]);
        let second = topics.topic_now(&kafka, &TopicPartition::new("orders", 0)).await.unwrap();
        assert_ne!(first.id, second.id);
        assert!(matches!(
            topics.topic_now(&kafka, &TopicPartition::new("orders", 1)).await,
            Err(WriteError::Gone { .. })
        ));
    }
}
