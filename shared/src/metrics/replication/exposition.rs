//! Replication as Prometheus text.

use std::{collections::BTreeMap, sync::Arc};

use prometheus::proto::{Bucket, Histogram, LabelPair, Metric, MetricFamily};

use super::{
    counters::{LATENCY_BOUNDS_MS, REASONS, SIZES},
    figures::Figures,
    frontiers::Place,
};
use crate::{
    metrics::{
        exposition::{BackupView, Sample, encode, family, family_of, label},
        registry,
        view::TopicView,
    },
    record::{Millis, Offset},
};

/// The share of operations of each percentile, and its name.
pub const QUANTILES: [(f64, &str); 3] = [(0.5, "0.5"), (0.95, "0.95"), (0.99, "0.99")];

/// A value, and what tells its series from others of the location.
type Labelled = (Option<(&'static str, &'static str)>, f64);

/// A location as the page shows it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LocationView {
    /// Its name.
    pub name: String,
    /// Its figures.
    pub figures: Figures,
    /// How far each chain is complete there.
    pub frontiers: BTreeMap<Place, Offset>,
}

/// The lines of the page about replication; none without a location. With more than so many partitions none has series of its own.
#[must_use]
pub fn of_replication(
    locations: &[LocationView],
    backups: &[BackupView],
    partition_series_max: usize,
    now: Millis,
) -> String {
    if locations.is_empty() {
        return String::new();
    }
    let mut families = counters(locations);
    families.extend(gauges(locations, now));
    families.push(latency(locations));
    families.extend(together(locations, now));
    families.extend(lags(locations, backups, partition_series_max));
    encode(families)
}

/// A metric with the series that each location has.
fn each(of: registry::Metric, locations: &[LocationView], series: impl Fn(&Figures) -> Vec<Labelled>) -> MetricFamily {
    let of_location = |location: &LocationView| {
        let sample = |(more, value): Labelled| {
            let more = more.map(|(name, text)| label(name, text));
            ([label("location", &location.name)].into_iter().chain(more).collect(), value)
        };
        series(&location.figures).into_iter().map(sample).collect::<Vec<_>>()
    };
    family(of, locations.iter().flat_map(of_location))
}

fn counters(locations: &[LocationView]) -> Vec<MetricFamily> {
    let counter = |of, series: fn(&Figures) -> Vec<Labelled>| each(of, locations, series);
    vec![
        counter(registry::REPLICATION_COMPLETED_BYTES_TOTAL, |it| sizes(it.completed.map(|(_, bytes)| bytes))),
        counter(registry::REPLICATION_COMPLETED_OPERATIONS_TOTAL, |it| sizes(it.completed.map(|(ops, _)| ops))),
        counter(registry::REPLICATION_FAILED_BYTES_TOTAL, |it| vec![(None, it.failed_bytes)]),
        counter(registry::REPLICATION_FAILED_OPERATIONS_TOTAL, |it| {
            REASONS.into_iter().zip(it.failed).map(|(reason, ops)| (Some(("reason", reason)), ops)).collect()
        }),
        counter(registry::REPLICATION_QUEUED_OPERATIONS_TOTAL, |it| vec![(None, it.queued_ops())]),
    ]
}

fn sizes(values: [f64; SIZES.len()]) -> Vec<Labelled> {
    SIZES.into_iter().zip(values).map(|(size, value)| (Some(("size", size)), value)).collect()
}

fn gauges(locations: &[LocationView], now: Millis) -> Vec<MetricFamily> {
    let gauge = |of, value: &dyn Fn(&Figures) -> f64| each(of, locations, |figures| vec![(None, value(figures))]);
    vec![
        gauge(registry::REPLICATION_LAG_SECONDS, &|figures| figures.lag_s(now)),
        each(registry::REPLICATION_LATENCY_RECENT_SECONDS, locations, percentiles),
        gauge(registry::REPLICATION_OLDEST_PENDING_SECONDS, &|figures| figures.oldest_pending_s(now)),
        gauge(registry::REPLICATION_PENDING_BYTES, &|figures| figures.pending_bytes),
        gauge(registry::REPLICATION_PENDING_OPERATIONS, &|figures| figures.pending_ops),
    ]
}

