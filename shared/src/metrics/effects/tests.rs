use super::*;
use crate::{
    metrics::backbeat::message::Malformed,
    record::{Offset, TimestampType},
};

const AT: Millis = Millis(1_531_432_000_000);
const MINUTE: i64 = 60_000;

fn record(value: &str, timestamp: Millis) -> Record {
    let value = Some(value.to_owned().into());
    Record {
        offset: Offset(0),
        timestamp,
        timestamp_type: TimestampType::CreateTime,
        key: None,
        value,
        headers: vec![],
    }
}

fn effects(value: &str, timestamp: Millis) -> Vec<Operation> {
    of_record(&record(value, timestamp), Windows::default()).operations()
}

fn queued(timestamp: i64) -> String {
    format!(r#"{{"extension":"crr","type":"queued","site":"a","ops":2,"bytes":9,"timestamp":{timestamp}}}"#)
}

fn added(operations: &[Operation]) -> Vec<(&str, i64, Option<i64>)> {
    let parts = |operation| match operation {
        &Operation::Add { ref key, by, expires } => (key.as_str(), by, expires.map(|at| at.0)),
        other => panic!("an addition, not {other:?}"),
    };
    operations.iter().map(parts).collect()
}

#[test]
fn a_queued_event_counts_in_its_interval_and_in_pending() {
    let end = Some(1_531_431_900_000 + 1_200_000);
    let expected = [
        ("a:bb:crr:ops:requests:1531431900000", 2, end),
        ("a:bb:crr:bytes:requests:1531431900000", 9, end),
        ("a:bb:crr:opspending", 2, None),
        ("a:bb:crr:bytespending", 9, None),
    ];
    assert_eq!(added(&effects(&queued(AT.0), AT)), expected);
}

#[test]
fn completed_and_failed_events_take_from_pending() {
    for (kind, ops, bytes) in [("completed", "opsdone", "bytesdone"), ("failed", "opsfail", "bytesfail")] {
        let operations = effects(&queued(AT.0).replace("queued", kind), AT);
        let added = added(&operations);
        assert_eq!((added[0].0, added[0].1), (format!("a:bb:crr:{ops}:requests:1531431900000").as_str(), 2));
        assert_eq!((added[1].0, added[1].1), (format!("a:bb:crr:{bytes}:requests:1531431900000").as_str(), 9));
        assert_eq!(added[2..4], [("a:bb:crr:opspending", -2, None), ("a:bb:crr:bytespending", -9, None)]);
        let kept: Vec<_> = added[4..].iter().map(|(key, by, expires)| (*key, *by, expires.is_some())).collect();
        let expected = match kind {
            "completed" => {
                [("hw1:crr:1:a,12:done:unknown,", 2, false), ("hw1:crr:1:a,18:done-bytes:unknown,", 9, false)]
            }
            _ => [("hw1:crr:1:a,14:failed:unknown,", 2, false), ("hw1:crr:1:a,12:failed-bytes,", 9, false)],
        };
        assert_eq!(kept, expected);
    }
}

#[test]
fn an_object_counts_its_bytes_for_a_day_and_one_interval() {
    let object = |kind| {
        let names = r#""bucketName":"b","objectKey":"a:b/__proto__","versionId":"v""#;
        format!(r#"{{"extension":"crr","type":"{kind}","site":"a","bytes":7,{names},"timestamp":{}}}"#, AT.0)
    };
    let end = Some(1_531_431_900_000 + 86_700_000);
    let key = |name| format!("a:b:a:b/__proto__:v:bb:crr:object:{name}:requests:1531431900000");
    assert_eq!(added(&effects(&object("queued"), AT)), [(key("bytes").as_str(), 7, end)]);
    assert_eq!(added(&effects(&object("completed"), AT)), [(key("bytesdone").as_str(), 7, end)]);
    assert_eq!(effects(&object("failed"), AT), []);
}

#[test]
fn windows_follow_the_events_time_however_late_it_is_consumed() {
    let event_time = AT.0 - 10 * MINUTE;
    let operations = effects(&queued(event_time), AT);
    assert_eq!(added(&operations)[0].0, "a:bb:crr:ops:requests:1531431300000");
}

#[test]
fn an_event_too_old_for_its_interval_still_counts_as_pending() {
    let interval_began = 1_531_431_900_000 - 1_200_000;
    let readable = effects(&queued(interval_began + 300_000), AT);
    assert_eq!(added(&readable).len(), 4);
    let too_old = effects(&queued(interval_began), Millis(interval_began + 1_200_000));
    let expected =
        [("hw1:rejected:7:too_old,", 1, None), ("a:bb:crr:opspending", 2, None), ("a:bb:crr:bytespending", 9, None)];
    assert_eq!(added(&too_old), expected);
    assert_eq!(added(&effects(&queued(0), AT)), expected);
}

#[test]
fn an_event_from_the_future_counts_when_it_was_recorded() {
    let soon = effects(&queued(AT.0 + 5 * MINUTE), AT);
    assert_eq!(added(&soon)[0].0, "a:bb:crr:ops:requests:1531432200000", "up to an interval ahead is believed");
    for far in [AT.0 + 5 * MINUTE + 1, i64::MAX] {
        let operations = effects(&queued(far), AT);
        assert_eq!(added(&operations)[0].0, "a:bb:crr:ops:requests:1531431900000", "{far}");
    }
    let beyond_numbers = effects(&queued(AT.0).replace(&AT.0.to_string(), "1e300"), AT);
    assert_eq!(added(&beyond_numbers)[0].0, "a:bb:crr:ops:requests:1531431900000");
}

#[test]
fn one_missing_timestamp_is_replaced_by_the_other_and_without_any_only_pending_counts() {
    let without = r#"{"extension":"crr","type":"queued","site":"a","ops":2,"bytes":9}"#;
    assert_eq!(effects(without, AT), effects(&queued(AT.0), AT));
    assert_eq!(effects(&queued(AT.0), Millis(-1)), effects(&queued(AT.0), AT));
    assert_eq!(added(&effects(without, Millis(-1)))[0].0, "hw1:rejected:7:too_old,");
}

#[test]
fn a_message_that_is_none_is_counted_by_its_reason() {
    assert_eq!(added(&effects("null", AT)), [("hw1:rejected:4:null,", 1, None)]);
    let unknown = effects(r#"{"extension":"backup","type":"later"}"#, AT);
    assert_eq!(added(&unknown), [("hw1:rejected:12:unknown_type,", 1, None)]);
    let tombstone = Record { value: None, ..record("", AT) };
    let reason = Malformed::Tombstone.reason();
    assert_eq!(
        added(&of_record(&tombstone, Windows::default()).operations())[0].0,
        crate::metrics::keys::rejected(reason)
    );
}

#[test]
fn other_extensions_leave_no_trace() {
    assert_eq!(effects(r#"{"extension":"ingestion","type":"queued","site":"a","ops":1,"bytes":1}"#, AT), []);
}

#[test]
fn every_reason_that_a_message_is_passed_over_for_is_in_the_list() {
    use crate::metrics::reason::Reason;

    let malformed = [
        Malformed::Tombstone,
        Malformed::NotJson,
        Malformed::Null,
        Malformed::NotAnObject,
        Malformed::WrongType("x"),
        Malformed::Missing("x"),
        Malformed::MissingSite,
        Malformed::UnknownType,
        Malformed::OutOfRange("x"),
        Malformed::Ambiguous("x"),
    ];
    // Of another extension is no message of ours: it is not looked into, and not counted.
    let ours = [
        Reason::NotAnObject,
        Reason::UnknownType,
        Reason::Malformed(String::new()),
        Reason::Name { field: "x" },
        Reason::Negative { field: "x" },
        Reason::Inconsistent { rule: "x" },
    ];
    let all = malformed
        .map(Malformed::reason)
        .into_iter()
        .chain(ours.iter().map(Reason::kind))
        .chain([TOO_OLD, NEVER_APPLIES]);
    let all: std::collections::BTreeSet<_> = all.collect();
    assert_eq!(all.into_iter().collect::<Vec<_>>(), REASONS);
}

const ID: &str = "0123456789abcdef0123456789abcdef";

fn of_operation(kind: &str, attempt: u32, at: i64) -> String {
    let queued = AT.0;
    format!(
        r#"{{"extension":"crr","type":"{kind}","site":"a","ops":1,"bytes":9,"timestamp":{at},"operationId":"{ID}","attempt":{attempt},"queuedAt":{queued}}}"#
    )
}

/// What a store has of location `a` after these messages, each as it is recorded then.
async fn counted(messages: &[(String, i64)], now: i64) -> std::collections::BTreeMap<String, i64> {
    use crate::{
        adapters::memory::{clock::ManualClock, store::MemoryStore},
        ports::store::{Query, Store as _, Value},
    };
    let clock = std::sync::Arc::new(ManualClock::at(AT));
    let store = MemoryStore::new(clock.clone());
    for (message, at) in messages {
        clock.set(Millis((*at).max(now)));
        store.apply(&[], &effects(message, Millis(*at))).await.unwrap();
    }
    let mut sums = std::collections::BTreeMap::new();
    for key in store.keys().into_iter().filter(|key| key.starts_with("a:")) {
        let Some(Value::Text(Some(text))) = store.read(&[Query::Text(key.clone())]).await.unwrap().pop() else {
            continue;
        };
        *sums.entry(key.split(':').nth(3).unwrap().to_owned()).or_default() += text.parse::<i64>().unwrap();
    }
    sums.retain(|_, sum| *sum != 0);
    sums
}

fn sums(all: &[(&str, i64)]) -> std::collections::BTreeMap<String, i64> {
    all.iter().map(|(name, sum)| ((*name).to_owned(), *sum)).collect()
}

#[tokio::test]
async fn an_operation_counts_by_the_greatest_state_whatever_comes_when_and_how_often() {
    let (queued, failed, again, done) = ("queued", "failed", "queued", "completed");
    let history =
        [(queued, 1), (failed, 1), (again, 2), (done, 2)].map(|(kind, attempt)| of_operation(kind, attempt, AT.0 + 1));
    let expected = sums(&[("ops", 1), ("bytes", 9), ("opsdone", 1), ("bytesdone", 9)]);
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2], [2, 0, 3, 1]] {
        let messages = order.iter().chain(&order).map(|at| (history[*at].clone(), AT.0 + 2));
        assert_eq!(counted(&messages.collect::<Vec<_>>(), 0).await, expected, "{order:?}");
    }
    let until = |count: usize| history[..count].iter().map(|it| (it.clone(), AT.0 + 2)).collect::<Vec<_>>();
    let pending = sums(&[("ops", 1), ("bytes", 9), ("opspending", 1), ("bytespending", 9)]);
    assert_eq!(counted(&until(1), 0).await, pending);
    let failed = sums(&[("ops", 1), ("bytes", 9), ("opsfail", 1), ("bytesfail", 9)]);
    assert_eq!(counted(&until(2), 0).await, failed);
    assert_eq!(counted(&until(3), 0).await, pending, "a retry takes the failure back");
}

#[tokio::test]
async fn what_is_counted_anew_days_later_leaves_nothing_pending() {
    let days_later = AT.0 + 6 * 86_400_000;
    let messages = ["queued", "completed", "queued", "completed"].map(|kind| (of_operation(kind, 1, AT.0), AT.0 + 1));
    assert_eq!(counted(&messages, days_later).await, sums(&[]));
    let open = [(of_operation("queued", 1, AT.0), AT.0 + 1)];
    assert_eq!(counted(&open, days_later).await, sums(&[("opspending", 1), ("bytespending", 9)]));
}

#[tokio::test]
async fn an_end_that_is_told_again_counts_nothing_where_the_operation_is_known_no_more() {
    let told_again = AT.0 + 700_000;
    let end = |recorded| (of_operation("completed", 1, AT.0), recorded);
    assert_eq!(counted(&[end(told_again)], 0).await, sums(&[]));
    let late = [(of_operation("queued", 1, AT.0), AT.0), end(told_again)];
    let expected = sums(&[("ops", 1), ("bytes", 9), ("opsdone", 1), ("bytesdone", 9)]);
    assert_eq!(counted(&late, 0).await, expected, "an end that is told late counts: the operation waits");
}

#[tokio::test]
async fn an_object_that_is_sent_again_never_passes_its_size() {
    let part = |kind: &str, part: &str, attempt: u32| {
        let message = format!(
            r#"{{"extension":"crr","type":"{kind}","site":"a","bytes":5,"timestamp":{AT},"bucketName":"b","objectKey":"k","versionId":"v","operationId":"{ID}","attempt":{attempt}{part}}}"#
        );
        (message, AT.0 + 1)
    };
    let messages = [
        part("queued", "", 1),
        part("completed", r#","part":1"#, 1),
        part("queued", "", 2),
        part("completed", r#","part":1"#, 2),
        part("completed", r#","part":1"#, 2),
    ];
    let sums: Vec<i64> = counted_objects(&messages).await;
    assert_eq!(sums, [5, 5]);
}

async fn counted_objects(messages: &[(String, i64)]) -> Vec<i64> {
    use crate::{
        adapters::memory::{clock::ManualClock, store::MemoryStore},
        ports::store::{Query, Store as _, Value},
    };
    let store = MemoryStore::new(std::sync::Arc::new(ManualClock::at(AT)));
    for (message, at) in messages {
        store.apply(&[], &effects(message, Millis(*at))).await.unwrap();
    }
    let mut sums = vec![];
    for key in store.keys().into_iter().filter(|key| key.contains(":object:")) {
        if let Some(Value::Text(Some(text))) = store.read(&[Query::Text(key)]).await.unwrap().pop() {
            sums.push(text.parse().unwrap());
        }
    }
    sums
}
