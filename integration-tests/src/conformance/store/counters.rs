//! Counters, and when they end.

use super::*;

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
