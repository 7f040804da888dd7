//! What a question needs of the store, and what the store's answer says.

use std::collections::BTreeMap;

use super::{
    formulas::{self, SHORT_WINDOW_S},
    keys::{self, Object, ObjectCounter, Pending, SiteCounter, Windows},
    route::SiteMetric,
};
use crate::{
    metrics::number,
    ports::store::{Query, Value},
    record::Millis,
};

const COUNTERS: [SiteCounter; 6] = [
    SiteCounter::Ops,
    SiteCounter::Bytes,
    SiteCounter::OpsDone,
    SiteCounter::BytesDone,
    SiteCounter::OpsFail,
    SiteCounter::BytesFail,
];

/// The figures of locations, added up interval by interval.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SiteFigures {
    counts: BTreeMap<SiteCounter, Vec<f64>>,
    /// Operations queued and not done, not clamped.
    pub pending_ops: f64,
    /// Their bytes.
    pub pending_bytes: f64,
}

/// Which figures of which time are wanted.
#[derive(Debug, Clone, Copy)]
pub struct SiteQuestion<'a> {
    /// Which figures.
    pub metrics: &'a [SiteMetric],
    /// How time is cut.
    pub windows: Windows,
    /// The time of the question.
    pub now: Millis,
}

impl SiteQuestion<'_> {
    /// What to read for these locations: so many keys for each, whatever the store holds.
    #[must_use]
    pub fn queries(&self, locations: &[String]) -> Vec<Query> {
        locations.iter().flat_map(|location| self.keys(location)).map(Query::Text).collect()
    }

    fn keys(&self, location: &str) -> Vec<String> {
        let counters = COUNTERS.into_iter().flat_map(|counter| {
            let intervals = self.windows.latest(self.now, self.intervals(counter));
            intervals.map(move |interval| keys::site(location, counter, interval))
        });
        let pending = [Pending::Ops, Pending::Bytes].into_iter().filter(|_| self.needs_pending());
        counters.chain(pending.map(|which| keys::pending(location, which))).collect()
    }

    /// The answers to [`SiteQuestion::queries`] for so many locations.
    #[must_use]
    pub fn figures(&self, locations: usize, answers: &[Value]) -> SiteFigures {
        let mut texts = answers.iter().map(text);
        let mut figures = SiteFigures::default();
        (0..locations).for_each(|_| figures.add(self.location(&mut texts)));
        figures
    }

    fn location<'v>(&self, texts: &mut impl Iterator<Item = Option<&'v str>>) -> SiteFigures {
        let mut next = || texts.next().flatten();
        let counts =
            COUNTERS.map(|counter| (counter, (0..self.intervals(counter)).map(|_| number::counter(next())).collect()));
        let mut figures = SiteFigures { counts: BTreeMap::from(counts), ..SiteFigures::default() };
        if self.needs_pending() {
            (figures.pending_ops, figures.pending_bytes) = figures.pending(self.short(), next(), next());
        }
        figures
    }

    /// How many intervals of a counter are read.
    fn intervals(&self, counter: SiteCounter) -> usize {
        use SiteCounter::{Bytes, BytesDone, BytesFail, Ops, OpsDone, OpsFail};
        let need = |metric: &SiteMetric| match (metric, counter) {
            (SiteMetric::Completions, OpsDone | BytesDone) | (SiteMetric::Failures, OpsFail | BytesFail) => {
                self.windows.count(self.windows.window_s)
            }
            (SiteMetric::Throughput, OpsDone | BytesDone) => self.short() + 1,
            (SiteMetric::Backlog | SiteMetric::Pending, Ops | Bytes | OpsDone | BytesDone) => self.short(),
            _ => 0,
        };
        self.metrics.iter().map(need).max().unwrap_or(0)
    }

    fn needs_pending(&self) -> bool {
        self.metrics.iter().any(|metric| matches!(metric, SiteMetric::Backlog | SiteMetric::Pending))
    }

    fn short(&self) -> usize {
        self.windows.count(SHORT_WINDOW_S)
    }
}

impl SiteFigures {
    /// The latest intervals of a counter, at most so many.
    #[must_use]
    pub fn latest(&self, counter: SiteCounter, intervals: usize) -> &[f64] {
        let counts = self.counts.get(&counter).map_or(&[][..], Vec::as_slice);
        &counts[..intervals.min(counts.len())]
    }

    /// Generation B's counters where they are, else generation A's formula. Decided for each location by itself.
    fn pending(&self, short: usize, ops: Option<&str>, bytes: Option<&str>) -> (f64, f64) {
        if ops.is_some() {
            return (number::counter(ops), number::counter(bytes));
        }
        let open = |queued, done| formulas::open(self.latest(queued, short), self.latest(done, short));
        (open(SiteCounter::Ops, SiteCounter::OpsDone), open(SiteCounter::Bytes, SiteCounter::BytesDone))
    }

    fn add(&mut self, other: SiteFigures) {
        self.pending_ops += other.pending_ops;
        self.pending_bytes += other.pending_bytes;
        for (counter, counts) in other.counts {
            let sums = self.counts.entry(counter).or_insert_with(|| vec![0.0; counts.len()]);
            sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        }
    }
}

/// What to read of an object's counter: so many intervals, the current one first.
pub fn object_queries(
    object: &Object,
    counter: ObjectCounter,
    windows: Windows,
    now: Millis,
    intervals: usize,
) -> impl Iterator<Item = Query> {
    windows.latest(now, intervals).map(move |interval| Query::Text(keys::object(object, counter, interval)))
}

/// The answers as numbers.
#[must_use]
pub fn counts(answers: &[Value]) -> Vec<f64> {
    answers.iter().map(|answer| number::counter(text(answer))).collect()
}

fn text(answer: &Value) -> Option<&str> {
    match answer {
        Value::Text(text) => text.as_deref(),
        Value::Registers(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_keys_read_does_not_depend_on_what_the_store_holds() {
        let question =
            SiteQuestion { metrics: &SiteMetric::ALL, windows: Windows::default(), now: Millis(1_531_432_000_000) };
        assert_eq!(question.queries(&["site1".into()]).len(), 22);
        assert_eq!(question.queries(&["site1".into(), "site2".into()]).len(), 44);
        let pending = SiteQuestion { metrics: &[SiteMetric::Pending], ..question };
        assert_eq!(pending.queries(&["site1".into()]).len(), 14);
    }

    #[test]
    fn locations_with_and_without_a_pending_counter_are_added_up_each_by_its_own_formula() {
        let question = SiteQuestion { metrics: &[SiteMetric::Pending], windows: Windows::default(), now: Millis(0) };
        let text = |text: &str| Value::Text(Some(text.to_owned()));
        let mut answers = vec![Value::Text(None); 28];
        answers[0] = text("10"); // ops of the first location, whose pending counters are not there
        answers[6] = text("4"); // its opsdone
        answers[14] = text("1000"); // ops of the second, which has pending counters
        answers[26] = text("-1");
        answers[27] = text("7");
        let figures = question.figures(2, &answers);
        assert_eq!((figures.pending_ops, figures.pending_bytes), (10.0 - 4.0 - 1.0, 7.0));
    }
}
