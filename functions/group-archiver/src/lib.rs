//! group-archiver: what consumer groups have committed for the topics of a backup goes into the backup, so that they can go on
//! where a restore puts their records.
//!
//! A snapshot is written when it differs from the one before, and replaces none. An answer that is empty, or lacks a
//! partition, is no snapshot.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use shared::{
    archive::{self, ArchiveError, GroupOffset, GroupSnapshot},
    config::{
        Settings,
        selection::{TopicPattern, TopicSelection},
    },
    ports::{
        clock::Clock,
        objects::Objects,
        records::{Kafka, RecordsError, Topic},
    },
    record::TopicPartition,
};

/// The function's name.
pub const NAME: &str = "group-archiver";
/// Highwater's own groups: they are of no use to anybody else.
const OWN_GROUPS: &str = "highwater.";

/// What to look at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Archive {
    /// Only this backup; absent: all.
    #[serde(default)]
    pub backup: Option<String>,
}

/// The function's ports and settings.
pub struct Context {
    /// The cluster.
    pub kafka: Arc<dyn Kafka>,
    /// The storage.
    pub objects: Arc<dyn Objects>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The backups.
    pub backups: Vec<Backup>,
    /// Topics that no pattern selects.
    pub own_topics: Vec<String>,
}

/// A backup, and what of it is looked at.
#[derive(Debug, Clone)]
pub struct Backup {
    /// Its name.
    pub name: String,
    /// Its topics.
    pub topics: TopicSelection,
    /// The groups whose offsets it keeps.
    pub groups: Vec<TopicPattern>,
}

impl Context {
    /// A context by the settings.
    #[must_use]
    pub fn new(settings: &Settings, kafka: Arc<dyn Kafka>, objects: Arc<dyn Objects>, clock: Arc<dyn Clock>) -> Self {
        let backups = settings.backups.iter().map(|(name, backup)| Backup {
            name: name.to_string(),
            topics: backup.topics.clone(),
            groups: backup.groups.clone(),
        });
        let own_topics = settings.own_topics().map(str::to_owned).to_vec();
        Context { kafka, objects, clock, backups: backups.collect(), own_topics }
    }
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ArchiveReport {
    /// The groups, backup by backup.
    pub groups: Vec<GroupReport>,
}

/// What became of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GroupReport {
    /// The backup.
    pub backup: String,
    /// The group.
    pub group: String,
    /// What became of it.
    pub outcome: Outcome,
    /// For how many partitions it has committed.
    pub partitions: usize,
    /// Why it is not in the backup.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What became of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A snapshot was written.
    Stored,
    /// The last snapshot says the same.
    Unchanged,
    /// It has committed nothing for the backup's topics.
    Nothing,
    /// It could not be asked, or not be stored.
    Failed,
}

/// Why nothing was looked at.
#[derive(Debug, thiserror::Error)]
pub enum GroupsError {
    /// Kafka cannot be asked.
    #[error(transparent)]
    Records(#[from] RecordsError),
    /// The storage fails.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// No backup of that name is configured.
    #[error("no backup {0:?} is configured: add [backups.{0}], or name one that is")]
    UnknownBackup(String),
}

/// Runs the function once.
///
/// # Errors
/// When the backup is unknown, or the groups cannot be listed. What fails for one group costs no other anything.
pub async fn handle(input: Archive, context: &Context) -> Result<ArchiveReport, GroupsError> {
    let is_meant = |backup: &&Backup| input.backup.as_ref().is_none_or(|name| *name == backup.name);
    let backups: Vec<_> = context.backups.iter().filter(is_meant).collect();
    if let (Some(name), true) = (&input.backup, backups.is_empty()) {
        return Err(GroupsError::UnknownBackup(name.clone()));
    }
    let listed = context.kafka.groups().await?;
    let topics = context.kafka.topics(None).await?;
    let mut report = ArchiveReport::default();
    for backup in backups {
        let selected = selected(backup, &topics, context);
        let is_kept = |name: &str| backup.groups.iter().any(|pattern| pattern.matches(name));
        let names = listed.iter().map(|group| group.name.as_str());
        for name in names.filter(|name| !name.starts_with(OWN_GROUPS) && is_kept(name)) {
            report.groups.push(look_at(context, backup, name, &selected).await);
        }
    }
    Ok(report)
}

fn selected<'a>(backup: &Backup, topics: &'a [Topic], context: &Context) -> Vec<&'a Topic> {
    let own: Vec<&str> = context.own_topics.iter().map(String::as_str).collect();
    topics.iter().filter(|topic| backup.topics.selects(&topic.name, &own)).collect()
}

async fn look_at(context: &Context, backup: &Backup, group: &str, topics: &[&Topic]) -> GroupReport {
    let report = |outcome, partitions, error| GroupReport {
        backup: backup.name.clone(),
        group: group.to_owned(),
        outcome,
        partitions,
        error,
    };
    match keep(context, backup, group, topics).await {
        Ok((outcome, partitions)) => report(outcome, partitions, None),
        Err(error) => {
            let text = error.to_string();
            tracing::warn!(group, backup = backup.name, error = &error as &dyn std::error::Error, "group not kept");
            report(Outcome::Failed, 0, Some(text))
        }
    }
}

async fn keep(
    context: &Context,
    backup: &Backup,
    group: &str,
    topics: &[&Topic],
) -> Result<(Outcome, usize), GroupsError> {
    let partitions: Vec<TopicPartition> = topics.iter().flat_map(|topic| topic.each_partition()).collect();
    let committed = context.kafka.committed_once(group, &partitions).await?;
    let id = |name: &str| topics.iter().find(|topic| *topic.name == *name).map(|topic| topic.id.clone());
    let offset = |(partition, offset): (TopicPartition, Option<_>)| {
        let topic_id = id(&partition.topic)?;
        Some(GroupOffset { topic: partition.topic, topic_id, partition: partition.partition, offset: offset? })
    };
    let offsets: Vec<_> = partitions.into_iter().zip(committed).filter_map(offset).collect();
    let count = offsets.len();
    if offsets.is_empty() {
        return Ok((Outcome::Nothing, 0));
    }
    let objects = &*context.objects;
    let latest = archive::latest_group(objects, &backup.name, group, None).await?;
    if latest.is_some_and(|latest| latest.offsets == offsets) {
        return Ok((Outcome::Unchanged, count));
    }
    let snapshot = GroupSnapshot::new(group, context.clock.now(), offsets);
    archive::store_group(objects, &backup.name, &snapshot).await?;
    Ok((Outcome::Stored, count))
}
