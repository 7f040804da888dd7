use bytes::Bytes;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::record::{Header, Millis, TimestampType};

fn parse(fixture: &str) -> KafkaEvent {
    KafkaEvent::parse(&serde_json::from_str(fixture).unwrap()).unwrap()
}

fn record(offset: i64, timestamp: i64, value: Option<&'static [u8]>) -> Record {
    Record {
        offset: Offset(offset),
        timestamp: Millis(timestamp),
        timestamp_type: TimestampType::CreateTime,
        key: None,
        value: value.map(Bytes::from_static),
        headers: Vec::new(),
    }
}

fn header(name: &'static str, value: Option<&'static [u8]>) -> Header {
    Header { name: name.into(), value: value.map(Bytes::from_static) }
}

#[test]
fn an_event_of_msk_is_read_byte_for_byte() {
    let event = parse(include_str!("../fixtures/kafka_event_msk.json"));
    let [first, second] = &event.batches[..] else { panic!("{event:?}") };
    assert_eq!((first.item.as_str(), &first.partition), ("orders-eu-0", &TopicPartition::new("orders-eu", 0)));
    let key = Some(Bytes::from_static(b"order-1"));
    let headers = vec![
        header("trace", Some(b"h\xC3\xAB")),
        header("trace", Some(b"")),
        header("empty", None),
        header("trace", Some(b"\x80\xFF\x7F\x00")),
    ];
    assert_eq!(
        first.records,
        [
            Record { key: key.clone(), headers, ..record(41, 1_758_000_000_123, Some(b"{\"total\": 42}")) },
            Record { key, ..record(44, 1_758_000_000_124, None) },
        ]
    );
    assert_eq!(first.offsets(), Some((Offset(41), Offset(44))));
    let appended = Record { timestamp_type: TimestampType::LogAppendTime, ..record(7, 1_758_000_000_999, Some(b"")) };
    assert_eq!((&second.partition, &second.records[..]), (&TopicPartition::new("orders-eu", 1), &[appended][..]));
    for batch in &event.batches {
        assert!(batch.is_whole() && !batch.unsorted && batch.duplicates == 0, "{batch:?}");
    }
    assert_eq!(event.lost, []);
}

#[test]
fn what_a_self_managed_cluster_sends_otherwise_is_understood_and_told() {
    let event = parse(include_str!("../fixtures/kafka_event_self_managed.json"));
    let [batch] = &event.batches[..] else { panic!("{event:?}") };
    assert_eq!(
        batch.records,
        [
            Record { key: Some(Bytes::new()), ..record(0, -1, Some(b"\x00\xFF")) },
            Record { timestamp_type: TimestampType::None, ..record(1, -1, None) },
            Record { headers: vec![header("unsigned", Some(b"\xC8\xFF"))], ..record(2, 5, Some(b"\x00\x01")) },
            Record { headers: vec![header("not \u{FFFD} utf-8", Some(b"\x01"))], ..record(3, 6, Some(b"\x00\x01")) },
        ]
    );
    let inexact =
        [Inexact::TimestampType(Offset(1)), Inexact::TimestampType(Offset(2)), Inexact::HeaderName(Offset(3))];
    assert_eq!(batch.inexact, inexact);
    assert!(!batch.is_whole());
}

#[test]
fn a_record_that_cannot_be_decoded_is_told_and_loses_none_of_the_others() {
    let event = parse(include_str!("../fixtures/kafka_event_faulty.json"));
    let of = |topic: &str| event.batches.iter().find(|batch| &*batch.partition.topic == topic).unwrap();

    let batch = of("pay-ments");
    assert_eq!(batch.records, [record(10, 1, Some(b"a")), record(12, 2, Some(b"b"))]);
    assert!(batch.unsorted && batch.duplicates == 1 && !batch.is_whole());
    assert_eq!(batch.offsets(), Some((Offset(10), Offset(19))));
    let told: Vec<_> =
        batch.undecoded.iter().map(|record| (record.offset.map(|o| o.0), record.fault.to_string())).collect();
    let header = |index| format!("header {index} is not one name with a list of bytes (-128 to 255) or null");
    assert_eq!(
        told,
        [
            (Some(13), "key is not base64".to_owned()),
            (Some(14), "value is 7, and not base64 or null".to_owned()),
            (Some(15), header(1)),
            (Some(16), header(0)),
            (Some(17), "timestamp is \"noon\", and not milliseconds since 1970".to_owned()),
            (Some(18), "two different records have this offset".to_owned()),
            (None, "offset is -1, and not an offset".to_owned()),
            (Some(19), "topic is null, and not a topic's name".to_owned()),
            (None, "the record is \"not a record\", and not an object".to_owned()),
        ]
    );

    assert_eq!((of("elsewhere").item.as_str(), of("elsewhere").records.len()), ("pay-ments-2", 1));
    assert_eq!(of("single").records.len(), 1);
    let lost: Vec<_> = event.lost.iter().map(|record| (record.item.as_str(), record.offset)).collect();
    assert_eq!(lost, [("nowhere", Some(Offset(5))), ("nowhere", None)]);
}

