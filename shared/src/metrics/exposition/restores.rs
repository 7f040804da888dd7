//! Kannika Armory's restore metrics, and what Highwater adds to them.
//!
//! The figures are those that the runs pushed, so they stay while a restore is stopped and after it is done, for as long as
//! pushes are kept. `restore_partitions_*` count segments: that is what Kannika calls a partition there.

use std::collections::BTreeMap;

use prometheus::proto::{LabelPair, Metric, MetricFamily, MetricType};

use super::{encode, family, label, metric, number, seconds};
use crate::metrics::{
    push::{Body, PartitionFigures, Ratio, Run, RunId},
    restores::{RestoreState, RestoredTopic, restored},
};

/// The lines of the page about restores; none where none was heard of. With more than so many partitions none has series of
/// its own.
#[must_use]
pub fn of_restores(runs: &BTreeMap<RunId, BTreeMap<String, Run>>, partition_series_max: usize) -> String {
    let topics = restored(runs);
    if topics.is_empty() {
        return String::new();
    }
    let partitions: usize = topics.iter().map(|topic| topic.run.figures.partitions.len()).sum();
    let by_partition = if partitions > partition_series_max { &[] } else { topics.as_slice() };
    let families = OF_TOPIC.iter().map(|of| of.family(&topics));
    let families = families.chain(OF_PARTITION.iter().map(|of| of.family(by_partition)));
    let families = families.chain([states(&topics)]);
    encode(&families.filter(|family| !family.get_metric().is_empty()).collect::<Vec<_>>())
}

struct OfTopic {
    name: &'static str,
    kind: MetricType,
    help: &'static str,
    value: Source,
}

/// Where a value comes from.
enum Source {
    Count(fn(&Body) -> Option<u64>),
    Run(fn(&Run) -> Option<f64>),
}

const OF_TOPIC: &[OfTopic] = &[
    count("restore_bytes_count", "Bytes of records (key, value, headers) that are restored", |it| it.bytes_count),
    count(
        "restore_bytes_total",
        "Bytes of records that there are to restore: at most so many until the restore is done, then exactly",
        |it| it.bytes_total,
    ),
    OfTopic {
        name: "restore_jobs_errors",
        kind: MetricType::COUNTER,
        help: "What failed in this run of the restore, attempts that were repeated included",
        value: Source::Count(|it| it.errors_count),
    },
    count("restore_partitions_count", "Segments that are restored", |it| it.segments_count),
    count("restore_partitions_total", "Segments that there are to restore", |it| it.segments_total),
    gauge(
        "restore_progress",
        "Progress of a topic's restore as a number between 0 and 1: 1 when, and only when, the last record is committed",
        |run| run.figures.progress.map(Ratio::get),
    ),
    count("restore_records_count", "Records that are restored", |it| it.records_count),
    count("restore_records_filtered_count", "Records that the restore's filter left out", |it| {
        it.records_filtered_count
    }),
    count(
        "restore_records_total",
        "Records that there are to restore: at most so many until the restore is done, then exactly",
        |it| it.records_total,
    ),
    gauge(
        "restore_state",
        "State of a topic's restore: 0=Created, 1xx=Restoring (102 Initializing), 2xx=stopped before its end, 8xx=Done, 9xx=Failed (903 Invalid)",
        |run| Some(run.figures.state?.code().into()),
    ),
    gauge("highwater_restore_bytes_per_second", "Bytes of records a second, over this run", Run::bytes_per_second),
    gauge("highwater_restore_last_report_timestamp_seconds", "When the restore last said how far it is", |run| {
        Some(seconds(run.said_at))
    }),
    gauge("highwater_restore_records_per_second", "Records a second, over this run", Run::records_per_second),
    gauge(
        "highwater_restore_seconds_left",
        "About how long the restore will take still; absent while it does not run",
        Run::seconds_left,
    ),
];

const fn gauge(name: &'static str, help: &'static str, value: fn(&Run) -> Option<f64>) -> OfTopic {
    OfTopic { name, kind: MetricType::GAUGE, help, value: Source::Run(value) }
}

/// Gauges too: a restore into a topic that was deleted begins at 0 again.
const fn count(name: &'static str, help: &'static str, value: fn(&Body) -> Option<u64>) -> OfTopic {
    OfTopic { name, kind: MetricType::GAUGE, help, value: Source::Count(value) }
}

