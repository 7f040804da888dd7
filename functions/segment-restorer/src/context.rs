//! What the function has at hand.

use std::{sync::Arc, time::Duration};

use shared::{
    ports::{clock::Clock, objects::Objects, store::Store, transactions::Target},
    pushing::Pushing,
};
use tokio::sync::Semaphore;

use crate::meter::Meter;

/// The function's ports and limits.
pub struct Context {
    /// The object storage.
    pub objects: Arc<dyn Objects>,
    /// The cluster that is written to.
    pub target: Arc<dyn Target>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// This process's name, which no other run has.
    pub instance: String,
    /// How much.
    pub limits: Limits,
    /// How far it is.
    pub meter: Arc<Meter>,
    /// KiB of segments that may still be held in memory.
    pub memory: Arc<Semaphore>,
    /// Where progress is pushed.
    pub pushing: Option<Pushing>,
    /// The store of figures, which keeps the results of drills.
    pub store: Option<Arc<dyn Store>>,
}

/// How much at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Topics at the same time.
    pub topics_max: usize,
    /// Partitions of a worker that are read at the same time.
    pub partitions_max: usize,
    /// Segments of a partition that are fetched at the same time.
    pub segments_ahead: usize,
    /// KiB of segments in memory; one larger segment is held by itself.
    pub segment_kib_max: u32,
    /// Bytes of records in one transaction.
    pub transaction_bytes_max: u64,
    /// How long a transaction waits for more records.
    pub transaction_age_max: Duration,
    /// How often a transaction is begun again before the restore of a topic is given up.
    pub attempts_max: u32,
    /// How long before its deadline it begins nothing new.
    pub deadline_margin: Duration,
    /// How long open transactions of other restores may be in the way: longer than brokers keep those of the dead.
    pub open_transactions_within: Duration,
    /// How long a target that was just created may take until every partition has a leader.
    pub leaders_within: Duration,
    /// From one push of progress to the next.
    pub push_every: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            topics_max: 4,
            partitions_max: 2,
            segments_ahead: 2,
            segment_kib_max: 96 << 10,
            transaction_bytes_max: 16 << 20,
            transaction_age_max: Duration::from_secs(1),
            attempts_max: 8,
            deadline_margin: Duration::from_secs(60),
            open_transactions_within: Duration::from_secs(90),
            leaders_within: Duration::from_secs(60),
            push_every: Duration::from_secs(2),
        }
    }
}

impl Context {
    /// A context with the usual limits.
    #[must_use]
    pub fn new(objects: Arc<dyn Objects>, target: Arc<dyn Target>, clock: Arc<dyn Clock>, instance: &str) -> Self {
        Context::limited(objects, target, clock, instance, Limits::default())
    }

    /// A context with these limits.
    #[must_use]
    pub fn limited(
        objects: Arc<dyn Objects>,
        target: Arc<dyn Target>,
        clock: Arc<dyn Clock>,
        instance: &str,
        limits: Limits,
    ) -> Self {
        let memory = Arc::new(Semaphore::new(limits.segment_kib_max as usize));
        let instance = instance.to_owned();
        Context { objects, target, clock, instance, limits, meter: Arc::default(), memory, pushing: None, store: None }
    }

    /// The same, which pushes nothing.
    pub(crate) fn quiet(&self) -> Self {
        Context {
            objects: self.objects.clone(),
            target: self.target.clone(),
            clock: self.clock.clone(),
            instance: self.instance.clone(),
            limits: self.limits,
            meter: self.meter.clone(),
            memory: self.memory.clone(),
            pushing: None,
            store: None,
        }
    }
}
