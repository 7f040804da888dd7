//! Producers of transactions over the cluster in memory.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;

use super::{
    MemoryKafka,
    cluster::{Holder, unknown},
    partition_log::TransactionId,
};
use crate::{
    ports::transactions::{
        Acknowledged, OffsetRun, ProducerLimits, TransactionError, TransactionalProducer, Transactions, push_offset,
    },
    record::{Millis, Record, TimestampType, TopicPartition},
};

struct MemoryProducer {
    kafka: MemoryKafka,
    id: Arc<str>,
    epoch: u64,
    sent: BTreeMap<TopicPartition, Vec<OffsetRun>>,
}

#[async_trait]
impl Transactions for MemoryKafka {
    async fn take_over(
        &self,
        transactional_id: &str,
        _: ProducerLimits,
    ) -> Result<Box<dyn TransactionalProducer>, TransactionError> {
        let epoch = self.shared.change(|cluster| {
            let holder = cluster.holders.entry(transactional_id.to_owned()).or_default();
            holder.epoch += 1;
            let (epoch, open) = (holder.epoch, holder.open.take());
            if let Some(open) = open {
                cluster.end_transaction(open, false);
            }
            epoch
        });
        let (kafka, id) = (self.clone(), transactional_id.into());
        Ok(Box::new(MemoryProducer { kafka, id, epoch, sent: BTreeMap::new() }))
    }
}

impl MemoryProducer {
    /// Does something with what the cluster knows of the id, as long as nobody else has taken it over.
    fn held<T>(&self, change: impl FnOnce(&mut Holder) -> T) -> Result<T, TransactionError> {
        let mut cluster = self.kafka.shared.lock();
        let holder = cluster.holders.entry(self.id.to_string()).or_default();
        if holder.epoch != self.epoch {
            return Err(TransactionError::Fenced { transactional_id: self.id.clone() });
        }
        Ok(change(holder))
    }

    fn end(&mut self, commit: bool) -> Result<(), TransactionError> {
        self.sent.clear();
        if let Some(open) = self.held(|holder| holder.open.take())? {
            self.kafka.shared.change(|cluster| cluster.end_transaction(open, commit));
        }
        Ok(())
    }

    fn append(&mut self, open: TransactionId, to: &TopicPartition, record: &Record) -> Result<(), TransactionError> {
        let runs = self.sent.entry(to.clone()).or_default();
        if record.timestamp == Millis(0) {
            let index = runs.iter().map(|run| run.count).sum();
            let message = "its timestamp is 0, which the client takes for the present time".to_owned();
            return Err(TransactionError::RecordRefused { partition: to.clone(), index, message });
        }
        let record = Record { timestamp_type: TimestampType::CreateTime, ..record.clone() };
        let clock = self.kafka.clock.as_ref();
        let offset = self.kafka.shared.change(|cluster| cluster.append(to, record, Some(open), clock));
        push_offset(runs, offset.ok_or_else(|| unknown("write in a transaction", to))?);
        Ok(())
    }
}

#[async_trait]
impl TransactionalProducer for MemoryProducer {
    async fn begin(&mut self) -> Result<(), TransactionError> {
        let number = self.kafka.shared.lock().next_number();
        self.sent.clear();
        self.held(|holder| holder.open = Some(TransactionId(number)))
    }

    async fn send(&mut self, to: &TopicPartition, records: &[Record]) -> Result<(), TransactionError> {
        for record in records {
            let open = self.held(|holder| holder.open)?;
            let message = || "no transaction is begun".to_owned();
            let open =
                open.ok_or_else(|| TransactionError::Broken { transactional_id: self.id.clone(), message: message() })?;
            self.append(open, to, record)?;
        }
        Ok(())
    }

    async fn acknowledged(&mut self) -> Result<Vec<Acknowledged>, TransactionError> {
        let mut changes = self.kafka.shared.changes.subscribe();
        while self.kafka.shared.lock().leaderless.iter().any(|partition| self.sent.contains_key(partition)) {
            // The sender lives as long as the cluster, and this is a part of it.
            drop(changes.changed().await);
        }
        let sent = std::mem::take(&mut self.sent);
        Ok(sent.into_iter().map(|(partition, runs)| Acknowledged { partition, runs }).collect())
    }

    async fn commit(&mut self) -> Result<(), TransactionError> {
        self.end(true)
    }

    async fn abort(&mut self) -> Result<(), TransactionError> {
        self.end(false)
    }
}
