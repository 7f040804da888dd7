//! Kafka, storage and what is known of them.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;
use rand::{RngExt, rngs::StdRng};
use shared::{
    adapters::memory::{
        kafka::{MemoryKafka, Transaction},
        objects::MemoryObjects,
        store::MemoryStore,
    },
    archive,
    ports::{
        clock::Clock,
        objects::{LIST_LIMIT_MAX, Objects},
        records::Log as _,
        store::Store,
    },
    record::{Header, Millis, Offset, Partition, Record, TimestampType, TopicId, TopicPartition},
};
use tokio::task::JoinSet;

use super::{
    Guards,
    accidents::Accidents,
    changes::{self, Changes},
    expiry::{SmallPages, Watched},
    meter::Meter,
    model::Model,
    unprotected::{ForgetfulStore, OverwritingObjects, RunlessStore, UncheckedStore},
};

pub const TOPICS: [&str; 2] = ["clicks", "orders"];
pub const PARTITIONS: i32 = 2;
pub const METRICS_TOPIC: &str = "backbeat-metrics";
pub const METRICS_PARTITIONS: i32 = 2;
const START: Millis = Millis(1_700_000_000_000);

/// Every third history has a filter.
fn has_filter(seed: u64) -> bool {
    seed % 3 == 1
}

/// What the filter of a history must say of the record at an offset.
pub fn keeps(seed: u64, offset: Offset) -> bool {
    !has_filter(seed) || offset.0 % 3 != 1
}

/// The store without the protections that are taken out.
fn guarded(figures: Arc<MemoryStore>, guards: Guards) -> Arc<dyn Store> {
    let mut store: Arc<dyn Store> = figures;
    if !guards.registers {
        store = Arc::new(ForgetfulStore::new(store));
    }
    if !guards.positions {
        store = Arc::new(UncheckedStore(store));
    }
    if !guards.runs {
        store = Arc::new(RunlessStore(store));
    }
    store
}

/// Tokio's time, which stands still while anything can run.
pub struct PausedClock(tokio::time::Instant);

impl Clock for PausedClock {
    fn now(&self) -> Millis {
        Millis(START.0 + i64::try_from(self.0.elapsed().as_millis()).unwrap_or(i64::MAX))
    }
}

/// Records of a transaction that is still open.
struct Open {
    transaction: Transaction,
    records: Vec<(String, TopicId, Partition, Offset, Record)>,
}

pub struct World {
    pub seed: u64,
    pub guards: Guards,
    pub clock: Arc<PausedClock>,
    pub kafka: MemoryKafka,
    /// The storage, as functions meet it: its pages may be small.
    pub objects: Arc<dyn Objects>,
    /// The storage, as it is.
    pub stored: Arc<dyn Objects>,
    /// What left the storage, judged as it left.
    pub watched: Arc<Watched>,
    /// What went missing from it by accident.
    pub accidents: Arc<Accidents>,
    /// The store of figures, as it is.
    pub figures: Arc<MemoryStore>,
    /// The store of figures, as functions meet it.
    pub store: Arc<dyn Store>,
    changes: Mutex<Changes>,
    meter: Mutex<Meter>,
    model: Arc<Mutex<Model>>,
    /// Processes that are not done.
    running: Mutex<JoinSet<()>>,
    writers_ahead: AtomicBool,
    open: Mutex<Vec<Open>>,
}

impl World {
    pub fn new(seed: u64, guards: Guards) -> Self {
        let clock = Arc::new(PausedClock(tokio::time::Instant::now()));
        let kafka = MemoryKafka::new(clock.clone(), seed);
        for topic in TOPICS {
            kafka.create(topic, PARTITIONS, &[]);
        }
        kafka.create(METRICS_TOPIC, METRICS_PARTITIONS, &[]);
        let stored: Arc<dyn Objects> = Arc::new(MemoryObjects::new(clock.clone()));
        let inner = if guards.compare_and_set { stored.clone() } else { Arc::new(OverwritingObjects(stored.clone())) };
        let model = Arc::new(Mutex::default());
        let accidents = Arc::new(Accidents::default());
        let watched = Arc::new(Watched::new(inner, clock.clone(), model.clone(), accidents.clone(), seed));
        let page_max =
            if seed.is_multiple_of(2) { LIST_LIMIT_MAX } else { 2 + usize::try_from(seed / 2 % 4).unwrap_or(0) };
        let objects: Arc<dyn Objects> = Arc::new(SmallPages { inner: watched.clone(), page_max });
        let figures = Arc::new(MemoryStore::new(clock.clone()));
        World {
            seed,
            guards,
            clock,
            kafka,
            objects,
            stored,
            watched,
            accidents,
            store: guarded(figures.clone(), guards),
            figures,
            changes: Mutex::default(),
            meter: Mutex::default(),
            model,
            running: Mutex::default(),
            writers_ahead: AtomicBool::new(false),
            open: Mutex::default(),
        }
    }

