//! Backups and restores of schema registries, as their runs pushed them.

use std::collections::BTreeMap;

use super::{encode, family, label, number, seconds};
use crate::metrics::{
    push::{Kind, Run, RunId},
    registry,
    restores::{RestoredTopic, latest},
};

const KINDS: [(Kind, &str); 2] = [(Kind::SchemaRegistryBackups, "backup"), (Kind::SchemaRegistryRestores, "restore")];

/// The lines of the page about schema registries; none where no job was heard of.
#[must_use]
pub fn of_schemas(runs: &BTreeMap<RunId, BTreeMap<String, Run>>) -> String {
    let jobs: Vec<_> =
        KINDS.iter().flat_map(|(kind, word)| latest(runs, *kind).into_iter().map(|it| (it, *word))).collect();
    let of_jobs = |of, value: fn(&Run) -> Option<f64>| {
        let sample = |(job, word): &(RestoredTopic<'_>, &str)| {
            let labels = vec![label("namespace", job.namespace), label("job", job.job), label("kind", word)];
            Some((labels, value(job.run)?))
        };
        family(of, jobs.iter().filter_map(sample))
    };
    encode([
        of_jobs(registry::SCHEMA_REGISTRY_JOB_LAST_REPORT_TIMESTAMP_SECONDS, |run| Some(seconds(run.said_at))),
        of_jobs(registry::SCHEMA_REGISTRY_JOB_STATE, |run| Some(run.figures.state?.code().into())),
        of_jobs(registry::SCHEMA_REGISTRY_JOB_VERSIONS_COUNT, |run| number(run.figures.records_count?)),
        of_jobs(registry::SCHEMA_REGISTRY_JOB_VERSIONS_TOTAL, |run| number(run.figures.records_total?)),
    ])
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
