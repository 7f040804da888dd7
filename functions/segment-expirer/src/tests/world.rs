//! A Kafka, a storage and a clock in memory, with the shipping writer.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use shared::{
    adapters::memory::{clock::ManualClock, kafka::MemoryKafka, objects::MemoryObjects},
    archive::{self, SegmentEntry, StoredFloor},
    chain::{ChainIdentity, Retention, SealKey, SealRule, keys},
    config::selection::TopicSelection,
    ports::{
        clock::Clock as _,
        objects::{ETag, GetRange, ListPage, ListRequest, Object, Objects, ObjectsError, PutCondition},
    },
    record::{Millis, Offset, Record, TimestampType, TopicPartition},
    rollover::Rollover,
    runs::RunLog,
};

use crate::{Backup, BackupReport, Context, Expire, Limits, handle};

pub(super) const DAY: i64 = 86_400_000;
pub(super) const START: Millis = Millis(1_700_000_000_000);
const RETENTION: Retention =
    Retention { delete_after: Duration::from_secs(30 * 86_400), grace: Duration::from_secs(3_600) };

pub(super) struct World {
    pub clock: Arc<ManualClock>,
    pub kafka: MemoryKafka,
    pub objects: Arc<dyn Objects>,
    /// The present key first, then former ones.
    pub keys: Vec<SealKey>,
    /// When the backup got its first key.
    pub sealed_since: Option<Millis>,
}

impl World {
    pub fn new() -> World {
        let clock = Arc::new(ManualClock::at(START));
        let kafka = MemoryKafka::new(clock.clone(), 1);
        kafka.create("backbeat-metrics", 1, &[]);
        kafka.create("orders", 1, &[]);
        let objects = Arc::new(MemoryObjects::new(clock.clone()));
        World { clock, kafka, objects, keys: vec![], sealed_since: None }
    }

    /// A segment of two records with this timestamp, written now.
    pub async fn segment(&self, timestamp: Millis) {
        self.append(timestamp);
        self.append(timestamp);
        self.drain().await.unwrap();
    }

    /// So many segments written now, each of one record.
    pub async fn segments_of_one_record(&self, count: usize) {
        for _ in 0..count {
            self.append(self.clock.now());
        }
        self.drain_with(1).await.unwrap();
    }

    fn append(&self, timestamp: Millis) {
        let record = Record {
            offset: Offset(0),
            timestamp,
            timestamp_type: TimestampType::CreateTime,
            key: None,
            value: Some("value".into()),
            headers: vec![],
        };
        self.kafka.append(&TopicPartition::new("orders", 0), record);
    }

    /// One drain; what fails for a partition is its error.
    pub async fn drain(&self) -> Result<(), String> {
        self.drain_with(1 << 20).await
    }

    async fn drain_with(&self, bytes_max: u64) -> Result<(), String> {
        let drain = segment_writer::Drain::of("main");
        let output =
            segment_writer::handle(segment_writer::Input::Drain(drain), &self.writer(bytes_max)).await.unwrap();
        let segment_writer::Output::Drain(report) = output else { panic!("a drain answers a drain") };
        let error = report.partitions.iter().find_map(|partition| partition.error.as_ref());
        error.map_or(Ok(()), |error| Err(error.to_string()))
    }

    /// Segments written one a day, each with records of its day; then it is the day after the last.
    pub async fn a_segment_a_day(&self, days: usize) {
        for _ in 0..days {
            self.segment(self.clock.now()).await;
            self.days(1);
        }
    }

    fn writer(&self, bytes_max: u64) -> Arc<segment_writer::Context> {
        let backup = segment_writer::Backup {
            seal_key: self.keys.first().cloned().map(Arc::new),
            ..segment_writer::Backup::new(
                "main",
                TopicSelection { include: vec!["*".parse().unwrap()], exclude: vec![] },
                Rollover { bytes_max, age_max: Duration::from_secs(60) },
            )
        };
        segment_writer::Context::new(
            Arc::new(self.kafka.clone()),
            self.objects.clone(),
            self.clock.clone(),
            vec![backup],
            "backbeat-metrics",
            "writer-1",
            segment_writer::Limits::default(),
        )
    }

