//! What every store does. `store_conformance!(subject)` makes a test of each check, with an empty store for each.

use async_trait::async_trait;
use shared::{
    ports::store::{Advance, Applied, Contribution, Operation, Query, Register, Store, StoreError, Value, Waiting},
    record::Millis,
};

/// A store to check, and what another program could do to it.
#[async_trait]
pub trait Subject: Send + Sync {
    /// The store, empty.
    fn store(&self) -> &dyn Store;
    /// The time by which it lets things expire.
    fn now(&self) -> Millis;
    /// Returns when that time is `at` or later.
    async fn wait_until(&self, at: Millis);
    /// Writes a text past the port.
    async fn set_text(&self, key: &str, text: &str);
    /// Writes a field of a hash past the port.
    async fn set_field(&self, key: &str, field: &str, text: &str);
}

/// One `#[tokio::test]` for each check, on the subject that the expression makes.
#[macro_export]
macro_rules! store_conformance {
    ($subject:expr) => {
        $crate::store_conformance!(
            $subject;
            what_is_not_there_reads_as_nothing
            a_batch_is_applied_whole_and_moves_its_positions
            a_position_that_stands_elsewhere_changes_nothing_and_is_told
            a_position_that_is_not_set_is_told_from_one_at_zero
            of_several_positions_one_elsewhere_stops_the_batch
            of_racing_batches_from_one_position_one_counts
            a_batch_of_a_thousand_operations_is_one_step
            counters_add_up_and_go_below_zero
            a_text_that_is_no_integer_counts_as_the_integer_it_begins_with
            a_counter_that_would_leave_64_bits_stays
            a_register_in_the_place_of_a_counter_is_replaced
            a_counter_ends_at_its_time
            a_counter_whose_time_has_passed_ends_at_once
            an_addition_without_expiry_leaves_the_one_that_is_set
            a_register_keeps_the_greatest_order_whatever_comes_when
            orders_compare_as_numbers_and_are_never_rounded
            a_field_that_another_program_wrote_gives_way
            a_text_in_the_place_of_registers_gives_way
            registers_are_removed
            a_register_is_removed_unless_something_greater_was_said
            a_register_is_replaced_only_while_it_is_what_it_was
            what_a_thing_adds_is_what_it_said_last
            what_is_kept_is_not_taken_back_when_more_is_said
            the_thing_that_waits_longest_is_told_until_it_waits_no_more
            what_another_program_left_in_the_place_of_a_set_gives_way
            what_was_said_before_or_again_adds_nothing
            a_thing_that_is_forgotten_leaves_what_it_added
            what_is_said_of_known_things_only_adds_nothing_to_others
            names_and_values_may_hold_anything
            answers_come_in_the_order_of_the_questions
            a_key_of_another_kind_reads_as_nothing
            a_position_that_is_no_number_is_refused_by_its_key
            the_run_has_a_name_and_keeps_it
        );
    };
    ($subject:expr; $($check:ident)+) => {$(
        #[tokio::test]
        async fn $check() {
            $crate::conformance::store::$check(&$subject.await).await;
        }
    )+};
}

fn add(key: &str, by: i64) -> Operation {
    Operation::Add { key: key.into(), by, expires: None }
}

fn add_until(key: &str, by: i64, expires: Millis) -> Operation {
    Operation::Add { key: key.into(), by, expires: Some(expires) }
}

fn max(key: &str, field: &str, order: &[u64], value: &str) -> Operation {
    Operation::Max { key: key.into(), field: field.into(), order: order.to_vec(), value: value.into() }
}

fn advance(key: &str, from: Option<i64>, to: i64) -> Advance {
    Advance { key: key.into(), from, to }
}

fn contribute(key: &str, order: &[u64], adds: &[(&str, i64)]) -> Operation {
    let add = |(key, by): &(&str, i64)| Contribution { key: (*key).into(), by: *by, expires: None };
    let adds = adds.iter().map(add).collect();
    let (keeps, waits) = (vec![], vec![]);
    Operation::Contribute {
        key: key.into(),
        order: order.to_vec(),
        adds,
        keeps,
        waits,
        expires: None,
        only_known: false,
    }
}

/// That a thing is in a set since then, or not; and what it adds for good.
fn wait(key: &str, order: u64, set: &str, since: Option<i64>, keeps: &[(&str, i64)]) -> Operation {
    let Operation::Contribute { key, order, adds: keeps, .. } = contribute(key, &[order], keeps) else {
        unreachable!()
    };
    let waits = vec![Waiting { set: set.into(), since: since.map(Millis) }];
    Operation::Contribute { key, order, adds: vec![], keeps, waits, expires: None, only_known: false }
}

