use super::world::*;
use crate::{CountError, Input, handle};
use shared::{
    ports::records::Log as _,
    record::{
        Offset,
        kafka_event::{Fault, UndecodedRecord},
    },
};

#[tokio::test]
async fn a_message_counts_once_however_often_its_event_comes() {
    let world = World::new(1, 1);
    for _ in 0..4 {
        world.append(0, &queued("a", 1));
    }
    for (first, end) in [(0, 2), (0, 2), (0, 3), (2, 4), (1, 4), (0, 4)] {
        handle(Input::Event(world.event(0, first, end).await), &world.context()).await.unwrap();
    }
    assert_eq!(world.pending("a").await.as_deref(), Some("4"));
    assert_eq!(world.position(0).await.as_deref(), Some("4"));
}

#[tokio::test]
async fn pending_does_not_drift_when_events_are_redelivered() {
    let world = World::new(1, 1);
    for kind in ["queued", "queued", "completed", "failed"] {
        world.append(0, &site(kind, "a", 5));
    }
    for _ in 0..3 {
        handle(Input::Event(world.event(0, 0, 4).await), &world.context()).await.unwrap();
        handle(Input::Event(world.event(0, 2, 4).await), &world.context()).await.unwrap();
    }
    assert_eq!(world.pending("a").await.as_deref(), Some("0"));
}

#[tokio::test]
async fn an_event_above_the_position_pulls_what_is_between() {
    let world = World::new(1, 1);
    for _ in 0..6 {
        world.append(0, &queued("a", 1));
    }
    handle(Input::Event(world.event(0, 4, 6).await), &world.context()).await.unwrap();
    assert_eq!(world.pending("a").await.as_deref(), Some("6"), "never counted before: from the log's start");
    for _ in 0..3 {
        world.append(0, &queued("a", 1));
    }
    handle(Input::Event(world.event(0, 8, 9).await), &world.context()).await.unwrap();
    assert_eq!(world.pending("a").await.as_deref(), Some("9"));
}

#[tokio::test]
async fn while_the_aggregator_is_down_nothing_is_acknowledged_and_nothing_is_lost() {
    let world = World::new(1, 1);
    for _ in 0..1_000 {
        world.append(0, &queued("a", 1));
    }
    world.set_faults(100, 0);
    let error = handle(Input::Event(world.event(0, 0, 1_000).await), &world.context()).await.unwrap_err();
    assert!(error.retry(), "{error}");
    assert_eq!(world.committed(0).await, None);

    world.set_faults(0, 0);
    handle(Input::Event(world.event(0, 0, 1_000).await), &world.context()).await.unwrap();
    assert_eq!(world.pending("a").await.as_deref(), Some("1000"));
    assert_eq!(world.committed(0).await, Some(Offset(1_000)));
}

#[tokio::test]
async fn an_answer_that_got_lost_does_not_count_twice() {
    let world = World::new(1, 1);
    for _ in 0..10 {
        world.append(0, &queued("a", 1));
    }
    handle(Input::Drain, &world.context()).await.unwrap();
    for _ in 0..10 {
        world.append(0, &queued("a", 1));
    }
    world.set_faults(0, 100);
    handle(Input::Event(world.event(0, 10, 20).await), &world.context()).await.unwrap_err();
    world.set_faults(0, 0);
    handle(Input::Event(world.event(0, 10, 20).await), &world.context()).await.unwrap();
    assert_eq!(world.pending("a").await.as_deref(), Some("20"));
}

