//! How far topics, their partitions and replication locations were: 24 hours in steps of five minutes, and 30 days by the
//! hour.
//!
//! lag-monitor notes a point of every series at its first refresh in a step; a step in which it did not run has none. The
//! points of a series in a span are one register, whose order is the latest step, so that noting twice changes nothing:
//!
//! ```text
//! key    hw1:history:<span>,<kind>,<names>,   field  points   order  latest step
//! key    hw1:history-step:<backup>,           field  5m | 1h  order  latest step that was noted
//! key    hw1:location-history-step            the same of all locations
//! ```
//! What it takes is bounded: 288 and 720 points of some 20 bytes ([`points`] has the format), so about 20 KiB a series. A
//! history of partitions is kept while there are at most `metrics.partition_series_max`.

mod points;

pub use points::Point;

use std::collections::BTreeMap;

use super::{
    registers::{TopicRegisters, names::join},
    replication::figures::Figures,
    view::{PartitionView, TopicView},
};
use crate::{
    ports::store::{Operation, Query, Register},
    record::{Millis, Partition},
};

/// The register of the points.
const FIELD: &str = "points";
/// The key of which steps of locations were noted.
pub const LOCATIONS_STEP_KEY: &str = "hw1:location-history-step";

/// How far back, and in which steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Span {
    /// 24 hours in steps of five minutes.
    Day,
    /// 30 days by the hour.
    Month,
}

impl Span {
    /// Both.
    pub const ALL: [Span; 2] = [Span::Day, Span::Month];

    /// As keys and questions spell it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Span::Day => "5m",
            Span::Month => "1h",
        }
    }

    /// The span of that name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Span> {
        Span::ALL.into_iter().find(|span| span.name() == name)
    }

    fn step_ms(self) -> i64 {
        match self {
            Span::Day => 5 * 60 * 1_000,
            Span::Month => 60 * 60 * 1_000,
        }
    }

    fn points_max(self) -> i64 {
        match self {
            Span::Day => 288,
            Span::Month => 720,
        }
    }

    /// The number of the step that `now` is in.
    fn step(self, now: Millis) -> i64 {
        now.0.div_euclid(self.step_ms())
    }
}

/// What has a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Series<'a> {
    /// A topic of a backup.
    Topic(&'a str, &'a str),
    /// A partition of it.
    Partition(&'a str, &'a str, Partition),
    /// A replication location.
    Location(&'a str),
}

impl Series<'_> {
    fn key(&self, span: Span) -> String {
        let span = span.name();
        let names = match self {
            Series::Topic(backup, topic) => join(&[span, "topic", backup, topic]),
            Series::Partition(backup, topic, number) => join(&[span, "partition", backup, topic, &number.to_string()]),
            Series::Location(name) => join(&[span, "location", name]),
        };
        format!("hw1:history:{names}")
    }

    /// What the values of a point are called: first those that go up and down, then those that only grow.
    #[must_use]
    pub fn names(&self) -> (&'static [&'static str], &'static [&'static str]) {
        match self {
            Series::Topic(..) | Series::Partition(..) => (&["p", "l"], &["r", "b"]),
            Series::Location(_) => (&["l", "q", "t"], &["d", "b", "f"]),
        }
    }

    /// What to read of it.
    #[must_use]
    pub fn query(&self, span: Span) -> Query {
        Query::Registers(self.key(span))
    }

    /// Its points, the earliest first, by what was read.
    #[must_use]
    pub fn points(&self, span: Span, held: &[Register]) -> Vec<Point> {
        let register = held.iter().find(|register| register.field == FIELD);
        let (gauges, counts) = self.names();
        register.and_then(|it| points::read(&it.value, span, gauges.len(), counts.len())).unwrap_or_default()
    }

    /// Notes values at a step: a point is added, and those leave that are too old. `held` is what was read.
    #[must_use]
    pub fn note(&self, span: Span, held: &[Register], values: &Values, now: Millis) -> Operation {
        let step = span.step(now);
        let at = |step: i64| Millis(step * span.step_ms());
        let mut points = self.points(span, held);
        points.retain(|point| at(step - span.points_max()) < point.at && point.at < at(step));
        points.push(Point { at: at(step), values: values.clone() });
        max(self.key(span), FIELD, step, points::text(&points, span))
    }

    /// What takes it out.
    #[must_use]
    pub fn removal(&self) -> [Operation; 2] {
        Span::ALL.map(|span| Operation::Remove { key: self.key(span), fields: vec![FIELD.to_owned()] })
    }
}

