//! Whether the store holds everything: a marker that dies with it.
//!
//! The store is a view that can be lost at any moment, and a store that lost its figures looks like one that never had
//! any. So each backup has an epoch beside its hashes, and so have the changes beside their counters: a number that only
//! lag-monitor moves, by compare-and-set:
//!
//! ```text
//! absent  --begin-->  -t  --complete-->  t        (t: the time of the beginning)
//!                      ^-----begin, in another run---|
//! ```
//! - absent: the store is new, or was wiped. Queries answer 503.
//! - negative: lag-monitor is sending the standings, metrics-consumer counts again. Queries answer 503.
//! - positive: after the beginning **and with the epoch in the same read**, everything that the storage and Kafka ask for
//!   was seen in the store: not all there is by then, but what they had at some moment after the beginning, since nothing
//!   that was shown before lies above that. Queries answer.
//!
//! Each of them holds only in the run of the store ([`Query::Run`]) that was seen before it began, and only while every
//! hash of the backup has the mark ([`names::MARK`]) that it got then: a hash that was lost by itself has none.
//!
//! A wipe takes the epoch with it, whenever it comes: also between the read that saw everything and the completion, which
//! then fails, since the epoch it expects is gone. A store that starts again with an earlier snapshot, or a replica that
//! takes over without the latest writes, brings an epoch too, but that of another run: it is doubted until lag-monitor
//! has looked. Two lag-monitors do no harm: one of them begins, both may send the (idempotent)
//! standings, and either may complete what it has seen complete in the same epoch.

use std::sync::Arc;

use super::{RegisterKind, Registers, names};
use crate::{
    ports::store::{Advance, Operation, Query, Register, Value},
    record::Millis,
};

/// The field of the run in its hash.
const RUN_FIELD: &str = "run";

/// Whose figures an epoch is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope<'a> {
    /// A backup's registers.
    Backup(&'a str),
    /// The counters of Backbeat's changes.
    Changes,
}

impl Scope<'_> {
    fn epoch_key(self) -> String {
        match self {
            Scope::Backup(name) => names::key("epoch", name),
            Scope::Changes => "hw1:changes:epoch".to_owned(),
        }
    }

    /// The keys of the hashes that the figures are in, and that are marked.
    fn hashes(self) -> Vec<String> {
        match self {
            Scope::Backup(name) => RegisterKind::ALL.map(|kind| kind.key(name)).to_vec(),
            Scope::Changes => vec![],
        }
    }

    fn run_key(self) -> String {
        match self {
            Scope::Backup(name) => names::key("run", name),
            Scope::Changes => "hw1:changes:run".to_owned(),
        }
    }

    /// What to ask the store for the epoch of these figures, in the same round trip as for the figures.
    #[must_use]
    pub fn queries(self) -> [Query; 3] {
        [Query::Text(self.epoch_key()), Query::Registers(self.run_key()), Query::Run]
    }
}

/// How far the store is with the figures of a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Epoch {
    /// Nothing was begun: the store is new or was wiped.
    Absent,
    /// The figures are being brought in since then.
    Rebuilding(i64),
    /// This number stands there from another run of the store, which may have gone back since.
    Doubtful(i64),
    /// Everything is there since then.
    Complete(i64),
}

/// The epoch of a scope, and the run of the store at the same moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// How far the store is.
    pub epoch: Epoch,
    /// Which run of it.
    pub run: String,
}

impl Epoch {
    /// What the number stands for that an epoch's key holds, while it is not complete.
    #[must_use]
    pub fn rebuilding(number: i64) -> Option<Epoch> {
        (number < 0).then(|| Epoch::Rebuilding(number.saturating_neg()))
    }

    /// A text that is no epoch counts as none; the store refuses to move it, with its key.
    fn parse(text: Option<&str>) -> Epoch {
        match text.and_then(|text| text.parse::<i64>().ok()) {
            Some(since @ 1..) => Epoch::Complete(since),
            Some(since @ ..0) => Epoch::Rebuilding(since.saturating_neg()),
            Some(0) | None => Epoch::Absent,
        }
    }

    /// The same, where the run of now is not the one in which `since` began.
    fn doubted_unless(self, is_of_this_run: impl Fn(i64) -> bool) -> Epoch {
        match self {
            Epoch::Complete(since) if !is_of_this_run(since) => Epoch::Doubtful(since),
            Epoch::Rebuilding(since) if !is_of_this_run(since) => Epoch::Doubtful(-since),
            other => other,
        }
    }
}

