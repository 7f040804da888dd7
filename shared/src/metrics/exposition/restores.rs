//! Kannika Armory's restore metrics, and what Highwater adds to them.
//!
//! The figures are those that the runs pushed, so they stay while a restore is stopped and after it is done, for as long as
//! pushes are kept. `restore_partitions_*` count segments: that is what Kannika calls a partition there.

use std::collections::BTreeMap;

use prometheus::proto::{LabelPair, MetricFamily};

use super::{encode, family, label, number, seconds};
use crate::metrics::{
    push::{PartitionFigures, Ratio, Run, RunId},
    registry,
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
    let of_topics = OF_TOPIC.iter().map(|(metric, value)| of_topics(*metric, &topics, *value));
    let of_partitions = OF_PARTITION.iter().map(|(metric, value)| of_partitions(*metric, by_partition, *value));
    encode(of_topics.chain(of_partitions).chain([states(&topics)]))
}

type OfTopic = fn(&Run) -> Option<f64>;
type OfPartition = fn(&PartitionFigures) -> Option<f64>;

/// Counts are gauges too: a restore into a topic that was deleted begins at 0 again.
const OF_TOPIC: &[(registry::Metric, OfTopic)] = &[
    (registry::RESTORE_BYTES_COUNT, |run| number(run.figures.bytes_count?)),
    (registry::RESTORE_BYTES_TOTAL, |run| number(run.figures.bytes_total?)),
    (registry::RESTORE_JOBS_ERRORS, |run| number(run.figures.errors_count?)),
    (registry::RESTORE_PARTITIONS_COUNT, |run| number(run.figures.segments_count?)),
    (registry::RESTORE_PARTITIONS_TOTAL, |run| number(run.figures.segments_total?)),
    (registry::RESTORE_PROGRESS, |run| run.figures.progress.map(Ratio::get)),
    (registry::RESTORE_RECORDS_COUNT, |run| number(run.figures.records_count?)),
    (registry::RESTORE_RECORDS_FILTERED_COUNT, |run| number(run.figures.records_filtered_count?)),
    (registry::RESTORE_RECORDS_TOTAL, |run| number(run.figures.records_total?)),
    (registry::RESTORE_STATE, |run| Some(run.figures.state?.code().into())),
    (registry::RESTORE_BYTES_PER_SECOND, Run::bytes_per_second),
    (registry::RESTORE_LAST_REPORT_TIMESTAMP_SECONDS, |run| Some(seconds(run.said_at))),
    (registry::RESTORE_RECORDS_PER_SECOND, Run::records_per_second),
    (registry::RESTORE_SECONDS_LEFT, Run::seconds_left),
];

const OF_PARTITION: &[(registry::Metric, OfPartition)] = &[
    (registry::RESTORE_PARTITION_PROGRESS, |it| it.progress.map(Ratio::get)),
    (registry::RESTORE_PARTITION_RECORDS_COUNT, |it| number(it.records_count?)),
    (registry::RESTORE_PARTITION_RECORDS_TOTAL, |it| number(it.records_total?)),
];

fn of_topics(metric: registry::Metric, topics: &[RestoredTopic<'_>], value: OfTopic) -> MetricFamily {
    family(metric, topics.iter().filter_map(|topic| Some((labels(topic), value(topic.run)?))))
}

fn of_partitions(metric: registry::Metric, topics: &[RestoredTopic<'_>], value: OfPartition) -> MetricFamily {
    let each = topics.iter().flat_map(|topic| topic.run.figures.partitions.iter().map(move |it| (topic, it)));
    let sample = |(topic, it): (&RestoredTopic<'_>, &PartitionFigures)| {
        let partition = label("partition", &it.partition.to_string());
        Some((labels(topic).into_iter().chain([partition]).collect(), value(it)?))
    };
    family(metric, each.filter_map(sample))
}

/// How many topics are in each state.
fn states(topics: &[RestoredTopic<'_>]) -> MetricFamily {
    let count = |state| topics.iter().filter(|topic| RestoreState::of(topic.run) == state).count() as f64;
    let sample = |state: RestoreState| (vec![label("state", &state.to_string())], count(state));
    family(registry::RESTORE_JOBS_STATE, RestoreState::ALL.map(sample))
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
