//! A storage with a backup that segment-writer wrote, a location that can be down, and Kafka between.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::Value;
use shared::{
    adapters::memory::{clock::ManualClock, kafka::MemoryKafka, objects::MemoryObjects, store::MemoryStore},
    archive::{
        self,
        reading::walk::{Depth, Reader, walk},
    },
    chain::place::{Place, classify},
    metrics::{registers, replication::frontiers},
    ports::{
        clock::Clock as _,
        objects::{
            Buckets, ETag, GetRange, ListPage, ListRequest, Multipart, Object, Objects, ObjectsError, PutCondition,
        },
        records::{Fetched, Log as _, Publisher as _},
        store::{Store as _, Value as Stored},
    },
    record::{Millis, Offset, Record, TimestampType, TopicPartition},
    replication::{Entry, Outgoing, Queue, SourcePlace, State, Status, TOPIC, keys},
    rollover::Rollover,
    runs::RunLog,
    segment::Compression,
};

use crate::{Context, Input, Limits, Location, LocationReport, handle};

pub const METRICS: &str = "backbeat-metrics";
pub const AT: Millis = Millis(1_700_000_000_000);

/// A store that answers only while it is up.
pub struct Switched {
    pub inner: Arc<MemoryObjects>,
    pub is_up: AtomicBool,
    pub fails_at_part_3: AtomicBool,
    pub parts_put: AtomicUsize,
}

pub struct World {
    pub clock: Arc<ManualClock>,
    pub kafka: MemoryKafka,
    pub store: Arc<MemoryStore>,
    pub source: Arc<MemoryObjects>,
    pub there: Arc<Switched>,
    pub others: Arc<MemoryObjects>,
    pub context: Context,
}

struct OtherBuckets(Arc<MemoryObjects>);

#[async_trait]
impl Buckets for OtherBuckets {
    async fn bucket(&self, name: &str) -> Result<Arc<dyn Objects>, ObjectsError> {
        assert_eq!(name, "other");
        Ok(self.0.clone())
    }
}

impl World {
    pub fn new() -> Self {
        let clock = Arc::new(ManualClock::at(AT));
        let kafka = MemoryKafka::new(clock.clone(), 1);
        for (topic, partitions) in [("orders", 2), (METRICS, 1), (TOPIC, 2)] {
            kafka.create(topic, partitions, &[]);
        }
        let memory = || Arc::new(MemoryObjects::new(clock.clone()));
        let (source, others) = (memory(), memory());
        let there = Arc::new(Switched {
            inner: memory(),
            is_up: AtomicBool::new(true),
            fails_at_part_3: AtomicBool::new(false),
            parts_put: AtomicUsize::new(0),
        });
        let queue = Queue {
            kafka: Arc::new(kafka.clone()),
            objects: source.clone(),
            clock: clock.clone(),
            topic: TOPIC.into(),
            metrics_topic: METRICS.into(),
            storage: "source/backups".into(),
        };
        let store = Arc::new(MemoryStore::new(clock.clone()));
        let place = SourcePlace { bucket: "source".into(), prefix: "backups/".into() };
        let context = Context {
            kafka: Arc::new(kafka.clone()),
            objects: source.clone(),
            buckets: Arc::new(OtherBuckets(others.clone())),
            clock: clock.clone(),
            outgoing: Outgoing { queue, place, locations: vec!["there".into()] },
            locations: vec![Location::new("there", there.clone())],
            limits: Limits::default(),
            runs: RunLog::new(crate::NAME, Some(store.clone())),
        };
        World { clock, kafka, store, source, there, others, context }
    }

    /// Produces so many records to a partition and backs them up: a segment each.
    pub async fn back_up(&self, partition: i32, records: usize) {
        for _ in 0..records {
            self.kafka.append(&TopicPartition::new("orders", partition), record());
        }
        let context = self.writer();
        let input = serde_json::from_value(serde_json::json!({ "backup": "main" })).unwrap();
        shared::archive::claim_owner(&*self.source, "main", &self.kafka.cluster_id().await.unwrap()).await.unwrap();
        segment_writer::handle(input, &context).await.unwrap();
    }

    fn writer(&self) -> Arc<segment_writer::Context> {
        let context = segment_writer::Context::new(
            Arc::new(self.kafka.clone()),
            self.source.clone(),
            self.clock.clone(),
            vec![backup()],
            METRICS,
            "test",
            segment_writer::Limits::default(),
        );
        context.replicating(Some(self.context.outgoing.clone()))
    }

    /// Deletes the last so many segments of a partition from the storage, and accepts whatever is missing of its tail.
    pub async fn lose_tail(&self, partition: i32, segments: usize) {
        let folder = format!("main/orders/1/{partition}/");
        let page = self.source.list(ListRequest::prefix(&folder)).await.unwrap();
        for entry in page.objects.iter().rev().filter(|entry| entry.key.ends_with(".kan")).take(segments) {
            self.source.delete(&entry.key).await.unwrap();
        }
        let (context, partition) = (self.writer(), TopicPartition::new("orders", partition));
        let tails = segment_writer::missing_tails(&context, &backup(), &[partition]).await.unwrap();
        segment_writer::accept(&context, &tails[0]).await.unwrap();
    }

