//! Kafka in memory: deterministic, for unit tests and the simulation.
//!
//! It has what makes a real log awkward: offsets that do not exist (compaction, transaction markers), open transactions
//! that hold the last stable offset, a log start that moves, topics deleted and created again under a new id, groups
//! that rebalance, reads whose batches end anywhere. Everything it draws comes from its seed; it waits on nothing but
//! its own changes, so that it runs under tokio's paused time. Faults are none of its business: decorate it.

mod cluster;
mod fetch;
mod groups;
mod partition_log;
mod ports;
#[cfg(test)]
mod tests;
mod transactions;

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use tokio::sync::watch;

use self::{
    cluster::{Cluster, Holder},
    partition_log::{PartitionLog, TransactionId},
};
use crate::{
    ports::{acls::AclAnswer, clock::Clock},
    record::{Offset, Record, TopicPartition},
};

/// A Kafka cluster in memory. Clones are the same cluster.
#[derive(Clone)]
pub struct MemoryKafka {
    shared: Arc<Shared>,
    clock: Arc<dyn Clock>,
    seed: u64,
    reads: Arc<AtomicU64>,
}

/// How publishing on a topic fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublishFault {
    /// The brokers refuse it: no permission, or nothing is allowed to be that large.
    Denied,
    /// The brokers cannot store it now: a full disk, too few replicas.
    Unavailable,
    /// Nothing is heard of it any more.
    Hangs,
}

/// A transaction that was begun; its records are read by nobody until it is committed.
#[derive(Debug, Clone, Copy)]
pub struct Transaction(TransactionId);

impl MemoryKafka {
    /// An empty cluster. `clock` stamps published messages, `seed` decides where batches end, and is
    /// part of the topics' ids.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, seed: u64) -> Self {
        let shared = Arc::<Shared>::default();
        shared.lock().seed = seed;
        MemoryKafka { shared, clock, seed, reads: Arc::default() }
    }

    /// Creates a topic when it does not exist; of `configs` only `message.timestamp.type` has an effect; those of retention are told.
    pub fn create(&self, topic: &str, partitions: i32, configs: &[(&str, String)]) {
        self.shared.change(|cluster| cluster.create_topic(topic, partitions, configs));
    }

    /// Aborts every transaction whose producer has not ended it, and shuts that producer out: the time that a transaction may
    /// take is over.
    pub fn expire_transactions(&self) {
        self.shared.change(|cluster| {
            let open: Vec<_> = cluster.holders.values_mut().filter_map(Holder::expire).collect();
            open.into_iter().for_each(|id| cluster.end_transaction(id, false));
        });
    }

    /// Takes the leader of a partition away, or gives it one: what transactions send to it waits meanwhile, as clients do.
    pub fn set_led(&self, partition: &TopicPartition, is_led: bool) {
        self.shared.change(|cluster| match is_led {
            true => drop(cluster.leaderless.remove(partition)),
            false => drop(cluster.leaderless.insert(partition.clone())),
        });
    }

    /// Refuses to create topics with this setting.
    pub fn refuse_setting(&self, name: &str) {
        self.shared.lock().refused_settings.insert(name.to_owned());
    }

    /// Says this of its rules about topics from now on; without it there is no authorizer.
    pub fn set_acls(&self, acls: AclAnswer) {
        self.shared.lock().acls = acls;
    }

    /// Deletes a topic. Created again it has another id and its offsets begin at 0.
    pub fn delete(&self, topic: &str) {
        self.shared.change(|cluster| cluster.delete_topic(topic));
    }

    /// Appends a record, whatever offset it says; answers the one it got.
    ///
    /// # Panics
    /// When there is no such partition.
    pub fn append(&self, partition: &TopicPartition, record: Record) -> Offset {
        self.append_any(partition, record, None)
    }

    /// Begins a transaction.
    #[must_use]
    pub fn begin(&self) -> Transaction {
        Transaction(TransactionId(self.shared.lock().next_number()))
    }

    /// Appends a record in a transaction.
    ///
    /// # Panics
    /// When there is no such partition.
    pub fn append_in(&self, transaction: Transaction, partition: &TopicPartition, record: Record) -> Offset {
        self.append_any(partition, record, Some(transaction.0))
    }

    /// Commits a transaction: a marker takes an offset in each partition it wrote to.
    pub fn commit_transaction(&self, transaction: Transaction) {
        self.shared.change(|cluster| cluster.end_transaction(transaction.0, true));
    }

    /// Aborts a transaction: its records are gone, and a marker takes an offset.
    pub fn abort_transaction(&self, transaction: Transaction) {
        self.shared.change(|cluster| cluster.end_transaction(transaction.0, false));
    }

    /// Moves the log's start to `start`, as retention does.
    pub fn trim(&self, partition: &TopicPartition, start: Offset) {
        self.shared.change(|cluster| cluster.log_mut(partition).map(|log| log.trim(start)));
    }

    /// Takes away everything from `end` on, as an unclean leader election or a restored disk does. The topic keeps its id.
    pub fn go_back(&self, partition: &TopicPartition, end: Offset) {
        self.shared.change(|cluster| cluster.log_mut(partition).map(|log| log.go_back(end)));
    }

    /// Takes away everything from `end` on, as a cluster does that is restored from a snapshot as a whole: it gives the same
    /// leader epochs again, and readers lose their connections.
    pub fn restore(&self, partition: &TopicPartition, end: Offset) {
        self.shared.change(|cluster| {
            cluster.interruptions += 1;
            cluster.log_mut(partition).map(|log| log.restore(end))
        });
    }

    /// Another leader takes over, and has everything.
    pub fn elect(&self, partition: &TopicPartition) {
        self.shared.change(|cluster| cluster.log_mut(partition).map(PartitionLog::elect));
    }

    /// Removes one record, as compaction does.
    pub fn compact(&self, partition: &TopicPartition, offset: Offset) {
        self.shared.change(|cluster| cluster.log_mut(partition).map(|log| log.compact(offset)));
    }

    /// Lets `count` offsets at the log's end exist without a record.
    pub fn skip(&self, partition: &TopicPartition, count: i64) {
        self.shared.change(|cluster| cluster.log_mut(partition).map(|log| log.skip(count)));
    }

    /// Lets publishing on a topic fail from now on; `None`: it works again.
    pub fn fail_publishing(&self, topic: &str, fault: Option<PublishFault>) {
        self.shared.change(|cluster| match fault {
            Some(fault) => drop(cluster.publish_faults.insert(topic.into(), fault)),
            None => drop(cluster.publish_faults.remove(topic)),
        });
    }

    fn append_any(&self, partition: &TopicPartition, record: Record, transaction: Option<TransactionId>) -> Offset {
        let clock = self.clock.as_ref();
        let offset = self.shared.change(|cluster| cluster.append(partition, record, transaction, clock));
        offset.unwrap_or_else(|| panic!("there is no partition {partition} in the cluster in memory"))
    }

    fn next_seed(&self) -> u64 {
        self.seed.wrapping_add(self.reads.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }
}

/// The cluster, and word of its changes for the reads that wait.
#[derive(Default)]
struct Shared {
    cluster: Mutex<Cluster>,
    changes: watch::Sender<u64>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Cluster> {
        self.cluster.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, change: impl FnOnce(&mut Cluster) -> T) -> T {
        let outcome = change(&mut self.lock());
        self.changes.send_modify(|version| *version += 1);
        outcome
    }
}
