use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use super::{register::KEPT, *};
use crate::{
    job::State,
    metrics::{
        registers::{examples::hashes, of_message},
        standing::Message,
    },
    ports::store::{Operation, Register},
};

const GOLDEN: &str = include_str!("../../../fixtures/metrics/push.json");

fn push(event: Event, at: i64, body: serde_json::Value) -> Push {
    Push {
        timestamp: Millis(at),
        sequence: 0,
        kind: Kind::Restores,
        namespace: "prod".into(),
        name: "orders-copy".into(),
        uuid: "7c1b".into(),
        topic: "orders".into(),
        event,
        body: serde_json::from_value(body).unwrap(),
    }
}

fn stored(pushes: &[Push]) -> Vec<Register> {
    hashes(pushes.iter().map(operation)).remove(RESTORES_KEY).unwrap_or_default().into_values().collect()
}

/// What is known of the one topic of the one run.
fn known(pushes: &[Push]) -> Run {
    let mut runs = runs(&stored(pushes));
    let (_, mut topics) = runs.pop_first().expect("a run");
    topics.remove("orders").expect("a topic")
}

fn restore() -> [Push; 3] {
    [
        push(Event::Started, 1_000, json!({"recordsTotal": 947})),
        push(Event::Progress, 2_000, json!({"state": 100, "progress": 0.5, "recordsCount": 470})),
        push(Event::Stopped, 3_000, json!({"state": 800, "progress": 1, "recordsCount": 947})),
    ]
}

#[test]
fn a_push_lies_on_the_metrics_topic_like_this() {
    let value: serde_json::Value = serde_json::from_str(GOLDEN).unwrap();
    let expected = push(Event::Progress, 2_000, json!({"state": 100, "progress": 0.5, "recordsCount": 470}));
    let message = Message::Push(expected.clone());
    assert_eq!(Message::decode(&value).unwrap(), message);
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&message.encode().value.unwrap()).unwrap(), value);
    assert_eq!(message.encode().key.unwrap(), "restores/prod/orders-copy/7c1b/orders");
    assert_eq!(of_message(&value).unwrap(), [operation(&expected)]);
}

#[test]
fn what_is_said_last_is_known_and_what_is_left_out_stays() {
    let [started, progress, stopped] = restore();
    let begun = known(std::slice::from_ref(&started));
    assert_eq!(
        (begun.event, begun.started_at, begun.figures.records_count),
        (Event::Started, Some(Millis(1_000)), None)
    );
    let under_way = known(&[started.clone(), progress.clone()]);
    assert_eq!(under_way.event, Event::Progress);
    assert_eq!((under_way.figures.records_count, under_way.figures.records_total), (Some(470), Some(947)));
    let over = known(&[started.clone(), progress.clone(), stopped]);
    assert_eq!((over.event, over.said_at, over.figures.state), (Event::Stopped, Millis(3_000), Some(State::DONE)));
    let silent = known(&[started, progress, push(Event::Stopped, 3_000, json!({}))]);
    assert_eq!((silent.event, silent.figures.records_count), (Event::Stopped, Some(470)));
}

#[test]
fn a_run_that_starts_again_keeps_nothing_of_the_attempt_before() {
    let [started, progress, stopped] = restore();
    let again = known(&[started, progress, stopped, push(Event::Started, 9_000, json!({}))]);
    assert_eq!((again.event, again.started_at), (Event::Started, Some(Millis(9_000))));
    assert_eq!(again.figures, Body::default());
}

#[test]
fn the_sequence_decides_between_pushes_of_one_time() {
    let of = |sequence, count: u64| Push { sequence, ..push(Event::Progress, 5, json!({"recordsCount": count})) };
    for order in [[of(1, 10), of(2, 20)], [of(2, 20), of(1, 10)]] {
        assert_eq!(known(&order).figures.records_count, Some(20));
    }
}

proptest! {
    #[test]
    fn pushes_that_come_twice_late_or_out_of_order_change_nothing(order in prop::collection::vec(0..3_usize, 0..12)) {
        let all = restore();
        let shuffled: Vec<Push> = order.into_iter().map(|n| all[n].clone()).chain(all.clone()).collect();
        prop_assert_eq!(known(&shuffled), known(&all));
        let reversed: Vec<Push> = shuffled.into_iter().rev().collect();
        prop_assert_eq!(known(&reversed), known(&all));
    }
}

