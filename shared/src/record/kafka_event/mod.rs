//! The Kafka event that a Lambda function gets, for MSK (`aws:kafka`) and for other clusters (`SelfManagedKafka`).
//!
//! ```text
//! {"eventSource", "eventSourceArn" (MSK), "bootstrapServers", "records": {"<topic>-<partition>": [
//!   {"topic", "partition", "offset", "timestamp" (ms), "timestampType": "CREATE_TIME" | "LOG_APPEND_TIME",
//!    "key": base64 | null, "value": base64 | null, "headers": [{"<name>": [signed bytes] | null}, ...]}, ...]}}
//! ```
//! The type is our own because it must not reject a whole event for one record: the event would come again without end,
//! and its partition wait. What cannot be decoded is told record by record and loses nothing of the others.

mod answer;
mod decode;
#[cfg(test)]
mod tests;

pub use answer::PartialAnswer;
pub use decode::Fault;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use self::decode::Decoded;
use super::{Offset, Record, TopicPartition};

/// The event sources, as `eventSource` names them.
pub const EVENT_SOURCES: [&str; 2] = ["aws:kafka", "SelfManagedKafka"];

/// What an event brought.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KafkaEvent {
    /// The records, a batch for each partition and key of the event's map.
    pub batches: Vec<Batch>,
    /// Records of which not even the partition is known.
    pub lost: Vec<UndecodedRecord>,
}

/// What an event brought of one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The key of the event's map: what a partial answer must name.
    pub item: String,
    /// Which partition, as its records say: a topic's name may contain `-`.
    pub partition: TopicPartition,
    /// The records that could be decoded, ascending by offset, each once.
    pub records: Vec<Record>,
    /// Those that could not.
    pub undecoded: Vec<UndecodedRecord>,
    /// What was told otherwise than Kafka has it, so that only Kafka itself has the record's exact bytes.
    pub inexact: Vec<Inexact>,
    /// Whether the event had the records in another order than that of their offsets.
    pub unsorted: bool,
    /// How many records came more than once, all alike.
    pub duplicates: usize,
}

/// A record that could not be decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UndecodedRecord {
    /// The key of the event's map that it came under.
    pub item: String,
    /// Its offset, where that much could be read.
    pub offset: Option<Offset>,
    /// Why.
    pub fault: Fault,
}

/// What the event cannot tell exactly about a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inexact {
    /// The timestamp's type is missing or unknown; the record has the one that fits its timestamp.
    TimestampType(Offset),
    /// A header's name holds U+FFFD, which stands where bytes were not UTF-8.
    HeaderName(Offset),
}

/// Why a payload is no Kafka event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KafkaEventError {
    /// It comes from something else.
    #[error(
        "eventSource is {0}, and a kafka event has \"aws:kafka\" or \"SelfManagedKafka\": map a kafka topic to this function"
    )]
    OtherSource(String),
    /// It has no map of records.
    #[error("records is {0}, and a kafka event has a map of lists there")]
    NoRecords(String),
}

/// Whether a payload says that it is a Kafka event.
#[must_use]
pub fn is_kafka_event(payload: &Value) -> bool {
    payload.get("eventSource").and_then(Value::as_str).is_some_and(|source| EVENT_SOURCES.contains(&source))
}

impl KafkaEvent {
    /// Reads an event.
    ///
    /// # Errors
    /// When the payload is no Kafka event at all. Records that cannot be decoded are in the answer.
    pub fn parse(payload: &Value) -> Result<Self, KafkaEventError> {
        if !is_kafka_event(payload) {
            return Err(KafkaEventError::OtherSource(kind(payload.get("eventSource"))));
        }
        let records = payload.get("records");
        let Some(Value::Object(items)) = records else { return Err(KafkaEventError::NoRecords(kind(records))) };
        Ok(event(items))
    }
}

impl Batch {
    /// The least and the greatest offset that came, decoded or not; `None` when no record told its offset.
    #[must_use]
    pub fn offsets(&self) -> Option<(Offset, Offset)> {
        let decoded = self.records.iter().map(|record| record.offset);
        let offsets = decoded.chain(self.undecoded.iter().filter_map(|record| record.offset));
        offsets.fold(None, |bounds: Option<(Offset, Offset)>, offset| {
            let (least, greatest) = bounds.unwrap_or((offset, offset));
            Some((least.min(offset), greatest.max(offset)))
        })
    }

    /// Whether `records` is everything that came, byte for byte as Kafka has it.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.undecoded.is_empty() && self.inexact.is_empty()
    }
}

fn event(items: &Map<String, Value>) -> KafkaEvent {
    let mut event = KafkaEvent::default();
    for (item, records) in items {
        let mut batches: BTreeMap<TopicPartition, Vec<Arrived>> = BTreeMap::new();
        for record in records.as_array().map_or(std::slice::from_ref(records), Vec::as_slice) {
            match decode::record(record) {
                Ok(Decoded { partition, record, inexact }) => {
                    batches
                        .entry(partition)
                        .or_default()
                        .push(Arrived { offset: Some(record.offset), record: Ok((record, inexact)) });
                }
                Err(fault) => match decode::place(record, item) {
                    (Some(partition), offset) => {
                        batches.entry(partition).or_default().push(Arrived { offset, record: Err(fault) })
                    }
                    (None, offset) => event.lost.push(UndecodedRecord { item: item.clone(), offset, fault }),
                },
            }
        }
        event.batches.extend(batches.into_iter().map(|(partition, arrived)| batch(item, partition, arrived)));
    }
    event
}

/// A record of a known partition, as it came.
struct Arrived {
    offset: Option<Offset>,
    record: Result<(Record, Vec<Inexact>), Fault>,
}

/// One partition's records in the order of their offsets, each once.
fn batch(item: &str, partition: TopicPartition, arrived: Vec<Arrived>) -> Batch {
    let unsorted = !arrived.iter().filter_map(|arrived| arrived.offset).is_sorted();
    let mut by_offset: BTreeMap<Offset, (Record, Vec<Inexact>)> = BTreeMap::new();
    let (mut undecoded, mut duplicates) = (Vec::new(), 0);
    for Arrived { offset, record } in arrived {
        let fault = match record {
            Err(fault) => fault,
            Ok((record, inexact)) => match by_offset.get(&record.offset) {
                None => {
                    by_offset.insert(record.offset, (record, inexact));
                    continue;
                }
                Some((same, _)) if *same == record => {
                    duplicates += 1;
                    continue;
                }
                Some(_) => Fault::TwoRecords,
            },
        };
        undecoded.push(UndecodedRecord { item: item.to_owned(), offset, fault });
    }
    // Which of two records at one offset is the log's is not known, so neither is taken.
    for offset in undecoded.iter().filter_map(|record| record.offset) {
        by_offset.remove(&offset);
    }
    let (records, inexact): (Vec<_>, Vec<_>) = by_offset.into_values().unzip();
    Batch { item: item.to_owned(), partition, records, undecoded, inexact: inexact.concat(), unsorted, duplicates }
}

/// A value as an error shows it: small ones whole, others by their kind.
fn kind(value: Option<&Value>) -> String {
    match value {
        None => "missing".to_owned(),
        Some(Value::Object(_)) => "an object".to_owned(),
        Some(Value::Array(_)) => "a list".to_owned(),
        Some(Value::String(text)) if text.len() > 100 => "a long text".to_owned(),
        Some(small) => small.to_string(),
    }
}
