//! The functions of the meter as processes: metrics-consumer with metrics-aggregator behind it, and lag-monitor.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::Value;
use shared::{
    adapters::memory::faults::{Faults, FaultyInvoker, FaultyKafka, FaultyObjects, FaultyStore, Odds},
    function::answer,
    metrics::backbeat::keys::Windows,
    ports::{
        invoker::{InvokeError, Invoker},
        records::{Fetched, Log as _},
        store::Store,
    },
    record::{
        Offset, Record, TopicPartition,
        kafka_event::{Batch, KafkaEvent},
    },
    runs::RunLog,
};
use tokio_util::sync::CancellationToken;

use super::{
    life::{self, selection},
    meter,
    world::{METRICS_TOPIC, World},
};

/// Between the time-outs of the histories and their length: some chains are looked at because something says so, some
/// because it is their turn.
const FULL_LOOK: Duration = Duration::from_secs(60);

/// One process of the meter: it lives until it is done, killed, or too old.
pub async fn process(world: Arc<World>, seed: u64) {
    let world = &world;
    let mut rng = StdRng::seed_from_u64(seed);
    let faults = life::luck(&mut rng, seed);
    let life = async {
        for _ in 0..rng.random_range(1..4) {
            match rng.random_range(0..8) {
                0..2 => follow(world, &faults, Duration::from_millis(rng.random_range(0..30_000))).await,
                2 => drop(metrics_consumer::handle(metrics_consumer::Input::Drain, &consumer(world, &faults)).await),
                3..5 => deliver(world, &faults, &mut rng).await,
                5 => stray(world, &faults, &mut rng).await,
                _ => {
                    let monitor = monitor(world, &faults, FULL_LOOK);
                    drop(lag_monitor::handle(lag_monitor::Refresh::default(), &monitor).await);
                }
            }
        }
    };
    life::live(&faults, life).await;
}

/// A Kafka event: a new one, or one that was delivered before.
async fn deliver(world: &Arc<World>, faults: &Arc<Faults>, rng: &mut StdRng) {
    let again = {
        let meter = world.meter();
        let known = meter.events.len();
        (known > 0 && rng.random_bool(0.3)).then(|| meter.events[rng.random_range(0..known)].clone())
    };
    let event = match again {
        Some(event) => event,
        None => event(world, rng).await,
    };
    world.meter().keep_event(&event, rng.random_range(0..100));
    drop(metrics_consumer::handle(metrics_consumer::Input::Event(event), &consumer(world, faults)).await);
}

/// What some partition has from anywhere on: at the position, behind it, or ahead of it.
async fn event(world: &World, rng: &mut StdRng) -> KafkaEvent {
    let mut event = KafkaEvent { batches: vec![], lost: vec![] };
    for partition in meter::partitions() {
        let bounds = world.kafka.bounds(std::slice::from_ref(&partition)).await.expect("memory does not fail");
        let Some(Ok(bounds)) = bounds.into_iter().next() else { continue };
        let from = Offset(rng.random_range(bounds.start.0..=bounds.stable_end.0));
        let records = records(world, &partition, from).await;
        if !records.is_empty() {
            event.batches.push(batch(partition, records));
        }
    }
    event
}

async fn records(world: &World, partition: &TopicPartition, from: Offset) -> Vec<Record> {
    let mut fetch = world.kafka.fetch(&[(partition.clone(), from)]).await.expect("memory does not fail");
    let fetched = fetch.next(Duration::ZERO).await.expect("memory does not fail");
    let first = fetched.into_iter().find_map(|fetched| match fetched {
        Fetched::Records { records, .. } => Some(records),
        _ => None,
    });
    first.unwrap_or_default()
}

fn batch(partition: TopicPartition, records: Vec<Record>) -> Batch {
    Batch {
        item: partition.to_string(),
        partition,
        records,
        undecoded: vec![],
        inexact: vec![],
        unsorted: false,
        duplicates: 0,
    }
}

/// A part that was sent before arrives again.
async fn stray(world: &Arc<World>, faults: &Arc<Faults>, rng: &mut StdRng) {
    let part = {
        let meter = world.meter();
        let known = meter.parts.len();
        (known > 0).then(|| meter.parts[rng.random_range(0..known)].clone())
    };
    if let Some(part) = part {
        drop(Aggregator::new(world, faults).invoke(metrics_aggregator::NAME, part).await);
    }
}