async fn longest(subject: &dyn Subject, set: &str) -> Option<i64> {
    match read(subject, &[Query::Longest(set.into())]).await.pop() {
        Some(Value::Text(text)) => text.map(|text| text.parse().expect("a time")),
        other => panic!("{other:?}"),
    }
}

fn register(field: &str, order: &[u64], value: &str) -> Register {
    Register { field: field.into(), order: order.to_vec(), value: value.into() }
}

async fn outcome(subject: &dyn Subject, advances: &[Advance], operations: &[Operation]) -> Applied {
    subject.store().apply(advances, operations).await.expect("a batch is applied")
}

async fn read(subject: &dyn Subject, queries: &[Query]) -> Vec<Value> {
    subject.store().read(queries).await.expect("values are read")
}

async fn apply(subject: &dyn Subject, operations: &[Operation]) {
    assert_eq!(outcome(subject, &[], operations).await, Applied::Done);
}

async fn text(subject: &dyn Subject, key: &str) -> Option<String> {
    match read(subject, &[Query::Text(key.into())]).await.pop() {
        Some(Value::Text(text)) => text,
        other => panic!("one text was asked for, not {other:?}"),
    }
}

async fn registers(subject: &dyn Subject, key: &str) -> Vec<Register> {
    match read(subject, &[Query::Registers(key.into())]).await.pop() {
        Some(Value::Registers(registers)) => registers,
        other => panic!("registers were asked for, not {other:?}"),
    }
}

/// Check.
pub async fn what_is_not_there_reads_as_nothing(s: &dyn Subject) {
    assert_eq!(text(s, "nothing").await, None);
    assert_eq!(registers(s, "nothing").await, []);
    assert_eq!(read(s, &[]).await, []);
}

/// Check.
pub async fn a_batch_is_applied_whole_and_moves_its_positions(s: &dyn Subject) {
    let operations = [add("a", 5), max("h", "f", &[1], "one"), add("b", 7)];
    assert_eq!(outcome(s, &[advance("p", None, 3)], &operations).await, Applied::Done);
    assert_eq!(outcome(s, &[advance("p", Some(3), 9)], &[]).await, Applied::Done);
    assert_eq!((text(s, "a").await, text(s, "b").await), (Some("5".into()), Some("7".into())));
    assert_eq!(registers(s, "h").await, [register("f", &[1], "one")]);
    assert_eq!(text(s, "p").await, Some("9".into()));
}

/// Check.
pub async fn a_position_that_stands_elsewhere_changes_nothing_and_is_told(s: &dyn Subject) {
    outcome(s, &[advance("p", None, 3)], &[]).await;
    let operations =
        [add("a", 5), max("h", "f", &[1], "one"), Operation::Remove { key: "h".into(), fields: vec!["f".into()] }];
    for from in [None, Some(2), Some(4), Some(-3)] {
        let applied = outcome(s, &[advance("p", from, 8)], &operations).await;
        assert_eq!(applied, Applied::Elsewhere(vec![Some(3)]), "{from:?}");
    }
    assert_eq!((text(s, "a").await, registers(s, "h").await), (None, vec![]));
    assert_eq!(text(s, "p").await, Some("3".into()));
}

/// Check.
pub async fn a_position_that_is_not_set_is_told_from_one_at_zero(s: &dyn Subject) {
    assert_eq!(outcome(s, &[advance("p", Some(0), 5)], &[]).await, Applied::Elsewhere(vec![None]));
    outcome(s, &[advance("p", None, 0)], &[]).await;
    assert_eq!(outcome(s, &[advance("p", None, 5)], &[]).await, Applied::Elsewhere(vec![Some(0)]));
}

/// Check.
pub async fn of_several_positions_one_elsewhere_stops_the_batch(s: &dyn Subject) {
    outcome(s, &[advance("p", None, i64::MAX), advance("q", None, 2)], &[]).await;
    let advances = [advance("p", Some(i64::MAX), 0), advance("q", Some(1), 5), advance("r", None, 1)];
    let applied = outcome(s, &advances, &[add("a", 1)]).await;
    assert_eq!(applied, Applied::Elsewhere(vec![Some(i64::MAX), Some(2), None]));
    assert_eq!((text(s, "a").await, text(s, "r").await), (None, None));
}

