//! The registers read back, as runs of jobs and what they say of each topic.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Body, Event, Kind,
    register::{Said, read},
};
use crate::{ports::store::Register, record::Millis};

/// A run of a job.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunId {
    /// What kind of job.
    pub kind: Kind,
    /// Where it runs.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// Which run of it.
    pub uuid: Arc<str>,
}

/// What a run says of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// When the work began, where that was said.
    pub started_at: Option<Millis>,
    /// The latest event.
    pub event: Event,
    /// When it was said.
    pub said_at: Millis,
    /// What was said when the work began.
    pub begun: Body,
    /// The latest figures, each the last that was said since the work began.
    pub figures: Body,
}

impl Run {
    /// For how long something was said, where that is more than a moment.
    fn seconds(&self) -> Option<f64> {
        let seconds = (self.said_at.0 - self.started_at?.0) as f64 / 1_000.0;
        (seconds > 0.0).then_some(seconds)
    }

    /// Records a second since the work began. What was done before, by another run, does not count.
    #[must_use]
    pub fn records_per_second(&self) -> Option<f64> {
        self.per_second(|body| body.records_count)
    }

    /// Bytes a second since the work began.
    #[must_use]
    pub fn bytes_per_second(&self) -> Option<f64> {
        self.per_second(|body| body.bytes_count)
    }

    fn per_second(&self, count: fn(&Body) -> Option<u64>) -> Option<f64> {
        let done = count(&self.figures)?.saturating_sub(count(&self.begun).unwrap_or(0));
        Some(done as f64 / self.seconds()?)
    }

    /// About how long it will take still, if it goes on as it went so far. Not known of what has not moved, or has stopped.
    #[must_use]
    pub fn seconds_left(&self) -> Option<f64> {
        let progress = self.figures.progress?.get();
        let moved = progress - self.begun.progress.map_or(0.0, super::Ratio::get);
        let is_known = self.event != Event::Stopped && moved > 0.0;
        is_known.then_some(self.seconds()? * (1.0 - progress) / moved)
    }
}

/// The runs, and in each the topics by name.
#[must_use]
pub fn runs(registers: &[Register]) -> BTreeMap<RunId, BTreeMap<String, Run>> {
    let mut said = BTreeMap::<(RunId, String), Vec<Said>>::new();
    for it in registers.iter().filter_map(read) {
        said.entry((it.run.clone(), it.topic.clone())).or_default().push(it);
    }
    let mut runs = BTreeMap::<RunId, BTreeMap<String, Run>>::new();
    for ((run, topic), said) in said {
        if let Some(told) = told(said) {
            runs.entry(run).or_default().insert(topic, told);
        }
    }
    runs
}

/// Whether another run of the same job has said something of the topic later: what became of this one matters no more.
#[must_use]
pub fn is_superseded(runs: &BTreeMap<RunId, BTreeMap<String, Run>>, id: &RunId, topic: &str, run: &Run) -> bool {
    let of_same_job = |other: &RunId| {
        other.uuid != id.uuid && (other.kind, &other.namespace, &other.name) == (id.kind, &id.namespace, &id.name)
    };
    let others = runs.iter().filter(|(other, _)| of_same_job(other));
    let said = others.filter_map(|(other, topics)| Some((topics.get(topic)?.said_at, other)));
    said.max().is_some_and(|latest| latest > (run.said_at, id))
}

/// What the events say together. What was said before the latest start is of an earlier attempt.
fn told(mut said: Vec<Said>) -> Option<Run> {
    said.sort_by_key(|it| (it.at, it.sequence, it.event));
    let start = said.iter().position(|it| it.event == Event::Started).unwrap_or(0);
    let attempt = &said[start..];
    let latest = attempt.last()?;
    let started = attempt.first().filter(|first| first.event == Event::Started);
    let figures = attempt.iter().rev().map(|it| &it.body).fold(Body::default(), Body::or);
    let begun = started.map(|it| it.body.clone()).unwrap_or_default();
    Some(Run { started_at: started.map(|it| it.at), event: latest.event, said_at: latest.at, begun, figures })
}
