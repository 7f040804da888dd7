//! The store's losses, and what is known of the meter beside it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use rand::{RngExt, rngs::StdRng};
use serde_json::Value;
use shared::{
    adapters::memory::store::Contents,
    metrics::keys,
    ports::{
        records::{Log as _, LogBounds},
        store::{Query, Store as _, Value as Held},
    },
    record::{Offset, Partition, TopicPartition, kafka_event::KafkaEvent},
    segment::ChainPoint,
};

use super::{
    changes::Counted,
    world::{METRICS_PARTITIONS, METRICS_TOPIC, World},
};

/// So many earlier moments of the store are kept.
const MOMENTS_MAX: usize = 3;
/// So many events and parts are kept, to come again.
const STRAYS_MAX: usize = 8;

/// What is known of the meter.
#[derive(Default)]
pub struct Meter {
    /// From where on each partition is counted: where its log began when the store was empty.
    counted_from: BTreeMap<Partition, Offset>,
    moments: Vec<Moment>,
    /// Events that were delivered, to be delivered again.
    pub events: Vec<KafkaEvent>,
    /// Parts that were sent to metrics-aggregator, to arrive again.
    pub parts: Vec<Value>,
    /// What chains count behind their segments, by the segments' keys.
    pub points: HashMap<String, (Offset, ChainPoint)>,
    /// The most that was ever answered, by series or partition.
    pub shown: BTreeMap<String, f64>,
    /// The first answer that was wrong.
    pub violation: Option<String>,
    /// How many answers were right, and how many were errors.
    pub answers: (u32, u32),
}

struct Moment {
    contents: Contents,
    counted_from: BTreeMap<Partition, Offset>,
    positions: BTreeMap<Partition, Offset>,
}

impl Meter {
    pub fn keep_part(&mut self, part: &Value, at: usize) {
        keep(&mut self.parts, part.clone(), at, STRAYS_MAX);
    }

    pub fn keep_event(&mut self, event: &KafkaEvent, at: usize) {
        keep(&mut self.events, event.clone(), at, STRAYS_MAX);
    }
}

fn keep<T>(kept: &mut Vec<T>, one: T, at: usize, max: usize) {
    if kept.len() < max {
        kept.push(one);
    } else {
        kept[at % max] = one;
    }
}

/// The store is lost, goes back to an earlier moment, or is remembered for that.
pub async fn misfortune(world: &World, rng: &mut StdRng) {
    match rng.random_range(0..4) {
        0 => wipe(world).await,
        1 => go_back(world, rng).await,
        _ => remember(world, rng).await,
    }
}

/// The store loses everything.
pub async fn wipe(world: &World) {
    let starts = log_starts(world).await;
    world.figures.restore(Contents::default());
    world.meter().counted_from = starts;
}

async fn go_back(world: &World, rng: &mut StdRng) {
    let starts = log_starts(world).await;
    let mut meter = world.meter();
    if meter.moments.is_empty() {
        return;
    }
    let at = rng.random_range(0..meter.moments.len());
    let Moment { contents, counted_from, positions } = &meter.moments[at];
    world.figures.restore(contents.clone());
    let mut counted_from = counted_from.clone();
    // What was not counted then is counted from what Kafka has now.
    counted_from.extend(starts.into_iter().filter(|(partition, _)| !positions.contains_key(partition)));
    meter.counted_from = counted_from;
}

async fn remember(world: &World, rng: &mut StdRng) {
    let positions = positions(world).await;
    let mut meter = world.meter();
    let moment = Moment { contents: world.figures.snapshot(), counted_from: meter.counted_from.clone(), positions };
    keep(&mut meter.moments, moment, rng.random_range(0..MOMENTS_MAX), MOMENTS_MAX);
}

/// Kafka's retention takes the beginning of the metrics topic, as far as every moment of the store has counted it, when
/// nothing is under way: a first part that was read before, and comes after a wipe, rightly counts from further back.
pub async fn trim(world: &Arc<World>, rng: &mut StdRng) {
    let now = positions(world).await;
    let mut meter = world.meter();
    for partition in partitions() {
        let Some(position) = now.get(&partition.partition) else { continue };
        let kept = meter.moments.iter().filter_map(|moment| moment.positions.get(&partition.partition));
        let most = kept.copied().fold(*position, Offset::min);
        world.kafka.trim(&partition, Offset(rng.random_range(0..=most.0)));
    }
    // A part from before counts from an earlier beginning.
    meter.parts.retain(|part| !part["from"].is_null());
}

/// What is counted now.
pub async fn counted(world: &World) -> Counted {
    let (positions, meter) = (positions(world).await, world.meter());
    let from = |partition| meter.counted_from.get(&partition).copied().unwrap_or_default();
    positions.into_iter().map(|(partition, to)| (partition, (from(partition), to))).collect()
}

/// Where the store stands in each partition that is counted.
pub async fn positions(world: &World) -> BTreeMap<Partition, Offset> {
    let id = world.id(METRICS_TOPIC);
    let all: Vec<Partition> = partitions().map(|it| it.partition).collect();
    let queries: Vec<Query> = all.iter().map(|partition| Query::Text(keys::position(&id, *partition))).collect();
    let answers = world.figures.read(&queries).await.expect("memory does not fail");
    let position = |answer| match answer {
        Held::Text(text) => text?.parse().ok().map(Offset),
        Held::Registers(_) => None,
    };
    all.into_iter().zip(answers).filter_map(|(partition, answer)| Some((partition, position(answer)?))).collect()
}

/// Where each partition's log begins.
pub async fn log_starts(world: &World) -> BTreeMap<Partition, Offset> {
    bounds(world).await.into_iter().map(|(partition, bounds)| (partition, bounds.start)).collect()
}

pub async fn bounds(world: &World) -> BTreeMap<Partition, LogBounds> {
    let all: Vec<TopicPartition> = partitions().collect();
    let bounds = world.kafka.bounds(&all).await.expect("memory does not fail");
    all.iter().zip(bounds).filter_map(|(it, bounds)| Some((it.partition, bounds.ok()?))).collect()
}

pub fn partitions() -> impl Iterator<Item = TopicPartition> {
    (0..METRICS_PARTITIONS).map(|partition| TopicPartition::new(METRICS_TOPIC, partition))
}