/// Check.
pub async fn of_racing_batches_from_one_position_one_counts(s: &dyn Subject) {
    let (advances, operations) = ([advance("p", None, 1)], [add("a", 1)]);
    let racing = (0..16).map(|_| outcome(s, &advances, &operations));
    let applied = futures::future::join_all(racing).await;
    assert_eq!(applied.iter().filter(|applied| **applied == Applied::Done).count(), 1);
    assert_eq!(text(s, "a").await, Some("1".into()));
}

/// Check.
pub async fn a_batch_of_a_thousand_operations_is_one_step(s: &dyn Subject) {
    let registers_of = |n: u64| max("h", &format!("f{n:03}"), &[n, u64::MAX], &"v".repeat(1_000));
    let operations: Vec<Operation> = (0..500).flat_map(|n| [add(&format!("a{}", n % 7), 1), registers_of(n)]).collect();
    assert_eq!(outcome(s, &[advance("p", None, 1)], &operations).await, Applied::Done);
    assert_eq!(registers(s, "h").await.len(), 500);
    assert_eq!(text(s, "a0").await, Some("72".into()));
}

/// Check.
pub async fn counters_add_up_and_go_below_zero(s: &dyn Subject) {
    apply(s, &[add("a", 5), add("a", -9), add("big", 9_007_199_254_740_993), add("big", 2)]).await;
    assert_eq!(text(s, "a").await, Some("-4".into()));
    assert_eq!(text(s, "big").await, Some("9007199254740995".into()), "beyond what a double holds");
}

/// Check.
pub async fn a_text_that_is_no_integer_counts_as_the_integer_it_begins_with(s: &dyn Subject) {
    let cases = [
        ("abc", "2"),
        ("12abc", "14"),
        ("", "2"),
        (" 7", "9"),
        ("+5", "7"),
        ("-0", "2"),
        ("-007", "-5"),
        ("1.9", "3"),
        ("0x10", "2"),
    ];
    for (found, becomes) in cases {
        s.set_text("a", found).await;
        apply(s, &[add("a", 2), add("after", 1)]).await;
        assert_eq!(text(s, "a").await, Some(becomes.into()), "{found:?}");
    }
    assert_eq!(text(s, "after").await, Some("9".into()), "the rest of each batch counted");
}

/// Check.
pub async fn a_counter_that_would_leave_64_bits_stays(s: &dyn Subject) {
    let highest = i64::MAX.to_string();
    apply(s, &[add("a", i64::MAX), add("a", 1), add("b", 1)]).await;
    s.set_text("c", "123456789012345678901234567890 and more").await;
    apply(s, &[add("c", 1)]).await;
    assert_eq!(text(s, "a").await, Some(highest));
    assert_eq!(text(s, "b").await, Some("1".into()));
    assert_eq!(text(s, "c").await, Some("123456789012345678901234567890".into()));
}

/// Check.
pub async fn a_register_in_the_place_of_a_counter_is_replaced(s: &dyn Subject) {
    s.set_field("a", "f", "v").await;
    apply(s, &[add("a", 3)]).await;
    assert_eq!(text(s, "a").await, Some("3".into()));
}

/// Check.
pub async fn a_counter_ends_at_its_time(s: &dyn Subject) {
    let at = Millis(s.now().0 + 300);
    apply(s, &[add_until("a", 3, at), add_until("b", 1, Millis(at.0 + 3_600_000))]).await;
    assert_eq!(text(s, "a").await, Some("3".into()));
    s.wait_until(at).await;
    assert_eq!((text(s, "a").await, text(s, "b").await), (None, Some("1".into())));
    apply(s, &[add("a", 1)]).await;
    assert_eq!(text(s, "a").await, Some("1".into()), "it begins anew");
}

/// Check.
pub async fn a_counter_whose_time_has_passed_ends_at_once(s: &dyn Subject) {
    apply(s, &[add("a", 3), add_until("a", 3, Millis(s.now().0 - 1)), add_until("b", 1, Millis(-5))]).await;
    assert_eq!((text(s, "a").await, text(s, "b").await), (None, None));
}

/// Check.
pub async fn an_addition_without_expiry_leaves_the_one_that_is_set(s: &dyn Subject) {
    let at = Millis(s.now().0 + 300);
    apply(s, &[add_until("a", 3, at), add("a", 1)]).await;
    assert_eq!(text(s, "a").await, Some("4".into()));
    s.wait_until(at).await;
    assert_eq!(text(s, "a").await, None);
}

