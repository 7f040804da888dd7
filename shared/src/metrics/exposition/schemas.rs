//! Backups and restores of schema registries, as their runs pushed them.

use std::collections::BTreeMap;

use prometheus::proto::{MetricFamily, MetricType};

use super::{encode, family, label, metric, number, seconds};
use crate::metrics::{
    push::{Kind, Run, RunId},
    restores::latest,
};

struct OfJob {
    name: &'static str,
    help: &'static str,
    value: fn(&Run) -> Option<f64>,
}

const OF_JOB: [OfJob; 4] = [
    OfJob {
        name: "highwater_schema_registry_job_last_report_timestamp_seconds",
        help: "When a job of a schema registry last said how it is",
        value: |run| Some(seconds(run.said_at)),
    },
    OfJob {
        name: "highwater_schema_registry_job_state",
        help: "State of the last backup or restore of a schema registry: 1xx=running, 8xx=Done, 9xx=Failed (903 Invalid)",
        value: |run| Some(run.figures.state?.code().into()),
    },
    OfJob {
        name: "highwater_schema_registry_job_versions_count",
        help: "Versions of schemas that the last backup of a registry holds, or that its last restore found or wrote",
        value: |run| number(run.figures.records_count?),
    },
    OfJob {
        name: "highwater_schema_registry_job_versions_total",
        help: "Versions of schemas that there are",
        value: |run| number(run.figures.records_total?),
    },
];
const KINDS: [(Kind, &str); 2] = [(Kind::SchemaRegistryBackups, "backup"), (Kind::SchemaRegistryRestores, "restore")];

/// The lines of the page about schema registries; none where no job was heard of.
#[must_use]
pub fn of_schemas(runs: &BTreeMap<RunId, BTreeMap<String, Run>>) -> String {
    let jobs: Vec<_> =
        KINDS.iter().flat_map(|(kind, word)| latest(runs, *kind).into_iter().map(|it| (it, *word))).collect();
    let family = |of: &OfJob| -> MetricFamily {
        let series = jobs.iter().filter_map(|(job, word)| {
            let labels = vec![label("namespace", job.namespace), label("job", job.job), label("kind", word)];
            Some(metric(MetricType::GAUGE, labels, (of.value)(job.run)?))
        });
        family(of.name, MetricType::GAUGE, of.help, series.collect())
    };
    encode(&OF_JOB.iter().map(family).filter(|family| !family.get_metric().is_empty()).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        metrics::{
            push::{Event, Push, RESTORES_KEY, operation, runs},
            registers::examples::hashes,
        },
        record::Millis,
    };

    fn push(kind: Kind, uuid: &str, event: Event, at: i64, body: serde_json::Value) -> Push {
        Push {
            timestamp: Millis(at),
            sequence: 0,
            kind,
            namespace: "prod".into(),
            name: "registry".into(),
            uuid: uuid.into(),
            topic: "registry".into(),
            event,
            body: serde_json::from_value(body).unwrap(),
        }
    }

    #[test]
    fn the_last_backup_and_the_last_restore_of_a_registry_have_their_series() {
        let done = json!({"state": 800, "progress": 1, "recordsCount": 12, "recordsTotal": 12});
        let pushes = [
            push(Kind::SchemaRegistryBackups, "a", Event::Stopped, 10_000, json!({"state": 900})),
            push(Kind::SchemaRegistryBackups, "b", Event::Stopped, 20_000, done),
            push(Kind::SchemaRegistryRestores, "c", Event::Stopped, 30_000, json!({"state": 903})),
        ];
        let mut hashes = hashes(pushes.iter().map(operation));
        let registers: Vec<_> = hashes.remove(RESTORES_KEY).unwrap_or_default().into_values().collect();
        let page = of_schemas(&runs(&registers));
        for line in [
            r#"highwater_schema_registry_job_state{namespace="prod",job="registry",kind="backup"} 800"#,
            r#"highwater_schema_registry_job_state{namespace="prod",job="registry",kind="restore"} 903"#,
            r#"highwater_schema_registry_job_versions_count{namespace="prod",job="registry",kind="backup"} 12"#,
            r#"highwater_schema_registry_job_last_report_timestamp_seconds{namespace="prod",job="registry",kind="backup"} 20"#,
        ] {
            assert!(page.lines().any(|it| it == line), "{line} is missing in\n{page}");
        }
        assert_eq!(of_schemas(&BTreeMap::new()), "");
    }
}
