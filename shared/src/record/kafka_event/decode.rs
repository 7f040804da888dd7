//! One record of an event.

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use bytes::Bytes;
use serde_json::{Map, Value};

use super::{Inexact, kind};
use crate::record::{Header, Millis, Offset, Partition, Record, TimestampType, TopicPartition, topic_name};

/// Kafka's base64, with its padding or without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
/// What Kafka's clients give for a record without a timestamp.
const NO_TIMESTAMP: i64 = -1;

/// Why a record could not be decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It is no JSON object.
    #[error("the record is {0}, and not an object")]
    NotAnObject(String),
    /// A field is missing, or of another kind.
    #[error("{field} is {found}, and not {wanted}")]
    Field {
        /// Which field.
        field: &'static str,
        /// What it is instead.
        found: String,
        /// What it must be.
        wanted: &'static str,
    },
    /// The key or the value is no base64.
    #[error("{field} is not base64")]
    Base64 {
        /// Which of them.
        field: &'static str,
    },
    /// A header is not one name with a list of bytes or null.
    #[error("header {index} is not one name with a list of bytes (-128 to 255) or null")]
    Header {
        /// Which, counted from 0.
        index: usize,
    },
    /// Two records of the event have the same offset and other contents.
    #[error("two different records have this offset")]
    TwoRecords,
}

/// A record, where it belongs, and what the event cannot tell of it exactly.
pub(super) struct Decoded {
    pub partition: TopicPartition,
    pub record: Record,
    pub inexact: Vec<Inexact>,
}

/// Where a record belongs that could not be decoded, as far as that can be read: by its own fields, or else by the key
/// that it came under.
pub(super) fn place(record: &Value, item: &str) -> (Option<TopicPartition>, Option<Offset>) {
    let fields = record.as_object();
    let by_item = || {
        let (topic, number) = item.rsplit_once('-')?;
        let number = number.parse().ok().filter(|number| *number >= 0)?;
        topic_name(topic).ok().map(|()| TopicPartition::new(topic, number))
    };
    let own = fields.and_then(|fields| topic_partition(fields).ok());
    (own.or_else(by_item), fields.and_then(|fields| offset(fields).ok()))
}

pub(super) fn record(record: &Value) -> Result<Decoded, Fault> {
    let fields = record.as_object().ok_or_else(|| Fault::NotAnObject(kind(Some(record))))?;
    let partition = topic_partition(fields)?;
    let (offset, timestamp) = (offset(fields)?, timestamp(fields)?);
    let (timestamp_type, type_is_told) = timestamp_type(fields, timestamp);
    let headers = headers(fields.get("headers"))?;
    let mut inexact = Vec::new();
    inexact.extend((!type_is_told).then_some(Inexact::TimestampType(offset)));
    inexact.extend(headers.iter().any(was_replaced).then_some(Inexact::HeaderName(offset)));
    let (key, value) = (bytes(fields, "key")?, bytes(fields, "value")?);
    Ok(Decoded { partition, record: Record { offset, timestamp, timestamp_type, key, value, headers }, inexact })
}

/// Whether a name holds U+FFFD, which stands where bytes were not UTF-8.
fn was_replaced(header: &Header) -> bool {
    std::str::from_utf8(&header.name).is_ok_and(|name| name.contains(char::REPLACEMENT_CHARACTER))
}

fn topic_partition(record: &Map<String, Value>) -> Result<TopicPartition, Fault> {
    Ok(TopicPartition { topic: topic(record)?.into(), partition: partition(record)? })
}

fn topic(record: &Map<String, Value>) -> Result<&str, Fault> {
    let topic = record.get("topic").and_then(Value::as_str).filter(|topic| topic_name(topic).is_ok());
    topic.ok_or_else(|| field(record, "topic", "a topic's name"))
}

fn partition(record: &Map<String, Value>) -> Result<Partition, Fault> {
    let number =
        integer(record, "partition").and_then(|number| i32::try_from(number).ok()).filter(|number| *number >= 0);
    number.map(Partition).ok_or_else(|| field(record, "partition", "a partition's number"))
}

fn offset(record: &Map<String, Value>) -> Result<Offset, Fault> {
    let offset = integer(record, "offset").filter(|offset| (0..i64::MAX).contains(offset));
    offset.map(Offset).ok_or_else(|| field(record, "offset", "an offset"))
}

fn timestamp(record: &Map<String, Value>) -> Result<Millis, Fault> {
    match record.get("timestamp") {
        None | Some(Value::Null) => Ok(Millis(NO_TIMESTAMP)),
        Some(_) => integer(record, "timestamp")
            .map(Millis)
            .ok_or_else(|| field(record, "timestamp", "milliseconds since 1970")),
    }
}

/// The type, and whether the event tells it.
fn timestamp_type(record: &Map<String, Value>, timestamp: Millis) -> (TimestampType, bool) {
    match record.get("timestampType").and_then(Value::as_str) {
        Some("CREATE_TIME") => (TimestampType::CreateTime, true),
        Some("LOG_APPEND_TIME") => (TimestampType::LogAppendTime, true),
        _ if timestamp.0 == NO_TIMESTAMP => (TimestampType::None, false),
        _ => (TimestampType::CreateTime, false),
    }
}

fn bytes(record: &Map<String, Value>, name: &'static str) -> Result<Option<Bytes>, Fault> {
    match record.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => {
            BASE64.decode(text).map(|bytes| Some(bytes.into())).map_err(|_| Fault::Base64 { field: name })
        }
        Some(_) => Err(Fault::Field { field: name, found: kind(record.get(name)), wanted: "base64 or null" }),
    }
}

fn headers(headers: Option<&Value>) -> Result<Vec<Header>, Fault> {
    match headers {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(headers)) => {
            headers.iter().enumerate().map(|(index, one)| header(one).ok_or(Fault::Header { index })).collect()
        }
        other => Err(Fault::Field { field: "headers", found: kind(other), wanted: "a list" }),
    }
}

/// A map of one entry; of several the order would not be known.
fn header(header: &Value) -> Option<Header> {
    let mut entries = header.as_object()?.iter();
    let (Some((name, value)), None) = (entries.next(), entries.next()) else { return None };
    let value = match value {
        Value::Null => None,
        Value::Array(bytes) => Some(bytes.iter().map(byte).collect::<Option<Vec<u8>>>()?.into()),
        _ => return None,
    };
    Some(Header { name: Bytes::copy_from_slice(name.as_bytes()), value })
}

/// Bytes are signed on the wire, so that 0xFF is -1; unsigned ones are understood too.
fn byte(byte: &Value) -> Option<u8> {
    match byte.as_i64()? {
        unsigned @ 0..=255 => u8::try_from(unsigned).ok(),
        signed => i8::try_from(signed).ok().map(i8::cast_unsigned),
    }
}

fn integer(record: &Map<String, Value>, name: &str) -> Option<i64> {
    record.get(name).and_then(Value::as_i64)
}

fn field(record: &Map<String, Value>, name: &'static str, wanted: &'static str) -> Fault {
    Fault::Field { field: name, found: kind(record.get(name)), wanted }
}