    pub fn days(&self, days: i64) {
        self.clock.advance(Millis(days * DAY));
    }

    pub fn hours(&self, hours: i64) {
        self.clock.advance(Millis(hours * 3_600_000));
    }

    pub fn context(&self) -> Context {
        let seals = (!self.keys.is_empty()).then(|| SealRule { keys: self.keys.clone(), since: self.sealed_since });
        Context {
            objects: self.objects.clone(),
            clock: self.clock.clone(),
            backups: vec![Backup { name: "main".into(), retention: Some(RETENTION), seals }],
            limits: Limits::default(),
            store: None,
            runs: RunLog::new(crate::NAME, None),
        }
    }

    pub async fn run(&self) -> BackupReport {
        run(&self.context()).await
    }

    /// A run, and when the grace period is over another one.
    pub async fn expire(&self) {
        self.run().await;
        self.hours(2);
        self.run().await;
    }

    /// The bases of the segments that lie there, below the floor or not.
    pub async fn bases(&self) -> Vec<i64> {
        let listed = self.objects.list(ListRequest::prefix("main/orders/1/0/")).await.unwrap();
        let entries = listed.objects.iter().filter_map(|entry| SegmentEntry::of("main/orders/1/0/", entry));
        entries.map(|entry| entry.base.0).collect()
    }

    pub async fn chain(&self) -> ChainIdentity {
        self.chains().await.remove(0)
    }

    pub async fn chains(&self) -> Vec<ChainIdentity> {
        let owner = archive::read_owner(&*self.objects, "main").await.unwrap().unwrap();
        archive::chains_of_topic(&*self.objects, &owner.cluster_id, "main", "orders").await.unwrap()
    }

    pub async fn floor(&self) -> StoredFloor {
        archive::read_floor(&*self.objects, &self.chain().await).await.unwrap()
    }

    pub async fn key(&self, base: i64) -> String {
        keys::segment(&self.chain().await, Offset(base))
    }
}

pub(super) async fn run(context: &Context) -> BackupReport {
    let mut report = handle(Expire::default(), context).await.unwrap();
    assert!(report.is_clean(), "{report:?}");
    report.backups.remove(0)
}

/// A storage that counts what is asked of it.
pub(super) struct CountingObjects {
    inner: Arc<dyn Objects>,
    counted: Mutex<Counted>,
}

#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Counted {
    pub lists: usize,
    pub gets: usize,
    /// Reads of segments.
    pub footers: usize,
}

impl CountingObjects {
    pub fn new(inner: Arc<dyn Objects>) -> Self {
        CountingObjects { inner, counted: Mutex::default() }
    }

    fn count(&self, more: impl FnOnce(&mut Counted)) {
        more(&mut self.counted.lock().unwrap());
    }

    pub fn counted(&self) -> Counted {
        *self.counted.lock().unwrap()
    }
}

#[async_trait]
impl Objects for CountingObjects {
    async fn put(&self, key: &str, body: Bytes, condition: PutCondition) -> Result<ETag, ObjectsError> {
        self.inner.put(key, body, condition).await
    }

    async fn get(&self, key: &str, range: GetRange) -> Result<Option<Object>, ObjectsError> {
        self.count(|counted| {
            counted.gets += 1;
            counted.footers += usize::from(key.ends_with(keys::SEGMENT_SUFFIX));
        });
        self.inner.get(key, range).await
    }

    async fn list(&self, request: ListRequest<'_>) -> Result<ListPage, ObjectsError> {
        self.count(|counted| counted.lists += 1);
        self.inner.list(request).await
    }

    async fn delete(&self, key: &str) -> Result<(), ObjectsError> {
        self.inner.delete(key).await
    }
}
