//! Producers of transactions that fail.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Faults, FaultyKafka};
use crate::{
    ports::transactions::{
        Acknowledged, ProducerLimits, Target, TransactionError, TransactionalProducer, Transactions,
    },
    record::{Record, TopicPartition},
};

struct FaultyProducer {
    inner: Box<dyn TransactionalProducer>,
    id: Arc<str>,
    faults: Arc<Faults>,
}

#[async_trait]
impl<K: Target + ?Sized> Transactions for FaultyKafka<K> {
    async fn take_over(
        &self,
        transactional_id: &str,
        limits: ProducerLimits,
    ) -> Result<Box<dyn TransactionalProducer>, TransactionError> {
        let id: Arc<str> = transactional_id.into();
        let fatal = |transactional_id: Arc<str>| TransactionError::Fatal {
            transactional_id,
            message: "a fault of the simulation".to_owned(),
        };
        let faults = self.faults();
        faults.before().await.map_err(|_| fatal(id.clone()))?;
        let inner = self.inner().take_over(transactional_id, limits).await?;
        faults.after().await.map_err(|_| fatal(id.clone()))?;
        Ok(Box::new(FaultyProducer { inner, id, faults }))
    }
}

impl FaultyProducer {
    /// The transaction is not committed, and can be aborted.
    fn broken(&self) -> TransactionError {
        let message = "a fault of the simulation".to_owned();
        TransactionError::Broken { transactional_id: self.id.clone(), message }
    }

    /// What became of the transaction is not known.
    fn fatal(&self) -> TransactionError {
        let message = "a fault of the simulation".to_owned();
        TransactionError::Fatal { transactional_id: self.id.clone(), message }
    }
}

#[async_trait]
impl TransactionalProducer for FaultyProducer {
    async fn begin(&mut self) -> Result<(), TransactionError> {
        self.faults.before().await.map_err(|_| self.broken())?;
        self.inner.begin().await
    }

    async fn send(&mut self, to: &TopicPartition, records: &[Record]) -> Result<(), TransactionError> {
        self.faults.before().await.map_err(|_| self.broken())?;
        self.inner.send(to, records).await?;
        self.faults.after().await.map_err(|_| self.broken())
    }

    async fn acknowledged(&mut self) -> Result<Vec<Acknowledged>, TransactionError> {
        let acknowledged = self.inner.acknowledged().await?;
        self.faults.after().await.map_err(|_| self.broken())?;
        Ok(acknowledged)
    }

    async fn commit(&mut self) -> Result<(), TransactionError> {
        self.faults.before().await.map_err(|_| self.broken())?;
        self.inner.commit().await?;
        self.faults.after().await.map_err(|_| self.fatal())
    }

    async fn abort(&mut self) -> Result<(), TransactionError> {
        self.faults.before().await.map_err(|_| self.fatal())?;
        self.inner.abort().await
    }
}
