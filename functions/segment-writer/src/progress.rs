//! Pushing to the event gateway how far the topics of a backup are. Nothing here holds the backup up, or fails it: what is
//! pushed is what standings said, and where the logs end is asked for aside.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use shared::{
    chain::Totals,
    job::State,
    metrics::{
        push::{Body, Kind, Ratio},
        standing::Standing,
    },
    ports::records::Kafka,
    pushing::{FLUSH_TIMEOUT, Pusher},
    record::{Millis, Offset, TopicPartition},
};
use tokio_util::task::AbortOnDropHandle;

use crate::Context;

/// What was last said of each partition that is worked on, by backup.
#[derive(Default)]
pub(crate) struct Said(Mutex<HashMap<(Arc<str>, TopicPartition), Point>>);

/// Where a partition stands.
#[derive(Debug, Clone, Copy)]
struct Point {
    state: State,
    position: Offset,
    /// From where on the log is another one than what is stored.
    diverged_from: Option<Offset>,
    totals: Totals,
}

impl Said {
    /// Notes what a standing says.
    pub(crate) fn note(&self, standing: &Standing) {
        let Some(job) = &standing.job else { return };
        let key =
            (standing.backup.clone(), TopicPartition { topic: standing.topic.clone(), partition: standing.partition });
        let (state, position, diverged_from) = (job.state, job.position, job.diverged_from);
        let point = Point { state, position, diverged_from, totals: standing.totals };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key, point);
    }

    fn of(&self, backup: &Arc<str>, partitions: &BTreeSet<TopicPartition>) -> BTreeMap<TopicPartition, Point> {
        let said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let point = |partition: &TopicPartition| said.get(&(backup.clone(), partition.clone())).copied();
        partitions.iter().filter_map(|partition| Some((partition.clone(), point(partition)?))).collect()
    }
}

/// What has not changed is pushed again so seldom: often enough not to be taken for dead.
const AGAIN_MS: i64 = 120_000;

/// What was pushed last, and when, by topic.
type Pushed = Arc<Mutex<BTreeMap<Arc<str>, (Body, Millis)>>>;

/// Pushes the progress of one session.
pub(crate) struct Progress {
    context: Arc<Context>,
    backup: Arc<str>,
    pusher: Pusher,
    partitions: BTreeSet<TopicPartition>,
    asking: Option<AbortOnDropHandle<()>>,
    pushed: Pushed,
}

impl Progress {
    pub(crate) fn of(context: &Arc<Context>, backup: &str) -> Self {
        let clock = context.clock.clone();
        let pusher = Pusher::start(context.pushing.as_ref(), Kind::Backups, backup, &context.instance, clock);
        Progress {
            context: context.clone(),
            backup: backup.into(),
            pusher,
            partitions: BTreeSet::new(),
            asking: None,
            pushed: Pushed::default(),
        }
    }

    /// The work on a partition begins; a topic begins with its first.
    pub(crate) fn begin(&mut self, partition: &TopicPartition) {
        if !self.partitions.iter().any(|other| other.topic == partition.topic) {
            self.pusher.started(&partition.topic, Body::default());
        }
        self.partitions.insert(partition.clone());
    }

    /// Says how far everything is; not while the last time is under way still.
    pub(crate) fn say(&mut self) {
        if !self.pusher.is_on() || self.asking.as_ref().is_some_and(|asking| !asking.is_finished()) {
            return;
        }
        let (pusher, said) = (self.pusher.clone(), self.context.said.of(&self.backup, &self.partitions));
        let (kafka, pushed, now) = (self.context.kafka.clone(), self.pushed.clone(), self.context.clock.now());
        self.asking = Some(AbortOnDropHandle::new(tokio::spawn(async move {
            let ends = ends(&*kafka, &said).await;
            for (topic, body) in bodies(&said, &ends) {
                if is_news(&pushed, &topic, &body, now) {
                    pusher.progress(&topic, body);
                }
            }
        })));
    }

    /// Says how far everything came, and waits a moment for that to arrive.
    pub(crate) async fn end(mut self) {
        self.asking = None;
        let said = self.context.said.of(&self.backup, &self.partitions);
        for (topic, body) in bodies(&said, &BTreeMap::new()) {
            self.pusher.stopped(&topic, body);
        }
        self.pusher.flush(FLUSH_TIMEOUT).await;
    }
}

/// Whether this was not pushed yet, or long ago; notes that it is pushed now.
fn is_news(pushed: &Pushed, topic: &Arc<str>, body: &Body, now: Millis) -> bool {
    let mut pushed = pushed.lock().unwrap_or_else(PoisonError::into_inner);
    let is_known = pushed.get(topic).is_some_and(|(last, at)| last == body && now.0.saturating_sub(at.0) < AGAIN_MS);
    if !is_known {
        pushed.insert(topic.clone(), (body.clone(), now));
    }
    !is_known
}