impl Seen {
    /// The step to rebuilding, at `now`, where one has to begin; and what to note with it.
    #[must_use]
    pub fn begin(&self, scope: Scope<'_>, now: Millis) -> Option<(Advance, Vec<Operation>)> {
        let (from, since) = match self.epoch {
            Epoch::Absent => (None, now.0.max(1)),
            Epoch::Doubtful(number) => (Some(number), now.0.max(number.saturating_abs().saturating_add(1))),
            Epoch::Rebuilding(_) | Epoch::Complete(_) => return None,
        };
        let step = Advance { key: scope.epoch_key(), from, to: -since };
        let note = |key: String, field: &str, value: String| Operation::Max {
            key,
            field: field.to_owned(),
            order: vec![order(since)],
            value,
        };
        let marks = scope.hashes().into_iter().map(|key| note(key, names::MARK, String::new()));
        let run = note(scope.run_key(), RUN_FIELD, self.run.clone());
        Some((step, marks.chain([run]).collect()))
    }

    /// The step to rebuilding, at `now`, whatever there is: by one who knows that the figures are not true any more.
    #[must_use]
    pub fn begin_again(&self, scope: Scope<'_>, now: Millis) -> Option<(Advance, Vec<Operation>)> {
        let number = match self.epoch {
            Epoch::Complete(since) => since,
            Epoch::Rebuilding(since) => since.saturating_neg(),
            Epoch::Doubtful(number) => number,
            Epoch::Absent => return None,
        };
        Seen { epoch: Epoch::Doubtful(number), run: self.run.clone() }.begin(scope, now)
    }

    /// The step from rebuilding to complete, where one is under way.
    #[must_use]
    pub fn complete(&self, scope: Scope<'_>) -> Option<Advance> {
        let Epoch::Rebuilding(since) = self.epoch else { return None };
        Some(Advance { key: scope.epoch_key(), from: Some(-since), to: since })
    }

    /// The answers to [`Scope::queries`], which are the next ones.
    ///
    /// # Panics
    /// When they are answers to something else.
    #[must_use]
    pub fn read(answers: &mut impl Iterator<Item = Value>) -> Seen {
        let epoch = Epoch::parse(text(answers.next()).as_deref());
        let begun_in = hash(answers.next());
        let run = text(answers.next()).unwrap_or_default();
        let is_of_this_run =
            |since| begun_in.iter().any(|it| it.field == RUN_FIELD && it.order == [order(since)] && it.value == run);
        Seen { epoch: epoch.doubted_unless(is_of_this_run), run }
    }
}

fn order(since: i64) -> u64 {
    u64::try_from(since).unwrap_or(0)
}

/// What the store holds of one backup at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The backup's name.
    pub backup: Arc<str>,
    /// Whether it holds everything.
    pub seen: Seen,
    /// What it holds.
    pub registers: Registers,
}

/// What to ask the store, in one round trip, for the snapshots of all these backups.
#[must_use]
pub fn queries(backups: &[Arc<str>]) -> Vec<Query> {
    let of_one = |backup: &Arc<str>| {
        let hashes = RegisterKind::ALL.into_iter().map(|kind| Query::Registers(kind.key(backup)));
        Scope::Backup(backup).queries().into_iter().chain(hashes).collect::<Vec<_>>()
    };
    backups.iter().flat_map(of_one).collect()
}

/// The answers to [`queries`].
///
/// # Panics
/// When the answers are not those to the queries of the same backups.
#[must_use]
pub fn snapshots(backups: &[Arc<str>], answers: Vec<Value>) -> Vec<Snapshot> {
    let mut answers = answers.into_iter();
    backups.iter().map(|backup| snapshot(backup, &mut answers)).collect()
}

fn snapshot(backup: &Arc<str>, answers: &mut impl Iterator<Item = Value>) -> Snapshot {
    let mut seen = Seen::read(answers);
    let hashes = RegisterKind::ALL.map(|_| hash(answers.next()));
    let is_marked =
        |hash: &Vec<Register>, since| hash.iter().any(|it| it.field == names::MARK && it.order == [order(since)]);
    seen.epoch = seen.epoch.doubted_unless(|since| hashes.iter().all(|hash| is_marked(hash, since)));
    Snapshot { backup: backup.clone(), seen, registers: Registers::from_hashes(backup, hashes) }
}

fn text(answer: Option<Value>) -> Option<String> {
    match answer {
        Some(Value::Text(text)) => text,
        other => panic!("the store answers a text query with a text, not {other:?}"),
    }
}

fn hash(answer: Option<Value>) -> Vec<Register> {
    match answer {
        Some(Value::Registers(hash)) => hash,
        other => panic!("the store answers a registers query with registers, not {other:?}"),
    }
}

#[cfg(test)]
mod tests;