/// The values of a point, as [`Series::names`] calls them; `None`: not known.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Values {
    /// What goes up and down.
    pub gauges: Vec<Option<f64>>,
    /// What only grows.
    pub counts: Vec<Option<u64>>,
}

impl Values {
    /// A topic's.
    #[must_use]
    pub fn of_topic(topic: &TopicView) -> Values {
        let lags: Option<Vec<f64>> = topic.partitions.values().map(|partition| partition.lag?.seconds).collect();
        let lag_seconds = lags.and_then(|lags| lags.into_iter().reduce(f64::max));
        Values {
            gauges: vec![topic.progress, lag_seconds],
            counts: vec![Some(topic.totals.records), Some(topic.totals.stored_bytes)],
        }
    }

    /// A partition's.
    #[must_use]
    pub fn of_partition(partition: &PartitionView) -> Values {
        Values {
            gauges: vec![partition.progress, partition.lag.and_then(|lag| lag.seconds)],
            counts: vec![Some(partition.totals.records), Some(partition.totals.stored_bytes)],
        }
    }

    /// A location's.
    #[must_use]
    pub fn of_location(figures: &Figures, now: Millis) -> Values {
        let count = |value: f64| Some(value.max(0.0) as u64);
        let bytes = figures.completed.iter().map(|(_, bytes)| bytes).sum();
        Values {
            gauges: vec![Some(figures.lag_s(now)), Some(figures.pending_ops), figures.latency_s(0.95)],
            counts: vec![count(figures.completed_ops()), count(bytes), count(figures.failed_ops())],
        }
    }
}

/// The key of which steps of a backup were noted.
#[must_use]
pub fn step_key(backup: &str) -> String {
    format!("hw1:history-step:{}", join(&[backup]))
}

/// The spans whose step of `now` nobody has noted yet, by what stands at a key of steps.
#[must_use]
pub fn due(noted: &[Register], now: Millis) -> Vec<Span> {
    let is_noted = |span: &Span| noted.iter().any(|it| it.field == span.name() && it.order >= order(span.step(now)));
    Span::ALL.into_iter().filter(|span| !is_noted(span)).collect()
}

/// Says at a key of steps that those of `now` were noted.
#[must_use]
pub fn noted(step_key: &str, spans: &[Span], now: Millis) -> Vec<Operation> {
    spans.iter().map(|span| max(step_key.to_owned(), span.name(), span.step(now), String::new())).collect()
}

/// What is noted of a backup: its living topics, and their partitions unless there are more than `partitions_max`.
#[must_use]
pub fn of_backup<'a, N: std::ops::Deref<Target = str>>(
    backup: &'a str,
    topics: &'a BTreeMap<N, TopicView>,
    partitions_max: usize,
) -> Vec<(Series<'a>, Values)> {
    let kept = || topics.iter().filter(|(_, topic)| topic.live && topic.unreadable == 0);
    let mut all: Vec<_> = kept().map(|(name, topic)| (Series::Topic(backup, name), Values::of_topic(topic))).collect();
    let partitions = kept().flat_map(|(name, topic)| {
        let one = move |(number, it): (&Partition, &PartitionView)| {
            (Series::Partition(backup, name, *number), Values::of_partition(it))
        };
        topic.partitions.iter().map(one)
    });
    if kept().map(|(_, topic)| topic.partitions.len()).sum::<usize>() <= partitions_max {
        all.extend(partitions);
    }
    all
}

/// What takes the histories of a topic and its partitions out.
#[must_use]
pub fn removal(backup: &str, name: &str, topic: Option<&TopicRegisters>) -> Vec<Operation> {
    let numbers = topic.into_iter().flat_map(|it| it.chains.keys().map(|(_, number)| number).chain(it.ends.keys()));
    let numbers: std::collections::BTreeSet<Partition> = numbers.copied().collect();
    let partitions = numbers.into_iter().map(|number| Series::Partition(backup, name, number));
    std::iter::once(Series::Topic(backup, name)).chain(partitions).flat_map(|series| series.removal()).collect()
}

fn max(key: String, field: &str, step: i64, value: String) -> Operation {
    Operation::Max { key, field: field.to_owned(), order: order(step), value }
}

fn order(step: i64) -> Vec<u64> {
    vec![u64::try_from(step).unwrap_or(0)]
}

#[cfg(test)]
mod tests;
