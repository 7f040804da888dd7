//! How far each topic was: 24 hours in steps of five minutes, and 30 days by the hour.
//!
//! lag-monitor notes a point of every topic at its first refresh in a step; a step in which it did not run has none. A
//! topic's history is one register for each span, whose order is the latest step, so that noting twice changes nothing:
//!
//! ```text
//! key    hw1:history:<backup>,<topic>,    field  5m | 1h    order  latest step
//! key    hw1:history-step:<backup>,       field  5m | 1h    order  latest step that was noted
//! ```
//! What it takes is bounded: 288 and 720 points of some 40 bytes a topic.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{registers::names::join, view::TopicView};
use crate::{
    ports::store::{Operation, Query, Register},
    record::Millis,
};

/// How far back, and in which steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Span {
    /// 24 hours in steps of five minutes.
    Day,
    /// 30 days by the hour.
    Month,
}

/// A point of a topic's history. Counts are texts, as everywhere where a page reads them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// When its step began.
    pub at: Millis,
    /// The topic's progress.
    #[serde(rename = "p")]
    pub progress: Option<f64>,
    /// The age of the oldest record that was not stored, in seconds.
    #[serde(rename = "l")]
    pub lag_seconds: Option<f64>,
    /// Records stored since ever.
    #[serde(rename = "r")]
    pub records: String,
    /// Bytes stored since ever.
    #[serde(rename = "b")]
    pub stored_bytes: String,
}

impl Span {
    /// Both.
    pub const ALL: [Span; 2] = [Span::Day, Span::Month];

    /// As fields and questions spell it.
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

    /// When the step began that `now` is in.
    fn step(self, now: Millis) -> Millis {
        Millis(now.0.div_euclid(self.step_ms()) * self.step_ms())
    }
}

/// The key of a topic's history.
#[must_use]
pub fn key(backup: &str, topic: &str) -> String {
    format!("hw1:history:{}", join(&[backup, topic]))
}

/// The key of which steps were noted.
#[must_use]
pub fn step_key(backup: &str) -> String {
    format!("hw1:history-step:{}", join(&[backup]))
}

/// The spans whose step of `now` nobody has noted yet, by what stands at [`step_key`].
#[must_use]
pub fn due(noted: &[Register], now: Millis) -> Vec<Span> {
    let is_noted = |span: &Span| noted.iter().any(|it| it.field == span.name() && it.order >= order(span.step(now)));
    Span::ALL.into_iter().filter(|span| !is_noted(span)).collect()
}

/// What to read to note a step of these topics.
pub fn queries<'a>(backup: &'a str, topics: impl Iterator<Item = &'a str>) -> impl Iterator<Item = Query> {
    topics.map(move |topic| Query::Registers(key(backup, topic)))
}

/// Notes a step of a topic: its point is added, and those leave that are too old. `held` is what stands at [`key`].
#[must_use]
pub fn note(
    backup: &str,
    name: &str,
    topic: &TopicView,
    held: &[Register],
    spans: &[Span],
    now: Millis,
) -> Vec<Operation> {
    let note = |span: &Span| {
        let step = span.step(now);
        let since = Millis(step.0 - (span.points_max() - 1) * span.step_ms());
        let mut points = points(held, *span);
        points.retain(|point| since <= point.at && point.at < step);
        points.push(Point {
            at: step,
            progress: topic.progress,
            lag_seconds: lag_seconds(topic),
            records: topic.totals.records.to_string(),
            stored_bytes: topic.totals.stored_bytes.to_string(),
        });
        max(key(backup, name), *span, step, json(&points))
    };
    spans.iter().map(note).collect()
}

/// Says that a step of a backup was noted.
#[must_use]
pub fn noted(backup: &str, spans: &[Span], now: Millis) -> Vec<Operation> {
    spans.iter().map(|span| max(step_key(backup), *span, span.step(now), String::new())).collect()
}

/// The points of a topic, the earliest first, by what stands at [`key`].
#[must_use]
pub fn points(held: &[Register], span: Span) -> Vec<Point> {
    let register = held.iter().find(|register| register.field == span.name());
    register.and_then(|register| serde_json::from_str(&register.value).ok()).unwrap_or_default()
}

/// What takes a topic's history out.
#[must_use]
pub fn removal(backup: &str, topic: &str) -> Operation {
    Operation::Remove { key: key(backup, topic), fields: Span::ALL.map(|span| span.name().to_owned()).to_vec() }
}

