//! Drills: a backup is restored into a scratch topic, read back, compared with the backup, and the scratch topic removed.
//!
//! ```text
//! mod      one run: topic by topic, so that never more than one topic's records lie in the cluster twice
//! sample   which segments are drilled where not all are
//! scratch  the names of scratch topics, and what removes them
//! compare  the records that were read back against the digests in the backup's footers
//! report   what a drill answers
//! ```
//! One drill of a backup runs at a time: it holds the pin `drill`, which also keeps what it reads from expiring. So a scratch
//! topic that a drill finds at its start is left over from one that was killed, and it removes it.

mod compare;
mod report;
mod sample;
mod scratch;

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};
use shared::{
    archive::{
        self, ArchiveError, Claim, Owner,
        pins::{self, Pin, Pinned},
        reading::segments,
    },
    chain::ChainIdentity,
    config::selection::TopicPattern,
    crash,
    function::with_sources,
    metrics::{drills, push::Kind},
    ports::store::{Query, Value},
    record::{Millis, Partition},
    restore::{Plan, RefusedSettings, TopicRule},
    runs::{Failed, RunLog},
};

pub use self::report::{DrillReport, PartitionDrill, TopicDrill};
use self::sample::{Listed, Window};
use crate::{
    NAME, Outcome, Restore, RestoreReport,
    context::Context,
    error::RestoreError,
    handle,
    pushed::{Pushed, Pushes, Shown},
    source,
};

/// How long after a drill was killed the next one can begin.
const LEASE_MS: u64 = 60_000;
/// What would delete or refuse records that are only there to be compared.
const SCRATCH_SETTINGS: [(&str, &str); 6] = [
    ("cleanup.policy", "delete"),
    ("retention.ms", "-1"),
    ("retention.bytes", "-1"),
    ("message.timestamp.type", "CreateTime"),
    ("message.timestamp.before.max.ms", "9223372036854775807"),
    ("message.timestamp.after.max.ms", "9223372036854775807"),
];

/// What to drill.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drill {
    /// The backup; not needed where the storage holds one.
    #[serde(default)]
    pub backup: Option<String>,
    /// Only these topics: names, globs or /regular expressions/; none: all.
    #[serde(default)]
    pub topics: Vec<TopicPattern>,
    /// Some segments of some partitions of some topics, instead of everything.
    #[serde(default)]
    pub sample: bool,
    /// Only where the store of figures knows of no such drill that ended within so many milliseconds.
    #[serde(default)]
    pub unless_within_ms: Option<u64>,
}

/// Runs a drill. What is wrong with the backup is in the answer.
///
/// # Errors
/// When the backup or the cluster cannot be asked, another drill of the backup runs, or `deadline` came first.
pub async fn drill(input: &Drill, deadline: Option<Millis>, context: &Context) -> Result<DrillReport, RestoreError> {
    let backup = source::backup(&*context.objects, input.backup.as_deref()).await?;
    let pin = hold(&backup.backup, context).await?;
    let began = context.clock.now();
    let run = Run { input, backup: &backup, began, deadline, context };
    let report = Box::pin(pin.during(run.run())).await??;
    // Of some topics nothing is kept: the figures are about the whole backup.
    if let Some(store) = &context.store
        && input.topics.is_empty()
        && let Err(error) = store.apply(&[], &drills::operations(&report.result(context.clock.now()))).await
    {
        tracing::warn!(error = &error as &dyn std::error::Error, "the result of a drill was not kept: metrics lack it");
    }
    Ok(report)
}

/// Counts a run that nobody watched. What is wrong with the backup is no failure of the run: drills have figures of their own.
pub(crate) async fn count(drilled: &Result<DrillReport, RestoreError>, context: &Context) {
    let (backup, failed) = match drilled {
        Ok(report) => (Some(Arc::from(&*report.backup)), vec![]),
        // That one tells it.
        Err(RestoreError::DrillUnderWay { .. }) => return,
        Err(error) => (None, vec![Failed::run(error.kind(), error)]),
    };
    RunLog::new(NAME, context.store.clone()).count(context.clock.now(), backup.as_ref(), &failed).await;
}

