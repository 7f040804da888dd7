//! cluster-archiver: what a cluster has beside the records of a backup's topics goes into the backup.
//!
//! `topics` keeps how the topics are set up, with the rules about them that `acls` asks for, so that a restore makes them as they were; `groups` keeps what consumer groups have committed, so that they can go on where a restore puts their records.

mod acls;
mod groups;
#[cfg(test)]
mod tests;
mod topics;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use shared::{
    archive::{self, ArchiveError},
    config::{
        Settings,
        selection::{TopicPattern, TopicSelection},
    },
    function::HandlerError,
    ports::{
        clock::Clock,
        objects::Objects,
        records::{Kafka, RecordsError, Topic},
        store::Store,
    },
    runs::{Failed, FailureKind, RunLog},
};

pub use acls::{AclOutcome, AclReport};
pub use groups::{GroupOutcome, GroupReport};
pub use topics::TopicReport;

/// The function's name.
pub const NAME: &str = "cluster-archiver";

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
    runs: RunLog,
    known_groups: groups::Known,
    known_topics: topics::Known,
    /// Who runs it every minute learns once that rules cannot be seen.
    told_of_acls: std::sync::Once,
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
    /// A context by the settings. Its runs are counted in `store`, where there is one.
    #[must_use]
    pub fn new(
        settings: &Settings,
        kafka: Arc<dyn Kafka>,
        objects: Arc<dyn Objects>,
        store: Option<Arc<dyn Store>>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let backups = settings.backups.iter().map(|(name, backup)| Backup {
            name: name.to_string(),
            topics: backup.topics.clone(),
            groups: backup.groups.clone(),
        });
        let own_topics = settings.own_topics().map(str::to_owned).to_vec();
        Context {
            kafka,
            objects,
            clock,
            backups: backups.collect(),
            own_topics,
            runs: RunLog::new(NAME, store),
            known_groups: groups::Known::default(),
            known_topics: topics::Known::default(),
            told_of_acls: std::sync::Once::new(),
        }
    }

    /// The backup's topics of these.
    fn selected(&self, backup: &Backup, topics: &[Topic]) -> Vec<Topic> {
        let own: Vec<&str> = self.own_topics.iter().map(String::as_str).collect();
        topics.iter().filter(|topic| backup.topics.selects(&topic.name, &own)).cloned().collect()
    }
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ArchiveReport {
    /// The topics, backup by backup.
    pub topics: Vec<TopicReport>,
    /// The groups, backup by backup.
    pub groups: Vec<GroupReport>,
    /// The rules about topics, backup by backup.
    pub acls: Vec<AclReport>,
}

impl ArchiveReport {
    /// Whether everything that should be kept is.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.topics.iter().all(|topic| topic.error.is_none())
            && self.groups.iter().all(|group| group.outcome != GroupOutcome::Failed)
            && self.acls.iter().all(|acls| acls.outcome != AclOutcome::Failed)
    }
}

/// Why nothing was looked at.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
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

impl ClusterError {
    /// What is to blame.
    #[must_use]
    pub fn kind(&self) -> FailureKind {
        match self {
            ClusterError::Records(_) => FailureKind::Kafka,
            ClusterError::Archive(error) => error.into(),
            ClusterError::UnknownBackup(_) => FailureKind::Settings,
        }
    }
}

impl HandlerError for ClusterError {
    fn retry(&self) -> bool {
        match self {
            ClusterError::Records(error) => error.retry(),
            ClusterError::Archive(error) => error.retry(),
            ClusterError::UnknownBackup(_) => false,
        }
    }
}

/// Runs the function once.
///
/// # Errors
/// When the backup is unknown, or the groups cannot be listed. What fails for one group costs no other anything.
pub async fn handle(input: Archive, context: &Context) -> Result<ArchiveReport, ClusterError> {
    let is_meant = |backup: &&Backup| input.backup.as_ref().is_none_or(|name| *name == backup.name);
    let backups: Vec<_> = context.backups.iter().filter(is_meant).collect();
    if let (Some(name), true) = (&input.backup, backups.is_empty()) {
        return Err(ClusterError::UnknownBackup(name.clone()));
    }
    let mut report = ArchiveReport::default();
    for backup in backups {
        let mut failed = vec![];
        let kept = keep(context, backup, &mut report, &mut failed).await;
        failed.extend(kept.as_ref().err().map(|error| Failed::run(error.kind(), error)));
        context.runs.note(context.clock.now(), Some(&backup.name.as_str().into()), &failed).await;
        kept?;
    }
    Ok(report)
}

/// Keeps what belongs to a backup. What fails for one topic or group goes to `failed`.
async fn keep(
    context: &Context,
    backup: &Backup,
    report: &mut ArchiveReport,
    failed: &mut Vec<Failed>,
) -> Result<(), ClusterError> {
    let topics = context.kafka.topics(None).await?;
    // Behind an answer of the brokers, and in every run: another cluster may stand at their addresses since the last one, and its
    // groups would take the place of those that the backup's records belong to.
    archive::claim_owner(&*context.objects, &backup.name, &context.kafka.cluster_id().await?).await?;
    let selected = context.selected(backup, &topics);
    let (acls, rules) = acls::ask(context, backup, failed).await;
    report.acls.push(acls);
    report.topics.extend(topics::keep(context, backup, &selected, rules.as_deref(), failed).await?);
    report.groups.extend(groups::keep(context, backup, &selected, failed).await?);
    Ok(())
}