fn percentiles(figures: &Figures) -> Vec<Labelled> {
    let of = |(share, name): (f64, &'static str)| Some((Some(("quantile", name)), figures.latency_s(share)?));
    QUANTILES.into_iter().filter_map(of).collect()
}

fn latency(locations: &[LocationView]) -> MetricFamily {
    let histogram = |location: &LocationView| {
        let (figures, mut count) = (&location.figures, 0.0);
        let mut bucket = |(bound, more): (&i64, f64)| {
            count += more;
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(*bound as f64 / 1_000.0);
            bucket.set_cumulative_count(count as u64);
            bucket
        };
        let buckets = LATENCY_BOUNDS_MS.iter().zip(figures.latency).map(&mut bucket).collect();
        let mut histogram = Histogram::default();
        histogram.set_bucket(buckets);
        histogram.set_sample_count(figures.latency.iter().sum::<f64>() as u64);
        histogram.set_sample_sum(figures.latency_ms / 1_000.0);
        let mut metric = Metric::from_label(vec![label("location", &location.name)]);
        metric.set_histogram(histogram);
        metric
    };
    family_of(registry::REPLICATION_LATENCY_SECONDS, locations.iter().map(histogram).collect())
}

/// What cannot be added up by whoever reads the series of the locations: that of all of them together.
fn together(locations: &[LocationView], now: Millis) -> Vec<MetricFamily> {
    let all = locations.iter().fold(Figures::default(), |all, location| all.plus(&location.figures));
    let gauge = |of, series: Vec<Labelled>| {
        let sample =
            |(more, value): Labelled| (more.map(|(name, text)| label(name, text)).into_iter().collect(), value);
        family(of, series.into_iter().map(sample))
    };
    vec![
        gauge(registry::REPLICATION_ALL_LAG_SECONDS, vec![(None, all.lag_s(now))]),
        gauge(registry::REPLICATION_ALL_LATENCY_RECENT_SECONDS, percentiles(&all)),
        gauge(registry::REPLICATION_ALL_OLDEST_PENDING_SECONDS, vec![(None, all.oldest_pending_s(now))]),
        gauge(registry::REPLICATION_ALL_PENDING_OPERATIONS, vec![(None, all.pending_ops)]),
    ]
}

/// How far chains are at the locations, and behind the storage.
fn lags(locations: &[LocationView], backups: &[BackupView], partition_series_max: usize) -> [MetricFamily; 2] {
    let lags: Vec<Lag<'_>> = locations
        .iter()
        .flat_map(|location| of_location(location, backups.iter().map(|(backup, topics)| (backup, topics))))
        .collect();
    let by_topic = lags.len() > partition_series_max;
    let several = backups.len() > 1;
    let labels = |lag: &Lag<'_>, with_partition: bool| {
        let backup = several.then(|| label("backup", lag.backup));
        let partition = with_partition.then(|| label("partition", &lag.partition.to_string()));
        let fixed = [label("location", lag.location), label("topic", lag.topic)];
        backup.into_iter().chain(fixed).chain(partition).collect::<Vec<LabelPair>>()
    };
    let frontiers = lags.iter().filter(|_| !by_topic).map(|lag| (labels(lag, true), lag.next.0 as f64));
    let records: Vec<Sample> = if by_topic {
        let mut by_topic: BTreeMap<_, (&Lag<'_>, f64)> = BTreeMap::new();
        for lag in &lags {
            by_topic.entry((lag.location, lag.backup, lag.topic)).or_insert((lag, 0.0)).1 += lag.records;
        }
        by_topic.into_values().map(|(lag, sum)| (labels(lag, false), sum)).collect()
    } else {
        lags.iter().map(|lag| (labels(lag, true), lag.records)).collect()
    };
    [family(registry::REPLICATION_FRONTIER_OFFSET, frontiers), family(registry::REPLICATION_LAG_RECORDS, records)]
}

/// A partition of a live topic at a location.
struct Lag<'a> {
    location: &'a str,
    backup: &'a str,
    topic: &'a str,
    partition: i32,
    next: Offset,
    records: f64,
}

