//! A Kafka record as Highwater keeps it: every byte, and where it stood.

pub mod filter;
pub mod kafka_event;
pub mod line;
pub mod units;

pub use units::{Millis, Offset, Partition, TopicId, TopicPartition, topic_name};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// One record of a Kafka log, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its place in the partition.
    pub offset: Offset,
    /// Its timestamp in milliseconds since 1970; -1 where the producer gave none.
    pub timestamp: Millis,
    /// Who set the timestamp.
    pub timestamp_type: TimestampType,
    /// The key; `None` is a null key, which differs from an empty one.
    pub key: Option<Bytes>,
    /// The value; `None` is a tombstone, which differs from an empty value.
    pub value: Option<Bytes>,
    /// The headers in their order, duplicates included.
    pub headers: Vec<Header>,
}

impl Record {
    /// Bytes of key, value, header names and header values: what `bytes_max` and the metrics count.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        let length = |part: &Option<Bytes>| part.as_ref().map_or(0, Bytes::len);
        let headers: usize = self.headers.iter().map(|h| h.name.len() + length(&h.value)).sum();
        (length(&self.key) + length(&self.value) + headers) as u64
    }
}

/// One header of a record. Names are bytes: Kafka does not ask for UTF-8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The name's bytes.
    pub name: Bytes,
    /// The value; `None` is a null value, which differs from an empty one.
    pub value: Option<Bytes>,
}

/// Who set a record's timestamp. The numbers are Kafka's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimestampType {
    /// The record has none (written by a client before Kafka 0.10).
    None,
    /// The producer.
    CreateTime,
    /// The broker, when it appended the record.
    LogAppendTime,
}

impl TimestampType {
    /// The number Kafka's clients use: -1, 0 or 1.
    #[must_use]
    pub fn code(self) -> i32 {
        match self {
            TimestampType::None => -1,
            TimestampType::CreateTime => 0,
            TimestampType::LogAppendTime => 1,
        }
    }

    /// The type behind Kafka's number.
    #[must_use]
    pub fn from_code(code: i32) -> Option<Self> {
        match code {
            -1 => Some(TimestampType::None),
            0 => Some(TimestampType::CreateTime),
            1 => Some(TimestampType::LogAppendTime),
            _ => None,
        }
    }
}
