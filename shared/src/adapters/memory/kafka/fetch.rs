//! A read in memory that behaves as badly as a real one may: batches of any size, records that were fetched before a
//! topic was deleted and come after, partitions in any order.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::SliceRandom};
use tokio::sync::watch;

use super::{
    Shared,
    cluster::{Cluster, unknown},
    partition_log::Read,
};
use crate::{
    ports::records::{Fetch, Fetched, RecordsError},
    record::{Offset, TopicPartition},
};

/// At most so many records of a partition come at once.
const BATCH_RECORDS_MAX: usize = 64;

/// Who reads, when it reads as a member of a group.
pub(super) struct Membership {
    pub(super) group: String,
    pub(super) member: u64,
}

/// A running read.
pub(super) struct MemoryFetch {
    shared: Arc<Shared>,
    changed: watch::Receiver<u64>,
    membership: Option<Membership>,
    rng: StdRng,
    reading: BTreeMap<TopicPartition, Reading>,
    /// How often the connection was lost, as far as that is told.
    interruptions: u64,
}

/// How far the reading of a partition is.
struct Reading {
    position: i64,
    /// The leader epoch of what comes before the position, where that is known.
    leader_epoch: Option<i32>,
    end_told: bool,
    stopped: bool,
    /// Fetched already, not handed out yet.
    fetched: VecDeque<Fetched>,
}

impl MemoryFetch {
    pub(super) fn new(shared: Arc<Shared>, seed: u64, membership: Option<Membership>) -> Self {
        let (changed, interruptions) = (shared.changes.subscribe(), shared.lock().interruptions);
        let (rng, reading) = (StdRng::seed_from_u64(seed), BTreeMap::new());
        MemoryFetch { shared, changed, membership, rng, reading, interruptions }
    }

    pub(super) fn read_from(&mut self, partition: TopicPartition, from: Offset, leader_epoch: Option<i32>) {
        let reading =
            Reading { position: from.0, leader_epoch, end_told: false, stopped: false, fetched: VecDeque::new() };
        self.reading.insert(partition, reading);
    }

    fn start_if_assigned(&mut self, partition: &TopicPartition, from: Offset, leader_epoch: Option<i32>) {
        let lost = self.membership.as_ref().is_some_and(|Membership { group, member }| {
            !self.shared.lock().groups.get(group).is_some_and(|g| g.is_assigned(*member, partition))
        });
        if !lost {
            self.read_from(partition.clone(), from, leader_epoch);
        }
    }

    /// Everything there is to hand out now: what the group says first, then some of what can be read.
    fn poll(&mut self) -> Vec<Fetched> {
        let shared = self.shared.clone();
        let mut cluster = shared.lock();
        let mut out = self.group_events(&mut cluster);
        if std::mem::replace(&mut self.interruptions, cluster.interruptions) < cluster.interruptions {
            out.push(Fetched::Interrupted);
        }
        let mut partitions: Vec<TopicPartition> = self.reading.keys().cloned().collect();
        partitions.shuffle(&mut self.rng);
        let parts = self.rng.random_range(1..=partitions.len().max(1));
        let taken = partitions.iter().filter_map(|partition| self.take(&cluster, partition));
        out.extend(taken.take(parts));
        out
    }

    fn group_events(&mut self, cluster: &mut Cluster) -> Vec<Fetched> {
        let Some(Membership { group, member }) = &self.membership else { return vec![] };
        let Some(group) = cluster.groups.get_mut(group) else { return vec![] };
        let events = group.take_events(*member);
        for event in &events {
            if let Fetched::Revoked { partition } = event {
                self.reading.remove(partition);
            }
        }
        events
    }

    /// The next of a partition. Now and then one more is fetched ahead, and grows stale until it is asked for.
    fn take(&mut self, cluster: &Cluster, partition: &TopicPartition) -> Option<Fetched> {
        let reading = self.reading.get_mut(partition)?;
        let next = reading.fetched.pop_front().or_else(|| reading.fetch(cluster, partition, &mut self.rng))?;
        if self.rng.random() {
            let ahead = reading.fetch(cluster, partition, &mut self.rng);
            reading.fetched.extend(ahead);
        }
        if matches!(next, Fetched::OutOfRange { .. } | Fetched::Failed { .. }) {
            self.reading.remove(partition);
        }
        Some(next)
    }
}

impl Reading {
    fn fetch(&mut self, cluster: &Cluster, partition: &TopicPartition, rng: &mut StdRng) -> Option<Fetched> {
        if self.stopped {
            return None;
        }
        let Some(log) = cluster.log(partition) else {
            self.stopped = true;
            let error = Arc::new(unknown("fetch", partition));
            return Some(Fetched::Failed { partition: partition.clone(), error });
        };
        loop {
            if self.leader_epoch.is_some_and(|epoch| log.end_of(epoch) < self.position) {
                self.stopped = true;
                return Some(Fetched::OutOfRange { partition: partition.clone() });
            }
            match log.read(self.position, rng.random_range(1..=BATCH_RECORDS_MAX)) {
                Read::Records { records, position, leader_epoch } => {
                    (self.position, self.leader_epoch) = (position, Some(log.epoch_before(position)));
                    self.end_told = false;
                    if !records.is_empty() {
                        let (partition, leader_epoch) = (partition.clone(), Some(leader_epoch));
                        return Some(Fetched::Records { partition, records, leader_epoch });
                    }
                }
                Read::End if !self.end_told => {
                    self.end_told = true;
                    return Some(Fetched::End { partition: partition.clone(), position: Offset(self.position) });
                }
                Read::End | Read::NotYet => return None,
                Read::OutOfRange => {
                    self.stopped = true;
                    return Some(Fetched::OutOfRange { partition: partition.clone() });
                }
            }
        }
    }
}

#[async_trait]
impl Fetch for MemoryFetch {
    async fn next(&mut self, wait: Duration) -> Result<Vec<Fetched>, RecordsError> {
        let asleep = tokio::time::sleep(wait);
        tokio::pin!(asleep);
        loop {
            self.changed.mark_unchanged();
            let out = self.poll();
            if !out.is_empty() {
                return Ok(out);
            }
            tokio::select! {
                biased;
                _ = self.changed.changed() => {}
                () = &mut asleep => return Ok(vec![]),
            }
        }
    }

    async fn start(&mut self, partition: &TopicPartition, from: Offset) -> Result<(), RecordsError> {
        self.start_if_assigned(partition, from, None);
        Ok(())
    }

    async fn start_behind(
        &mut self,
        partition: &TopicPartition,
        from: Offset,
        leader_epoch: i32,
    ) -> Result<(), RecordsError> {
        self.start_if_assigned(partition, from, Some(leader_epoch));
        Ok(())
    }

    async fn stop(&mut self, partition: &TopicPartition) -> Result<(), RecordsError> {
        self.reading.remove(partition);
        Ok(())
    }

    async fn close(self: Box<Self>) {
        drop(self);
    }
}

impl Drop for MemoryFetch {
    fn drop(&mut self) {
        let Some(Membership { group, member }) = &self.membership else { return };
        self.shared.change(|cluster| {
            if let Some(group) = cluster.groups.get_mut(group) {
                group.leave(*member);
            }
            cluster.rebalance(group);
        });
    }
}
