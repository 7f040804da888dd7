//! Replication locations as rows.

use std::{collections::BTreeMap, sync::Arc};

use serde::Serialize;

use super::{Severity, findings};
use crate::{
    metrics::{
        backbeat::{
            figures::{SiteFigures, SiteQuestion},
            formulas::{self, SHORT_WINDOW_S},
            keys::SiteCounter,
        },
        replication::exposition::{LocationView, lag_records},
        view::TopicView,
    },
    record::Millis,
};

/// A location's figures, as Backbeat's formulas give them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Location {
    /// Its name.
    pub name: String,
    /// Operations that are queued and not done.
    pub pending_ops: f64,
    /// Their bytes.
    pub pending_bytes: f64,
    /// Operations that were completed in the window.
    pub completed_ops: f64,
    /// Their bytes.
    pub completed_bytes: f64,
    /// Operations that failed in the window.
    pub failed_ops: f64,
    /// Their bytes.
    pub failed_bytes: f64,
    /// Operations a second.
    pub ops_per_second: f64,
    /// Bytes a second.
    pub bytes_per_second: f64,
    /// How long the window is.
    pub window_s: u32,
    /// What is known beside Backbeat's figures.
    pub seen: LocationView,
}

/// A location.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LocationRow {
    /// Its name.
    pub name: String,
    /// How bad it is.
    pub level: Severity,
    /// Operations that are queued and not done.
    pub pending_ops: String,
    /// Their bytes.
    pub pending_bytes: String,
    /// Operations that were completed in the window.
    pub completed_ops: String,
    /// Their bytes.
    pub completed_bytes: String,
    /// Operations that failed in the window.
    pub failed_ops: String,
    /// Their bytes.
    pub failed_bytes: String,
    /// Operations a second.
    pub ops_per_second: f64,
    /// Bytes a second.
    pub bytes_per_second: f64,
    /// How long the window is, in seconds.
    pub window_s: u32,
    /// The age of the oldest pending operation, in seconds; 0 where none is pending.
    pub oldest_pending_seconds: f64,
    /// How far the location is behind, in seconds; 0 where it lacks nothing.
    pub lag_seconds: f64,
    /// How many records that are stored it lacks at most.
    pub lag_records: String,
    /// How long half of the operations took, of those that were completed in the window; `null` where none was.
    pub latency_p50_seconds: Option<f64>,
    /// The same of 95 of 100.
    pub latency_p95_seconds: Option<f64>,
    /// The same of 99 of 100.
    pub latency_p99_seconds: Option<f64>,
}

impl LocationRow {
    /// The row of a location, beside these backups.
    pub(super) fn of<'a>(
        location: &'a Location,
        backups: impl Iterator<Item = (&'a Arc<str>, &'a BTreeMap<Arc<str>, TopicView>)>,
        now: Millis,
    ) -> Self {
        let text = |number: f64| format!("{number:.0}");
        let figures = &location.seen.figures;
        LocationRow {
            name: location.name.clone(),
            level: findings::of_location(location, now),
            pending_ops: text(location.pending_ops),
            pending_bytes: text(location.pending_bytes),
            completed_ops: text(location.completed_ops),
            completed_bytes: text(location.completed_bytes),
            failed_ops: text(location.failed_ops),
            failed_bytes: text(location.failed_bytes),
            ops_per_second: location.ops_per_second,
            bytes_per_second: location.bytes_per_second,
            window_s: location.window_s,
            oldest_pending_seconds: figures.oldest_pending_s(now),
            lag_seconds: figures.lag_s(now),
            lag_records: text(lag_records(&location.seen, backups)),
            latency_p50_seconds: figures.latency_s(0.5),
            latency_p95_seconds: figures.latency_s(0.95),
            latency_p99_seconds: figures.latency_s(0.99),
        }
    }
}

impl Location {
    /// The figures of one location by Backbeat's formulas, and what else is known of it.
    #[must_use]
    pub fn of(seen: LocationView, question: &SiteQuestion<'_>, figures: &SiteFigures) -> Self {
        let windows = question.windows;
        let sum = |counter| formulas::sum(figures.latest(counter, windows.count(windows.window_s)));
        let since_interval_began_ms = question.now.0 - windows.interval_of(question.now).0;
        let rate = |counter| {
            let counts = figures.latest(counter, windows.count(SHORT_WINDOW_S) + 1);
            formulas::throughput(counts, since_interval_began_ms, windows.interval_ms())
        };
        Location {
            name: seen.name.clone(),
            pending_ops: formulas::clamp(figures.pending_ops),
            pending_bytes: formulas::clamp(figures.pending_bytes),
            completed_ops: sum(SiteCounter::OpsDone),
            completed_bytes: sum(SiteCounter::BytesDone),
            failed_ops: sum(SiteCounter::OpsFail),
            failed_bytes: sum(SiteCounter::BytesFail),
            ops_per_second: rate(SiteCounter::OpsDone),
            bytes_per_second: rate(SiteCounter::BytesDone),
            window_s: windows.window_s,
            seen,
        }
    }
}
