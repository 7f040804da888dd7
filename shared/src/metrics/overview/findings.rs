//! What is wrong, how bad that is, and what to do about it.

use std::{collections::BTreeMap, sync::Arc};

use serde::Serialize;

use super::{Backup, Known, Location};
use crate::{
    job::{State, Word},
    metrics::{
        push::{self, Event, Run},
        registers::Registers,
        view::{PartitionView, TopicView},
    },
    record::Millis,
};

/// So many subjects of a finding are named.
const SUBJECTS_MAX: usize = 20;
/// A backup that is further behind needs a look.
const BEHIND_S: f64 = 300.0;
/// Fewer failures say nothing of a location.
const FAILURES_MIN: f64 = 3.0;
/// A location that lacks an object for longer needs a look.
const LATE_S: f64 = 900.0;
/// A gap that was declared less long ago is news.
const GAP_NEWS_MS: i64 = 24 * 3_600 * 1_000;
/// A job that is under way and says nothing for so long has probably died.
const SILENCE_MS: i64 = 3 * 60 * 1_000;
/// The same for lag-monitor, which observes log ends; four refreshes come on top.
const OBSERVER_SILENCE_MS: i64 = 60 * 1_000;

/// How bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// All is well.
    Safe,
    /// Somebody should have a look.
    Attention,
    /// Data is lost, is about to be, or is not backed up at all.
    Danger,
}

/// Something that is wrong with one or more subjects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad.
    pub severity: Severity,
    /// What is wrong, in a sentence.
    pub title: String,
    /// What to do.
    pub remedy: String,
    /// The backup it is about, if it is about one.
    pub backup: Option<Arc<str>>,
    /// How many subjects there are.
    pub count: usize,
    /// The first of them.
    pub subjects: Vec<Subject>,
}

/// What a finding is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Subject {
    /// Its name: a topic's, a job's or a location's.
    pub name: String,
    /// What is special about it.
    pub detail: String,
}

/// A kind of trouble: the same for every topic that has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Trouble {
    TailMissing,
    LogDiverged,
    Failed,
    Unreadable,
    LossNear,
    NotBackedUp,
    NewGap,
    LossComing,
    Missing,
    OpenTransaction,
    Backoff,
    Paused,
    Behind,
    Silent,
    Unobserved,
    OldGap,
}

impl Trouble {
    fn severity(self) -> Severity {
        match self {
            Trouble::TailMissing
            | Trouble::LogDiverged
            | Trouble::Failed
            | Trouble::Unreadable
            | Trouble::LossNear
            | Trouble::NotBackedUp
            | Trouble::NewGap => Severity::Danger,
            Trouble::OldGap => Severity::Note,
            _ => Severity::Attention,
        }
    }

