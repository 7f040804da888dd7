use proptest::prelude::*;

use super::*;
use crate::{
    chain::Marks,
    metrics::{
        registers::examples::{self, registers_after},
        standing::{Ends, Message, Oldest, Standing},
    },
};

const NOW: Millis = Millis(1_000);

/// A standing of topic `orders`, with what the storage counts up to `next` and an owner that is well.
fn standing(n: u32, partition: i32, next: i64) -> Standing {
    Standing {
        timestamp: NOW,
        backup: "main".into(),
        topic: "orders".into(),
        topic_id: format!("id-{n}").as_str().into(),
        incarnation: n,
        partition: Partition(partition),
        start: Offset(0),
        next: Offset(next),
        totals: examples::totals(next),
        totals_before_start: Totals::default(),
        digest: examples::digest("orders", next),
        marks: Marks::default(),
        job: Some(job(State::STREAMING, next, 1)),
    }
}

fn job(state: State, position: i64, owner_epoch: u64) -> Job {
    let expires = Some(Millis(NOW.0 + 1));
    Job {
        state,
        attempt: 0,
        since: Millis(0),
        expires,
        position: Offset(position),
        diverged_from: None,
        owner_epoch,
        sequence: 1,
    }
}

fn ends(n: u32, partition: i32, log_start: i64, log_end: i64) -> Message {
    Message::Ends(Ends {
        timestamp: Millis(i64::from(n) * 10),
        backup: "main".into(),
        topic: "orders".into(),
        topic_id: format!("id-{n}").as_str().into(),
        partition: Partition(partition),
        log_start: Offset(log_start),
        log_end: Offset(log_end),
        behind_storage: false,
        oldest: None,
        earlier: None,
        retention: None,
        open_transaction: None,
    })
}

fn instance(name: &str, jobs_count: u64, (idle_us, elapsed_us): (u64, u64), expires: i64) -> Message {
    let (backup, topic, instance) = ("main".into(), "orders".into(), name.into());
    let expires = Millis(expires);
    Message::Instance(Instance { timestamp: NOW, backup, topic, instance, jobs_count, idle_us, elapsed_us, expires })
}

fn orders(messages: &[Message]) -> TopicView {
    view(&registers_after(messages), NOW).remove("orders").unwrap()
}

fn of_partition(view: &TopicView, partition: i32) -> (Option<i64>, Option<f64>) {
    let view = view.partitions[&Partition(partition)];
    (view.last_offset.map(|offset| offset.0), view.progress)
}

#[test]
fn progress_is_the_consumed_position_over_the_log_end() {
    let mut it = standing(1, 0, 389);
    it.job = Some(job(State::STREAMING, 392, 1));
    let view = orders(&[Message::Standing(it), ends(1, 0, 0, 408)]);
    assert_eq!(of_partition(&view, 0), (Some(388), Some(392.0 / 408.0)));
}

#[test]
fn progress_of_a_topic_is_the_unweighted_mean_of_its_partitions() {
    let messages = [(0, 10, 1_000_000), (1, 1, 1), (2, 1, 2)];
    let messages = messages.iter().flat_map(|(partition, next, end)| {
        [Message::Standing(standing(1, *partition, *next)), ends(1, *partition, 0, *end)]
    });
    let view = orders(&messages.collect::<Vec<_>>());
    assert_eq!(view.progress, Some((0.000_01 + 1.0 + 0.5) / 3.0));
}

#[test]
fn progress_never_exceeds_one_when_the_log_end_was_observed_before_the_position() {
    let view = orders(&[Message::Standing(standing(1, 0, 500)), ends(1, 0, 0, 408)]);
    assert_eq!((of_partition(&view, 0), view.progress), ((Some(499), Some(1.0)), Some(1.0)));
}

#[test]
fn a_log_ends_no_earlier_than_what_was_stored_since_its_end_was_observed() {
    let log_end = |view: TopicView| view.partitions[&Partition(0)].log_end;
    let stored = Message::Standing(standing(1, 0, 500));
    assert_eq!(log_end(orders(&[stored.clone(), ends(1, 0, 0, 408)])), Some(Offset(500)));
    assert_eq!(log_end(orders(&[stored, ends(1, 0, 0, 600)])), Some(Offset(600)));
    assert_eq!(log_end(orders(&[ends(1, 0, 0, 408)])), Some(Offset(408)));
}

#[test]
fn a_log_that_is_shorter_than_what_was_stored_before_is_not_backed_up() {
    for (start, end) in [(0, 150), (0, 0), (70, 70)] {
        let Message::Ends(seen) = ends(1, 0, start, end) else { panic!("ends") };
        let seen = Message::Ends(Ends { behind_storage: true, ..seen });
        let view = orders(&[Message::Standing(standing(1, 0, 200)), seen]);
        assert_eq!(of_partition(&view, 0), (Some(199), Some(0.0)));
        let partition = view.partitions[&Partition(0)];
        assert_eq!(partition.lag.map(|lag| lag.records), Some((end - start).unsigned_abs()));
        assert_eq!(partition.log_end, Some(Offset(end)), "what was seen is shown");
    }
}

