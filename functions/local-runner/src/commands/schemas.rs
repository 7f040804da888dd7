//! `highwater schemas`: a schema registry into the storage and back.

use std::sync::Arc;

use schema_archiver::{
    BackupReport, Context, Input, Restore, RestoreOutcome, RestoreReport, SchemaReport, VerifyReport, handle,
};
use shared::adapters::{connect, settings, system_clock::SystemClock};

use crate::{
    cli::{SchemasCommand, SchemasRestoreArgs},
    failure::{Failure, Verdict},
    output::{self, Report, table, time::utc},
};

pub(super) async fn run(config: Option<&str>, command: SchemasCommand) -> Result<Verdict, Failure> {
    let (input, output) = match command {
        SchemasCommand::Backup(output) => (Input::Backup { whole: true }, output),
        SchemasCommand::Verify(output) => (Input::Verify {}, output),
        SchemasCommand::Restore(args) => {
            let output = args.output;
            (Input::Restore(restore(args)), output)
        }
    };
    let report = handle(input, &context(config).await?).await?;
    output::print(&Told(&report), output.json)?;
    Ok(match &report {
        SchemaReport::Backup(_) => Verdict::Good,
        SchemaReport::Verify(report) if report.findings.is_empty() => Verdict::Good,
        SchemaReport::Restore(report) if report.outcome != RestoreOutcome::Refused => Verdict::Good,
        _ => Verdict::Wrong,
    })
}

async fn context(config: Option<&str>) -> Result<Context, Failure> {
    let settings = settings::load(config).await?;
    let objects = connect::storage(&settings).await?;
    let connect::Registries { source, target, name } = connect::registries(&settings)?;
    let mut context = Context::new(objects, source, target, &name, None, Arc::new(SystemClock));
    context.pushing = connect::event_gateway(&settings, connect::neighbour_gateway(&settings).await)?;
    Ok(context)
}

fn restore(args: SchemasRestoreArgs) -> Restore {
    Restore {
        at: args.at.map(|at| at.0),
        subjects: args.subject,
        map_ids: args.map_ids,
        force: args.force,
        dry_run: args.dry_run,
    }
}

#[derive(serde::Serialize)]
#[serde(transparent)]
pub(super) struct Told<'a>(pub(super) &'a SchemaReport);

impl Report for Told<'_> {
    const SCHEMA: &'static str = "highwater.schemas.v1";

    fn text(&self) -> String {
        match self.0 {
            SchemaReport::Backup(report) => of_backup(report),
            SchemaReport::Verify(report) => of_check(report),
            SchemaReport::Restore(report) => of_restore(report),
        }
    }
}

fn of_backup(report: &BackupReport) -> String {
    let BackupReport { registry, taken_at, subjects, versions, written, changed } = report;
    let holds = format!("{subjects} subjects with {versions} versions");
    match changed {
        true => format!("done: registry {registry}, {holds}, {written} of them new\n"),
        false => format!("done: registry {registry}, {holds}, nothing has changed since {}\n", utc(*taken_at)),
    }
}

fn of_check(report: &VerifyReport) -> String {
    let row =
        |it: &schema_archiver::SnapshotReport| [utc(it.taken_at), it.subjects.to_string(), it.versions.to_string()];
    let rows: Vec<_> = report.snapshots.iter().map(row).collect();
    let findings: String = report.findings.iter().map(|finding| format!("wrong    {finding}\n")).collect();
    let verdict = match (report.findings.is_empty(), rows.len()) {
        (true, 0) => "there is no snapshot\n".to_owned(),
        (true, count) => format!("good: {count} snapshots, every byte of them is what was written\n"),
        (false, _) => "wrong: see above\n".to_owned(),
    };
    format!("{}{findings}{verdict}", table::layout(["TAKEN", "SUBJECTS", "VERSIONS"], &rows))
}

fn of_restore(report: &RestoreReport) -> String {
    let findings = report.findings.iter().map(|finding| format!("refused  {finding}\n"));
    let notes = report.notes.iter().map(|note| format!("note     {note}\n"));
    let ids = report.ids.iter().flatten().filter(|(from, to)| from != to);
    let ids = ids.map(|(from, to)| format!("id       {from} is {to} there\n"));
    let RestoreReport { registered, there, .. } = report;
    let from = format!("from the snapshot of {}", utc(report.taken_at));
    let verdict = match report.outcome {
        RestoreOutcome::Refused => "refused: nothing is written\n".to_owned(),
        RestoreOutcome::Planned => {
            format!("dry run {from}: {registered} versions would be written, {there} are there; nothing is written\n")
        }
        RestoreOutcome::Done => format!("done {from}: {registered} versions written, {there} were there\n"),
    };
    findings.chain(notes).chain(ids).chain([verdict]).collect()
}