    fn title(self) -> &'static str {
        match self {
            Trouble::TailMissing => "The end of the backup is missing from the storage. Nothing more is stored.",
            Trouble::LogDiverged => "Kafka's log is no longer the one that was backed up. Nothing more is stored.",
            Trouble::Failed => "The backup has stopped with an error. Nothing more is stored.",
            Trouble::Unreadable => "The last segment of a partition cannot be read.",
            Trouble::LossNear => "Kafka is about to delete records that are not stored.",
            Trouble::NotBackedUp => "Records are waiting, and no program is storing them.",
            Trouble::NewGap => "Records are lost: Kafka deleted them before they were stored.",
            Trouble::LossComing => "The backup has used up more than half of the time before Kafka deletes records.",
            Trouble::Missing => "A topic was asked for, and Kafka does not have it.",
            Trouble::OpenTransaction => {
                "A transaction in Kafka has been open for minutes. What comes behind its first record cannot be stored."
            }
            Trouble::Backoff => "The backup meets errors, and tries again.",
            Trouble::Paused => "The backup is paused. Nothing is stored until it is resumed.",
            Trouble::Behind => "The backup is more than five minutes behind.",
            Trouble::Silent => "No program has said in time how the backup is. Everything known is stored.",
            Trouble::Unobserved => "It is not known how far the backup is.",
            Trouble::OldGap => "Some records were lost in the past: Kafka had deleted them before they were stored.",
        }
    }

    fn remedy(self) -> &'static str {
        match self {
            Trouble::TailMissing => {
                "Check that storage.url and the name of the backup are those of before. Bring the segments back to the bucket. If \
                 they are gone for good, accept it: highwater accept-loss"
            }
            Trouble::LogDiverged => {
                "What is stored stays. To back up the log as it is now, exclude the topic here and select it in a backup of another \
                 name: docs/loss.md. If the log comes back, the backup goes on by itself."
            }
            Trouble::Failed => {
                "The log of segment-writer says why. When that is mended, the backup goes on by itself within a minute."
            }
            Trouble::Unreadable => "Find out what is damaged: highwater verify",
            Trouble::LossNear => {
                "Give the topic a longer retention in Kafka now. Then find out why the backup is behind."
            }
            Trouble::NotBackedUp => {
                "Start it: highwater serve, or look why the schedule of segment-writer does not run."
            }
            Trouble::NewGap => "Give the topic a longer retention in Kafka, or let the backup run more often.",
            Trouble::LossComing => "Let more programs work on it, or give the topic a longer retention in Kafka.",
            Trouble::Missing => "Create the topic, or take its name out of topics.include.",
            Trouble::OpenTransaction => {
                "See which program left it open, and end that. Kafka ends it by itself after the producer's \
                 transaction.timeout.ms. One that hangs is found with kafka-transactions.sh find-hanging, and ended with abort."
            }
            Trouble::Backoff => "The log of segment-writer says what fails. It may pass by itself.",
            Trouble::Paused => "Resume it when that is what you want.",
            Trouble::Behind => "It may be catching up. If the lag grows, let more programs work on it.",
            Trouble::Silent => {
                "See whether highwater serve runs. If segment-writer runs on a schedule, look at its last run."
            }
            Trouble::Unobserved => "lag-monitor has not observed the log yet. If this stays, see whether it runs.",
            Trouble::OldGap => "Nothing is to be done. The storage says which offsets: highwater verify",
        }
    }
}

/// What is wrong with a topic, each with what is special about it.
fn troubles(topic: &TopicView, now: Millis) -> Vec<(Trouble, String)> {
    let mut troubles = vec![];
    if topic.unreadable > 0 {
        troubles.push((Trouble::Unreadable, format!("{} of its partitions", topic.unreadable)));
    }
    let gap = topic.last_gap_at.filter(|_| topic.totals.gaps > 0);
    if let Some(at) = gap {
        let is_new = now.0.saturating_sub(at.0) < GAP_NEWS_MS;
        let trouble = if is_new { Trouble::NewGap } else { Trouble::OldGap };
        troubles.push((trouble, format!("{} offsets in {} gaps", topic.totals.gap_offsets, topic.totals.gaps)));
    }
    if !topic.live {
        return troubles;
    }
    troubles.extend(of_state(topic));
    troubles.extend(of_lag(topic));
    troubles.extend(of_transactions(topic));
    if topic.progress.is_none() && topic.unreadable == 0 {
        troubles.push((Trouble::Unobserved, String::new()));
    }
    troubles
}

fn of_state(topic: &TopicView) -> Option<(Trouble, String)> {
    let waiting = topic.partitions.values().any(|partition| partition.lag.is_some_and(|lag| lag.records > 0));
    let trouble = match (topic.state, topic.state.word()) {
        (State::TAIL_MISSING, _) => Trouble::TailMissing,
        (State::LOG_DIVERGED, _) => Trouble::LogDiverged,
        (_, Word::Failed) => Trouble::Failed,
        (state, Word::Backoff) => return Some((Trouble::Backoff, format!("attempt {}", state.code() - 300))),
        (_, Word::Paused) => Trouble::Paused,
        _ if topic.stale && waiting => Trouble::NotBackedUp,
        _ if topic.stale => Trouble::Silent,
        _ => return None,
    };
    Some((trouble, String::new()))
}