#[test]
fn of_a_log_that_is_another_one_only_what_comes_before_the_difference_is_backed_up() {
    let mut it = standing(1, 0, 200);
    it.job = Some(Job { diverged_from: Some(Offset(100)), ..job(State::LOG_DIVERGED, 200, 1) });
    for (end, progress, lag) in [(250, 0.4, 150), (150, 0.5, 50), (100, 0.5, 0)] {
        let view = orders(&[Message::Standing(it.clone()), ends(1, 0, 0, end)]);
        let partition = view.partitions[&Partition(0)];
        assert_eq!((partition.progress, partition.lag.map(|lag| lag.records)), (Some(progress), Some(lag)), "{end}");
        assert_eq!((partition.diverged_from, view.state), (Some(Offset(100)), State::LOG_DIVERGED));
    }
}

#[test]
fn a_log_that_holds_nothing_is_wholly_backed_up() {
    let view = orders(&[ends(1, 0, 0, 0), ends(1, 1, 70, 70)]);
    assert_eq!([of_partition(&view, 0), of_partition(&view, 1)], [(None, Some(1.0)); 2]);
}

#[test]
fn a_topic_that_nobody_has_begun_is_created_with_progress_zero_and_no_offset() {
    let view = orders(&[ends(1, 0, 0, 10)]);
    assert_eq!(of_partition(&view, 0), (None, Some(0.0)));
    assert_eq!((view.state, view.stale, view.totals), (State::CREATED, false, Totals::default()));
}

#[test]
fn a_chain_without_a_segment_has_no_offset_though_its_owner_is_at_work() {
    let mut it = standing(1, 0, 0);
    it.job = Some(job(State::CATCHING_UP, 3, 1));
    let view = orders(&[Message::Standing(it), ends(1, 0, 0, 10)]);
    assert_eq!((of_partition(&view, 0), view.state), ((None, Some(0.3)), State::CATCHING_UP));
}

#[test]
fn offsets_without_a_record_at_the_end_are_consumed_before_a_new_owner_has_read_them() {
    // Five records, and an aborted transaction of three offsets behind them.
    let found = |from| Oldest { from: Offset(from), offset: Offset(8), timestamp: Millis(0), bytes: 0 };
    let ends_with = |oldest| match ends(1, 0, 0, 8) {
        Message::Ends(ends) => Message::Ends(Ends { oldest, ..ends }),
        other => other,
    };
    let begun = Message::Standing(Standing { job: Some(job(State::CATCHING_UP, 5, 2)), ..standing(1, 0, 5) });
    let progress = |oldest| of_partition(&orders(&[begun.clone(), ends_with(oldest)]), 0).1;
    assert_eq!(progress(Some(found(5))), Some(1.0));
    assert_eq!(progress(None), Some(0.625), "nobody has looked yet");
    assert_eq!(progress(Some(found(7))), Some(0.625), "it was looked for behind the frontier");
}

#[test]
fn progress_is_unknown_while_a_log_end_is_and_the_offset_is_not() {
    let view = orders(&[Message::Standing(standing(1, 0, 5)), Message::Standing(standing(1, 1, 5)), ends(1, 0, 0, 10)]);
    assert_eq!([of_partition(&view, 0), of_partition(&view, 1)], [(Some(4), Some(0.5)), (Some(4), None)]);
    assert_eq!(view.progress, None);
}

#[test]
fn after_a_crash_the_new_owners_position_counts_and_never_below_the_frontier() {
    let mut dead = standing(1, 0, 389);
    dead.job = Some(job(State::STREAMING, 400, 1));
    let mut new = standing(1, 0, 389);
    new.job = Some(job(State::CATCHING_UP, 389, 2));
    let (dead, new, log) = (Message::Standing(dead), Message::Standing(new), ends(1, 0, 0, 408));
    assert_eq!(of_partition(&orders(&[dead.clone(), new.clone(), log.clone()]), 0).1, Some(389.0 / 408.0));

    let mut stored_by_another = standing(1, 0, 395);
    stored_by_another.job = None;
    let view = orders(&[dead, new, Message::Standing(stored_by_another), log]);
    assert_eq!(of_partition(&view, 0), (Some(394), Some(395.0 / 408.0)));
}

#[test]
fn what_an_owner_had_consumed_counts_no_longer_when_it_has_fallen_silent() {
    let mut silent = standing(1, 0, 389);
    silent.job = Some(Job { expires: Some(NOW), ..job(State::STREAMING, 400, 1) });
    let view = orders(&[Message::Standing(silent), ends(1, 0, 0, 408)]);
    assert_eq!((of_partition(&view, 0).1, view.stale), (Some(389.0 / 408.0), true));
}