impl OfTopic {
    fn family(&self, topics: &[RestoredTopic<'_>]) -> MetricFamily {
        let value = |run: &Run| match self.value {
            Source::Count(count) => number(count(&run.figures)?),
            Source::Run(value) => value(run),
        };
        let series = topics.iter().filter_map(|topic| Some(metric(self.kind, labels(topic), value(topic.run)?)));
        family(self.name, self.kind, self.help, series.collect())
    }
}

struct OfPartition {
    name: &'static str,
    help: &'static str,
    value: fn(&PartitionFigures) -> Option<f64>,
}

const OF_PARTITION: &[OfPartition] = &[
    OfPartition {
        name: "highwater_restore_partition_progress",
        help: "Progress of a source partition's restore as a number between 0 and 1",
        value: |it| it.progress.map(Ratio::get),
    },
    OfPartition {
        name: "highwater_restore_partition_records_count",
        help: "Records of a source partition that are restored",
        value: |it| number(it.records_count?),
    },
    OfPartition {
        name: "highwater_restore_partition_records_total",
        help: "Records of a source partition that there are to restore: at most so many until it is done, then exactly",
        value: |it| number(it.records_total?),
    },
];

impl OfPartition {
    fn family(&self, topics: &[RestoredTopic<'_>]) -> MetricFamily {
        let each = topics.iter().flat_map(|topic| topic.run.figures.partitions.iter().map(move |it| (topic, it)));
        let series = each.filter_map(|(topic, it)| {
            let partition = label("partition", &it.partition.to_string());
            let labels = labels(topic).into_iter().chain([partition]).collect();
            Some(metric(MetricType::GAUGE, labels, (self.value)(it)?))
        });
        family(self.name, MetricType::GAUGE, self.help, series.collect())
    }
}

/// How many topics are in each state.
fn states(topics: &[RestoredTopic<'_>]) -> MetricFamily {
    let count = |state| topics.iter().filter(|topic| RestoreState::of(topic.run) == state).count() as f64;
    let series = |state: RestoreState| -> Metric {
        metric(MetricType::GAUGE, vec![label("state", &state.to_string())], count(state))
    };
    let help = "Topics whose restore is in a state: Draft, Ready, Invalid, Initializing, Restoring, Failed, Done";
    family("restore_jobs_state", MetricType::GAUGE, help, RestoreState::ALL.map(series).into())
}

fn labels(topic: &RestoredTopic<'_>) -> Vec<LabelPair> {
    vec![label("namespace", topic.namespace), label("job", topic.job), label("topic", topic.topic)]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        metrics::push::{Event, Kind, Push, RESTORES_KEY, operation, runs},
        metrics::registers::examples::hashes,
        record::Millis,
    };

    fn push(uuid: &str, topic: &str, event: Event, at: i64, body: serde_json::Value) -> Push {
        Push {
            timestamp: Millis(at),
            sequence: 0,
            kind: Kind::Restores,
            namespace: "prod".into(),
            name: "main".into(),
            uuid: uuid.into(),
            topic: topic.into(),
            event,
            body: serde_json::from_value(body).unwrap(),
        }
    }

    fn page(pushes: &[Push], partition_series_max: usize) -> String {
        let registers: Vec<_> =
            hashes(pushes.iter().map(operation)).remove(RESTORES_KEY).unwrap_or_default().into_values().collect();
        of_restores(&runs(&registers), partition_series_max)
    }

    fn begun(uuid: &str, at: i64) -> Push {
        let body =
            json!({"state": 100, "progress": 0.25, "recordsCount": 200, "recordsTotal": 1_000, "bytesCount": 400});
        push(uuid, "copy", Event::Started, at, body)
    }

    fn under_way(uuid: &str, at: i64) -> Push {
        let body = json!({
            "state": 100, "progress": 0.5, "recordsCount": 600, "recordsTotal": 1_000, "recordsFilteredCount": 7,
            "bytesCount": 1_200, "bytesTotal": 2_000, "segmentsCount": 3, "segmentsTotal": 5, "errorsCount": 1,
            "partitions": [
                {"partition": 0, "progress": 1, "recordsCount": 500, "recordsTotal": 500},
                {"partition": 1, "progress": 0.2, "recordsCount": 100, "recordsTotal": 500},
            ],
        });
        push(uuid, "copy", Event::Progress, at, body)
    }

    #[track_caller]
    fn has(page: &str, lines: &[&str]) {
        for line in lines {
            assert!(page.lines().any(|it| it == *line), "{line} is missing in\n{page}");
        }
    }

    #[test]
    fn a_restore_under_way_has_kannikas_metrics_its_rate_of_this_run_and_the_time_left() {
        let page = page(&[begun("u", 10_000), under_way("u", 14_000)], 1_000);
        let of = r#"{namespace="prod",job="main",topic="copy"}"#;
        let expected = [
            ("restore_progress", "0.5"),
            ("restore_records_count", "600"),
            ("restore_records_total", "1000"),
            ("restore_records_filtered_count", "7"),
            ("restore_bytes_count", "1200"),
            ("restore_bytes_total", "2000"),
            ("restore_partitions_count", "3"),
            ("restore_partitions_total", "5"),
            ("restore_jobs_errors", "1"),
            ("restore_state", "100"),
            ("highwater_restore_records_per_second", "100"),
            ("highwater_restore_bytes_per_second", "200"),
            ("highwater_restore_seconds_left", "8"),
            ("highwater_restore_last_report_timestamp_seconds", "14"),
        ];
        for (name, value) in expected {
            has(&page, &[&format!("{name}{of} {value}")]);
        }
        has(
            &page,
            &[
                r#"highwater_restore_partition_progress{namespace="prod",job="main",topic="copy",partition="1"} 0.2"#,
                r#"highwater_restore_partition_records_count{namespace="prod",job="main",topic="copy",partition="0"} 500"#,
                r#"restore_jobs_state{state="Restoring"} 1"#,
                r#"restore_jobs_state{state="Draft"} 0"#,
            ],
        );
    }

    #[test]
    fn a_run_that_stopped_is_ready_and_the_run_that_finishes_it_takes_its_place() {
        let stopped = push("u", "copy", Event::Stopped, 15_000, json!({"state": 200}));
        let first = [begun("u", 10_000), under_way("u", 14_000), stopped];
        let paused = page(&first, 1_000);
        has(
            &paused,
            &[
                r#"restore_jobs_state{state="Ready"} 1"#,
                r#"restore_records_count{namespace="prod",job="main",topic="copy"} 600"#,
            ],
        );
        assert!(!paused.contains("seconds_left"), "{paused}");
        let done =
            push("v", "copy", Event::Stopped, 30_000, json!({"state": 800, "progress": 1, "recordsCount": 1_000}));
        let over = page(&[&first[..], &[begun("v", 20_000), done]].concat(), 1_000);
        has(
            &over,
            &[
                r#"restore_jobs_state{state="Done"} 1"#,
                r#"restore_progress{namespace="prod",job="main",topic="copy"} 1"#,
            ],
        );
        let series = over.lines().filter(|line| line.starts_with("restore_progress{")).count();
        assert_eq!(series, 1, "{over}");
    }

    #[test]
    fn with_too_many_partitions_none_has_series_and_without_a_restore_there_is_nothing() {
        let page_of_topics = page(&[under_way("u", 14_000)], 1);
        assert!(!page_of_topics.contains("partition="), "{page_of_topics}");
        assert_eq!(page(&[], 1_000), "");
    }

    #[test]
    fn each_state_of_a_run_is_one_of_kannikas() {
        let word = |event, state: Option<u16>| {
            let body = state.map_or(json!({}), |state| json!({"state": state}));
            let registers: Vec<_> = hashes([operation(&push("u", "copy", event, 1, body))])
                .remove(RESTORES_KEY)
                .unwrap()
                .into_values()
                .collect();
            let runs = runs(&registers);
            RestoreState::of(&runs.values().next().unwrap()["copy"]).to_string()
        };
        let running = [None, Some(0), Some(100), Some(102), Some(305)].map(|state| word(Event::Progress, state));
        assert_eq!(running, ["Restoring", "Ready", "Restoring", "Initializing", "Restoring"]);
        let ended = [None, Some(200), Some(800), Some(900), Some(903)].map(|state| word(Event::Stopped, state));
        assert_eq!(ended, ["Ready", "Ready", "Done", "Failed", "Invalid"]);
    }
}