/// The topics whose histories are kept: those that live.
#[must_use]
pub fn kept<N>(topics: &BTreeMap<N, TopicView>) -> Vec<(&N, &TopicView)> {
    topics.iter().filter(|(_, topic)| topic.live && topic.unreadable == 0).collect()
}

fn lag_seconds(topic: &TopicView) -> Option<f64> {
    let lags: Option<Vec<f64>> = topic.partitions.values().map(|partition| partition.lag?.seconds).collect();
    lags?.into_iter().reduce(f64::max)
}

fn max(key: String, span: Span, step: Millis, value: String) -> Operation {
    Operation::Max { key, field: span.name().to_owned(), order: order(step), value }
}

fn order(step: Millis) -> Vec<u64> {
    vec![u64::try_from(step.0).unwrap_or(0)]
}

fn json(points: &[Point]) -> String {
    serde_json::to_string(points).expect("points are numbers and texts, which is valid JSON")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{
        registers::examples::{hashes, registers_after},
        view::view,
    };

    const MINUTE_MS: i64 = 60_000;

    fn topic() -> TopicView {
        let golden = include_str!("../../fixtures/metrics/standing.json");
        let message = crate::metrics::standing::Message::decode(&serde_json::from_str(golden).unwrap()).unwrap();
        view(&registers_after([&message]), Millis(0)).remove("orders").unwrap()
    }

    /// Notes at each of these minutes, as lag-monitor does; what is held after it.
    fn after(minutes: impl Iterator<Item = i64>) -> Vec<Register> {
        let topic = topic();
        let (mut held, mut steps) = (vec![], vec![]);
        for minute in minutes {
            let now = Millis(minute * MINUTE_MS);
            let spans = due(&steps, now);
            let operations = note("main", "orders", &topic, &held, &spans, now);
            let all = held.drain(..).map(|it| back(key("main", "orders"), it)).chain(operations);
            held = hashes(all).remove(&key("main", "orders")).unwrap_or_default().into_values().collect();
            let all = steps.drain(..).map(|it| back(step_key("main"), it)).chain(noted("main", &spans, now));
            steps = hashes(all).remove(&step_key("main")).unwrap_or_default().into_values().collect();
        }
        held
    }

    fn back(key: String, register: Register) -> Operation {
        Operation::Max { key, field: register.field, order: register.order, value: register.value }
    }

    #[test]
    fn a_step_has_one_point_however_often_it_is_looked_at() {
        let held = after(0..60);
        let at: Vec<_> = points(&held, Span::Day).iter().map(|point| point.at.0 / MINUTE_MS).collect();
        assert_eq!(at, (0..60).step_by(5).collect::<Vec<_>>());
        assert_eq!(points(&held, Span::Month).len(), 1);
        assert_eq!(points(&held, Span::Day)[0].records, "380");
    }

    #[test]
    fn it_is_bounded_however_long_it_goes_on() {
        let held = after((0..60 * 24 * 32).step_by(5));
        let (day, month) = (points(&held, Span::Day), points(&held, Span::Month));
        assert_eq!((day.len(), month.len()), (288, 720));
        assert_eq!(day[287].at.0 - day[0].at.0, (24 * 60 - 5) * MINUTE_MS);
        let bytes: usize = held.iter().map(|register| register.value.len()).sum();
        assert!(bytes < 128 * 1024, "{bytes}");
    }

    #[test]
    fn a_time_in_which_nobody_looked_has_no_points() {
        let held = after((0..10).chain(60 * 30..60 * 30 + 10));
        let at: Vec<_> = points(&held, Span::Day).iter().map(|point| point.at.0 / MINUTE_MS).collect();
        assert_eq!(at, [60 * 30, 60 * 30 + 5], "what is older than a day has left");
        assert_eq!(points(&held, Span::Month).len(), 2);
    }

    #[test]
    fn what_cannot_be_read_begins_anew() {
        let junk = Register { field: "5m".into(), order: vec![1], value: "junk".into() };
        assert_eq!(points(std::slice::from_ref(&junk), Span::Day), []);
        assert_eq!(due(&[junk], Millis(5 * MINUTE_MS)), [Span::Day, Span::Month]);
        assert!(Span::ALL.into_iter().all(|span| Span::of_name(span.name()) == Some(span)));
    }
}