#[tokio::test]
async fn malformed_messages_are_counted_by_reason_and_the_rest_of_the_batch_counts() {
    let world = World::new(1, 1);
    let megabyte = "[".repeat(1_000_000);
    let wrong_types = r#"{"extension":"crr","type":"queued","site":["a"],"ops":1,"bytes":1}"#;
    let malformed = ["not json", "null", "[]", "{", wrong_types, &megabyte, r#"{"__proto__":{"extension":"crr"}}"#];
    for value in malformed {
        world.append(0, &queued("a", 1));
        world.append(0, value);
    }
    world.kafka.append(&tp(0), shared::record::Record { value: None, ..record("") });
    world.append(0, &queued("a", 1));
    handle(Input::Event(world.event(0, 0, 16).await), &world.context()).await.unwrap();

    assert_eq!(world.pending("a").await.as_deref(), Some("8"));
    let reasons = [
        ("not_json", "3"),
        ("null", "1"),
        ("not_an_object", "1"),
        ("wrong_type", "1"),
        ("missing_field", "1"),
        ("tombstone", "1"),
    ];
    for (reason, count) in reasons {
        assert_eq!(world.text(&shared::metrics::keys::rejected(reason)).await.as_deref(), Some(count), "{reason}");
    }
    assert!(world.store.keys().iter().all(|key| !key.contains("undefined")));
}

#[tokio::test]
async fn a_record_that_the_event_cannot_tell_is_pulled_from_kafka() {
    let world = World::new(1, 1);
    for _ in 0..3 {
        world.append(0, &queued("a", 1));
    }
    let undecoded =
        || UndecodedRecord { item: format!("{TOPIC}-0"), offset: Some(Offset(1)), fault: Fault::TwoRecords };

    let mut event = world.event(0, 0, 3).await;
    event.batches[0].records.remove(1);
    event.batches[0].undecoded.push(undecoded());
    handle(Input::Event(event), &world.context()).await.unwrap();
    assert_eq!(world.pending("a").await.as_deref(), Some("3"));

    for _ in 0..3 {
        world.append(0, &queued("a", 1));
    }
    let mut event = world.event(0, 3, 6).await;
    event.batches[0].records.remove(1);
    event.lost.push(UndecodedRecord { offset: None, ..undecoded() });
    handle(Input::Event(event), &world.context()).await.unwrap();
    assert_eq!(world.pending("a").await.as_deref(), Some("6"));
}

#[tokio::test]
async fn an_event_of_another_topic_is_refused_with_what_to_correct() {
    let world = World::new(1, 1);
    let mut event = event(0, vec![record("null")]);
    event.batches[0].partition.topic = "orders".into();
    let error = handle(Input::Event(event), &world.context()).await.unwrap_err();
    assert!(matches!(error, CountError::OtherTopic { .. }) && !error.retry());
    assert!(error.to_string().contains("correct the event source mapping, or metrics.topic"), "{error}");
    assert_eq!(world.kafka.topics(None).await.unwrap().len(), 1);
}

#[tokio::test]
async fn one_event_may_hold_several_partitions() {
    let world = World::new(1, 2);
    world.append(0, &queued("a", 1));
    world.append(1, &queued("b", 2));
    let mut event = world.event(0, 0, 1).await;
    event.batches.extend(world.event(1, 0, 1).await.batches);
    let report = handle(Input::Event(event), &world.context()).await.unwrap();
    let expected = serde_json::json!({"counted": [{"partition": 0, "position": 1}, {"partition": 1, "position": 1}]});
    assert_eq!(serde_json::to_value(report).unwrap(), expected);
    assert_eq!((world.pending("a").await.as_deref(), world.pending("b").await.as_deref()), (Some("1"), Some("2")));
}

#[tokio::test]
async fn a_batch_of_ten_thousand_messages_is_two_round_trips_one_to_ask_where_the_store_stands() {
    let world = World::new(1, 1);
    handle(Input::Drain, &world.context()).await.unwrap();
    for n in 0..10_000 {
        world.append(0, &queued(&format!("site{}", n % 10), 1));
    }
    handle(Input::Event(world.event(0, 0, 1).await), &world.context()).await.unwrap();
    let before = world.aggregator.calls.load(std::sync::atomic::Ordering::SeqCst);
    handle(Input::Event(world.event(0, 1, 10_000).await), &world.context()).await.unwrap();
    assert_eq!(world.aggregator.calls.load(std::sync::atomic::Ordering::SeqCst) - before, 2);
}

#[tokio::test]
async fn what_lies_behind_an_event_is_left_to_be_counted_later() {
    let world = World::new(1, 1);
    for _ in 0..6 {
        world.append(0, &queued("a", 1));
    }
    for (end, pending) in [(2, "2"), (5, "5"), (6, "6")] {
        handle(Input::Event(world.event(0, end - 2, end).await), &world.context()).await.unwrap();
        assert_eq!(world.pending("a").await.as_deref(), Some(pending));
    }
}

#[test]
fn a_payload_is_an_event_by_its_source_and_a_drain_by_saying_nothing() {
    let parse = |payload| Input::parse(&payload);
    for nothing in [serde_json::json!({}), serde_json::json!(null)] {
        assert!(matches!(parse(nothing), Ok(Input::Drain)));
    }
    for other in [serde_json::json!({"drain": true}), serde_json::json!([]), serde_json::json!("drain")] {
        let error = parse(other).unwrap_err();
        assert!(!error.retry() && error.to_string().starts_with("a payload is {} for a drain"), "{error}");
    }
    let event = serde_json::json!({"eventSource": "SelfManagedKafka", "records": {}});
    assert!(matches!(parse(event), Ok(Input::Event(event)) if event.batches.is_empty()));
    let error = parse(serde_json::json!({"eventSource": "aws:sqs"})).unwrap_err();
    assert!(!error.retry() && error.to_string().contains("map a kafka topic to this function"), "{error}");
}
