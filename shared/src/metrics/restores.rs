//! Restores as the figures show them: of each topic of each job the run that was heard of last.

use std::{collections::BTreeMap, fmt, sync::Arc};

use super::push::{Event, Kind, Run, RunId, is_superseded};
use crate::job::{State, Word};

/// What a restore of a topic does, in Kannika's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestoreState {
    /// Written down, and not to be started. No run of ours is in this state: a plan that nobody starts is not known.
    Draft,
    /// It may be started: it never was, or it stopped before its end and goes on when it is started again.
    Ready,
    /// Something stands in its way; nothing was written.
    Invalid,
    /// The target and its producers are made ready.
    Initializing,
    /// Records are written.
    Restoring,
    /// It failed. Started again, it goes on where it was committed.
    Failed,
    /// Every record that was asked for is in the target.
    Done,
}

impl RestoreState {
    /// All of them, in the order in which Kannika lists them.
    pub const ALL: [RestoreState; 7] = [
        RestoreState::Draft,
        RestoreState::Ready,
        RestoreState::Invalid,
        RestoreState::Initializing,
        RestoreState::Restoring,
        RestoreState::Failed,
        RestoreState::Done,
    ];

    /// The state of a run.
    #[must_use]
    pub fn of(run: &Run) -> RestoreState {
        match run.figures.state {
            Some(State::INITIALIZING) => RestoreState::Initializing,
            Some(State::REFUSED) => RestoreState::Invalid,
            Some(state) => match state.word() {
                Word::Created | Word::Paused => RestoreState::Ready,
                Word::Running | Word::Backoff if run.event == Event::Stopped => RestoreState::Ready,
                Word::Running | Word::Backoff => RestoreState::Restoring,
                Word::Done => RestoreState::Done,
                Word::Failed => RestoreState::Failed,
            },
            None if run.event == Event::Stopped => RestoreState::Ready,
            None => RestoreState::Restoring,
        }
    }
}

impl fmt::Display for RestoreState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A topic that is restored.
#[derive(Debug, Clone, Copy)]
pub struct RestoredTopic<'a> {
    /// Where the job runs.
    pub namespace: &'a Arc<str>,
    /// The job: the backup that is restored.
    pub job: &'a Arc<str>,
    /// The target.
    pub topic: &'a str,
    /// The run that was heard of last.
    pub run: &'a Run,
}

/// The topics that are or were restored, each once.
#[must_use]
pub fn restored(runs: &BTreeMap<RunId, BTreeMap<String, Run>>) -> Vec<RestoredTopic<'_>> {
    latest(runs, Kind::Restores)
}

/// What each job of a kind said last of each of its topics.
#[must_use]
pub fn latest(runs: &BTreeMap<RunId, BTreeMap<String, Run>>, kind: Kind) -> Vec<RestoredTopic<'_>> {
    let of_kind = runs.iter().filter(|(id, _)| id.kind == kind);
    let all = of_kind.flat_map(|(id, topics)| topics.iter().map(move |(topic, run)| (id, topic, run)));
    let latest = all.filter(|(id, topic, run)| !is_superseded(runs, id, topic, run));
    latest
        .map(|(RunId { namespace, name: job, .. }, topic, run)| RestoredTopic { namespace, job, topic, run })
        .collect()
}
