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
const MAIN: Scope<'_> = Scope::Backup("main");

fn store() -> MemoryStore {
    MemoryStore::new(Arc::new(ManualClock::at(NOW)))
}

async fn look(store: &MemoryStore) -> Snapshot {
    let backups = ["main".into()];
    snapshots(&backups, store.read(&queries(&backups)).await.unwrap()).remove(0)
}

async fn begin(store: &MemoryStore, seen: &Seen, now: Millis) -> bool {
    let (step, run) = seen.begin(MAIN, now).expect("there is something to begin");
    store.apply(&[step], &run).await.unwrap() == Applied::Done
}

async fn complete(store: &MemoryStore, seen: &Seen) -> bool {
    let step = seen.complete(MAIN).expect("a rebuilding is under way");
    store.apply(&[step], &[]).await.unwrap() == Applied::Done
}

/// A store that is being rebuilt since now, and how it looks.
async fn begun() -> (MemoryStore, Seen) {
    let store = store();
    assert!(begin(&store, &look(&store).await.seen, NOW).await);
    let seen = look(&store).await.seen;
    (store, seen)
}

#[tokio::test]
async fn a_store_goes_from_absent_through_rebuilding_to_complete() {
    let store = store();
    let seen = look(&store).await.seen;
    assert_eq!((seen.epoch, seen.complete(MAIN)), (Epoch::Absent, None));
    assert!(begin(&store, &seen, NOW).await);
    let seen = look(&store).await.seen;
    assert_eq!((seen.epoch, seen.begin(MAIN, NOW)), (Epoch::Rebuilding(NOW.0), None));
    assert!(complete(&store, &seen).await);
    let seen = look(&store).await.seen;
    assert_eq!((seen.epoch, seen.begin(MAIN, NOW)), (Epoch::Complete(NOW.0), None));
    assert_eq!(seen.complete(MAIN), None);
}

#[tokio::test]
async fn of_two_that_begin_one_does_and_either_may_complete_what_it_saw() {
    let store = store();
    let absent = look(&store).await.seen;
    assert!(begin(&store, &absent, NOW).await);
    assert!(!begin(&store, &absent, Millis(NOW.0 + 1)).await);
    let seen_by_both = look(&store).await.seen;
    assert!(complete(&store, &seen_by_both).await);
    assert!(!complete(&store, &seen_by_both).await);
}

#[tokio::test]
async fn a_wipe_between_the_look_and_the_completion_cannot_make_an_empty_store_complete() {
    let (store, seen) = begun().await;
    store.restore(Contents::default());
    assert!(!complete(&store, &seen).await);
    let absent = look(&store).await.seen;
    assert_eq!(absent.epoch, Epoch::Absent);
    // Nor when somebody has begun again since.
    begin(&store, &absent, Millis(NOW.0 + 9)).await;
    assert!(!complete(&store, &seen).await);
    assert_eq!(look(&store).await.seen.epoch, Epoch::Rebuilding(NOW.0 + 9));
}

#[tokio::test]
async fn a_store_that_starts_again_with_what_it_held_is_doubted_until_it_was_looked_at_again() {
    let (store, seen) = begun().await;
    complete(&store, &seen).await;
    let whole = store.snapshot();
    store.restore(whole);
    let doubted = look(&store).await.seen;
    assert_eq!((doubted.epoch, doubted.complete(MAIN)), (Epoch::Doubtful(NOW.0), None));
    // Also by a clock that stands, the new epoch is another one.
    assert!(begin(&store, &doubted, NOW).await);
    assert!(complete(&store, &look(&store).await.seen).await);
    assert_eq!(look(&store).await.seen.epoch, Epoch::Complete(NOW.0 + 1));
}

#[tokio::test]
async fn a_rebuilding_that_began_in_another_run_begins_anew() {
    let (store, _) = begun().await;
    let half = store.snapshot();
    store.restore(half);
    let doubted = look(&store).await.seen;
    assert_eq!((doubted.epoch, doubted.complete(MAIN)), (Epoch::Doubtful(-NOW.0), None));
    assert!(begin(&store, &doubted, NOW).await);
    assert_eq!(look(&store).await.seen.epoch, Epoch::Rebuilding(NOW.0 + 1));
}

#[tokio::test]
async fn a_store_that_goes_back_between_the_look_and_the_next_step_is_not_called_whole() {
    let (store, seen) = begun().await;
    let half = store.snapshot();
    store.restore(half);
    assert!(complete(&store, &seen).await, "the epoch is as it was expected");
    let doubted = look(&store).await.seen;
    assert_eq!(doubted.epoch, Epoch::Doubtful(NOW.0));
    let again = store.snapshot();
    store.restore(again);
    assert!(begin(&store, &doubted, NOW).await, "the epoch is as it was expected");
    assert_eq!(look(&store).await.seen.epoch, Epoch::Doubtful(-NOW.0 - 1));
}

#[tokio::test]
async fn backups_have_an_epoch_and_registers_each_and_are_read_in_one_go() {
    let store = store();
    for scope in [Scope::Backup("other"), Scope::Changes] {
        let absent = Seen { epoch: Epoch::Absent, run: look(&store).await.seen.run };
        let (step, run) = absent.begin(scope, NOW).unwrap();
        store.apply(&[step], &run).await.unwrap();
    }
    let backups = ["main".into(), "other".into()];
    let seen = snapshots(&backups, store.read(&queries(&backups)).await.unwrap());
    assert_eq!(
        seen.iter().map(|it| (&*it.backup, it.seen.epoch)).collect::<Vec<_>>(),
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