/// Whether a drill is due. Where the store of figures is away, nobody knows, and it is not.
pub(crate) async fn is_due(input: &Drill, context: &Context) -> Result<bool, RestoreError> {
    let (Some(within_ms), Some(store)) = (input.unless_within_ms, &context.store) else { return Ok(true) };
    let backup = source::backup(&*context.objects, input.backup.as_deref()).await?.backup;
    let Ok(answers) = store.read(&[Query::Registers(drills::KEY.to_owned())]).await else { return Ok(false) };
    let Some(Value::Registers(registers)) = answers.first() else { return Ok(true) };
    let known = drills::read(registers).into_iter().map(|drills| drills.last);
    let last = known.filter(|last| *last.backup == *backup && last.sample == input.sample).map(|last| last.at).max();
    Ok(last.is_none_or(|at| context.clock.now().0.saturating_sub(at.0).unsigned_abs() >= within_ms))
}

/// Tells in the log what a drill came to that nobody watched.
pub(crate) fn log(drilled: &Result<DrillReport, RestoreError>) {
    match drilled {
        Ok(report) => {
            for topic in report.topics.iter().filter(|topic| !topic.good) {
                let (backup, why) = (&report.backup, topic.error.as_deref());
                tracing::error!(
                    backup,
                    topic = &*topic.topic,
                    why,
                    "a drill failed: the topic cannot be restored in full"
                );
            }
            for left in &report.left_behind {
                tracing::warn!(
                    backup = report.backup,
                    left,
                    "a scratch topic was not removed: the next drill tries again"
                );
            }
        }
        // That one tells it.
        Err(RestoreError::DrillUnderWay { .. }) => {}
        Err(error) => tracing::warn!(error = error as &dyn std::error::Error, "a drill could not be made"),
    }
}

/// The pin that one drill of a backup has.
async fn hold<'a>(backup: &str, context: &'a Context) -> Result<Pinned<'a>, RestoreError> {
    let objects = &*context.objects;
    // The pin of a drill that was killed goes when its lease is over.
    pins::in_force(objects, backup, archive::store_time(objects, backup).await?).await?;
    let who = pins::holder(&format!("highwater drill-{}", context.instance));
    let pin = Pin { lease_ms: LEASE_MS, ..Pin::new(&who, vec![]) };
    match Pinned::create(objects, backup, "drill", pin).await {
        Err(ArchiveError::PinLost { key }) => {
            Err(RestoreError::DrillUnderWay { backup: backup.to_owned(), key, lease_s: LEASE_MS / 1_000 })
        }
        pinned => Ok(pinned?),
    }
}

struct Run<'a> {
    input: &'a Drill,
    backup: &'a Owner,
    began: Millis,
    deadline: Option<Millis>,
    context: &'a Context,
}

/// A topic that is drilled.
struct Candidate {
    topic: Arc<str>,
    claim: Claim,
    chains: BTreeMap<Partition, ChainIdentity>,
    /// What is drilled of each partition.
    windows: BTreeMap<Partition, Window>,
    /// How many partitions hold a segment.
    partitions_total: usize,
}