/// What is behind, measured against the time that Kafka gives.
fn of_lag(topic: &TopicView) -> Option<(Trouble, String)> {
    let worst = |trouble: fn(f64, f64) -> Option<Trouble>| {
        let found = topic.partitions.values().filter_map(|partition| {
            let lag = partition.lag.filter(|lag| lag.records > 0)?;
            let trouble = |behind_s, to_loss_s| {
                // More programs do not help where a transaction is what everything waits for.
                trouble(behind_s, to_loss_s).filter(|it| *it != Trouble::Behind || !is_held_back(partition))
            };
            trouble(lag.seconds?, lag.seconds_to_loss.unwrap_or(f64::INFINITY)).map(|trouble| (trouble, lag))
        });
        found.min_by_key(|(trouble, _)| *trouble)
    };
    let (trouble, lag) = worst(|behind_s, to_loss_s| match () {
        () if to_loss_s < behind_s / 9.0 || to_loss_s == 0.0 => Some(Trouble::LossNear),
        () if to_loss_s < behind_s => Some(Trouble::LossComing),
        () if behind_s > BEHIND_S => Some(Trouble::Behind),
        () => None,
    })?;
    let detail = match (trouble, lag.seconds_to_loss) {
        (Trouble::LossNear | Trouble::LossComing, Some(to_loss_s)) => format!("in {}", duration(to_loss_s)),
        _ => format!("by {}", duration(lag.seconds.unwrap_or_default())),
    };
    Some((trouble, detail))
}

/// The transaction that has been open for longest, where that is too long.
fn of_transactions(topic: &TopicView) -> Option<(Trouble, String)> {
    let held_back = topic.partitions.iter().filter(|(_, partition)| is_held_back(partition));
    let open = held_back.filter_map(|(number, partition)| Some((number, partition.open_transaction?)));
    let (number, open) = open.max_by(|(_, a), (_, b)| a.seconds.total_cmp(&b.seconds))?;
    let detail = format!("partition {number} from offset {} on, for {}", open.offset, duration(open.seconds));
    Some((Trouble::OpenTransaction, detail))
}

fn is_held_back(partition: &PartitionView) -> bool {
    partition.open_transaction.is_some_and(|open| open.seconds > BEHIND_S)
}

/// How bad it is with a topic.
pub(super) fn level(topic: &TopicView, now: Millis) -> Severity {
    let worst = troubles(topic, now).into_iter().map(|(trouble, _)| trouble.severity()).max();
    worst.unwrap_or(Severity::Safe).max(Severity::Safe)
}

/// What is wrong with these topics of a backup.
pub(super) fn of_topics(backup: &Arc<str>, topics: &BTreeMap<Arc<str>, TopicView>, now: Millis) -> Vec<Finding> {
    let all = topics.iter().flat_map(|(name, topic)| {
        troubles(topic, now)
            .into_iter()
            .map(move |(trouble, detail)| (trouble, Subject { name: name.to_string(), detail }))
    });
    together(backup, all)
}

/// What is wrong with a backup.
pub(super) fn of_backup(
    backup: &Backup<'_>,
    topics: &BTreeMap<Arc<str>, TopicView>,
    known: &Known<'_>,
) -> Vec<Finding> {
    let mut findings = of_topics(backup.name, topics, known.now);
    let is_there = |name: &str| topics.get(name).is_some_and(|topic| topic.live);
    let missing = backup.asked.iter().filter(|name| !is_there(name));
    let missing = missing.map(|name| (Trouble::Missing, Subject { name: name.clone(), detail: String::new() }));
    findings.extend(together(backup.name, missing));
    findings.extend(silent_observer(backup, known));
    if topics.is_empty() && backup.asked.is_empty() {
        let remedy = "If this stays: highwater doctor says which topics of Kafka it selects, and whether figures arrive. \
                      Correct topics.include, or create a topic.";
        let title = "No topic of this backup is known.";
        findings.push(finding(Severity::Attention, title, remedy, Some(backup.name), vec![]));
    }
    findings
}

