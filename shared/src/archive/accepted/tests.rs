use std::sync::Arc;

use super::*;
use crate::{
    adapters::memory::{clock::ManualClock, objects::MemoryObjects},
    ports::objects::{GetRange, ObjectsError, PutCondition},
};

const GOLDEN: &str = "{\n  \"format_version\": 1,\n  \"losses\": [\n    {\n      \"frontier\": 100,\n      \"witness\": 200,\n      \
                      \"accepted_at\": 1700000000000,\n      \"cut\": \"made\"\n    }\n  ]\n}\n";

fn loss() -> AcceptedLoss {
    AcceptedLoss::new(Offset(100), Offset(200), Millis(1_700_000_000_000))
}

#[tokio::test]
async fn the_object_is_the_golden_one_and_fields_that_a_later_version_adds_are_passed_over() {
    let (objects, chain) = (MemoryObjects::new(Arc::new(ManualClock::at(Millis(0)))), ChainIdentity::example());
    assert_eq!(read_accepted_losses(&objects, &chain).await.unwrap(), AcceptedLosses::default());
    accept_loss(&objects, &chain, AcceptedLosses::default(), loss(), None).await.unwrap();
    let key = "main/orders/1/0/=accepted-loss.json";
    let object = objects.get(key, GetRange::Whole).await.unwrap().unwrap();
    assert_eq!(std::str::from_utf8(&object.body).unwrap(), GOLDEN);

    let later = GOLDEN.replace("\"witness\"", "\"by\": \"me\", \"witness\"").replacen('{', "{\"more\": 1,", 1);
    objects.put(key, later.into(), PutCondition::IfMatch(object.etag)).await.unwrap();
    let read = read_accepted_losses(&objects, &chain).await.unwrap();
    assert_eq!(read.losses, [AcceptedLoss { cut: Some(Cut::Made), ..loss() }]);
    assert_eq!(read.cuts(), Cuts::at(vec![Offset(100)]));
}

#[tokio::test]
async fn a_loss_that_was_accepted_by_an_earlier_version_excuses_and_cuts_nothing() {
    let (objects, chain) = (MemoryObjects::new(Arc::new(ManualClock::at(Millis(0)))), ChainIdentity::example());
    let known = note_loss(&objects, &chain, AcceptedLosses::default(), loss(), None).await.unwrap();
    assert!(known.cover(Offset(100), Offset(200)) && known.cuts() == Cuts::default());
}

#[tokio::test]
async fn a_chain_that_had_gone_on_is_not_cut_and_what_comes_in_the_same_moment_hinders_nothing() {
    for (later_ms, is_cut) in [(0, true), (SAME_MOMENT_MS, true), (SAME_MOMENT_MS + 1, false)] {
        let clock = Arc::new(ManualClock::at(Millis(0)));
        let (objects, chain) = (MemoryObjects::new(clock.clone()), ChainIdentity::example());
        objects.put(&keys::segment(&chain, Offset(100)), "-".into(), PutCondition::IfAbsent).await.unwrap();
        clock.advance(Millis(later_ms));
        let accepted = accept_loss(&objects, &chain, AcceptedLosses::default(), loss(), None).await;
        let known = read_accepted_losses(&objects, &chain).await.unwrap();
        assert_eq!((accepted.is_ok(), known.cover(Offset(100), Offset(200))), (is_cut, is_cut));
        assert_eq!((known.cuts().count(), known.is_pending()), (u32::from(is_cut), is_cut));
        assert!(matches!(accepted, Ok(()) | Err(ArchiveError::WentOn { .. })));
    }
}

#[test]
fn a_floor_that_moved_to_a_cut_later_had_a_segment_there() {
    let made = AcceptedLoss { cut: Some(Cut::Made), ..loss() };
    let accepted = AcceptedLosses { losses: vec![made], modified: Some(Millis(50_000)), ..AcceptedLosses::default() };
    let mut floor = StoredFloor::ground(&ChainIdentity::example());
    for (base, moved_at, is_excused) in [(100, 10_000, true), (100, 52_000, true), (100, 52_001, false), (99, 0, false)]
    {
        (floor.floor.base, floor.moved_at) = (Offset(base), Some(Millis(moved_at)));
        assert_eq!(accepted.excuse(&floor), is_excused, "{base} {moved_at}");
    }
}

