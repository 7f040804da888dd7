//! `highwater restore`: topics of a backup into a Kafka cluster.

use std::path::Path;

use segment_restorer::{GroupReport, IntoFiles, Outcome, PartitionReport, Restore, RestoreReport, TopicReport};
use shared::{
    config::selection::TopicPattern,
    restore::{Plan, TopicRule},
};

use super::{
    restore_files,
    restoring::{context, done, findings, judged, missing_line, with_progress},
};
use crate::{
    cli::{FileFormat, RestoreArgs},
    failure::{Failure, Verdict},
    output::{self, Report, table},
    storage,
};

pub(super) async fn run(config: Option<&str>, args: RestoreArgs) -> Result<Verdict, Failure> {
    let plan = plan(&args).await?;
    let storage = storage::open(config, &args.storage).await?;
    if let Some(folder) = args.into_files.clone() {
        let format = match args.format {
            FileFormat::Jsonl => segment_restorer::FileFormat::Jsonl,
            FileFormat::Parquet => segment_restorer::FileFormat::Parquet,
        };
        let input = IntoFiles { plan, dry_run: args.dry_run, folder, format };
        return restore_files::run(&input, storage.objects.clone(), args.output.json).await;
    }
    let (context, _) = context(config, &storage).await?;
    let input = Restore { plan, dry_run: args.dry_run, deadline: None };
    let report = with_progress("restore", &context.meter, segment_restorer::handle(input, &context)).await?;
    output::print(&Restored(&report), args.output.json)?;
    Ok(judged(report.outcome))
}

/// The plan of the file, and what the command line says instead.
async fn plan(args: &RestoreArgs) -> Result<Plan, Failure> {
    let mut plan = match &args.plan {
        Some(file) => read(file).await?,
        None => Plan::default(),
    };
    if !args.topic.is_empty() {
        plan.topics = args.topic.iter().map(|source: &TopicPattern| TopicRule::of(source.clone())).collect();
    }
    for rule in &mut plan.topics {
        rule.target = args.target.clone().or(rule.target.take());
        rule.incarnation = args.incarnation.or(rule.incarnation);
    }
    plan.backup = args.storage.backup.clone().or(plan.backup);
    plan.prefix = args.prefix.clone().unwrap_or(plan.prefix);
    plan.suffix = args.suffix.clone().unwrap_or(plan.suffix);
    plan.from = args.from.or(plan.from);
    plan.to = args.to.or(plan.to);
    plan.filter = args.filter.clone().or(plan.filter);
    if !args.groups.is_empty() {
        plan.groups.clone_from(&args.groups);
    }
    plan.settings.extend(args.setting.iter().cloned());
    plan.groups_only |= args.groups_only;
    plan.groups_at = args.groups_at.or(plan.groups_at);
    plan.rewind |= args.rewind;
    plan.may_repeat |= args.may_repeat;
    plan.skip_damaged |= args.skip_damaged;
    plan.acls |= args.acls;
    plan.clamp_timestamps = args.clamp_timestamps.clone().or(plan.clamp_timestamps);
    plan.raise_settings |= args.raise_settings;
    plan.append |= args.append;
    plan.accept_missing |= args.accept_missing;
    if plan.topics.is_empty() {
        let what = "nothing to restore: name a plan (docs/restore.md), or topics with --topic; `highwater topics` lists what there is";
        return Err(Failure::Usage(what.to_owned()));
    }
    Ok(plan)
}

async fn read(file: &Path) -> Result<Plan, Failure> {
    let unreadable = |source| Failure::Io { what: format!("the plan {} cannot be read", file.display()), source };
    let text = tokio::fs::read_to_string(file).await.map_err(unreadable)?;
    Plan::parse(&text).map_err(|why| Failure::Usage(format!("the plan {}: {why}", file.display())))
}

#[derive(serde::Serialize)]
#[serde(transparent)]
pub(super) struct Restored<'a>(pub(super) &'a RestoreReport);

impl Report for Restored<'_> {
    const SCHEMA: &'static str = "highwater.restore.v1";

    fn text(&self) -> String {
        let findings = findings(&self.0.findings);
        let rows: Vec<_> = self.0.topics.iter().flat_map(rows).collect();
        let heads = ["TOPIC", "N", "TARGET", "PARTITION", "RECORDS", "BYTES", "FILTERED", "NEXT", "END", ""];
        let errors =
            self.0.topics.iter().filter_map(|topic| Some(format!("{}: {}\n", topic.target, topic.error.as_ref()?)));
        let missing: String = self.0.topics.iter().flat_map(missing).collect();
        let groups = if self.0.groups.is_empty() { String::new() } else { groups(&self.0.groups) };
        format!(
            "{findings}{}{}{groups}{}",
            table::layout(heads, &rows),
            errors.collect::<String>() + &missing,
            verdict(self.0)
        )
    }
}

fn rows(topic: &TopicReport) -> impl Iterator<Item = [String; 10]> + '_ {
    topic.partitions.iter().map(move |partition: &PartitionReport| {
        let (records, bytes) = match topic.outcome {
            Outcome::Planned | Outcome::Refused => (partition.records_max, partition.record_bytes_max),
            _ => (partition.counts.records, partition.counts.record_bytes),
        };
        let state = if partition.next >= partition.end { "done" } else { "" };
        [
            topic.source.to_string(),
            topic.incarnation.to_string(),
            topic.target.to_string(),
            partition.partition.to_string(),
            records.to_string(),
            bytes.to_string(),
            partition.counts.filtered.to_string(),
            partition.next.to_string(),
            partition.end.to_string(),
            state.to_owned(),
        ]
    })
}

/// What was passed over.
fn missing(topic: &TopicReport) -> impl Iterator<Item = String> + '_ {
    let of = |partition: &PartitionReport| {
        let line = |it| missing_line(&topic.source, partition.partition, it, "are not restored");
        partition.missing.iter().map(line).collect()
    };
    topic.partitions.iter().map(of)
}

fn groups(groups: &[GroupReport]) -> String {
    let text = |it: &Option<shared::record::Offset>| it.map(|offset| offset.to_string()).unwrap_or_default();
    let row = |group: &GroupReport| {
        [
            group.group.clone(),
            group.source.to_string(),
            text(&group.source_offset),
            group.target.to_string(),
            text(&group.offset),
            group.exactness.map(|exactness| name(&exactness)).unwrap_or_default(),
            group.error.clone().unwrap_or_else(|| name(&group.outcome)),
        ]
    };
    let heads = ["GROUP", "TOPIC", "OFFSET", "TARGET", "OFFSET", "HOW", ""];
    table::layout(heads, &groups.iter().map(row).collect::<Vec<_>>())
}

/// A value's name as JSON has it.
fn name(value: &impl serde::Serialize) -> String {
    let json = serde_json::to_value(value).unwrap_or_default();
    json.as_str().unwrap_or_default().replace('_', " ")
}

fn verdict(report: &RestoreReport) -> String {
    let missing = report.topics.iter().flat_map(|topic| &topic.partitions).flat_map(|it| &it.missing);
    let text = match report.outcome {
        Outcome::Done => return done(missing, "the target"),
        Outcome::Planned => "dry run: nothing is written; the numbers are what is restored at most\n",
        Outcome::Refused => "refused: nothing is written\n",
        Outcome::Stopped => "stopped by its deadline: start it again, it goes on\n",
        Outcome::TakenOver => "stopped: another run of this restore has taken over\n",
        Outcome::Failed => "failed: start it again, it goes on where it was committed\n",
    };
    text.to_owned()
}
