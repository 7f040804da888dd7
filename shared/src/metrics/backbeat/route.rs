//! Which question a request asks.
//!
//! After the prefix, `/_/backbeat/api/` or `/_/`:
//! `metrics/crr/<location>[/<type>[/<bucket>/<key...>?versionId=<id>]]`. Segments are matched raw: case counts, nothing is
//! percent-decoded but the value of `versionId`. The key is the rest of the path with every slash of it.
//! Checked in this order: method, prefix, route, query.

pub use super::line::Request;
use super::{
    control::{self, Control},
    error::ErrorAnswer,
    keys::Object,
    line::Line,
};

/// The public prefix, and the one inside the cluster. The longer one first.
const PREFIXES: [&str; 2] = ["/_/backbeat/api/", "/_/"];

/// What a request asks.
#[derive(Debug, Clone, PartialEq)]
pub enum Route {
    /// Figures of locations.
    Site {
        /// Of which: one, or all that are configured.
        locations: Vec<String>,
        /// Which figures, in the order of the answer.
        metrics: Vec<SiteMetric>,
    },
    /// A figure of an object's version.
    Object {
        /// Which version, at which location.
        object: Object,
        /// Which figure.
        metric: ObjectMetric,
    },
    /// Failed operations, and locations paused and resumed.
    Control {
        /// What is asked.
        control: Control,
        /// The path after the prefix.
        tail: String,
    },
    /// Everything as Prometheus text.
    Monitoring,
    /// The state of the topics and the connections.
    Health,
}

/// A figure of a location.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SiteMetric {
    /// What is queued and not completed.
    Backlog,
    /// What was completed.
    Completions,
    /// What failed.
    Failures,
    /// Units per second.
    Throughput,
    /// What is queued and neither completed nor failed (generation B).
    Pending,
}

impl SiteMetric {
    /// All of them, as `all` answers them.
    pub const ALL: [SiteMetric; 5] = [
        SiteMetric::Backlog,
        SiteMetric::Completions,
        SiteMetric::Failures,
        SiteMetric::Throughput,
        SiteMetric::Pending,
    ];

    /// Its name in paths and bodies.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            SiteMetric::Backlog => "backlog",
            SiteMetric::Completions => "completions",
            SiteMetric::Failures => "failures",
            SiteMetric::Throughput => "throughput",
            SiteMetric::Pending => "pending",
        }
    }
}

/// A figure of an object's version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectMetric {
    /// How much of it is replicated.
    Progress,
    /// Bytes per second.
    Throughput,
}

/// What `request` asks, where `locations` are configured.
///
/// # Errors
/// The answer to a request that asks nothing.
pub fn route(request: Request<'_>, locations: &[String]) -> Result<Route, ErrorAnswer> {
    let tail = PREFIXES.iter().find_map(|prefix| request.target.strip_prefix(prefix));
    let line = Line::new(tail.unwrap_or(request.target));
    if !method_exists(request.method, &line) {
        return Err(ErrorAnswer::method_not_allowed());
    }
    let Some(tail) = tail else { return Err(ErrorAnswer::no_such_path(request.target)) };
    match line.segments[0] {
        _ if tail == "healthcheck" || tail == "monitoring/metrics" => exact(request.method, tail),
        "metrics" => metrics(request.method, &line, locations),
        "crr" => {
            let control = control::parse(request, &line, locations)?;
            Ok(Route::Control { control, tail: line.tail.to_owned() })
        }
        _ => Err(line.not_found()),
    }
}

fn method_exists(method: &str, line: &Line<'_>) -> bool {
    let schedule = matches!(line.segments[..], ["crr", "resume", _, "schedule"]);
    matches!(method, "GET" | "POST") || (method == "DELETE" && schedule)
}

fn exact(method: &str, tail: &str) -> Result<Route, ErrorAnswer> {
    match method {
        "GET" if tail == "monitoring/metrics" => Ok(Route::Monitoring),
        "GET" => Ok(Route::Health),
        _ => Err(ErrorAnswer::method_not_allowed()),
    }
}

fn metrics(method: &str, line: &Line<'_>, locations: &[String]) -> Result<Route, ErrorAnswer> {
    let key = line.segments.get(5..).unwrap_or_default().join("/");
    let version_id = line.parameter("versionId").unwrap_or_default();
    if line.segment(4).is_some() && (key.is_empty() || version_id.is_empty()) {
        return Err(ErrorAnswer::object_incomplete(line.tail));
    }
    if line.segment(1) != Some("crr") || method != "GET" {
        return Err(line.not_found());
    }
    let Some(location) = line.segment(2) else { return Err(ErrorAnswer::no_site()) };
    let metric = line.segment(3).unwrap_or("all");
    if key.is_empty() {
        return site(location, metric, locations).ok_or_else(|| line.not_found());
    }
    let known = locations.iter().any(|name| name == location);
    let metric = object_metric(metric).filter(|_| known).ok_or_else(|| line.not_found())?;
    let bucket = line.segments[4].to_owned();
    Ok(Route::Object { object: Object { location: location.to_owned(), bucket, key, version_id }, metric })
}

fn site(location: &str, metric: &str, locations: &[String]) -> Option<Route> {
    let locations: Vec<String> =
        locations.iter().filter(|name| location == "all" || *name == location).cloned().collect();
    let metrics: Vec<SiteMetric> =
        SiteMetric::ALL.into_iter().filter(|m| metric == "all" || m.name() == metric).collect();
    let known = location == "all" || !locations.is_empty();
    (known && !metrics.is_empty()).then_some(Route::Site { locations, metrics })
}

fn object_metric(name: &str) -> Option<ObjectMetric> {
    match name {
        "progress" => Some(ObjectMetric::Progress),
        "throughput" => Some(ObjectMetric::Throughput),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