    /// The replicator is another process from now on, which remembers nothing.
    pub fn restart(&mut self) {
        self.context.locations = vec![Location::new("there", self.there.clone())];
    }

    pub async fn drain(&self) -> LocationReport {
        let mut report = handle(Input::Drain { location: None }, &self.context).await.unwrap();
        report.locations.remove(0)
    }

    pub async fn reconcile(&self) -> crate::Reconciled {
        let mut report = handle(Input::Reconcile { location: None }, &self.context).await.unwrap();
        report.locations.remove(0).reconciled.unwrap()
    }

    pub async fn publish(&self, entry: &str) {
        let message = shared::ports::records::Message {
            key: None,
            value: Some(entry.to_owned().into()),
            ..shared::ports::records::Message::default()
        };
        self.kafka.publish(TOPIC, vec![message]).await.unwrap();
    }

    /// The entries on the topic are gone, as retention takes them.
    pub async fn forget_entries(&self) {
        for partition in [0, 1] {
            let partition = TopicPartition::new(TOPIC, partition);
            let end = self.kafka.bounds(std::slice::from_ref(&partition)).await.unwrap().remove(0).unwrap();
            self.kafka.trim(&partition, end.high_watermark);
        }
    }

    pub fn later(&self, by: Duration) {
        let now = self.clock.now();
        self.clock.set(Millis(now.0 + by.as_millis() as i64));
    }

    pub fn set_up(&self, is_up: bool) {
        self.there.is_up.store(is_up, Ordering::SeqCst);
    }

    /// Every object of the backup by key, without what stays at home and what does not exist any more.
    pub async fn backup(&self, objects: &MemoryObjects) -> BTreeMap<String, Bytes> {
        let mut all = BTreeMap::new();
        for entry in objects.list(ListRequest::prefix("main/")).await.unwrap().objects {
            all.insert(entry.key.clone(), objects.get(&entry.key, GetRange::Whole).await.unwrap().unwrap().body);
        }
        all.retain(|key, _| !shared::chain::keys::is_control("main", key));
        for key in all.keys().cloned().collect::<Vec<_>>() {
            let Place::Segment(_, base, cuts) = classify("main", &key) else { continue };
            let folder = &key[..=key.rfind('/').unwrap()];
            let losses = archive::accepted_losses_in(objects, folder).await.unwrap();
            if losses.cuts().is_superseded(base, cuts) {
                all.remove(&key);
            }
        }
        all
    }

    /// That readers of the location find nothing wrong there: no hole, and no range twice.
    pub async fn assert_readable(&self) {
        let objects = &*self.there.inner;
        let Some(owner) = archive::read_owner(objects, "main").await.unwrap() else { return };
        let walked = walk(&owner, &Reader::new(objects, Depth::Footers, |_| {})).await.unwrap();
        let of_chains = walked.chains.into_iter().flat_map(|(report, _)| report.findings);
        assert_eq!(walked.findings.into_iter().chain(of_chains).collect::<Vec<_>>(), []);
    }

    pub async fn assert_whole(&self) {
        let (here, there) = (self.backup(&self.source).await, self.backup(&self.there.inner).await);
        assert_eq!(here.keys().collect::<Vec<_>>(), there.keys().collect::<Vec<_>>());
        assert_eq!(here, there);
    }

    pub async fn statuses(&self) -> Vec<Status> {
        let mut all = vec![];
        for entry in self.source.list(ListRequest::prefix(&keys::status_folder("there"))).await.unwrap().objects {
            let object = self.source.get(&entry.key, GetRange::Whole).await.unwrap().unwrap();
            all.push(serde_json::from_slice::<Status>(&object.body).unwrap());
        }
        all.sort_by(|a, b| a.subject.key.cmp(&b.subject.key));
        all
    }

    pub async fn states(&self) -> BTreeMap<(State, u32), usize> {
        let mut states = BTreeMap::new();
        for status in self.statuses().await {
            *states.entry((status.state, status.attempt)).or_default() += 1;
        }
        states
    }

    pub async fn failed_hints(&self) -> usize {
        self.source.list(ListRequest::prefix(&keys::failed_folder("there"))).await.unwrap().objects.len()
    }

    pub async fn entries(&self) -> Vec<Entry> {
        let mut all = vec![];
        for partition in [0, 1] {
            let values = self.values(&TopicPartition::new(TOPIC, partition)).await;
            all.extend(values.iter().map(|value| Entry::decode(Some(value)).unwrap()));
        }
        all
    }

