//! The view as Prometheus text: Kannika Armory's 16 backup metrics, and what Highwater adds.
//!
//! The names and types are Kannika's, also where Prometheus' conventions have others. A series is there when its value is
//! known: an offset only of a partition that has something stored, a progress only where the log's end was observed.

mod backups;
mod operation;
mod reading;
mod restores;
mod schemas;

pub use backups::{BackupView, page};
pub use operation::{of_drills, of_processes, of_runs, of_verifications, skipped};
pub use reading::{Shown, read};
pub use restores::of_restores;
pub use schemas::of_schemas;

use prometheus::{
    TextEncoder,
    proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType},
};

use super::registry::{self, Kind};
use crate::record::Millis;

/// The `Content-Type` of the page.
pub const CONTENT_TYPE: &str = prometheus::TEXT_FORMAT;

/// The families that have series.
pub(super) fn encode(families: impl IntoIterator<Item = MetricFamily>) -> String {
    let families: Vec<_> = families.into_iter().filter(|family| !family.get_metric().is_empty()).collect();
    let text = TextEncoder::new()
        .encode_to_string(&families)
        .expect("every family has a name and a metric, and a text takes any writing");
    // As Prometheus writes it; a line that ends so is a value, since newlines in labels are escaped.
    text.replace(" inf\n", " +Inf\n")
}

fn seconds(at: Millis) -> f64 {
    at.0 as f64 / 1_000.0
}

/// Prometheus knows floating point only: exact up to 2^53.
#[allow(clippy::unnecessary_wraps, reason = "as every source of a value")]
fn number(value: u64) -> Option<f64> {
    Some(value as f64)
}

/// One series: its labels and its value.
pub(super) type Sample = (Vec<LabelPair>, f64);

/// A counter or gauge of the registry with its series.
pub(super) fn family(of: registry::Metric, series: impl IntoIterator<Item = Sample>) -> MetricFamily {
    family_of(of, series.into_iter().map(|(labels, value)| metric(of.kind, labels, value)).collect())
}

/// A metric of the registry with its series. They have no label that the registry does not list, and theirs in its order.
pub(super) fn family_of(of: registry::Metric, metrics: Vec<Metric>) -> MetricFamily {
    for metric in &metrics {
        let (mut listed, labels) = (of.labels.iter(), metric.get_label());
        let is_listed = labels.iter().all(|label| listed.any(|name| *name == label.name()));
        debug_assert!(is_listed, "{} has the labels {labels:?}: the registry lists {:?}", of.name, of.labels);
    }
    let mut family = MetricFamily::default();
    family.set_name(of.name.to_owned());
    family.set_help(of.help.to_owned());
    family.set_field_type(match of.kind {
        Kind::Counter => MetricType::COUNTER,
        Kind::Gauge => MetricType::GAUGE,
        Kind::Histogram => MetricType::HISTOGRAM,
    });
    family.set_metric(metrics);
    family
}

fn metric(kind: Kind, labels: Vec<LabelPair>, value: f64) -> Metric {
    let mut metric = Metric::from_label(labels);
    if kind == Kind::Counter {
        let mut counter = Counter::default();
        counter.set_value(value);
        metric.set_counter(counter);
    } else {
        let mut gauge = Gauge::default();
        gauge.set_value(value);
        metric.set_gauge(gauge);
    }
    metric
}

pub(super) fn label(name: &str, value: &str) -> LabelPair {
    let mut pair = LabelPair::default();
    pair.set_name(name.to_owned());
    pair.set_value(value.to_owned());
    pair
}

#[cfg(test)]
mod registered;
#[cfg(test)]
mod tests;