fn together(backup: &Arc<str>, troubles: impl Iterator<Item = (Trouble, Subject)>) -> Vec<Finding> {
    let mut by_trouble = BTreeMap::<Trouble, Vec<Subject>>::new();
    for (trouble, subject) in troubles {
        by_trouble.entry(trouble).or_default().push(subject);
    }
    let finding = |(trouble, subjects): (Trouble, Vec<Subject>)| {
        finding(trouble.severity(), trouble.title(), trouble.remedy(), Some(backup), subjects)
    };
    by_trouble.into_iter().map(finding).collect()
}

pub(super) fn finding(
    severity: Severity,
    title: &str,
    remedy: &str,
    backup: Option<&Arc<str>>,
    mut subjects: Vec<Subject>,
) -> Finding {
    let count = subjects.len();
    subjects.truncate(SUBJECTS_MAX);
    Finding { severity, title: title.to_owned(), remedy: remedy.to_owned(), backup: backup.cloned(), count, subjects }
}

/// When the ends of a backup's logs were last observed.
pub(super) fn observed_at(registers: &Registers) -> Option<Millis> {
    registers.topics.values().flat_map(|topic| topic.ends.values()).map(|ends| ends.observed_at).max()
}

/// Progress and lag are as old as the last look at the logs.
fn silent_observer(backup: &Backup<'_>, known: &Known<'_>) -> Option<Finding> {
    let observed_at = observed_at(backup.registers)?;
    let silence_ms = i64::try_from(4 * known.refresh.as_millis()).unwrap_or(i64::MAX).max(OBSERVER_SILENCE_MS);
    let age_ms = known.now.0.saturating_sub(observed_at.0);
    let title = "The figures are old: nobody has looked at the ends of the logs.";
    let remedy = "See whether lag-monitor runs. Until it does, records may wait that are not shown here.";
    let detail = format!("last {} ago", duration(age_ms as f64 / 1_000.0));
    let subject = Subject { name: "lag-monitor".to_owned(), detail };
    (age_ms > silence_ms).then(|| finding(Severity::Danger, title, remedy, Some(backup.name), vec![subject]))
}

/// What is wrong with jobs that pushed.
pub(super) fn of_runs(known: &Known<'_>) -> Vec<Finding> {
    let (mut failed, mut refused, mut silent) = (vec![], vec![], vec![]);
    for (id, topics) in known.runs.iter().filter(|(id, _)| !known.shows_elsewhere(id)) {
        let subject = |detail: String| Subject { name: format!("{} {}", id.kind.one(), id.name), detail };
        let is_latest = |topic: &str, run: &Run| !push::is_superseded(known.runs, id, topic, run);
        if let Some((topic, run)) = topics.iter().find(|(topic, run)| has_failed(run) && is_latest(topic, run)) {
            let why = run.figures.message.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
            let subject = subject(format!("{topic}{why}"));
            if is_refused(run) { refused.push(subject) } else { failed.push(subject) }
        } else if let Some((topic, _)) =
            topics.iter().find(|(topic, run)| is_silent(run, known.now) && is_latest(topic, run))
        {
            silent.push(subject(topic.clone()));
        }
    }
    let of = |severity, title, remedy, subjects: Vec<Subject>| {
        (!subjects.is_empty()).then(|| finding(severity, title, remedy, None, subjects))
    };
    let failed = of(
        Severity::Danger,
        "A job has failed.",
        "Its log says why. A restore that is started again goes on where it stopped.",
        failed,
    );
    let refused = of(
        Severity::Attention,
        "A job was refused, and has written nothing.",
        "Mend what it says, and start it again.",
        refused,
    );
    let silent = of(
        Severity::Attention,
        "A job is under way, and has said nothing for minutes.",
        "See whether it still runs. One that died can be started again.",
        silent,
    );
    failed.into_iter().chain(refused).chain(silent).collect()
}

