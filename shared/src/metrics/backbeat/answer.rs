//! Answers to routes: what to read, and the body, byte for byte the original's.

use super::{
    figures::{self, SiteFigures, SiteQuestion},
    formulas::{self, SHORT_WINDOW_S},
    keys::{Object, ObjectCounter, SiteCounter, Windows},
    route::{ObjectMetric, SiteMetric},
};
use crate::{
    metrics::number::{print, to_fixed},
    ports::store::{Query, Value},
    record::Millis,
};

const PROGRESS: &str = "Number of bytes to be replicated (pending), number of bytes transferred to the destination (completed), \
     and percentage of the object that has completed replication (progress)";
const OBJECT_THROUGHPUT: &str = "Current throughput for object replication in bytes/sec (throughput)";

/// The body of a location's or all locations' figures, from the answers to [`SiteQuestion::queries`].
#[must_use]
pub fn site_body(question: &SiteQuestion<'_>, locations: usize, answers: &[Value]) -> String {
    let figures = question.figures(locations, answers);
    let metrics: Vec<String> = question.metrics.iter().map(|metric| site_metric(*metric, question, &figures)).collect();
    format!("{{{}}}", metrics.join(","))
}

fn site_metric(metric: SiteMetric, question: &SiteQuestion<'_>, figures: &SiteFigures) -> String {
    let (count, size) = results(metric, question, figures);
    let (name, description) = (metric.name(), description(metric, question.windows.window_s));
    format!(r#""{name}":{{"description":"{description}","results":{{"count":{count},"size":{size}}}}}"#)
}

fn description(metric: SiteMetric, window_s: u32) -> String {
    match metric {
        SiteMetric::Backlog => {
            "Number of incomplete replication operations (count) and number of incomplete bytes transferred (size)"
                .to_owned()
        }
        SiteMetric::Completions => format!(
            "Number of completed replication operations (count) and number of bytes transferred (size) in the last {window_s} seconds"
        ),
        SiteMetric::Failures => {
            format!("Number of failed replication operations (count) and bytes (size) in the last {window_s} seconds")
        }
        SiteMetric::Throughput => format!(
            "Current throughput for replication operations in ops/sec (count) and bytes/sec (size) in the last {window_s} seconds"
        ),
        SiteMetric::Pending => "Number of pending replication operations (count) and bytes (size)".to_owned(),
    }
}

/// Count and size as JSON.
fn results(metric: SiteMetric, question: &SiteQuestion<'_>, figures: &SiteFigures) -> (String, String) {
    let windows = question.windows;
    let sum = |counter| print(formulas::sum(figures.latest(counter, windows.count(windows.window_s))));
    let rate = |counter| quoted_rate(figures.latest(counter, windows.count(SHORT_WINDOW_S) + 1), windows, question.now);
    match metric {
        SiteMetric::Backlog => {
            (print(formulas::clamp(figures.pending_ops)), print(formulas::clamp(figures.pending_bytes)))
        }
        SiteMetric::Completions => (sum(SiteCounter::OpsDone), sum(SiteCounter::BytesDone)),
        SiteMetric::Failures => (sum(SiteCounter::OpsFail), sum(SiteCounter::BytesFail)),
        SiteMetric::Throughput => (rate(SiteCounter::OpsDone), rate(SiteCounter::BytesDone)),
        SiteMetric::Pending => (print(figures.pending_ops), print(figures.pending_bytes)),
    }
}

/// Units per second as the original writes them: a text with two decimals.
fn quoted_rate(counts: &[f64], windows: Windows, now: Millis) -> String {
    let since_interval_began_ms = now.0 - windows.interval_of(now).0;
    let rate = formulas::throughput(counts, since_interval_began_ms, windows.interval_ms());
    format!("\"{}\"", to_fixed(rate, 2))
}

/// Which figure of an object at which time is wanted.
#[derive(Debug, Clone, Copy)]
pub struct ObjectQuestion<'a> {
    /// Of which version.
    pub object: &'a Object,
    /// Which figure.
    pub metric: ObjectMetric,
    /// How time is cut.
    pub windows: Windows,
    /// The time of the question.
    pub now: Millis,
}

impl ObjectQuestion<'_> {
    /// What to read: nothing of an object that cannot be told from another.
    #[must_use]
    pub fn queries(&self) -> Vec<Query> {
        if self.object.ambiguous_part().is_some() {
            return vec![];
        }
        let read = |counter| figures::object_queries(self.object, counter, self.windows, self.now, self.intervals());
        match self.metric {
            ObjectMetric::Progress => read(ObjectCounter::Bytes).chain(read(ObjectCounter::BytesDone)).collect(),
            ObjectMetric::Throughput => read(ObjectCounter::BytesDone).collect(),
        }
    }

    /// The body, from the answers to [`ObjectQuestion::queries`].
    #[must_use]
    pub fn body(&self, answers: &[Value]) -> String {
        let counts = match self.object.ambiguous_part() {
            Some(_) => vec![0.0; 2 * self.intervals()],
            None => figures::counts(answers),
        };
        match self.metric {
            ObjectMetric::Progress => self.progress(&counts),
            ObjectMetric::Throughput => {
                let rate = quoted_rate(&counts, self.windows, self.now);
                format!(r#"{{"description":"{OBJECT_THROUGHPUT}","throughput":{rate}}}"#)
            }
        }
    }

    fn progress(&self, counts: &[f64]) -> String {
        let (bytes, bytes_done) = counts.split_at(self.intervals().min(counts.len()));
        let (total, done) = (formulas::sum(bytes), formulas::sum(bytes_done));
        let (pending, completed, progress) = (print(total - done), print(done), formulas::percent(done, total));
        format!(r#"{{"description":"{PROGRESS}","pending":{pending},"completed":{completed},"progress":"{progress}"}}"#)
    }

    fn intervals(&self) -> usize {
        match self.metric {
            ObjectMetric::Progress => self.windows.count(self.windows.object_window_s),
            ObjectMetric::Throughput => self.windows.count(SHORT_WINDOW_S) + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_nobody_knows_has_zeros() {
        let object = Object { location: "l".into(), bucket: "b".into(), key: "k".into(), version_id: "v".into() };
        let question = |metric| ObjectQuestion { object: &object, metric, windows: Windows::default(), now: Millis(0) };
        let ambiguous = Object { version_id: "a:v".into(), ..object.clone() };
        let none = |question: &ObjectQuestion<'_>| vec![Value::Text(None); question.queries().len()];

        let progress = question(ObjectMetric::Progress);
        assert_eq!(none(&progress).len(), 576);
        assert!(progress.body(&none(&progress)).ends_with(r#""pending":0,"completed":0,"progress":"0%"}"#));
        let throughput = question(ObjectMetric::Throughput);
        assert!(throughput.body(&none(&throughput)).ends_with(r#""throughput":"0.00"}"#));
        for unknown in [progress, throughput] {
            let colon = ObjectQuestion { object: &ambiguous, ..unknown };
            assert_eq!((colon.queries(), colon.body(&[])), (vec![], unknown.body(&none(&unknown))));
        }
    }
}
