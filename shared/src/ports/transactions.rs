//! Kafka as the target of a restore: records are written in transactions.

use std::sync::Arc;

use async_trait::async_trait;

use super::records::{Kafka, RecordsError};
use crate::record::{Offset, Record, TopicPartition};

/// Producers that write in transactions.
#[async_trait]
pub trait Transactions: Send + Sync {
    /// A producer under a transactional id. When this returns, whoever had the id before can write no more, and what that one
    /// had not committed is aborted.
    async fn take_over(
        &self,
        transactional_id: &str,
        limits: ProducerLimits,
    ) -> Result<Box<dyn TransactionalProducer>, TransactionError>;
}

/// A cluster that can be read, described and written in transactions.
pub trait Target: Kafka + Transactions {}
impl<T: Kafka + Transactions> Target for T {}

/// How much a producer sends at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ProducerLimits {
    /// The topic's `max.message.bytes`: no batch is larger, unless a single record is.
    pub batch_bytes_max: Option<u64>,
}

/// A producer that has one transaction at a time.
#[async_trait]
pub trait TransactionalProducer: Send + Sync {
    /// Begins a transaction.
    async fn begin(&mut self) -> Result<(), TransactionError>;

    /// Puts records of one partition on their way, in this order, under the timestamps they have; their offsets are not looked
    /// at. It waits while too much is on its way.
    async fn send(&mut self, to: &TopicPartition, records: &[Record]) -> Result<(), TransactionError>;

    /// Waits until all that was sent since the transaction began, or since the last call, is acknowledged by all in-sync
    /// replicas, and tells where it lies.
    async fn acknowledged(&mut self) -> Result<Vec<Acknowledged>, TransactionError>;

    /// Commits the transaction. After an error nobody knows whether it is committed; whoever takes the id over does.
    async fn commit(&mut self) -> Result<(), TransactionError>;

    /// Aborts the transaction: nothing of it will be read by anybody.
    async fn abort(&mut self) -> Result<(), TransactionError>;
}

/// Where the records lie that were sent to a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledged {
    /// Which partition.
    pub partition: TopicPartition,
    /// The offsets of the records in the order in which they were sent.
    pub runs: Vec<OffsetRun>,
}

/// Consecutive offsets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OffsetRun {
    /// The first.
    pub first: Offset,
    /// How many there are.
    pub count: u64,
}

/// Adds the next offset to runs.
pub fn push_offset(runs: &mut Vec<OffsetRun>, offset: Offset) {
    match runs.last_mut() {
        Some(run) if run.first.0.checked_add_unsigned(run.count) == Some(offset.0) => run.count += 1,
        _ => runs.push(OffsetRun { first: offset, count: 1 }),
    }
}

/// Why a transaction cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransactionError {
    /// Another process took the transactional id over.
    #[error("another process has taken over the transactional id {transactional_id}: it goes on, and this one stops")]
    Fenced {
        /// Which id.
        transactional_id: Arc<str>,
    },
    /// The cluster does not take a record.
    #[error("{partition} does not take a record: {message}")]
    RecordRefused {
        /// The partition written to.
        partition: TopicPartition,
        /// How many records that were sent to it in this transaction come before.
        index: u64,
        /// What the cluster said.
        message: String,
    },
    /// The transaction is broken: it must be aborted, and may succeed when it is begun again.
    #[error("a transaction of {transactional_id} failed: {message}")]
    Broken {
        /// Which id.
        transactional_id: Arc<str>,
        /// What the client said.
        message: String,
    },
    /// The producer cannot be used any more; whether its last transaction is committed is not known.
    #[error(
        "the producer {transactional_id} failed: {message}; start the restore again, it goes on where it was committed"
    )]
    Fatal {
        /// Which id.
        transactional_id: Arc<str>,
        /// What the client said.
        message: String,
    },
    /// Any other failure of Kafka.
    #[error(transparent)]
    Records(#[from] RecordsError),
}

impl TransactionError {
    /// Whether the same work may succeed when the transaction is aborted and begun again.
    #[must_use]
    pub fn retry(&self) -> bool {
        match self {
            TransactionError::Broken { .. } => true,
            TransactionError::Records(error) => error.retry(),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_that_follow_each_other_are_one_run() {
        let mut runs = vec![];
        for offset in [5, 6, 7, 9, 10, 3] {
            push_offset(&mut runs, Offset(offset));
        }
        let runs: Vec<_> = runs.iter().map(|run| (run.first.0, run.count)).collect();
        assert_eq!(runs, [(5, 3), (9, 2), (3, 1)]);
    }
}
