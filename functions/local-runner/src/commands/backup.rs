//! `highwater backup`: one drain of every backup, with progress bars, and an end.

use std::{collections::BTreeSet, sync::Arc};

use cluster_archiver::{
    AclOutcome, AclReport, Archive, ArchiveReport, ClusterError, GroupOutcome, GroupReport, TopicReport,
};
use segment_writer::{Backup, Context, Drain, DrainReport, Input, Output, PartitionReport, Waiting, WriteError};
use serde::Serialize;
use shared::{
    adapters::settings,
    config::{BackupSettings, Settings, selection::TopicPattern},
    ports::{clock::Clock, records::Topic},
};

use super::{
    accept_loss::{self, Loss},
    figures,
    writer::Writer,
};
use crate::{
    cli::BackupArgs,
    failure::{Failure, Verdict},
    output::{
        self, Report,
        progress::{self, Reading},
        table,
    },
};

const MISSING: &str = "no such topic in kafka: create it, or correct the name";
/// What the backup is called where none is configured.
const DEFAULT_BACKUP: &str = "main";

#[derive(Debug, Serialize)]
pub(super) struct Backups {
    pub(super) backups: Vec<Done>,
    /// What became of the consumer groups' offsets and of how the topics are set up.
    #[serde(flatten)]
    pub(super) beside: ArchiveReport,
    /// Why they could not be asked for at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) beside_error: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct Done {
    pub(super) backup: String,
    /// Why nothing could be drained at all.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "error_text")]
    pub(super) error: Option<WriteError>,
    /// The missing tails that were accepted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) accepted_losses: Vec<Loss>,
    #[serde(flatten)]
    pub(super) report: DrainReport,
}

fn error_text<S: serde::Serializer>(error: &Option<WriteError>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&error.as_ref().map(ToString::to_string).unwrap_or_default())
}

pub(super) async fn run(config: Option<&str>, args: BackupArgs) -> Result<Verdict, Failure> {
    let settings = with_a_backup(settings::load(config).await?, args.topic.as_ref());
    let writer = Writer::connect(&settings).await?;
    let Writer { context, kafka, clock, .. } = &writer;
    let mut backups = vec![];
    for backup in Backup::all(&settings) {
        let topics = writer.topics(&settings, &backup, args.topic.as_ref()).await?;
        let accepted_losses = match args.accept_loss {
            true => accept(context, &settings, &**clock, &backup, &topics).await?,
            false => vec![],
        };
        let names = names(&backup, &topics, args.topic.as_ref());
        // What is committed is behind durable segments only.
        let bar = progress::records(format!("backup {}", backup.name));
        let partitions = topics.iter().flat_map(Topic::each_partition).collect();
        let reading = [Reading { group: backup.group(), partitions }];
        let drained = progress::of_groups(bar, &**kafka, &reading, drain(context, &backup, names)).await;
        // What cannot be drained at all takes nothing from the other backups.
        let (report, error) = drained.map_or_else(|error| (DrainReport::default(), Some(error)), |it| (it, None));
        backups.push(Done { backup: backup.name, error, accepted_losses, report });
    }
    figures::make_known(&settings, &writer).await;
    // After the records, so that the backup holds what the groups have read.
    let beside = keep_beside(&settings, &writer).await;
    let (beside, beside_error) = match beside {
        Ok(report) => (report, None),
        Err(error) => (ArchiveReport::default(), Some(error.to_string())),
    };
    let mut done = Backups { backups, beside, beside_error };
    output::print(&done, args.output.json)?;
    if let Some(error) = done.backups.iter_mut().find_map(|done| done.error.take()) {
        return Err(error.into());
    }
    let has_all_beside = done.beside_error.is_none() && done.beside.is_complete();
    let has_records = done.backups.iter().all(|done| done.report.complete());
    Ok(if has_records && has_all_beside { Verdict::Good } else { Verdict::Wrong })
}

/// Keeps what is beside the records.
async fn keep_beside(settings: &Settings, writer: &Writer) -> Result<ArchiveReport, ClusterError> {
    let Writer { objects, kafka, clock, .. } = writer;
    let context = cluster_archiver::Context::new(settings, kafka.clone(), objects.clone(), None, clock.clone());
    cluster_archiver::handle(Archive::default(), &context).await
}

/// What to drain by name: the topics that are there, and those that the backup or the command names and that are not, so that
/// the report tells.
fn names(backup: &Backup, topics: &[Topic], only: Option<&TopicPattern>) -> Vec<String> {
    let is_there = |name: &str| topics.iter().any(|topic| *topic.name == *name);
    let configured = backup.topics.literal_names().filter(|name| only.is_none_or(|pattern| pattern.matches(name)));
    let asked_for = only.and_then(TopicPattern::literal).filter(|name| backup.topics.selects(name, &[]));
    let missing: BTreeSet<&str> = configured.chain(asked_for).filter(|name| !is_there(name)).collect();
    topics.iter().map(|topic| topic.name.to_string()).chain(missing.into_iter().map(str::to_owned)).collect()
}

