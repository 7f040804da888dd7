//! A Kafka, a store, and an invoker between that can fail as networks do.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::Value;
use shared::{
    adapters::memory::{clock::ManualClock, kafka::MemoryKafka, store::MemoryStore},
    function::FunctionError,
    metrics::{backbeat::keys::Windows, keys},
    ports::{
        invoker::{InvokeError, Invoker},
        records::{Groups as _, Log as _},
        store::{Query, Store as _},
    },
    record::{
        Millis, Offset, Partition, Record, TimestampType, TopicPartition,
        kafka_event::{Batch, KafkaEvent},
    },
    runs::RunLog,
};

use crate::{Context, GROUP, Limits};

pub const TOPIC: &str = "backbeat-metrics";
pub const AT: Millis = Millis(1_531_432_000_000);

pub struct World {
    pub kafka: MemoryKafka,
    pub store: Arc<MemoryStore>,
    /// Where the drains are counted: apart, so that the store holds figures alone.
    pub runs: Arc<MemoryStore>,
    pub aggregator: Arc<Aggregator>,
    pub clock: Arc<ManualClock>,
}

/// Invokes the real function, and fails on the way there or back.
pub struct Aggregator {
    context: metrics_aggregator::Context,
    /// Of a hundred calls, how many do not arrive, and how many answers get lost.
    pub faults: Mutex<(u32, u32)>,
    rng: Mutex<StdRng>,
    pub calls: AtomicUsize,
    /// Which parts can never be applied.
    pub refuses: Mutex<fn(&Value) -> bool>,
    /// What happens at the first call.
    pub at_first: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl World {
    pub fn new(seed: u64, partitions: i32) -> Self {
        let clock = Arc::new(ManualClock::at(AT));
        let kafka = MemoryKafka::new(clock.clone(), seed);
        kafka.create(TOPIC, partitions, &[]);
        let store = Arc::new(MemoryStore::new(clock.clone()));
        let aggregator = Arc::new(Aggregator {
            context: metrics_aggregator::Context { store: store.clone() },
            faults: Mutex::default(),
            rng: Mutex::new(StdRng::seed_from_u64(seed)),
            calls: AtomicUsize::new(0),
            refuses: Mutex::new(|_| false),
            at_first: Mutex::default(),
        });
        let runs = Arc::new(MemoryStore::new(clock.clone()));
        World { kafka, store, runs, aggregator, clock }
    }

    pub fn context(&self) -> Context {
        Context {
            kafka: Arc::new(self.kafka.clone()),
            invoker: self.aggregator.clone(),
            clock: self.clock.clone(),
            runs: Arc::new(RunLog::new(crate::NAME, Some(self.runs.clone()))),
            topic: TOPIC.into(),
            windows: Windows::default(),
            limits: Limits::default(),
        }
    }

    pub fn append(&self, partition: i32, value: &str) -> Offset {
        self.kafka.append(&tp(partition), record(value))
    }

    /// Of so many hundred calls this many fail before and after the function has run.
    pub fn set_faults(&self, before: u32, after: u32) {
        *self.aggregator.faults.lock().unwrap() = (before, after);
    }

    pub async fn text(&self, key: &str) -> Option<String> {
        match self.store.read(&[Query::Text(key.to_owned())]).await.unwrap().pop() {
            Some(shared::ports::store::Value::Text(text)) => text,
            other => panic!("a text was asked for, not {other:?}"),
        }
    }

    /// These parts can never be applied from now on.
    pub fn refuse(&self, refuses: fn(&Value) -> bool) {
        *self.aggregator.refuses.lock().unwrap() = refuses;
    }

    /// How many messages were passed over because they can never be applied.
    pub async fn never_applied(&self) -> Option<String> {
        self.text(&keys::rejected("never_applies")).await
    }

    pub async fn pending(&self, location: &str) -> Option<String> {
        self.text(&format!("{location}:bb:crr:opspending")).await
    }

    pub async fn position(&self, partition: i32) -> Option<String> {
        let id = self.kafka.topics(None).await.unwrap().remove(0).id;
        self.text(&keys::position(&id, Partition(partition))).await
    }

    pub async fn committed(&self, partition: i32) -> Option<Offset> {
        self.kafka.committed_offsets(GROUP, &[tp(partition)]).await.unwrap()[0]
    }

    /// What the log has from `first` to before `end`, as an event.
    pub async fn event(&self, partition: i32, first: i64, end: i64) -> KafkaEvent {
        let mut fetch = self.kafka.fetch(&[(tp(partition), Offset(first))]).await.unwrap();
        let (mut records, mut next) = (Vec::new(), Offset(first));
        while next < Offset(end) {
            for fetched in fetch.next(std::time::Duration::from_secs(1)).await.unwrap() {
                match fetched {
                    shared::ports::records::Fetched::Records { records: more, .. } => {
                        next = more.last().map_or(next, |last| last.offset.next());
                        records.extend(more);
                    }
                    shared::ports::records::Fetched::End { position, .. } => next = next.max(position).max(Offset(end)),
                    other => panic!("records, not {other:?}"),
                }
            }
        }
        records.retain(|record| record.offset < Offset(end));
        event(partition, records)
    }
}

#[async_trait]
impl Invoker for Aggregator {
    async fn invoke(&self, function: &str, payload: Value) -> Result<Value, InvokeError> {
        assert_eq!(function, metrics_aggregator::NAME);
        self.calls.fetch_add(1, Ordering::SeqCst);
        if let Some(happen) = self.at_first.lock().unwrap().take() {
            happen();
        }
        let draw = self.rng.lock().unwrap().random_range(0..100_u32);
        let (before, after) = *self.faults.lock().unwrap();
        let unreachable =
            || InvokeError::Unreachable { function: function.to_owned(), source: "a fault of the test".into() };
        if draw < before {
            return Err(unreachable());
        }
        if (*self.refuses.lock().unwrap())(&payload) {
            let error =
                FunctionError { error_type: "AggregateError".into(), message: "backwards".into(), retry: false };
            return Err(InvokeError::of_function(function, error));
        }
        let part = serde_json::from_value(payload).expect("a part");
        let outcome = metrics_aggregator::handle(part, &self.context).await.expect("the store in memory does not fail");
        if draw < before + after { Err(unreachable()) } else { Ok(serde_json::to_value(outcome).unwrap()) }
    }
}

pub fn tp(partition: i32) -> TopicPartition {
    TopicPartition::new(TOPIC, partition)
}

pub fn record(value: &str) -> Record {
    let value = Some(value.to_owned().into());
    Record {
        offset: Offset(0),
        timestamp: AT,
        timestamp_type: TimestampType::CreateTime,
        key: None,
        value,
        headers: vec![],
    }
}

pub fn site(kind: &str, location: &str, ops: i64) -> String {
    let bytes = ops * 10;
    format!(r#"{{"extension":"crr","type":"{kind}","site":"{location}","ops":{ops},"bytes":{bytes},"timestamp":{AT}}}"#)
}

pub fn queued(location: &str, ops: i64) -> String {
    site("queued", location, ops)
}

pub fn event(partition: i32, records: Vec<Record>) -> KafkaEvent {
    let batch = Batch {
        item: format!("{TOPIC}-{partition}"),
        partition: tp(partition),
        records,
        undecoded: vec![],
        inexact: vec![],
        unsorted: false,
        duplicates: 0,
    };
    KafkaEvent { batches: vec![batch], lost: vec![] }
}
