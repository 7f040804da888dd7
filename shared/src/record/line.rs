//! A record as a line of JSON, every byte told.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::Serialize;

use super::{Header, Millis, Offset, Partition, Record, TimestampType};

/// A record with where it lies.
#[derive(Debug, Serialize)]
pub struct Line<'a> {
    topic: &'a str,
    incarnation: u32,
    partition: Partition,
    offset: Offset,
    timestamp_ms: Millis,
    timestamp_type: TimestampType,
    key: Option<Data<'a>>,
    value: Option<Data<'a>>,
    headers: Vec<HeaderLine<'a>>,
}

#[derive(Debug, Serialize)]
struct HeaderLine<'a> {
    name: Data<'a>,
    value: Option<Data<'a>>,
}

/// Bytes: exact as base64, and readable where they are UTF-8. A null is JSON's null.
#[derive(Debug, Serialize)]
struct Data<'a> {
    base64: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
}

impl<'a> Line<'a> {
    /// The line of a record of this topic's incarnation and partition.
    #[must_use]
    pub fn of(topic: &'a str, incarnation: u32, partition: Partition, record: &'a Record) -> Self {
        let header = |it: &'a Header| HeaderLine { name: data(&it.name), value: it.value.as_ref().map(data) };
        Line {
            topic,
            incarnation,
            partition,
            offset: record.offset,
            timestamp_ms: record.timestamp,
            timestamp_type: record.timestamp_type,
            key: record.key.as_ref().map(data),
            value: record.value.as_ref().map(data),
            headers: record.headers.iter().map(header).collect(),
        }
    }
}

fn data(bytes: &Bytes) -> Data<'_> {
    Data { base64: STANDARD.encode(bytes), text: std::str::from_utf8(bytes).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_empty_text_and_bytes_are_told_apart() {
        let header = |name: &'static [u8], value| Header { name: Bytes::from_static(name), value };
        let record = Record {
            offset: Offset(7),
            timestamp: Millis(-1),
            timestamp_type: TimestampType::None,
            key: None,
            value: Some(Bytes::new()),
            headers: vec![
                header(b"a", None),
                header(b"\xff", Some(Bytes::from_static(b"\xfe"))),
                header(b"a", Some(Bytes::from_static("ü".as_bytes()))),
            ],
        };
        let expected = r#"{"topic":"orders","incarnation":1,"partition":0,"offset":7,"timestamp_ms":-1,"timestamp_type":"none","key":null,"value":{"base64":"","text":""},"headers":[{"name":{"base64":"YQ==","text":"a"},"value":null},{"name":{"base64":"/w=="},"value":{"base64":"/g=="}},{"name":{"base64":"YQ==","text":"a"},"value":{"base64":"w7w=","text":"ü"}}]}"#;
        assert_eq!(serde_json::to_string(&Line::of("orders", 1, Partition(0), &record)).unwrap(), expected);
    }
}
