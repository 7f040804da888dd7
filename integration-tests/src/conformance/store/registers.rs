//! Registers, by their orders.

use super::*;

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