#[test]
fn runs_and_topics_are_told_apart_whatever_they_are_called() {
    let of =
        |name: &str, topic: &str| Push { name: name.into(), topic: topic.into(), ..push(Event::Started, 1, json!({})) };
    let runs = runs(&stored(&[of("a", "b,1:c"), of("a,1:b", "c"), of("a", "d"), of("<script>", "\"")]));
    let topics: Vec<usize> = runs.values().map(std::collections::BTreeMap::len).collect();
    assert_eq!((runs.len(), topics.iter().sum::<usize>()), (3, 4));
}

#[test]
fn what_is_old_ahead_or_unreadable_leaves_the_store() {
    let now = 10_000_000_000;
    let old = now - i64::try_from(KEPT.as_millis()).unwrap() - 1;
    let of = |name: &str, at| Push { name: name.into(), ..push(Event::Started, at, json!({})) };
    let mut held = stored(&[of("kept", now - 5), of("old", old), of("ahead", now + 1_001)]);
    held.push(Register { field: "junk".into(), order: vec![], value: "{}".into() });
    let Some(Operation::Remove { key, fields }) = over(KEY, &held, Millis(now), Millis(now + 1_000)) else {
        panic!("something is over")
    };
    assert_eq!((key.as_str(), fields.len()), (KEY, 3));
    assert!(fields.iter().all(|field| !field.contains("kept")), "{fields:?}");
}

#[test]
fn the_oldest_leave_where_there_are_too_many() {
    let of = |n: usize| Push { topic: format!("t{n}").into(), ..push(Event::Started, n as i64, json!({})) };
    let held = stored(&(0..register::REGISTERS_MAX + 2).map(of).collect::<Vec<_>>());
    let Some(Operation::Remove { fields, .. }) = over(KEY, &held, Millis(20_000), Millis(20_000)) else {
        panic!("two are")
    };
    assert_eq!(fields.len(), 2);
    assert!(fields.iter().all(|field| field.contains("2:t0,") || field.contains("2:t1,")), "{fields:?}");
    assert!(KEPT > Duration::from_secs(20));
}

#[test]
fn a_body_with_a_wrong_value_is_refused_with_its_field() {
    for (body, field) in [
        (json!({"progress": 1.5}), "progress"),
        (json!({"progress": "0.5"}), "progress"),
        (json!({"recordsCount": -1}), "recordsCount"),
        (json!({"recordsCount": "3"}), "recordsCount"),
        (json!({"state": 7}), "state"),
        (json!({"message": "x".repeat(MESSAGE_CHARS_MAX + 1)}), "message"),
        (json!({"timestamp": "now"}), "timestamp"),
    ] {
        let error = serde_path_to_error::deserialize::<_, Body>(&body).unwrap_err();
        assert_eq!(error.path().to_string(), field, "{body}: {error}");
    }
    let unknown: Body = serde_json::from_value(json!({"later": true})).unwrap();
    assert_eq!(unknown, Body::default());
}

#[test]
fn every_example_of_the_schema_is_a_body_and_every_field_is_described() {
    let schema = schema();
    for example in schema["examples"].as_array().unwrap() {
        serde_json::from_value::<Body>(example.clone()).unwrap();
    }
    for (name, field) in schema["properties"].as_object().unwrap() {
        assert!(field["description"].is_string(), "{name}: {field}");
    }
}

#[test]
fn kinds_and_events_are_known_by_their_names() {
    assert!(Kind::ALL.into_iter().all(|kind| Kind::of_name(kind.name()) == Some(kind)));
    assert!(Event::ALL.into_iter().all(|event| Event::of_name(event.name()) == Some(event)));
    assert_eq!((Kind::of_name("backup"), Event::of_name("paused")), (None, None));
    assert_eq!(serde_json::to_value(Kind::SchemaRegistryBackups).unwrap(), json!("schema-registry-backups"));
}

#[test]
fn what_the_page_of_metrics_shows_has_a_hash_of_its_own() {
    let key = |kind| match operation(&Push { kind, ..push(Event::Progress, 1, json!({})) }) {
        Operation::Max { key, .. } => key,
        other => panic!("{other:?}"),
    };
    for kind in Kind::ALL {
        let is_shown = [Kind::Restores, Kind::SchemaRegistryBackups, Kind::SchemaRegistryRestores].contains(&kind);
        assert_eq!(key(kind) == RESTORES_KEY, is_shown, "{kind}");
        assert!(KEYS.contains(&key(kind).as_str()), "{kind}");
    }
}