impl Run<'_> {
    async fn run(&self) -> Result<DrillReport, RestoreError> {
        let leftovers = scratch::remove_leftovers(self.backup, self.context).await?;
        let mut report = DrillReport::new(self.backup.backup.clone(), self.input.sample, leftovers);
        let topics = self.topics().await?;
        report.topics_total = topics.len();
        let chosen = if self.input.sample { sample::topics(&topics, self.began) } else { topics };
        for (number, topic) in chosen.iter().enumerate() {
            if let Some(candidate) = self.candidate(topic).await? {
                let drilled = self.topic(&candidate, number, &mut report.left_behind).await?;
                report.topics.push(drilled);
            }
        }
        report.seconds = self.context.clock.now().0.saturating_sub(self.began.0) as f64 / 1_000.0;
        report.good = report.topics.iter().all(|topic| topic.good);
        Ok(report)
    }

    async fn topics(&self) -> Result<Vec<Arc<str>>, RestoreError> {
        let mut topics = source::topics(&*self.context.objects, self.backup).await?;
        let patterns = &self.input.topics;
        topics.retain(|topic| patterns.is_empty() || patterns.iter().any(|pattern| pattern.matches(topic)));
        match topics.is_empty() && !patterns.is_empty() {
            true => Err(RestoreError::NothingToDrill { backup: self.backup.backup.clone() }),
            false => Ok(topics),
        }
    }

    /// The last incarnation of a topic that holds a segment, and what of it is drilled; `None` where none does.
    async fn candidate(&self, topic: &Arc<str>) -> Result<Option<Candidate>, RestoreError> {
        let mut claims = archive::claims(&*self.context.objects, &self.backup.backup, topic).await?;
        while let Some(claim) = claims.pop() {
            if let Some(candidate) = self.candidate_of(topic, claim).await? {
                return Ok(Some(candidate));
            }
        }
        Ok(None)
    }

    async fn candidate_of(&self, topic: &Arc<str>, claim: Claim) -> Result<Option<Candidate>, RestoreError> {
        let (objects, Owner { backup, cluster_id, .. }) = (&*self.context.objects, self.backup);
        let chains = archive::chains(objects, cluster_id, backup, topic, &claim).await?;
        let mut listed: BTreeMap<Partition, Listed> = BTreeMap::new();
        for chain in &chains {
            let entries = segments::listed(objects, chain).await?.entries;
            if !entries.is_empty() {
                listed.insert(chain.partition, entries.iter().map(|entry| (entry.base, entry.size_bytes)).collect());
            }
        }
        let partitions_total = listed.len();
        let windows = match self.input.sample {
            true => sample::windows(&listed, self.began),
            false => listed.iter().map(|(partition, listed)| (*partition, Window::whole(listed))).collect(),
        };
        let chains = chains.into_iter().map(|chain| (chain.partition, chain)).collect();
        let candidate = Candidate { topic: topic.clone(), claim, chains, windows, partitions_total };
        Ok((partitions_total > 0).then_some(candidate))
    }

    /// Drills one topic. Its scratch topic is removed however that ends.
    async fn topic(
        &self,
        candidate: &Candidate,
        number: usize,
        left_behind: &mut Vec<String>,
    ) -> Result<TopicDrill, RestoreError> {
        let scratch = scratch::name(&self.backup.backup, self.began, number);
        let pushes = Pushes {
            kind: Kind::Drills,
            job: self.backup.backup.clone(),
            run: format!("{}-{}", self.context.instance, self.began.0),
            topics: vec![Shown { written: scratch.clone(), name: candidate.topic.clone(), plan: None }],
        };
        let pushed = Pushed::start(self.context, pushes);
        let restored = self.restore(candidate, &scratch).await;
        crash::point("drill-restored");
        let compared = match &restored {
            Ok(report) if report.outcome == Outcome::Done => compare::topic(candidate, report, self.context).await,
            _ => Ok(vec![]),
        };
        if let Err(error) = scratch::remove(self.backup, &scratch, self.context).await {
            tracing::warn!(
                topic = &*scratch,
                error = &error as &dyn std::error::Error,
                "a scratch topic was not removed"
            );
            left_behind.push(format!("{scratch}: {}", with_sources(&error)));
        }
        let mut restored = restored?;
        let drilled = TopicDrill::new(candidate, &restored, compared.map_err(|error| with_sources(&error)));
        restored.topics.iter_mut().filter(|_| !drilled.good).for_each(|topic| {
            topic.outcome = Outcome::Failed;
            topic.error.clone_from(&drilled.error);
        });
        pushed.end(&restored).await;
        match restored.outcome {
            Outcome::Stopped => Err(RestoreError::DrillOutOfTime { topic: candidate.topic.clone() }),
            _ => Ok(drilled),
        }
    }

    /// Restores what is drilled of a topic into its scratch topic, as any restore does.
    async fn restore(&self, candidate: &Candidate, scratch: &Arc<str>) -> Result<RestoreReport, RestoreError> {
        let input = Restore { plan: self.plan(candidate, scratch), dry_run: false, deadline: self.deadline };
        Box::pin(handle(input, &self.context.quiet())).await
    }

    fn plan(&self, candidate: &Candidate, scratch: &Arc<str>) -> Plan {
        // The name of a topic that exists is a pattern without signs of patterns.
        let sources = candidate.topic.parse().into_iter();
        let rule = |source| TopicRule {
            target: Some(scratch.to_string()),
            incarnation: Some(candidate.claim.incarnation),
            partitions: candidate.windows.iter().map(|(number, window)| window.rule(*number)).collect(),
            ..TopicRule::of(source)
        };
        Plan {
            backup: Some(self.backup.backup.clone()),
            // What Kafka had deleted before it was backed up, and what has expired, is not what a drill is about.
            accept_missing: true,
            settings: SCRATCH_SETTINGS.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            refused_settings: RefusedSettings::LeaveOut,
            topics: sources.map(rule).collect(),
            ..Plan::default()
        }
    }
}