#[test]
fn counts_run_over_all_incarnations_and_offset_and_progress_are_the_current_ones() {
    let log = |n, end| ends(n, 0, 0, end);
    let (old, new) = (Message::Standing(standing(1, 0, 389)), Message::Standing(standing(2, 0, 40)));
    let view = orders(&[old.clone(), log(1, 408), new.clone(), log(2, 80)]);
    assert_eq!(of_partition(&view, 0), (Some(39), Some(0.5)));
    assert_eq!(view.totals, examples::totals(389).plus(examples::totals(40)));
    // Before the log of the new topic was observed, the old one's figures stay; before any was, they are the latest claim's.
    assert_eq!(of_partition(&orders(&[old.clone(), log(1, 408), new.clone()]), 0), (Some(388), Some(389.0 / 408.0)));
    assert_eq!(of_partition(&orders(&[old.clone(), new]), 0), (Some(39), None));
    // A topic that was created again and not begun yet.
    let view = orders(&[old, log(1, 408), log(2, 80)]);
    assert_eq!((of_partition(&view, 0), view.stale), ((None, Some(0.0)), false));
    assert_eq!(view.totals, examples::totals(389));
}

#[test]
fn partitions_that_the_topic_of_before_had_more_are_not_shown() {
    let view = orders(&[ends(1, 0, 0, 9), ends(1, 1, 0, 9), Message::Standing(standing(1, 1, 9)), ends(2, 0, 0, 9)]);
    assert_eq!(view.partitions.keys().collect::<Vec<_>>(), [&Partition(0)]);
}

#[test]
fn present_is_the_total_less_what_lies_below_the_floor() {
    let mut it = standing(1, 0, 389);
    it.start = Offset(100);
    it.totals_before_start = examples::totals(100);
    let view = orders(&[Message::Standing(it)]);
    assert_eq!(view.totals, examples::totals(389));
    assert_eq!(view.present, examples::totals(389).minus(examples::totals(100)));
    assert_eq!(view.present.records, 289);
}

#[test]
fn a_state_that_is_not_said_again_in_time_is_none_and_makes_the_topic_stale() {
    let mut silent = standing(1, 0, 5);
    silent.job.as_mut().unwrap().expires = Some(NOW);
    let silent = Message::Standing(silent);
    let view = orders(std::slice::from_ref(&silent));
    assert_eq!((view.state, view.stale), (State::CREATED, true));
    let view = orders(&[silent, Message::Standing(standing(1, 1, 5))]);
    assert_eq!((view.state, view.stale), (State::STREAMING, true));
}

#[test]
fn stored_data_without_any_state_is_stale_and_a_finished_backup_is_not() {
    let mut healed = standing(1, 0, 5);
    healed.job = None;
    assert!(orders(&[Message::Standing(healed)]).stale);
    let mut done = standing(1, 0, 5);
    done.job = Some(Job { expires: None, ..job(State::DONE, 5, 1) });
    let view = orders(&[Message::Standing(done)]);
    assert_eq!((view.state, view.stale), (State::DONE, false));
}

#[test]
fn only_the_current_incarnations_states_count() {
    let mut failed = standing(1, 0, 5);
    failed.job = Some(Job { expires: None, ..job(State::FAILED, 5, 1) });
    let view = orders(&[Message::Standing(failed), Message::Standing(standing(2, 0, 5))]);
    assert_eq!((view.state, view.stale), (State::STREAMING, false));
}

#[test]
fn running_programs_are_added_up_their_idle_ratios_averaged_and_dead_ones_left_out() {
    let live = NOW.0 + 1;
    let messages =
        [instance("a", 100, (1, 4), live), instance("b", 11, (0, 0), live), instance("dead", 7, (1, 1), NOW.0)];
    let view = orders(&messages);
    assert_eq!(view.running, Some(RunningView { jobs_count: 111, idle_ratio: 0.125 }));
    assert_eq!(orders(&messages[2..]).running, None);
}

proptest! {
    #[test]
    fn the_view_is_the_same_whatever_the_order_and_progress_is_always_from_zero_to_one(
        (messages, other_order) in prop::collection::vec(examples::message(), 1..60).prop_flat_map(|messages| {
            let twice = messages.iter().chain(&messages).cloned().collect::<Vec<_>>();
            (Just(messages), Just(twice).prop_shuffle())
        }),
        now in 0..3_000_i64,
    ) {
        let seen = view(&registers_after(&messages), Millis(now));
        prop_assert_eq!(&seen, &view(&registers_after(&other_order), Millis(now)));
        for topic in seen.values() {
            let progress = topic.partitions.values().filter_map(|partition| partition.progress);
            prop_assert!(progress.chain(topic.progress).all(|progress| (0.0..=1.0).contains(&progress)));
            prop_assert_eq!(topic.present.minus(topic.totals), Totals::default());
        }
    }
}