fn of_location<'a>(
    location: &'a LocationView,
    backups: impl Iterator<Item = (&'a Arc<str>, &'a BTreeMap<Arc<str>, TopicView>)>,
) -> Vec<Lag<'a>> {
    let mut lags = vec![];
    for (backup, topics) in backups {
        for (topic, seen) in topics.iter().filter(|(_, topic)| topic.live) {
            for (partition, stored) in &seen.partitions {
                let Some((incarnation, last)) = seen.incarnation.zip(stored.last_offset) else { continue };
                let place = (backup.clone(), topic.clone(), incarnation, *partition);
                let Some(next) = location.frontiers.get(&place).copied() else { continue };
                let records = (last.next().0 - next.0).max(0) as f64;
                let (location, partition) = (&*location.name, partition.0);
                lags.push(Lag { location, backup, topic, partition, next, records });
            }
        }
    }
    lags
}

/// How many records of these backups a location lacks at most.
#[must_use]
pub fn lag_records<'a>(
    location: &'a LocationView,
    backups: impl Iterator<Item = (&'a Arc<str>, &'a BTreeMap<Arc<str>, TopicView>)>,
) -> f64 {
    // The sum of no number at all is -0.
    of_location(location, backups).iter().fold(0.0, |sum, lag| sum + lag.records)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        metrics::{registers::examples::registers_after, standing::Message, view::view},
        record::Partition,
    };

    fn backups() -> Vec<BackupView> {
        let golden = include_str!("../../../fixtures/metrics/standing.json");
        let message = Message::decode(&serde_json::from_str(golden).unwrap()).unwrap();
        vec![("main".into(), view(&registers_after([&message]), Millis(0)))]
    }

    fn location(name: &str, next: i64) -> LocationView {
        let place: Place = ("main".into(), Arc::from("orders"), 2, Partition(7));
        let mut figures = Figures { pending_ops: 2.0, pending_since: Some(Millis(1_000)), ..Figures::default() };
        figures.missing_since = Some(Millis(500));
        (figures.failed[0], figures.completed[2]) = (3.0, (4.0, 4_000.0));
        (figures.latency[3], figures.recent[3], figures.latency_ms) = (4.0, 4.0, 8_000.0);
        LocationView { name: name.into(), figures, frontiers: BTreeMap::from([(place, Offset(next))]) }
    }

    #[test]
    fn a_location_has_these_series() {
        let page = of_replication(&[location("paris", 300)], &backups(), 100, Millis(11_000));
        for line in [
            "highwater_replication_queued_operations_total{location=\"paris\"} 9",
            "highwater_replication_completed_operations_total{location=\"paris\",size=\"1MiB\"} 4",
            "highwater_replication_completed_bytes_total{location=\"paris\",size=\"1MiB\"} 4000",
            "highwater_replication_failed_operations_total{location=\"paris\",reason=\"unavailable\"} 3",
            "highwater_replication_pending_operations{location=\"paris\"} 2",
            "highwater_replication_oldest_pending_seconds{location=\"paris\"} 10",
            "highwater_replication_lag_seconds{location=\"paris\"} 10.5",
            "highwater_replication_latency_seconds_bucket{location=\"paris\",le=\"2.5\"} 4",
            "highwater_replication_latency_seconds_bucket{location=\"paris\",le=\"1\"} 0",
            "highwater_replication_latency_seconds_sum{location=\"paris\"} 8",
            "highwater_replication_latency_recent_seconds{location=\"paris\",quantile=\"0.5\"} 1.75",
            "highwater_replication_frontier_offset{location=\"paris\",topic=\"orders\",partition=\"7\"} 300",
            "highwater_replication_lag_records{location=\"paris\",topic=\"orders\",partition=\"7\"} 89",
            "highwater_replication_all_pending_operations 2",
        ] {
            assert!(page.lines().any(|it| it == line), "{line} is not in\n{page}");
        }
    }

    #[test]
    fn with_too_many_partitions_lag_is_told_by_topic_and_several_backups_are_told_apart() {
        let mut backups = backups();
        backups.push(("other".into(), BTreeMap::new()));
        let page = of_replication(&[location("paris", 300), location("rome", 389)], &backups, 1, Millis(11_000));
        assert!(
            page.contains("highwater_replication_lag_records{backup=\"main\",location=\"paris\",topic=\"orders\"} 89"),
            "{page}"
        );
        assert!(
            page.contains("highwater_replication_lag_records{backup=\"main\",location=\"rome\",topic=\"orders\"} 0"),
            "{page}"
        );
        assert!(!page.contains("highwater_replication_frontier_offset"), "{page}");
        assert!(page.contains("highwater_replication_all_pending_operations 4"), "{page}");
        assert_eq!(of_replication(&[], &backups, 1, Millis(0)), "");
    }
}