    /// The messages about replication on the metrics topic: how many of each type.
    pub async fn events(&self) -> BTreeMap<String, usize> {
        let mut events = BTreeMap::new();
        for value in self.values(&TopicPartition::new(METRICS, 0)).await {
            let value: Value = serde_json::from_slice(&value).unwrap();
            if value["extension"] == "crr" {
                let object = if value["objectKey"].is_string() { "object " } else { "" };
                *events.entry(format!("{object}{}", value["type"].as_str().unwrap())).or_default() += 1;
            }
        }
        events
    }

    /// How far each partition of `orders` is complete at the location, by what was said last.
    pub async fn frontiers(&self) -> BTreeMap<i32, i64> {
        let store = MemoryStore::new(self.clock.clone());
        for value in self.values(&TopicPartition::new(METRICS, 0)).await {
            let value: Value = serde_json::from_slice(&value).unwrap();
            if value["type"] == "location" {
                store.apply(&[], &registers::of_message(&value).unwrap()).await.unwrap();
            }
        }
        let Some(Stored::Registers(held)) = store.read(&[frontiers::query("there")]).await.unwrap().pop() else {
            panic!("registers")
        };
        frontiers::read(&held).into_iter().map(|((.., partition), next)| (partition.0, next.0)).collect()
    }

    async fn values(&self, partition: &TopicPartition) -> Vec<Bytes> {
        self.records(partition).await.into_iter().filter_map(|record| record.value).collect()
    }

    /// What a partition's log holds.
    pub async fn records(&self, partition: &TopicPartition) -> Vec<Record> {
        let bounds = self.kafka.bounds(std::slice::from_ref(partition)).await.unwrap().remove(0).unwrap();
        let mut fetch = self.kafka.fetch(&[(partition.clone(), bounds.start)]).await.unwrap();
        let (mut all, mut next) = (vec![], bounds.start);
        while next < bounds.stable_end {
            for fetched in fetch.next(Duration::from_secs(1)).await.unwrap() {
                if let Fetched::Records { records, .. } = fetched {
                    next = records.last().map_or(next, |last| last.offset.next());
                    all.extend(records);
                }
            }
        }
        all
    }
}

fn backup() -> segment_writer::Backup {
    segment_writer::Backup {
        compression: Compression::None,
        ..segment_writer::Backup::new(
            "main",
            shared::config::selection::TopicSelection { include: vec!["orders".parse().unwrap()], exclude: vec![] },
            Rollover { bytes_max: 1, age_max: Duration::from_secs(3_600) },
        )
    }
}

fn record() -> Record {
    Record {
        offset: Offset(0),
        timestamp: AT,
        timestamp_type: TimestampType::CreateTime,
        key: None,
        value: Some(Bytes::from_static(b"value")),
        headers: vec![],
    }
}

impl Switched {
    fn check(&self, operation: &'static str, key: &str) -> Result<(), ObjectsError> {
        if self.is_up.load(Ordering::SeqCst) {
            return Ok(());
        }
        let (key, endpoint) = (key.to_owned(), "there".to_owned());
        Err(ObjectsError::Unavailable { operation, key, endpoint, source: "it is down".into() })
    }
}

#[async_trait]
impl Objects for Switched {
    async fn put(&self, key: &str, body: Bytes, condition: PutCondition) -> Result<ETag, ObjectsError> {
        self.check("put", key)?;
        self.inner.put(key, body, condition).await
    }

    async fn get(&self, key: &str, range: GetRange) -> Result<Option<Object>, ObjectsError> {
        self.check("get", key)?;
        self.inner.get(key, range).await
    }

    async fn list(&self, request: ListRequest<'_>) -> Result<ListPage, ObjectsError> {
        self.check("list", request.prefix)?;
        self.inner.list(request).await
    }

    async fn delete(&self, key: &str) -> Result<(), ObjectsError> {
        self.check("delete", key)?;
        self.inner.delete(key).await
    }

    fn multipart(&self) -> Option<&dyn Multipart> {
        Some(self)
    }
}

#[async_trait]
impl Multipart for Switched {
    async fn begin(&self, key: &str) -> Result<String, ObjectsError> {
        self.check("begin", key)?;
        self.inner.begin(key).await
    }

    async fn part(&self, key: &str, upload: &str, number: u32, body: Bytes) -> Result<ETag, ObjectsError> {
        // It goes down behind the second part of an upload, once.
        if number == 3 && self.fails_at_part_3.swap(false, Ordering::SeqCst) {
            self.is_up.store(false, Ordering::SeqCst);
        }
        self.check("put a part of", key)?;
        self.parts_put.fetch_add(1, Ordering::SeqCst);
        self.inner.part(key, upload, number, body).await
    }

    async fn finish(
        &self,
        key: &str,
        upload: &str,
        parts: &[ETag],
        condition: PutCondition,
    ) -> Result<ETag, ObjectsError> {
        self.check("finish", key)?;
        self.inner.finish(key, upload, parts, condition).await
    }
}
