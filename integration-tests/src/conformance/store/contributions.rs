//! What things add, and what waits.

use super::*;

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
pub async fn a_key_is_forgotten_whatever_it_holds(s: &dyn Subject) {
    let forget = ["a", "h", "w", "nothing"].map(|key| Operation::Forget { key: key.into() });
    apply(s, &[add("a", 1), max("h", "f", &[1], "v"), wait("x", 1, "w", Some(7), &[])]).await;
    apply(s, &forget).await;
    assert_eq!((text(s, "a").await, registers(s, "h").await, longest(s, "w").await), (None, vec![], None));
    apply(s, &[add("a", 1)]).await;
    assert_eq!(text(s, "a").await.as_deref(), Some("1"), "it begins anew");
}