pub(super) fn has_failed(run: &Run) -> bool {
    run.figures.state.is_some_and(|state| state.word() == Word::Failed)
}

/// It has written nothing, so nothing is the worse for it.
pub(super) fn is_refused(run: &Run) -> bool {
    run.figures.state == Some(State::REFUSED)
}

pub(super) fn is_silent(run: &Run, now: Millis) -> bool {
    let rests = run.figures.state.is_some_and(|state| matches!(state.word(), Word::Paused | Word::Done));
    run.event != Event::Stopped && !rests && now.0.saturating_sub(run.said_at.0) > SILENCE_MS
}

/// What is wrong with replication locations. What fails is tried again by itself, so a failure now and then is no trouble;
/// what is not there for long is.
pub(super) fn of_locations(known: &Known<'_>) -> Vec<Finding> {
    let of = |severity, title, remedy, detail: &dyn Fn(&Location) -> Option<String>| {
        let subject = |it: &Location| Some(Subject { name: it.name.clone(), detail: detail(it)? });
        let subjects: Vec<Subject> = known.locations.iter().flatten().filter_map(subject).collect();
        (!subjects.is_empty()).then(|| finding(severity, title, remedy, None, subjects))
    };
    let now = known.now;
    let failed = |it: &Location| format!("{} failed and {} completed of late", it.failed_ops, it.completed_ops);
    let late = of(
        Severity::Attention,
        "Replication is late: a location lacks objects for more than a quarter of an hour.",
        "The page of the location lists what failed and why, and has a button that tries it again. See also whether object-replicator \
         runs, and whether the location is paused.",
        &|it| is_late(it, now).then(|| format!("by {}", duration(it.seen.figures.lag_s(now)))),
    );
    let failing = of(
        Severity::Attention,
        "Replication fails more often than it succeeds.",
        "The page of the location lists what failed and why. See whether the location answers.",
        &|it| fails_mostly(it).then(|| failed(it)),
    );
    let some = of(
        Severity::Note,
        "Some attempts to replicate failed.",
        "They are tried again by themselves, a few times.",
        &|it| (of_location(it, now) == Severity::Note).then(|| failed(it)),
    );
    [late, failing, some].into_iter().flatten().collect()
}

/// The same as the alert HighwaterReplicationLate.
fn is_late(location: &Location, now: Millis) -> bool {
    location.seen.figures.lag_s(now) > LATE_S
}

fn fails_mostly(location: &Location) -> bool {
    location.failed_ops >= FAILURES_MIN && location.failed_ops > location.completed_ops
}

/// How bad it is with a location.
pub(super) fn of_location(location: &Location, now: Millis) -> Severity {
    match location.failed_ops {
        _ if is_late(location, now) || fails_mostly(location) => Severity::Attention,
        failed if failed > 0.0 => Severity::Note,
        _ => Severity::Safe,
    }
}

/// Nothing is asked for.
pub(super) fn nothing_configured() -> Finding {
    let title = "No backup is configured.";
    let remedy = "Write [backups.main] topics = { include = [\"orders-*\"] } into the configuration, and start again.";
    finding(Severity::Attention, title, remedy, None, vec![])
}

/// A length of time as people say it.
pub(super) fn duration(seconds: f64) -> String {
    let s = seconds.max(0.0);
    match s {
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7_200.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.0} h", s / 3_600.0),
        s if s.is_finite() => format!("{:.0} days", s / 86_400.0),
        _ => "never".to_owned(),
    }
}
