//! Runs of jobs that pushed their progress, as rows.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Known, Severity, findings};
use crate::{
    job::Word,
    metrics::{
        push::{Event, Kind, Run, RunId},
        restores::RestoreState,
    },
    record::Millis,
};

/// So many runs are shown, the latest ones.
const RUNS_MAX: usize = 100;
/// So many of one job, so that one that runs every hour leaves room for the others.
const RUNS_OF_JOB_MAX: usize = 5;
/// So many topics of a run are shown.
const TOPICS_MAX: usize = 1_000;

/// A run of a job.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JobRow {
    /// What kind of job: `restores`, `schema-registry-backups`, ...
    pub kind: &'static str,
    /// Where it runs.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Which run.
    pub uuid: String,
    /// How bad it is.
    pub level: Severity,
    /// Whether the work on any of its topics is under way.
    pub running: bool,
    /// The state in a word.
    pub state_word: String,
    /// The mean over its topics; `null` while one does not say.
    pub progress: Option<f64>,
    /// When its first topic began.
    pub started_at: Option<Millis>,
    /// When it last said something.
    pub said_at: Millis,
    /// How many topics it has.
    pub topics_count: usize,
    /// The topics, by name.
    pub topics: Vec<JobTopicRow>,
}

/// A topic of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JobTopicRow {
    /// Its name.
    pub topic: String,
    /// The state in a word.
    pub state_word: String,
    /// From 0 to 1.
    pub progress: Option<f64>,
    /// When the work began.
    pub started_at: Option<Millis>,
    /// When something was last said.
    pub said_at: Millis,
    /// Whether the work on it ended.
    pub stopped: bool,
    /// Records that are done.
    pub records_count: Option<String>,
    /// Records that there are.
    pub records_total: Option<String>,
    /// Bytes that are done.
    pub bytes_count: Option<String>,
    /// Bytes that there are.
    pub bytes_total: Option<String>,
    /// What failed.
    pub errors_count: Option<String>,
    /// Records a second since the work began.
    pub records_per_second: Option<f64>,
    /// About so long it will take still.
    pub seconds_left: Option<f64>,
    /// What the job is to do.
    pub plan: Option<String>,
    /// What the job wants known.
    pub message: Option<String>,
}

/// The rows, the latest first.
pub(super) fn rows(known: &Known<'_>) -> Vec<JobRow> {
    let shown = known.runs.iter().filter(|(id, _)| !known.shows_elsewhere(id));
    let mut rows: Vec<JobRow> = shown.map(|(id, topics)| row(id, topics.iter(), known.now)).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.said_at));
    let mut of_job = BTreeMap::new();
    rows.retain(|row| {
        let seen: &mut usize = of_job.entry((row.kind, row.namespace.clone(), row.name.clone())).or_default();
        *seen += 1;
        *seen <= RUNS_OF_JOB_MAX
    });
    rows.truncate(RUNS_MAX);
    rows.sort_by_key(|row| (std::cmp::Reverse(row.running), std::cmp::Reverse(row.said_at)));
    rows
}

fn row<'a>(id: &RunId, topics: impl Iterator<Item = (&'a String, &'a Run)> + Clone, now: Millis) -> JobRow {
    let runs = || topics.clone().map(|(_, run)| run);
    let running = runs().any(|run| run.event != Event::Stopped);
    let failed = runs().any(|run| findings::has_failed(run) && !findings::is_refused(run));
    let needs_a_look = runs().any(|run| findings::is_silent(run, now) || findings::is_refused(run));
    let worst = runs().max_by_key(|run| run.figures.state.map(|state| (state.word(), state.code())));
    JobRow {
        kind: id.kind.name(),
        namespace: id.namespace.to_string(),
        name: id.name.to_string(),
        uuid: id.uuid.to_string(),
        level: match (failed, needs_a_look) {
            (true, _) => Severity::Danger,
            (false, true) => Severity::Attention,
            (false, false) => Severity::Safe,
        },
        running,
        state_word: worst.map(|run| word(id.kind, run, now)).unwrap_or_default(),
        progress: super::mean(runs().map(|run| run.figures.progress.map(crate::metrics::push::Ratio::get))),
        started_at: runs().filter_map(|run| run.started_at).min(),
        said_at: runs().map(|run| run.said_at).max().unwrap_or_default(),
        topics_count: runs().count(),
        topics: topics.clone().take(TOPICS_MAX).map(|(topic, run)| topic_row(id.kind, topic, run, now)).collect(),
    }
}

fn topic_row(kind: Kind, topic: &str, run: &Run, now: Millis) -> JobTopicRow {
    let figures = &run.figures;
    let text = |count: Option<u64>| count.map(|count| count.to_string());
    let stopped = run.event == Event::Stopped;
    let progress = figures.progress.map(crate::metrics::push::Ratio::get);
    JobTopicRow {
        topic: topic.to_owned(),
        state_word: word(kind, run, now),
        progress,
        started_at: run.started_at,
        said_at: run.said_at,
        stopped,
        records_count: text(figures.records_count),
        records_total: text(figures.records_total),
        bytes_count: text(figures.bytes_count),
        bytes_total: text(figures.bytes_total),
        errors_count: text(figures.errors_count),
        records_per_second: run.records_per_second(),
        seconds_left: run.seconds_left(),
        plan: figures.plan.clone(),
        message: figures.message.clone(),
    }
}

/// The state as people call it.
fn word(kind: Kind, run: &Run, now: Millis) -> String {
    if kind == Kind::Restores && !findings::is_silent(run, now) {
        return RestoreState::of(run).to_string();
    }
    let state = run.figures.state.map(|state| state.word()).filter(|word| *word != Word::Created);
    match (run.event, state) {
        _ if findings::is_silent(run, now) => "Silent".to_owned(),
        (Event::Stopped, Some(Word::Running) | None) => "Stopped".to_owned(),
        (_, Some(word)) => word.to_string(),
        (_, None) => Word::Running.to_string(),
    }
}
