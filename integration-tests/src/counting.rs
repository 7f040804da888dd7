//! The counting path in one process: metrics-consumer on a Kafka, metrics-aggregator on a store.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use serde_json::Value;
use shared::{
    adapters::{kafka::KafkaCluster, redis::RedisStore, system_clock::SystemClock},
    config::{kafka::KafkaSettings, redis::RedisSettings},
    function::answer,
    metrics::backbeat::keys::Windows,
    ports::{
        invoker::{InvokeError, Invoker},
        store::{Query, Store, Value as Stored},
    },
    runs::RunLog,
};

use crate::{kafka::Kafka, redis_server::Database};

/// Invokes metrics-aggregator in this process, through JSON as Lambda would, and counts the calls.
pub struct Aggregator {
    context: metrics_aggregator::Context,
    calls: AtomicUsize,
}

impl Aggregator {
    /// The function on this store.
    pub fn on(store: Arc<dyn Store>) -> Arc<Aggregator> {
        Arc::new(Aggregator { context: metrics_aggregator::Context { store }, calls: AtomicUsize::new(0) })
    }

    /// How often it was called, which is how many round trips to the store it made.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Invoker for Aggregator {
    async fn invoke(&self, function: &str, payload: Value) -> Result<Value, InvokeError> {
        assert_eq!(function, metrics_aggregator::NAME, "metrics-consumer calls one function");
        self.calls.fetch_add(1, Ordering::SeqCst);
        let answer = answer(payload, |part| metrics_aggregator::handle(part, &self.context)).await;
        answer.map_err(|error| InvokeError::of_function(function, error))
    }
}

/// metrics-consumer on `topic` of a real Kafka, and its metrics-aggregator on a real Redis.
pub async fn on_servers(
    kafka: &Kafka,
    topic: &str,
    database: &Database,
) -> (metrics_consumer::Context, Arc<Aggregator>) {
    let cluster = KafkaCluster::connect(KafkaSettings::at(kafka.bootstrap_servers())).await;
    let aggregator = Aggregator::on(Arc::new(store(database)));
    let context = metrics_consumer::Context {
        kafka: Arc::new(cluster.expect("a client of the test's kafka")),
        invoker: aggregator.clone(),
        clock: Arc::new(SystemClock),
        runs: Arc::new(RunLog::new(metrics_consumer::NAME, None)),
        topic: topic.into(),
        windows: Windows::default(),
        limits: metrics_consumer::Limits::default(),
    };
    (context, aggregator)
}

/// The store in a database.
pub fn store(database: &Database) -> RedisStore {
    RedisStore::open(&RedisSettings::at(&database.url)).expect("the test's redis has a URL")
}

/// A counter as a number; 0 where there is none.
pub async fn counter(store: &RedisStore, key: &str) -> i64 {
    let read = store.read(&[Query::Text(key.to_owned())]).await.expect("the test's redis answers");
    match &read[..] {
        [Stored::Text(text)] => text.as_deref().map_or(0, |text| text.parse().expect("a counter is a number")),
        other => panic!("a text was asked for, not {other:?}"),
    }
}
