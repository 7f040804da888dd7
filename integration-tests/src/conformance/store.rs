//! What every store does. `store_conformance!(subject)` makes a test of each check, with an empty store for each.

mod contributions;
mod counters;
mod positions;
mod registers;

pub use self::{contributions::*, counters::*, positions::*, registers::*};

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
            a_key_is_forgotten_whatever_it_holds
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