#[test]
fn what_is_no_kafka_event_is_refused_with_what_it_is() {
    let refusal = |payload: Value| KafkaEvent::parse(&payload).unwrap_err().to_string();
    assert!(refusal(json!({"Records": []})).starts_with("eventSource is missing"));
    assert!(refusal(json!({"eventSource": "aws:sqs", "records": {}})).starts_with("eventSource is \"aws:sqs\""));
    assert!(refusal(json!([1])).starts_with("eventSource is missing"));
    assert!(refusal(json!({"eventSource": "aws:kafka"})).starts_with("records is missing"));
    assert!(refusal(json!({"eventSource": "aws:kafka", "records": [1]})).starts_with("records is a list"));
    assert_eq!(KafkaEvent::parse(&json!({"eventSource": "aws:kafka", "records": {}})), Ok(KafkaEvent::default()));
}

#[test]
fn a_partial_answer_names_each_partition_once_with_its_least_offset() {
    let failures = [("t-0".to_owned(), Offset(42)), ("t-1".to_owned(), Offset(7)), ("t-0".to_owned(), Offset(40))];
    let answer = serde_json::to_value(PartialAnswer::from_iter(failures)).unwrap();
    let item = |partition: &str, offset: i64| json!({"itemIdentifier": {"partition": partition, "offset": offset}});
    assert_eq!(answer, json!({"batchItemFailures": [item("t-0", 40), item("t-1", 7)]}));
    assert_eq!(serde_json::to_value(PartialAnswer::default()).unwrap(), json!({"batchItemFailures": []}));
}

/// A record as Lambda writes it.
fn written(partition: &TopicPartition, record: &Record) -> Value {
    let base64 = |bytes: &Option<Bytes>| {
        bytes.as_ref().map(|bytes| base64::Engine::encode(&base64::prelude::BASE64_STANDARD, bytes))
    };
    let signed = |value: &Bytes| value.iter().map(|byte| byte.cast_signed()).collect::<Vec<i8>>();
    let header =
        |header: &Header| json!({std::str::from_utf8(&header.name).unwrap(): header.value.as_ref().map(signed)});
    json!({
        "topic": partition.topic, "partition": partition.partition, "offset": record.offset,
        "timestamp": record.timestamp,
        "timestampType": if record.timestamp_type == TimestampType::LogAppendTime { "LOG_APPEND_TIME" } else { "CREATE_TIME" },
        "key": base64(&record.key), "value": base64(&record.value),
        "headers": record.headers.iter().map(header).collect::<Vec<_>>(),
    })
}

fn bytes() -> impl Strategy<Value = Option<Bytes>> {
    proptest::option::of(proptest::collection::vec(any::<u8>(), 0..20).prop_map(Bytes::from))
}

fn any_record() -> impl Strategy<Value = Record> {
    let header = ("[^\u{FFFD}]{0,5}", bytes()).prop_map(|(name, value)| Header { name: name.into(), value });
    let headers = proptest::collection::vec(header, 0..4);
    (any::<i64>(), any::<bool>(), bytes(), bytes(), headers).prop_map(|(timestamp, created, key, value, headers)| {
        Record {
            offset: Offset(0),
            timestamp: Millis(timestamp),
            timestamp_type: if created { TimestampType::CreateTime } else { TimestampType::LogAppendTime },
            key,
            value,
            headers,
        }
    })
}

proptest! {
    #[test]
    fn any_records_come_back_as_they_were(
        partitions in proptest::collection::btree_map(
            ("[a-z-]{1,4}", 0..3_i32),
            proptest::collection::btree_map(0..i64::MAX, any_record(), 1..5),
            0..4,
        ),
    ) {
        let partitions: BTreeMap<TopicPartition, Vec<Record>> = partitions
            .into_iter()
            .map(|((topic, number), records)| {
                let at = |(offset, record)| Record { offset: Offset(offset), ..record };
                (TopicPartition::new(topic, number), records.into_iter().map(at).collect())
            })
            .collect();
        let records: Map<String, Value> = partitions
            .iter()
            .map(|(partition, records)| (partition.to_string(), records.iter().map(|record| written(partition, record)).collect()))
            .collect();
        let event = KafkaEvent::parse(&json!({"eventSource": "aws:kafka", "records": records})).unwrap();
        let got: BTreeMap<TopicPartition, Vec<Record>> =
            event.batches.iter().map(|batch| (batch.partition.clone(), batch.records.clone())).collect();
        prop_assert!(event.lost.is_empty() && event.batches.iter().all(|batch| batch.is_whole() && batch.item == batch.partition.to_string()));
        prop_assert_eq!(got, partitions);
    }

    #[test]
    fn no_json_makes_it_panic_or_lose_count(text in "[\\[\\]{}\",:0-9a-z-]{0,40}", items in proptest::collection::vec("(null|1|\"x\"|\\{\\}|\\[\\]|\\{\"offset\":[0-9-]{1,3}\\})", 0..5)) {
        let _ = serde_json::from_str::<Value>(&text).map(|value| KafkaEvent::parse(&value));
        let records: Vec<Value> = items.iter().filter_map(|item| serde_json::from_str(item).ok()).collect();
        let event = KafkaEvent::parse(&json!({"eventSource": "aws:kafka", "records": {"t-0": records.clone(), "t": records.clone()}})).unwrap();
        let told: usize = event.batches.iter().map(|batch| batch.records.len() + batch.undecoded.len() + batch.duplicates).sum();
        prop_assert_eq!(told + event.lost.len(), 2 * records.len());
    }
}
