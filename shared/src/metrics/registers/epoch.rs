//! Whether the store holds everything: a marker that dies with it.
//!
//! The store is a view that can be lost at any moment, and a store that lost its figures looks like one that never had
//! any. So each backup has an epoch beside its hashes, a number that only lag-monitor moves, by compare-and-set:
//!
//! ```text
//! absent  --begin-->  -t  --complete-->  t        (t: the time of the beginning)
//! ```
//! - absent: the store is new, or was wiped. Queries answer 503.
//! - negative: lag-monitor is sending the standings. Queries answer 503.
//! - positive: after the beginning **and with the epoch in the same read**, every register that the storage asks for
//!   was seen in the store. Queries answer.
//!
//! A wipe takes the epoch with it, whenever it comes: also between the read that saw everything and the completion, which
//! then fails, since the epoch it expects is gone. Two lag-monitors do no harm: one of them begins, both may send the
//! (idempotent) standings, and either may complete what it has seen complete in the same epoch.

use std::sync::Arc;

use super::{Kind, Registers, names};
use crate::{
    ports::store::{Advance, Query, Register, Value},
    record::Millis,
};

/// How far the store is with a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Epoch {
    /// Nothing was begun: the store is new or was wiped.
    Absent,
    /// The standings are being sent since then.
    Rebuilding(i64),
    /// Everything is there since then.
    Complete(i64),
}

impl Epoch {
    /// The step from nothing to rebuilding, at `now`.
    #[must_use]
    pub fn begin(backup: &str, now: Millis) -> Advance {
        Advance { key: key(backup), from: None, to: -now.0.max(1) }
    }

    /// The step from rebuilding to complete, where one is under way.
    #[must_use]
    pub fn complete(self, backup: &str) -> Option<Advance> {
        match self {
            Epoch::Rebuilding(since) => Some(Advance { key: key(backup), from: Some(-since), to: since }),
            Epoch::Absent | Epoch::Complete(_) => None,
        }
    }

    /// A text that is no epoch counts as none; the store refuses to move it, with its key.
    fn parse(text: Option<&str>) -> Epoch {
        match text.and_then(|text| text.parse::<i64>().ok()) {
            Some(since @ 1..) => Epoch::Complete(since),
            Some(since @ ..0) => Epoch::Rebuilding(since.saturating_neg()),
            Some(0) | None => Epoch::Absent,
        }
    }
}

fn key(backup: &str) -> String {
    names::key("epoch", backup)
}

/// What the store holds of one backup at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The backup's name.
    pub backup: Arc<str>,
    /// Whether it holds everything.
    pub epoch: Epoch,
    /// What it holds.
    pub registers: Registers,
}

