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
    /// The latest figures, each the last that was said since the work began.
    pub figures: Body,
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

/// What the events say together. What was said before the latest start is of an earlier attempt.
fn told(mut said: Vec<Said>) -> Option<Run> {
    said.sort_by_key(|it| (it.at, it.sequence, it.event));
    let start = said.iter().position(|it| it.event == Event::Started).unwrap_or(0);
    let attempt = &said[start..];
    let latest = attempt.last()?;
    let started = attempt.first().filter(|first| first.event == Event::Started);
    let figures = attempt.iter().rev().map(|it| &it.body).fold(Body::default(), Body::or);
    Some(Run { started_at: started.map(|it| it.at), event: latest.event, said_at: latest.at, figures })
}