async fn follow(world: &Arc<World>, faults: &Arc<Faults>, life: Duration) {
    let stop = CancellationToken::new();
    let context = consumer(world, faults);
    let timer = async {
        tokio::time::sleep(life).await;
        stop.cancel();
    };
    tokio::join!(metrics_consumer::follow(&context, &stop), timer);
}

/// Two refreshes of lag-monitor with a consumer beside it, nothing of which fails: then the store is whole.
pub async fn settle(world: &Arc<World>) -> Result<(), String> {
    let faults = Arc::new(Faults::new(world.seed, Odds::NONE, None));
    let (context, stop) = (consumer(world, &faults), CancellationToken::new());
    let monitor = monitor(world, &faults, Duration::ZERO);
    let refreshes = async {
        for refresh in 0..3 {
            if refresh > 0 {
                tokio::time::sleep(monitor.limits.refresh).await;
            }
            let report = lag_monitor::handle(lag_monitor::Refresh::default(), &monitor).await;
            let report = report.map_err(|error| format!("lag-monitor fails: {error}"))?;
            if !report.is_clean() {
                return Err(format!("lag-monitor cannot look at everything: {report:?}"));
            }
        }
        stop.cancel();
        Ok(())
    };
    let (settled, ()) = tokio::join!(refreshes, metrics_consumer::follow(&context, &stop));
    settled?;
    let drained = metrics_consumer::handle(metrics_consumer::Input::Drain, &context).await;
    drained.map(drop).map_err(|error| format!("metrics-consumer fails: {error}"))
}

fn consumer(world: &Arc<World>, faults: &Arc<Faults>) -> metrics_consumer::Context {
    metrics_consumer::Context {
        kafka: Arc::new(FaultyKafka::new(Arc::new(world.kafka.clone()), faults.clone())),
        invoker: Arc::new(FaultyInvoker::new(Arc::new(Aggregator::new(world, faults)), faults.clone())),
        clock: world.clock.clone(),
        runs: Arc::new(RunLog::new(metrics_consumer::NAME, None)),
        topic: METRICS_TOPIC.into(),
        windows: Windows::default(),
        limits: metrics_consumer::Limits::default(),
    }
}

fn monitor(world: &Arc<World>, faults: &Arc<Faults>, full_look: Duration) -> lag_monitor::Context {
    lag_monitor::Context {
        kafka: Arc::new(FaultyKafka::new(Arc::new(world.kafka.clone()), faults.clone())),
        objects: Arc::new(FaultyObjects::new(world.objects.clone(), faults.clone())),
        store: Arc::new(FaultyStore::new(world.store.clone(), faults.clone())),
        clock: world.clock.clone(),
        backups: vec![lag_monitor::Backup { name: "main".into(), topics: selection() }],
        metrics_topic: METRICS_TOPIC.into(),
        own_topics: vec![METRICS_TOPIC.into()],
        locations: vec!["site1".to_owned()],
        windows: Windows::default(),
        partition_series_max: 2_000,
        limits: lag_monitor::Limits { full_look, ..lag_monitor::Limits::default() },
        runs: RunLog::new(lag_monitor::NAME, None),
    }
}

/// metrics-aggregator on its store, which fails too; calls may arrive twice, and long after they were made.
struct Aggregator {
    world: Arc<World>,
    context: metrics_aggregator::Context,
}

impl Aggregator {
    fn new(world: &Arc<World>, faults: &Arc<Faults>) -> Self {
        let store: Arc<dyn Store> = Arc::new(FaultyStore::new(world.store.clone(), faults.clone()));
        Aggregator { world: world.clone(), context: metrics_aggregator::Context { store } }
    }

    async fn call(&self, function: &str, payload: &Value) -> Result<Value, InvokeError> {
        let answer = answer(payload.clone(), |part| metrics_aggregator::handle(part, &self.context)).await;
        answer.map_err(|error| InvokeError::of_function(function, error))
    }
}

#[async_trait]
impl Invoker for Aggregator {
    async fn invoke(&self, function: &str, payload: Value) -> Result<Value, InvokeError> {
        // Where a part ends decides, as well as any dice, what becomes of the call.
        let draw = usize::try_from(payload["to"].as_i64().unwrap_or(0)).unwrap_or(0);
        if draw % 3 == 1 {
            self.world.meter().keep_part(&payload, draw / 3);
        }
        if draw % 11 == 5 {
            drop(self.call(function, &payload).await);
        }
        self.call(function, &payload).await
    }
}
