//! The topic of a partition as the cluster has it now, asked once for all who ask at the same time.
//!
//! Every segment asks for its topic's id before it is stored (C4). A thousand partitions of a topic that are closed
//! together would ask a thousand times for an answer that grows with the partitions. An answer serves everybody who
//! asked before its request was sent: it is as new as one of their own would be.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use shared::{
    ports::records::{Kafka, RecordsError, Topic},
    record::TopicPartition,
};

use crate::WriteError;

/// The questions of one process.
#[derive(Debug, Default)]
pub(crate) struct Topics {
    moments: AtomicU64,
    answers: Mutex<HashMap<Arc<str>, Arc<tokio::sync::Mutex<Answer>>>>,
}

/// The last answer about a topic.
#[derive(Debug)]
struct Answer {
    /// When its request was sent; 0: never.
    sent: u64,
    /// A failure is shared too: who waited for it would only wait for the next.
    topic: Result<Option<Topic>, RecordsError>,
}

impl Default for Answer {
    fn default() -> Self {
        Answer { sent: 0, topic: Ok(None) }
    }
}

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

    async fn ask(&self, kafka: &dyn Kafka, name: &Arc<str>) -> Result<Option<Topic>, RecordsError> {
        let asked = self.moment();
        let answer =
            self.answers.lock().unwrap_or_else(PoisonError::into_inner).entry(name.clone()).or_default().clone();
        let mut answer = answer.lock().await;
        if answer.sent < asked {
            let sent = self.moment();
            let topics = kafka.topics(Some(std::slice::from_ref(name))).await;
            let found = topics.map(|topics| topics.into_iter().find(|topic| topic.name == *name));
            *answer = Answer { sent, topic: found };
        }
        answer.topic.clone()
    }

    fn moment(&self) -> u64 {
        self.moments.fetch_add(1, Ordering::SeqCst) + 1
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

    #[tokio::test]
    async fn an_answer_serves_those_who_asked_before_its_request_was_sent_and_nobody_else() {
        let (kafka, topics) = (kafka(), Topics::default());
        let orders: Arc<str> = "orders".into();
        let asked = topics.moment();
        topics.ask(&kafka, &orders).await.unwrap();
        let answers = topics.answers.lock().unwrap()[&orders].clone();
        assert!(answers.lock().await.sent > asked);
        kafka.delete("orders");
        assert_eq!(topics.ask(&kafka, &orders).await.unwrap(), None);
    }
}
