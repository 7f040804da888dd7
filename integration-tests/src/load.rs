//! Load: a producer that goes on until it is told to stop, and remembers everything that was acknowledged.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use shared::{adapters::system_clock::SystemClock, ports::clock::Clock as _};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{
    kafka::Kafka,
    kafka_producer::{NewRecord, Producer},
    serving::{LOCATION, Serving},
};

/// Records in a batch, and the pace of batches: some 2,000 records a second.
const BATCH_RECORDS: usize = 40;
const BATCH_EVERY: Duration = Duration::from_millis(20);
/// Of a hundred records so many go to partitions 0, 1, 2 and 3: busy ones close segments by size, idle ones by age.
const SHARES: [u32; 4] = [50, 30, 15, 5];

/// What a load had acknowledged.
#[derive(Debug, Clone, Default)]
pub struct Produced {
    /// The records of the topic.
    pub records: Vec<ProducedRecord>,
    /// Replication operations queued and not completed, by the events on the metrics topic.
    pub pending_ops: i64,
    /// Their bytes.
    pub pending_bytes: i64,
}

impl Produced {
    /// Produces records of these partitions and values, which no other has, to a deployment's topic.
    pub async fn produce(&mut self, kafka: &Kafka, topic: &str, records: Vec<(i32, String)>) {
        let new = |(partition, value): &(i32, String)| NewRecord::new(value.clone()).partition(*partition);
        let placed = kafka.produce(topic, records.iter().map(new).collect()).await;
        self.records.extend(records.into_iter().zip(placed).map(|((_, value), placed)| {
            let size_bytes = value.len() as u64;
            ProducedRecord { partition: placed.partition, offset: placed.offset, value, size_bytes }
        }));
    }
}

/// A record where it lies.
#[derive(Debug, Clone)]
pub struct ProducedRecord {
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Its value, which no other record has.
    pub value: String,
    /// Bytes of key, value and headers.
    pub size_bytes: u64,
}

/// A running load.
pub struct Load {
    produced: Arc<Mutex<Produced>>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Load {
    /// Begins to produce to a deployment's topic and its metrics topic.
    pub async fn start(kafka: &Kafka, serving: &Serving, seed: u64) -> Load {
        let (produced, stop) = (Arc::new(Mutex::new(Produced::default())), CancellationToken::new());
        let work = Work {
            // A broker that is restarted would else give records that it had stored already a second place.
            producer: kafka.producer(&[("enable.idempotence", "true")]).await,
            topic: serving.topic.clone(),
            metrics_topic: serving.metrics_topic.clone(),
            rng: StdRng::seed_from_u64(seed),
            produced: produced.clone(),
            stop: stop.clone(),
        };
        Load { produced, stop, task: tokio::spawn(work.run()) }
    }

    /// How many records are acknowledged so far.
    pub fn records(&self) -> usize {
        self.produced.lock().expect("the load did not panic").records.len()
    }

    /// Ends it, and gives everything that was acknowledged.
    pub async fn end(self) -> Produced {
        self.stop.cancel();
        self.task.await.expect("the load did not panic");
        std::mem::take(&mut *self.produced.lock().expect("the load did not panic"))
    }
}

struct Work {
    producer: Producer,
    topic: String,
    metrics_topic: String,
    rng: StdRng,
    produced: Arc<Mutex<Produced>>,
    stop: CancellationToken,
}

impl Work {
    async fn run(mut self) {
        let mut pace = tokio::time::interval(BATCH_EVERY);
        pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while self.stop.run_until_cancelled(pace.tick()).await.is_some() {
            self.records().await;
            self.events().await;
        }
    }

    async fn records(&mut self) {
        let first = self.produced.lock().expect("no panic").records.len();
        let new: Vec<(NewRecord, ProducedRecord)> = (first..first + BATCH_RECORDS).map(|n| self.record(n)).collect();
        let placed = self.producer.send(&self.topic, new.iter().map(|(record, _)| record.clone()).collect()).await;
        let records = new.into_iter().zip(placed).map(|((_, record), placed)| ProducedRecord {
            partition: placed.partition,
            offset: placed.offset,
            ..record
        });
        self.produced.lock().expect("no panic").records.extend(records);
    }

    fn record(&mut self, n: usize) -> (NewRecord, ProducedRecord) {
        let padding = "x".repeat(self.rng.random_range(0..200));
        let (value, key) = (format!("{n}-{padding}"), format!("key-{}", n % 10));
        let size_bytes = (value.len() + key.len() + "n".len() + "header".len()) as u64;
        let partition = self.partition();
        let record = NewRecord::new(value.clone()).key(key).partition(partition);
        let record = record.header("n", Some(Bytes::from_static(b"header")));
        (record, ProducedRecord { partition, offset: -1, value, size_bytes })
    }

    fn partition(&mut self) -> i32 {
        let mut at = self.rng.random_range(0..SHARES.iter().sum());
        let share = SHARES.iter().position(|share| {
            let found = at < *share;
            at = at.saturating_sub(*share);
            found
        });
        i32::try_from(share.expect("a number below the sum is in a share")).expect("four partitions")
    }

    /// Three operations queued and one completed.
    async fn events(&mut self) {
        let bytes = self.rng.random_range(1..1_000_i64);
        let now = SystemClock.now();
        let event = |kind: &str, ops: i64, bytes: i64| {
            NewRecord::new(format!(
                r#"{{"timestamp":{now},"ops":{ops},"bytes":{bytes},"extension":"crr","type":"{kind}","site":"{LOCATION}"}}"#
            ))
        };
        self.producer
            .send(&self.metrics_topic, vec![event("queued", 3, 3 * bytes), event("completed", 1, bytes)])
            .await;
        let mut produced = self.produced.lock().expect("no panic");
        produced.pending_ops += 2;
        produced.pending_bytes += 2 * bytes;
    }
}