#[tokio::test]
async fn of_two_who_decide_about_a_loss_one_is_refused_and_it_is_cut_once() {
    let (objects, chain) = (MemoryObjects::new(Arc::new(ManualClock::at(Millis(0)))), ChainIdentity::example());
    let proposed = AcceptedLoss { cut: Some(Cut::Proposed), ..loss() };
    note_loss(&objects, &chain, AcceptedLosses::default(), proposed, None).await.unwrap();
    let known = read_accepted_losses(&objects, &chain).await.unwrap();
    assert!(known.is_proposed() && !known.is_pending() && !known.cover(Offset(100), Offset(200)));
    let decided = decide_losses(&objects, &chain, known.clone(), None).await.unwrap();
    assert!(!decided.is_proposed() && decided.cuts() == Cuts::at(vec![Offset(100)]));
    let refused = decide_losses(&objects, &chain, known, None).await.unwrap_err();
    assert!(matches!(refused, ArchiveError::Objects(ObjectsError::PreconditionFailed { .. })), "{refused}");
}

#[tokio::test]
async fn a_loss_that_somebody_proposed_is_accepted_by_going_on_with_it_and_each_step_counts() {
    let (objects, chain) = (MemoryObjects::new(Arc::new(ManualClock::at(Millis(0)))), ChainIdentity::example());
    let proposed = AcceptedLoss { cut: Some(Cut::Proposed), ..loss() };
    let known = note_loss(&objects, &chain, AcceptedLosses::default(), proposed, None).await.unwrap();
    assert_eq!((known.steps(), known.ranges()), (1, vec![]));
    accept_loss(&objects, &chain, known, loss(), None).await.unwrap();
    let known = read_accepted_losses(&objects, &chain).await.unwrap();
    assert_eq!((known.steps(), known.losses.len()), (2, 1));
    assert_eq!(known.ranges(), [(Offset(100), Offset(200))]);
}

#[tokio::test]
async fn a_floor_that_was_read_before_a_loss_was_accepted_does_not_move_any_more() {
    use crate::archive::{move_floor, read_floor};
    let (objects, chain) = (MemoryObjects::new(Arc::new(ManualClock::at(Millis(0)))), ChainIdentity::example());
    for base in [7, 9] {
        let floor = read_floor(&objects, &chain).await.unwrap();
        let known = read_accepted_losses(&objects, &chain).await.unwrap();
        accept_loss(&objects, &chain, known, loss(), None).await.unwrap();
        let to = (Offset(base), floor.floor.before);
        assert!(!move_floor(&objects, &chain, &floor, to, None).await.unwrap());
        let again = read_floor(&objects, &chain).await.unwrap();
        assert_eq!(again.floor.base, floor.floor.base);
        assert!(move_floor(&objects, &chain, &again, to, None).await.unwrap());
    }
}

#[tokio::test]
async fn of_two_who_accept_at_once_one_is_refused() {
    let (objects, chain) = (MemoryObjects::new(Arc::new(ManualClock::at(Millis(0)))), ChainIdentity::example());
    for before in 0..2 {
        let known = read_accepted_losses(&objects, &chain).await.unwrap();
        assert_eq!(known.losses.len(), before);
        accept_loss(&objects, &chain, known.clone(), loss(), None).await.unwrap();
        let refused = accept_loss(&objects, &chain, known, loss(), None).await.unwrap_err();
        assert!(matches!(refused, ArchiveError::Objects(ObjectsError::PreconditionFailed { .. })), "{refused}");
    }
}

#[tokio::test]
async fn an_acceptance_is_used_up_when_writing_goes_on() {
    let (objects, chain) = (MemoryObjects::new(Arc::new(ManualClock::at(Millis(0)))), ChainIdentity::example());
    accept_loss(&objects, &chain, AcceptedLosses::default(), loss(), None).await.unwrap();
    let known = read_accepted_losses(&objects, &chain).await.unwrap();
    assert!(known.is_pending() && known.cover(Offset(100), Offset(200)));
    let resumed = resume_writing(&objects, &chain, known.clone(), Millis(7), None).await.unwrap();
    assert_eq!(read_accepted_losses(&objects, &chain).await.unwrap().losses, resumed.losses);
    assert!(!resumed.is_pending() && !resumed.cover(Offset(100), Offset(200)));
    let refused = resume_writing(&objects, &chain, known, Millis(8), None).await.unwrap_err();
    assert!(matches!(refused, ArchiveError::Objects(ObjectsError::PreconditionFailed { .. })), "{refused}");
}

#[test]
fn a_loss_covers_that_frontier_and_witnesses_up_to_its_own() {
    let covers = |frontier, witness| loss().covers(Offset(frontier), Offset(witness));
    assert!(covers(100, 200) && covers(100, 150));
    assert!(!covers(100, 201) && !covers(99, 200) && !covers(150, 180));
}