/// Check.
pub async fn a_register_keeps_the_greatest_order_whatever_comes_when(s: &dyn Subject) {
    let each = [
        max("h", "f", &[2, 5], "middle"),
        max("h", "f", &[1, 9], "old"),
        max("h", "f", &[2, 6], "new"),
        max("h", "f", &[2, 6], "again"),
    ];
    apply(s, &each).await;
    let expected = [register("f", &[2, 6], "new")];
    assert_eq!(registers(s, "h").await, expected);
    for operation in each {
        apply(s, &[operation]).await;
        assert_eq!(registers(s, "h").await, expected, "coming again changes nothing");
    }
}

/// Check.
pub async fn orders_compare_as_numbers_and_are_never_rounded(s: &dyn Subject) {
    let beyond_doubles = 9_007_199_254_740_993;
    apply(s, &[max("h", "a", &[9], "9"), max("h", "a", &[10], "10")]).await;
    apply(s, &[max("h", "b", &[beyond_doubles], "great"), max("h", "b", &[beyond_doubles - 1], "less")]).await;
    apply(s, &[max("h", "c", &[u64::MAX, 0], "most"), max("h", "c", &[u64::MAX - 1, u64::MAX], "less")]).await;
    let expected =
        [register("a", &[10], "10"), register("b", &[beyond_doubles], "great"), register("c", &[u64::MAX, 0], "most")];
    assert_eq!(registers(s, "h").await, expected);
}

/// Check.
pub async fn a_field_that_another_program_wrote_gives_way(s: &dyn Subject) {
    for foreign in ["hello", "", "99999999999999999999999999", "|x"] {
        s.set_field("h", "f", foreign).await;
        assert_eq!(registers(s, "h").await, [register("f", &[], foreign)]);
        apply(s, &[max("h", "f", &[1], "ours")]).await;
        assert_eq!(registers(s, "h").await, [register("f", &[1], "ours")], "{foreign:?}");
    }
}

/// Check.
pub async fn a_text_in_the_place_of_registers_gives_way(s: &dyn Subject) {
    s.set_text("h", "hello").await;
    apply(s, &[Operation::Remove { key: "h".into(), fields: vec!["f".into()] }]).await;
    apply(s, &[max("h", "f", &[1], "ours"), add("after", 1)]).await;
    assert_eq!(registers(s, "h").await, [register("f", &[1], "ours")]);
    assert_eq!(text(s, "after").await, Some("1".into()));
}

/// Check.
pub async fn a_register_is_replaced_only_while_it_is_what_it_was(s: &dyn Subject) {
    let replace = |was: (&[u64], &str), now: (&[u64], &str)| Operation::Replace {
        key: "h".into(),
        field: "f".into(),
        was_order: was.0.to_vec(),
        was_value: was.1.into(),
        order: now.0.to_vec(),
        value: now.1.into(),
    };
    apply(s, &[replace((&[1, 2], "a"), (&[1, 1], "b"))]).await;
    assert_eq!(registers(s, "h").await, [], "there is nothing to replace");
    apply(s, &[max("h", "f", &[1, u64::MAX], "a")]).await;
    apply(s, &[replace((&[1, 2], "a"), (&[1, 1], "b")), replace((&[1, u64::MAX], "c"), (&[1, 1], "b"))]).await;
    assert_eq!(registers(s, "h").await, [register("f", &[1, u64::MAX], "a")]);
    apply(s, &[replace((&[1, u64::MAX], "a"), (&[1, 1], "b"))]).await;
    assert_eq!(registers(s, "h").await, [register("f", &[1, 1], "b")], "whatever its order");
}

/// Check.
pub async fn registers_are_removed(s: &dyn Subject) {
    apply(s, &[max("h", "a", &[1], "1"), max("h", "b", &[1], "2"), max("h", "c", &[1], "3")]).await;
    apply(s, &[Operation::Remove { key: "h".into(), fields: vec!["a".into(), "nothing".into(), "c".into()] }]).await;
    assert_eq!(registers(s, "h").await, [register("b", &[1], "2")]);
    apply(s, &[Operation::Remove { key: "h".into(), fields: vec!["b".into()] }, max("h", "a", &[0], "anew")]).await;
    assert_eq!(registers(s, "h").await, [register("a", &[0], "anew")]);
}