    pub fn changes(&self) -> MutexGuard<'_, Changes> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of the meter.
    pub fn meter(&self) -> MutexGuard<'_, Meter> {
        self.meter.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn model(&self) -> MutexGuard<'_, Model> {
        self.model.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self) -> MutexGuard<'_, Vec<Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A writer whose clock says this has begun.
    pub fn saw_writer(&self, now: Millis) {
        self.writers_ahead.fetch_or(now > self.clock.now(), Ordering::Relaxed);
    }

    /// Whether the clock of some writer was ahead.
    pub fn had_writers_ahead(&self) -> bool {
        self.writers_ahead.load(Ordering::Relaxed)
    }

    /// Processes that are not done.
    pub fn running(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The backup's filter, if it has one.
    pub fn filter(&self) -> Option<&'static str> {
        has_filter(self.seed).then_some("offset % 3 != 1")
    }

    /// What the filter must say of the record at an offset.
    pub fn keeps(&self, offset: Offset) -> bool {
        keeps(self.seed, offset)
    }

    /// Pauses the backup or a topic of it, or ends such a pause.
    pub async fn pause_or_resume(&self, rng: &mut StdRng) {
        let topic = rng.random_bool(0.7).then(|| TOPICS[rng.random_range(0..TOPICS.len())]);
        let done = match rng.random_bool(0.5) {
            true => archive::pause(&*self.objects, "main", topic, self.clock.now()).await,
            false => archive::resume(&*self.objects, "main", topic).await,
        };
        done.expect("memory does not fail");
    }

    /// Ends every pause.
    pub async fn resume_all(&self) {
        for topic in TOPICS.map(Some).into_iter().chain([None]) {
            archive::resume(&*self.objects, "main", topic).await.expect("memory does not fail");
        }
    }

    /// The id of a topic as it is now.
    pub fn id(&self, topic: &str) -> TopicId {
        let names = [Arc::from(topic)];
        let mut topics = futures::executor::block_on(self.kafka.topics(Some(&names))).expect("memory does not fail");
        topics.pop().expect("the topic exists").id
    }

    /// Appends a few records somewhere, in or out of a transaction, with holes between them.
    pub fn produce(&self, rng: &mut StdRng) {
        let topic = TOPICS[rng.random_range(0..TOPICS.len())];
        let partition = TopicPartition::new(topic, rng.random_range(0..PARTITIONS));
        let count = rng.random_range(1..20);
        self.produce_to(&partition, count, rng);
    }

    fn produce_to(&self, partition: &TopicPartition, count: i64, rng: &mut StdRng) {
        let topic = &*partition.topic;
        let id = self.id(topic);
        let transaction = rng.random_bool(0.25).then(|| self.kafka.begin());
        let mut records = vec![];
        for _ in 0..count {
            if rng.random_bool(0.1) {
                self.kafka.skip(partition, rng.random_range(1..4));
            }
            let mut record = record(rng);
            record.timestamp = timestamp(self.clock.now(), rng);
            record.offset = match transaction {
                Some(transaction) => self.kafka.append_in(transaction, partition, record.clone()),
                None => self.kafka.append(partition, record.clone()),
            };
            self.model().log(topic, &id, partition.partition).end = record.offset.next();
            records.push((topic.to_owned(), id.clone(), partition.partition, record.offset, record));
        }
        match transaction {
            None => self.became_visible(records),
            Some(transaction) => self.open().push(Open { transaction, records }),
        }
        if rng.random_bool(0.7) {
            self.end_transaction(rng.random_bool(0.7));
        }
    }

    fn became_visible(&self, records: Vec<(String, TopicId, Partition, Offset, Record)>) {
        let mut model = self.model();
        for (topic, id, partition, offset, record) in records {
            model.log(&topic, &id, partition).visible.insert(offset, record);
        }
    }

    fn end_transaction(&self, commit: bool) {
        let Some(open) = self.open().pop() else { return };
        if commit {
            self.kafka.commit_transaction(open.transaction);
            self.became_visible(open.records);
        } else {
            self.kafka.abort_transaction(open.transaction);
        }
    }

    pub fn close_transactions(&self) {
        changes::end_transaction(self, true);
        while !self.open().is_empty() {
            self.end_transaction(true);
        }
    }

    /// Deletes a topic and creates it again; it may be filled at once, beyond where the one before ended.
    pub fn recreate(&self, rng: &mut StdRng) {
        self.recreate_topic(TOPICS[rng.random_range(0..TOPICS.len())], rng);
    }

    /// The same of this topic.
    pub fn recreate_topic(&self, topic: &'static str, rng: &mut StdRng) {
        self.close_transactions();
        let before = self.id(topic);
        self.kafka.delete(topic);
        self.kafka.create(topic, PARTITIONS, &[]);
        for partition in (0..PARTITIONS).map(|partition| TopicPartition::new(topic, partition)) {
            let end = self.model().log(topic, &before, partition.partition).end;
            if rng.random_bool(0.4) {
                self.produce_to(&partition, end.0 + 5, rng);
            }
        }
    }

    /// A log goes back, and others may write its offsets again. What compaction or retention took of a history that is gone
    /// nobody can tell, so there they do not come any more.
    pub fn go_back(&self, rng: &mut StdRng) {
        self.with_log(rng, |world, partition, log, rng| {
            let end = Offset(rng.random_range(log.trimmed_to.0..=log.end.0));
            log.go_back(end);
            world.kafka.go_back(partition, end);
        });
    }

    /// Retention takes the beginning of a log.
    pub fn trim(&self, rng: &mut StdRng) {
        self.with_log(rng, |world, partition, log, rng| {
            if !log.before.is_empty() {
                return;
            }
            let to = Offset(rng.random_range(log.trimmed_to.0..=log.end.0));
            log.trimmed_to = to;
            world.kafka.trim(partition, to);
        });
    }

    /// Compaction takes some records.
    pub fn compact(&self, rng: &mut StdRng) {
        self.with_log(rng, |world, partition, log, rng| {
            if !log.before.is_empty() {
                return;
            }
            let offsets: Vec<_> = log.visible.keys().copied().filter(|_| rng.random_bool(0.2)).collect();
            for offset in offsets {
                log.compacted.insert(offset);
                world.kafka.compact(partition, offset);
            }
        });
    }

    fn with_log(
        &self,
        rng: &mut StdRng,
        change: impl FnOnce(&Self, &TopicPartition, &mut super::model::Log, &mut StdRng),
    ) {
        self.close_transactions();
        let topic = TOPICS[rng.random_range(0..TOPICS.len())];
        let partition = TopicPartition::new(topic, rng.random_range(0..PARTITIONS));
        let id = self.id(topic);
        let mut model = self.model();
        change(self, &partition, model.log(topic, &id, partition.partition), rng);
    }
}

/// Now, most often; or none, or one that is far off.
fn timestamp(now: Millis, rng: &mut StdRng) -> Millis {
    match rng.random_range(0..40) {
        0 => Millis(-1),
        1 => Millis(0),
        2 => Millis(4_080_000_000_000),
        3..8 => Millis(now.0 - rng.random_range(0..120_000)),
        _ => now,
    }
}

fn record(rng: &mut StdRng) -> Record {
    let mut bytes = |length: usize| -> Bytes {
        (0..rng.random_range(0..=length)).map(|_| rng.random::<u8>()).collect::<Vec<_>>().into()
    };
    let (key, value, name, header) = (bytes(6), bytes(40), bytes(5), bytes(5));
    let mut some = |bytes: Bytes| rng.random_bool(0.85).then_some(bytes);
    let (key, value) = (some(key), some(value));
    let header = some(header).map(|value| Header { name: name.clone(), value: (!value.is_empty()).then_some(value) });
    Record {
        offset: Offset(0),
        timestamp: START,
        timestamp_type: TimestampType::CreateTime,
        key,
        value,
        headers: header.into_iter().collect(),
    }
}