/// The settings; where they have no backup and topics were named, with one of these.
fn with_a_backup(mut settings: Settings, topics: Option<&TopicPattern>) -> Settings {
    if let Some(topics) = topics.filter(|_| settings.backups.is_empty()) {
        settings
            .backups
            .insert(DEFAULT_BACKUP.parse().expect("the constant is a valid name"), BackupSettings::of(topics.clone()));
    }
    settings
}

/// Accepts the missing tails of these topics.
async fn accept(
    context: &Context,
    settings: &Settings,
    clock: &dyn Clock,
    backup: &Backup,
    topics: &[Topic],
) -> Result<Vec<Loss>, Failure> {
    let tails = accept_loss::missing(context, backup, topics, None).await?;
    accept_loss::accept_all(context, settings, clock, &tails).await?;
    Ok(tails.iter().map(Loss::from).collect())
}

async fn drain(context: &Arc<Context>, backup: &Backup, names: Vec<String>) -> Result<DrainReport, WriteError> {
    if names.is_empty() {
        return Ok(DrainReport::default());
    }
    let drain = Drain { backup: backup.name.clone(), topics: Some(names), shard: None, deadline: None, one_shot: true };
    match segment_writer::handle(Input::Drain(drain), context).await? {
        Output::Drain(report) => Ok(report),
        Output::Event(_) => Ok(DrainReport::default()),
    }
}

impl Report for Backups {
    const SCHEMA: &'static str = "highwater.backup.v1";

    fn text(&self) -> String {
        let all =
            self.backups.iter().flat_map(|done| done.report.partitions.iter().map(move |partition| (done, partition)));
        let row = |(done, partition): (&Done, &PartitionReport)| {
            [
                done.backup.clone(),
                partition.topic.to_string(),
                partition.partition.to_string(),
                partition.records.to_string(),
                partition.segments.to_string(),
                partition.next.to_string(),
                outcome(partition),
            ]
        };
        let missing = self.backups.iter().flat_map(|done| done.report.missing_topics.iter().map(move |it| (done, it)));
        let missing = missing.map(|(done, topic)| {
            let dash = || "-".to_owned();
            [done.backup.clone(), topic.clone(), dash(), dash(), dash(), dash(), MISSING.to_owned()]
        });
        let heads = ["BACKUP", "TOPIC", "PARTITION", "RECORDS", "SEGMENTS", "NEXT", ""];
        let table = table::layout(heads, &all.map(row).chain(missing).collect::<Vec<_>>());
        let groups: String = self.beside.groups.iter().filter_map(group).collect();
        let acls: String = self.beside.acls.iter().filter_map(acls).collect();
        let topic =
            |topic: &TopicReport| Some(format!("setup of {}: not kept: {}\n", topic.topic, topic.error.as_ref()?));
        let topics: String = self.beside.topics.iter().filter_map(topic).collect();
        let error = self
            .beside_error
            .as_ref()
            .map(|error| format!("consumer groups and the setup of topics are not kept: {error}\n"));
        format!("{table}{topics}{acls}{groups}{}", error.unwrap_or_default())
    }
}

/// Why the rules about topics are not kept, unless there is nothing to keep.
fn acls(report: &AclReport) -> Option<String> {
    let AclReport { backup, outcome, error } = report;
    match outcome {
        AclOutcome::Kept | AclOutcome::Nothing => None,
        AclOutcome::NotAllowed | AclOutcome::Failed => {
            Some(format!("access rules (ACLs) in {backup}: not kept: {}\n", error.as_deref().unwrap_or_default()))
        }
    }
}

/// What became of a consumer group, unless it has nothing to do with the backup.
fn group(report: &GroupReport) -> Option<String> {
    let GroupReport { backup, group, outcome, partitions, error } = report;
    let became = match outcome {
        GroupOutcome::Nothing => return None,
        GroupOutcome::Stored | GroupOutcome::Unchanged => format!("offsets of {partitions} partitions kept"),
        GroupOutcome::Failed => format!("not kept: {}", error.as_deref().unwrap_or_default()),
    };
    Some(format!("group {group} in {backup}: {became}\n"))
}

fn outcome(partition: &PartitionReport) -> String {
    let outcome = match &partition.error {
        Some(error) => error.to_string(),
        None if partition.paused => "paused".to_owned(),
        None => "done".to_owned(),
    };
    match partition.waiting {
        Some(Waiting { from, to }) => {
            let count = to.0 - from.0;
            format!("{outcome}; {count} offsets from {from} on wait for a transaction that is still open")
        }
        None => outcome,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_configured_backup_the_named_topics_are_one_called_main() {
        let pattern: TopicPattern = "orders".parse().unwrap();
        let settings = with_a_backup(Settings::default(), Some(&pattern));
        let names: Vec<_> = settings.backups.keys().map(ToString::to_string).collect();
        assert_eq!(names, ["main"]);
        assert!(Backup::all(&settings)[0].topics.selects("orders", &[]));
        assert!(with_a_backup(Settings::default(), None).backups.is_empty());
        let configured = with_a_backup(settings, Some(&"other".parse().unwrap()));
        assert!(!Backup::all(&configured)[0].topics.selects("other", &[]), "what is configured stays as it is");
    }
}