/// Check.
pub async fn a_register_is_removed_unless_something_greater_was_said(s: &dyn Subject) {
    let up_to = |field: &str, order: &[u64]| {
        [Operation::RemoveUpTo { key: "h".into(), field: field.into(), order: order.to_vec() }]
    };
    apply(s, &[max("h", "a", &[1, 7], "1"), max("h", "b", &[1, 7], "2")]).await;
    apply(s, &up_to("a", &[1, 6])).await;
    apply(s, &up_to("nothing", &[9, 9])).await;
    assert_eq!(registers(s, "h").await, [register("a", &[1, 7], "1"), register("b", &[1, 7], "2")]);
    apply(s, &up_to("a", &[1, 7])).await;
    assert_eq!(registers(s, "h").await, [register("b", &[1, 7], "2")]);
    apply(s, &up_to("b", &[2, 0])).await;
    assert_eq!(registers(s, "h").await, []);
}

/// Check.
pub async fn what_a_thing_adds_is_what_it_said_last(s: &dyn Subject) {
    apply(s, &[contribute("x", &[1, 0], &[("pending", 1), ("bytes", 7)]), add("pending", 5)]).await;
    apply(s, &[contribute("y", &[1, 0], &[("pending", 1)]), contribute("x", &[1, 2], &[("done", 1), ("bytes", 7)])])
        .await;
    let [pending, bytes, done] = ["pending", "bytes", "done"];
    assert_eq!(text(s, pending).await.as_deref(), Some("6"));
    assert_eq!((text(s, bytes).await.as_deref(), text(s, done).await.as_deref()), (Some("7"), Some("1")));
    apply(s, &[contribute("x", &[2, 0], &[("pending", -3)]), contribute("x", &[2, 1], &[("pending", 9)])]).await;
    apply(s, &[contribute("x", &[3, 0], &[])]).await;
    assert_eq!((text(s, pending).await.as_deref(), text(s, done).await.as_deref()), (Some("6"), Some("0")));
}

/// Check.
pub async fn what_was_said_before_or_again_adds_nothing(s: &dyn Subject) {
    let end = contribute("x", &[2, 2], &[("done", 1)]);
    for operation in
        [end.clone(), end, contribute("x", &[2, 1], &[("failed", 1)]), contribute("x", &[1, 2], &[("done", 9)])]
    {
        apply(s, &[operation]).await;
    }
    assert_eq!((text(s, "done").await.as_deref(), text(s, "failed").await), (Some("1"), None));
}

/// Check.
pub async fn what_is_kept_is_not_taken_back_when_more_is_said(s: &dyn Subject) {
    for (order, key) in [(1, "failed"), (1, "failed"), (3, "done"), (2, "failed")] {
        apply(s, &[wait("x", order, "w", None, &[(key, 1)])]).await;
    }
    assert_eq!((text(s, "failed").await.as_deref(), text(s, "done").await.as_deref()), (Some("1"), Some("1")));
}

/// Check.
pub async fn the_thing_that_waits_longest_is_told_until_it_waits_no_more(s: &dyn Subject) {
    assert_eq!(longest(s, "w").await, None);
    let since = 1_700_000_000_123;
    apply(s, &[wait("b", 1, "w", Some(since + 1), &[]), wait("a", 1, "w", Some(since), &[])]).await;
    assert_eq!(longest(s, "w").await, Some(since));
    apply(s, &[wait("a", 0, "w", None, &[]), wait("b", 2, "w", Some(since - 1), &[])]).await;
    assert_eq!(longest(s, "w").await, Some(since - 1), "what is older than what is known changes nothing");
    apply(s, &[wait("b", 3, "w", None, &[])]).await;
    assert_eq!(longest(s, "w").await, Some(since));
    apply(s, &[wait("a", 2, "w", None, &[]), wait("a", 3, "w", None, &[])]).await;
    assert_eq!(longest(s, "w").await, None);
}

/// Check.
pub async fn what_another_program_left_in_the_place_of_a_set_gives_way(s: &dyn Subject) {
    s.set_text("w", "other").await;
    assert_eq!(longest(s, "w").await, None);
    apply(s, &[wait("a", 1, "w", Some(7), &[])]).await;
    assert_eq!(longest(s, "w").await, Some(7));
    s.set_text("w", "other").await;
    apply(s, &[wait("a", 2, "w", None, &[])]).await;
    assert_eq!(longest(s, "w").await, None);
}

