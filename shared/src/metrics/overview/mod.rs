//! What a person should see: everything at a moment in one document, and what is wrong stands first.
//!
//! Counts and offsets are texts, since a page reads numbers as doubles, which end at 2^53. What is not known is `null`,
//! never 0.

mod checks;
mod findings;
mod jobs;
mod locations;
mod topics;

pub use checks::CheckRow;
pub use findings::{Finding, Severity, Subject};
pub use jobs::{JobRow, JobTopicRow};
pub use locations::{Location, LocationRow};
pub use topics::{PartitionRow, TopicRow};

use std::{collections::BTreeMap, sync::Arc};

use serde::{Serialize, Serializer};

use super::{
    checks::Checks,
    push::{Kind, Run, RunId},
    registers::Registers,
    view::{TopicView, view},
};
use crate::record::Millis;

/// The name of the document's format.
pub const SCHEMA: &str = "highwater.overview.v1";
/// The name of the format of one topic.
pub const TOPIC_SCHEMA: &str = "highwater.topic.v1";

/// Everything at a moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Overview {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// The moment, in milliseconds since 1970.
    pub now: Millis,
    /// The worst of the findings.
    pub verdict: Severity,
    /// What is wrong, the worst first.
    pub findings: Vec<Finding>,
    /// The configured backups.
    pub backups: Vec<BackupRow>,
    /// Runs of jobs that pushed their progress, the latest first; not those of the configured backups, which stand above.
    pub jobs: Vec<JobRow>,
    /// The last verification and the last drills of each backup.
    pub checks: Vec<CheckRow>,
    /// The replication locations; `null` while their figures are being counted again.
    pub locations: Option<Vec<LocationRow>>,
}

/// A backup and its topics.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BackupRow {
    /// Its name.
    pub name: Arc<str>,
    /// The worst of its topics.
    pub level: Severity,
    /// The mean progress of its topics; `null` while one is unknown, or there is none.
    pub progress: Option<f64>,
    /// The age of the oldest record that is not stored, over all topics.
    pub lag_seconds: Option<f64>,
    /// When the last segment of any topic was written.
    pub last_segment_at: Option<Millis>,
    /// When the logs' ends were last observed.
    pub observed_at: Option<Millis>,
    /// Records in the storage; `null` where a partition cannot be read.
    pub records: Option<String>,
    /// Their size in the storage.
    pub stored_bytes: Option<String>,
    /// Declared gaps.
    pub gaps: String,
    /// The topics, by name.
    pub topics: Vec<TopicRow>,
}

/// One topic with its partitions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TopicDetail {
    /// [`TOPIC_SCHEMA`].
    pub schema: &'static str,
    /// The moment.
    pub now: Millis,
    /// The backup.
    pub backup: Arc<str>,
    /// The topic.
    pub topic: TopicRow,
    /// What is wrong with it.
    pub findings: Vec<Finding>,
    /// Its partitions.
    pub partitions: Vec<PartitionRow>,
}

/// What is known of a backup.
pub struct Backup<'a> {
    /// Its name.
    pub name: &'a Arc<str>,
    /// The topics that it asks for by their names.
    pub asked: &'a [String],
    /// What the store holds of it.
    pub registers: &'a Registers,
}

/// What is known, from one read of the store.
pub struct Known<'a> {
    /// The backups.
    pub backups: &'a [Backup<'a>],
    /// The runs that pushed.
    pub runs: &'a BTreeMap<RunId, BTreeMap<String, Run>>,
    /// What verifications, drills and scheduled functions came to.
    pub checks: &'a Checks,
    /// The locations' figures; `None` while they are being counted again.
    pub locations: Option<Vec<Location>>,
    /// How often log ends are observed.
    pub refresh: std::time::Duration,
    /// The moment.
    pub now: Millis,
}

impl Known<'_> {
    /// Whether a run is none of the jobs: configured backups stand among the backups, with figures from the storage.
    fn shows_elsewhere(&self, id: &RunId) -> bool {
        id.kind == Kind::Backups && self.backups.iter().any(|backup| *backup.name == id.name)
    }
}

