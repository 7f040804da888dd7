//! Batches, and the positions that they move.

use super::*;

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
