//! The points of a series as text, small because a store holds a thousand of them for each partition:
//!
//! ```text
//! <steps> <gauge> ... <count> ...;<steps> <gauge> ... <count> ...
//! ```
//! `steps` is how many steps the point comes after the one before it, and a count is how much it grew since then; of the first
//! point they are the number of its step and the count. `-` is not known. A gauge keeps four digits behind the point where it
//! is below 10, and none above; it is never rounded up, so that a progress of 1 is one.

use super::{Span, Values};
use crate::record::Millis;

/// A point of a history.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// When its step began.
    pub at: Millis,
    /// What was so then.
    pub values: Values,
}

/// As the store holds it.
pub(super) fn text(points: &[Point], span: Span) -> String {
    let mut before = Before::default();
    let texts: Vec<String> = points.iter().map(|point| before.text(point, span)).collect();
    texts.join(";")
}

/// What [`text`] wrote; `None` where it is anything else.
pub(super) fn read(text: &str, span: Span, gauges: usize, counts: usize) -> Option<Vec<Point>> {
    let mut before = Before::default();
    text.split(';').map(|point| before.read(point, span, gauges, counts)).collect()
}

/// What the point before said; all 0 before the first.
#[derive(Default)]
struct Before {
    step: i64,
    counts: Vec<u64>,
}

impl Before {
    fn text(&mut self, point: &Point, span: Span) -> String {
        let step = span.step(point.at);
        let mut words = vec![(step - self.step).to_string()];
        self.step = step;
        words.extend(point.values.gauges.iter().map(|value| value.map_or_else(unknown, gauge)));
        self.counts.resize(point.values.counts.len(), 0);
        for (count, before) in point.values.counts.iter().zip(&mut self.counts) {
            words.push(count.map_or_else(unknown, |count| (i128::from(count) - i128::from(*before)).to_string()));
            *before = count.unwrap_or(*before);
        }
        words.join(" ")
    }

    fn read(&mut self, text: &str, span: Span, gauges: usize, counts: usize) -> Option<Point> {
        let words: Vec<&str> = text.split(' ').collect();
        if words.len() != 1 + gauges + counts {
            return None;
        }
        self.step = self.step.checked_add(words[0].parse().ok()?)?;
        let at = Millis(self.step.checked_mul(span.step_ms())?);
        let gauges = words[1..=gauges].iter().map(|word| known(word, |word| word.parse().ok()));
        let mut values = Values { gauges: gauges.collect::<Option<_>>()?, counts: vec![] };
        self.counts.resize(counts, 0);
        for (word, before) in words[words.len() - counts..].iter().zip(&mut self.counts) {
            let grown = known(word, |word| word.parse::<i128>().ok())?;
            let count = grown.map(|grown| u64::try_from(i128::from(*before).checked_add(grown)?).ok());
            *before = count.flatten().unwrap_or(*before);
            values.counts.push(match count {
                Some(count) => Some(count?),
                None => None,
            });
        }
        Some(Point { at, values })
    }
}

fn unknown() -> String {
    "-".to_owned()
}

fn gauge(value: f64) -> String {
    match value {
        _ if !value.is_finite() => unknown(),
        _ if value.abs() < 10.0 => ((value * 10_000.0).floor() / 10_000.0).to_string(),
        _ => value.floor().to_string(),
    }
}

/// `Some(None)`: it says that it is not known. `None`: it says nothing.
fn known<T>(word: &str, read: impl Fn(&str) -> Option<T>) -> Option<Option<T>> {
    if word == "-" { Some(None) } else { read(word).map(Some) }
}