/// The document.
#[must_use]
pub fn overview(known: &Known<'_>) -> Overview {
    let views: Vec<_> = known.backups.iter().map(|backup| view(backup.registers, known.now)).collect();
    let backups: Vec<_> = known.backups.iter().zip(&views).collect();
    let mut findings: Vec<Finding> =
        backups.iter().flat_map(|(backup, view)| findings::of_backup(backup, view, known)).collect();
    findings.extend(checks::findings(known));
    findings.extend(findings::of_runs(known));
    findings.extend(findings::of_locations(known));
    if known.backups.is_empty() {
        findings.push(findings::nothing_configured());
    }
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    Overview {
        schema: SCHEMA,
        now: known.now,
        verdict: findings.iter().map(|finding| finding.severity).max().unwrap_or(Severity::Safe).max(Severity::Safe),
        findings,
        backups: backups.iter().map(|(backup, view)| backup_row(backup, view, known)).collect(),
        jobs: jobs::rows(known),
        checks: checks::rows(known),
        locations: known.locations.as_ref().map(|all| {
            let row = |location| {
                let backups = backups.iter().map(|(backup, view)| (backup.name, *view));
                LocationRow::of(location, backups, known.now)
            };
            all.iter().map(row).collect()
        }),
    }
}

/// One topic of a backup; `None` where nothing is known of it.
#[must_use]
pub fn topic(backup: &Backup<'_>, topic: &str, known: &Known<'_>) -> Option<TopicDetail> {
    let of_topic = backup.registers.topics.get_key_value(topic)?;
    let registers =
        Registers { topics: BTreeMap::from([(of_topic.0.clone(), of_topic.1.clone())]), unreadable: vec![] };
    let view = view(&registers, known.now);
    let row = view.get(topic)?;
    Some(TopicDetail {
        schema: TOPIC_SCHEMA,
        now: known.now,
        backup: backup.name.clone(),
        topic: TopicRow::of(topic, row, known.now),
        findings: findings::of_topics(backup.name, &view, known.now),
        partitions: row.partitions.iter().map(|(number, partition)| PartitionRow::of(*number, partition)).collect(),
    })
}

fn backup_row(backup: &Backup<'_>, topics: &BTreeMap<Arc<str>, TopicView>, known: &Known<'_>) -> BackupRow {
    let rows: Vec<TopicRow> = topics.iter().map(|(name, topic)| TopicRow::of(name, topic, known.now)).collect();
    let live = || topics.values().filter(|topic| topic.live);
    let count = |of: fn(&TopicView) -> u64| {
        let is_known = topics.values().all(|topic| topic.unreadable == 0);
        is_known.then(|| topics.values().map(of).fold(0_u64, u64::saturating_add).to_string())
    };
    BackupRow {
        name: backup.name.clone(),
        level: findings::of_backup(backup, topics, known).iter().map(|it| it.severity).max().unwrap_or(Severity::Safe),
        progress: mean(live().map(|topic| topic.progress)),
        lag_seconds: rows.iter().filter(|row| row.live).map(|row| row.lag_seconds).reduce(greatest).flatten(),
        last_segment_at: rows.iter().filter_map(|row| row.last_segment_at).max(),
        observed_at: findings::observed_at(backup.registers),
        records: count(|topic| topic.present.records),
        stored_bytes: count(|topic| topic.present.stored_bytes),
        gaps: topics.values().map(|topic| topic.totals.gaps).fold(0_u64, u64::saturating_add).to_string(),
        topics: rows,
    }
}

/// The greater one, where both are known.
fn greatest(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    Some(a?.max(b?))
}

fn mean(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let values: Option<Vec<f64>> = values.collect();
    values.filter(|values| !values.is_empty()).map(|values| values.iter().sum::<f64>() / values.len() as f64)
}

/// Seconds, of which there may be no end: `"never"`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seconds(pub f64);

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_infinite() { serializer.serialize_str("never") } else { serializer.serialize_f64(self.0) }
    }
}

#[cfg(test)]
mod tests;