/// Check.
pub async fn a_thing_that_is_forgotten_leaves_what_it_added(s: &dyn Subject) {
    let until = Millis(s.now().0 + 400);
    let add = |key: &str, expires| Contribution { key: key.into(), by: 1, expires };
    let adds = vec![add("stays", None), add("goes", Some(until))];
    let operation = Operation::Contribute {
        key: "x".into(),
        order: vec![1],
        adds,
        keeps: vec![],
        waits: vec![],
        expires: Some(until),
        only_known: false,
    };
    apply(s, std::slice::from_ref(&operation)).await;
    assert_eq!((text(s, "stays").await.as_deref(), text(s, "goes").await.as_deref()), (Some("1"), Some("1")));
    s.wait_until(until).await;
    assert_eq!((text(s, "stays").await.as_deref(), text(s, "goes").await), (Some("1"), None));
    apply(s, &[operation]).await;
    assert_eq!((text(s, "stays").await.as_deref(), text(s, "goes").await), (Some("2"), None));
}

/// Check.
pub async fn what_is_said_of_known_things_only_adds_nothing_to_others(s: &dyn Subject) {
    let known = |order: u64| {
        let adds = vec![Contribution { key: "done".into(), by: 1, expires: None }];
        Operation::Contribute {
            key: "x".into(),
            order: vec![order],
            adds,
            keeps: vec![],
            waits: vec![],
            expires: None,
            only_known: true,
        }
    };
    apply(s, &[known(5)]).await;
    assert_eq!(text(s, "done").await, None);
    apply(s, &[contribute("x", &[1], &[("done", 7)]), known(5)]).await;
    assert_eq!(text(s, "done").await.as_deref(), Some("1"));
}

/// Check.
pub async fn names_and_values_may_hold_anything(s: &dyn Subject) {
    for odd in [
        "a:b:bb:crr:opsdone:",
        "__proto__",
        "100%",
        "sp ace\n\r\0",
        "\u{1f600}",
        "a|b|c",
        "{tag}",
        &"x".repeat(100_000),
    ] {
        apply(s, &[add(odd, 1), max("h", odd, &[1], odd)]).await;
        assert_eq!(text(s, odd).await, Some("1".into()));
        assert_eq!(registers(s, "h").await, [register(odd, &[1], odd)]);
        apply(s, &[Operation::Remove { key: "h".into(), fields: vec![odd.into()] }]).await;
    }
}

/// Check.
pub async fn answers_come_in_the_order_of_the_questions(s: &dyn Subject) {
    apply(s, &[add("a", 1), add("b", 2), max("h", "f", &[1], "v"), max("h", "e", &[1], "v")]).await;
    let queries = ["b", "nothing", "a", "b"].map(|key| Query::Text(key.into()));
    let [b, nothing, a, again] = queries;
    let hash = || Query::Registers("h".into());
    let answers = read(s, &[hash(), b, nothing, Query::Registers("none".into()), a, hash(), again]).await;
    let text = |text: &str| Value::Text(Some(text.into()));
    let held = || Value::Registers(vec![register("e", &[1], "v"), register("f", &[1], "v")]);
    assert_eq!(answers, [held(), text("2"), Value::Text(None), Value::Registers(vec![]), text("1"), held(), text("2")]);
}

/// Check.
pub async fn a_key_of_another_kind_reads_as_nothing(s: &dyn Subject) {
    apply(s, &[add("a", 1), max("h", "f", &[1], "v")]).await;
    let answers = read(s, &[Query::Text("h".into()), Query::Registers("a".into()), Query::Text("a".into())]).await;
    assert_eq!(answers, [Value::Text(None), Value::Registers(vec![]), Value::Text(Some("1".into()))]);
}

/// Check.
pub async fn a_position_that_is_no_number_is_refused_by_its_key(s: &dyn Subject) {
    s.set_text("p", "12abc").await;
    let refused = s.store().apply(&[advance("p", Some(12), 13)], &[add("a", 1)]).await;
    let error = refused.expect_err("a position that is no number");
    assert!(matches!(&error, StoreError::Refused { message, .. } if message.contains("\"p\"")), "{error}");
    assert_eq!(text(s, "a").await, None);
}

/// Check.
pub async fn the_run_has_a_name_and_keeps_it(s: &dyn Subject) {
    let first = read(s, &[Query::Text("a".into()), Query::Run, Query::Registers("h".into())]).await;
    let [Value::Text(None), Value::Text(Some(run)), Value::Registers(_)] = &first[..] else { panic!("{first:?}") };
    assert!(!run.is_empty());
    apply(s, &[add("a", 1)]).await;
    assert_eq!(read(s, &[Query::Run]).await, [Value::Text(Some(run.clone()))]);
}