/// Where the logs end, of those that tell.
async fn ends(kafka: &dyn Kafka, said: &BTreeMap<TopicPartition, Point>) -> BTreeMap<TopicPartition, Offset> {
    let partitions: Vec<TopicPartition> = said.keys().cloned().collect();
    let bounds = kafka.bounds(&partitions).await.unwrap_or_default();
    let known = partitions.into_iter().zip(bounds).filter_map(|(partition, bounds)| Some((partition, bounds.ok()?)));
    known.map(|(partition, bounds)| (partition, bounds.high_watermark)).collect()
}

/// What is pushed, by topic: sums, the worst state, and the mean progress where every log's end is known.
fn bodies(said: &BTreeMap<TopicPartition, Point>, ends: &BTreeMap<TopicPartition, Offset>) -> BTreeMap<Arc<str>, Body> {
    let mut by_topic = BTreeMap::<Arc<str>, Vec<(Point, Option<Offset>)>>::new();
    for (partition, point) in said {
        let end = ends.get(partition).copied();
        by_topic.entry(partition.topic.clone()).or_default().push((*point, end));
    }
    by_topic.into_iter().map(|(topic, points)| (topic, body(&points))).collect()
}

fn body(points: &[(Point, Option<Offset>)]) -> Body {
    let totals = points.iter().fold(Totals::default(), |sum, (point, _)| sum.plus(point.totals));
    let state = points.iter().map(|(point, _)| point.state).reduce(State::worst);
    let ratios: Option<Vec<f64>> = points.iter().map(|(point, end)| Some(ratio(point, (*end)?))).collect();
    let mean = ratios.map(|ratios| ratios.iter().sum::<f64>() / ratios.len() as f64);
    Body {
        state,
        progress: mean.and_then(Ratio::of),
        records_count: Some(totals.records),
        records_filtered_count: Some(totals.filtered),
        bytes_count: Some(totals.record_bytes),
        segments_count: Some(totals.segments),
        ..Body::default()
    }
}

fn ratio(point: &Point, end: Offset) -> f64 {
    match (point.diverged_from, point.position) {
        (Some(from), position) => from.0 as f64 / end.max(position).0.max(1) as f64,
        (None, position) if position >= end => 1.0,
        (None, position) => position.0 as f64 / end.0 as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(state: State, position: i64, records: u64) -> Point {
        Point {
            state,
            position: Offset(position),
            diverged_from: None,
            totals: Totals { records, ..Totals::default() },
        }
    }

    #[test]
    fn what_has_not_changed_is_pushed_seldom() {
        let (pushed, topic): (Pushed, Arc<str>) = (Pushed::default(), "orders".into());
        let news = |records, at| {
            is_news(&pushed, &topic, &Body { records_count: Some(records), ..Body::default() }, Millis(at))
        };
        assert_eq!([news(1, 0), news(1, 15_000), news(2, 30_000), news(2, 45_000)], [true, false, true, false]);
        assert!(!news(2, 30_000 + AGAIN_MS - 1) && news(2, 30_000 + AGAIN_MS));
    }

    #[test]
    fn a_topic_is_pushed_with_sums_its_worst_state_and_the_mean_of_its_progress() {
        let tp = |partition| TopicPartition::new("orders", partition);
        let said = BTreeMap::from([
            (tp(0), point(State::STREAMING, 100, 90)),
            (tp(1), point(State::CATCHING_UP, 50, 40)),
            (tp(2), point(State::STREAMING, 0, 0)),
        ]);
        let mut ends = BTreeMap::from([(tp(0), Offset(100)), (tp(1), Offset(200)), (tp(2), Offset(0))]);
        let body = |ends: &BTreeMap<_, _>| bodies(&said, ends).remove("orders").unwrap();
        let known = body(&ends);
        assert_eq!((known.state, known.records_count), (Some(State::CATCHING_UP), Some(130)));
        assert_eq!(known.progress.map(Ratio::get), Some((1.0 + 0.25 + 1.0) / 3.0));
        ends.remove(&tp(1));
        assert_eq!(body(&ends).progress, None, "one log's end is not known");
    }

    #[test]
    fn of_a_log_that_went_back_only_what_comes_before_the_difference_counts() {
        let diverged = Point { diverged_from: Some(Offset(100)), ..point(State::LOG_DIVERGED, 200, 200) };
        assert_eq!([250, 150, 100].map(|end| ratio(&diverged, Offset(end))), [0.4, 0.5, 0.5]);
    }
}