/// What to ask the store, in one round trip, for the snapshots of all these backups.
#[must_use]
pub fn queries(backups: &[Arc<str>]) -> Vec<Query> {
    let of_one = |backup: &Arc<str>| {
        let hashes = Kind::ALL.into_iter().map(|kind| Query::Registers(kind.key(backup)));
        std::iter::once(Query::Text(key(backup))).chain(hashes).collect::<Vec<_>>()
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
    let epoch = match answers.next() {
        Some(Value::Text(text)) => Epoch::parse(text.as_deref()),
        other => panic!("the store answers a text query with a text, not {other:?}"),
    };
    let hashes = Kind::ALL.map(|_| hash(answers.next()));
    Snapshot { backup: backup.clone(), epoch, registers: Registers::from_hashes(backup, hashes) }
}

fn hash(answer: Option<Value>) -> Vec<Register> {
    match answer {
        Some(Value::Registers(hash)) => hash,
        other => panic!("the store answers a registers query with registers, not {other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        adapters::memory::{
            clock::ManualClock,
            store::{Contents, MemoryStore},
        },
        metrics::registers::examples,
        ports::store::{Applied, Store},
    };

    const NOW: Millis = Millis(1_700_000_000_000);

    fn store() -> MemoryStore {
        MemoryStore::new(Arc::new(ManualClock::at(NOW)))
    }

    async fn look(store: &MemoryStore) -> Snapshot {
        let backups = ["main".into()];
        snapshots(&backups, store.read(&queries(&backups)).await.unwrap()).remove(0)
    }

    async fn step(store: &MemoryStore, step: Advance) -> bool {
        store.apply(&[step], &[]).await.unwrap() == Applied::Done
    }

    #[tokio::test]
    async fn a_store_goes_from_absent_through_rebuilding_to_complete() {
        let store = store();
        assert_eq!(look(&store).await.epoch, Epoch::Absent);
        assert_eq!(Epoch::Absent.complete("main"), None);
        assert!(step(&store, Epoch::begin("main", NOW)).await);
        assert_eq!(look(&store).await.epoch, Epoch::Rebuilding(NOW.0));
        assert!(step(&store, Epoch::Rebuilding(NOW.0).complete("main").unwrap()).await);
        assert_eq!(look(&store).await.epoch, Epoch::Complete(NOW.0));
        assert_eq!(Epoch::Complete(NOW.0).complete("main"), None);
    }

    #[tokio::test]
    async fn of_two_that_begin_one_does_and_either_may_complete_what_it_saw() {
        let store = store();
        assert!(step(&store, Epoch::begin("main", NOW)).await);
        assert!(!step(&store, Epoch::begin("main", Millis(NOW.0 + 1))).await);
        let seen_by_both = look(&store).await.epoch;
        assert!(step(&store, seen_by_both.complete("main").unwrap()).await);
        assert!(!step(&store, seen_by_both.complete("main").unwrap()).await);
    }

    #[tokio::test]
    async fn a_wipe_between_the_look_and_the_completion_cannot_make_an_empty_store_complete() {
        let store = store();
        step(&store, Epoch::begin("main", NOW)).await;
        let seen = look(&store).await;
        store.restore(Contents::default());
        assert!(!step(&store, seen.epoch.complete("main").unwrap()).await);
        assert_eq!(look(&store).await.epoch, Epoch::Absent);
        // Nor when somebody has begun again since.
        step(&store, Epoch::begin("main", Millis(NOW.0 + 9))).await;
        assert!(!step(&store, seen.epoch.complete("main").unwrap()).await);
        assert_eq!(look(&store).await.epoch, Epoch::Rebuilding(NOW.0 + 9));
    }

    #[tokio::test]
    async fn backups_have_an_epoch_and_registers_each_and_are_read_in_one_go() {
        let store = store();
        step(&store, Epoch::begin("other", NOW)).await;
        let backups = ["main".into(), "other".into()];
        let seen = snapshots(&backups, store.read(&queries(&backups)).await.unwrap());
        assert_eq!(
            seen.iter().map(|it| (&*it.backup, it.epoch)).collect::<Vec<_>>(),
            [("main", Epoch::Absent), ("other", Epoch::Rebuilding(NOW.0))]
        );
    }

    #[tokio::test]
    async fn what_was_applied_to_a_store_is_what_a_snapshot_reads() {
        use proptest::{prelude::*, strategy::ValueTree as _, test_runner::TestRunner};

        let messages = prop::collection::vec(examples::message(), 100).new_tree(&mut TestRunner::deterministic());
        let messages = messages.unwrap().current();
        let store = store();
        for message in &messages {
            store.apply(&[], &crate::metrics::registers::operations(message)).await.unwrap();
        }
        assert_eq!(look(&store).await.registers, examples::registers_after(&messages));
    }

    #[test]
    fn a_text_that_is_no_epoch_is_none() {
        for text in [None, Some(""), Some("0"), Some("yes"), Some("1.5"), Some("99999999999999999999")] {
            assert_eq!(Epoch::parse(text), Epoch::Absent, "{text:?}");
        }
    }
}
