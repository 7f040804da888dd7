//! What is answered.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use serde::Serialize;
use shared::{
    archive::{SegmentEntry, reading::holdings::HeldTopic},
    chain::ChainDigest,
    record::{Header, Millis, Partition, Record, TimestampType, TopicId},
    segment::SegmentMetadata,
};

/// More of a key, a value or a header is not shown.
const CELL_BYTES_MAX: usize = 16 * 1024;

/// What is held of a topic.
#[derive(Debug, Serialize)]
pub(crate) struct Topic {
    pub schema: &'static str,
    pub incarnations: Vec<Incarnation>,
}

/// An incarnation of a topic.
#[derive(Debug, Serialize)]
pub(crate) struct Incarnation {
    incarnation: u32,
    topic_id: TopicId,
    claimed_at: Millis,
    partitions: Vec<Partition>,
}

/// Segments of a chain, the latest first.
#[derive(Debug, Serialize)]
pub(crate) struct Segments {
    pub schema: &'static str,
    pub segments: Vec<Segment>,
    /// Where to go on: `before` of the next request; absent at the beginning of the chain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
}

/// What a segment says of itself.
#[derive(Debug, Serialize)]
pub(crate) struct Segment {
    file: String,
    base: String,
    next: String,
    records: String,
    record_bytes: String,
    filtered: String,
    stored_bytes: String,
    timestamps: Option<Range>,
    written_at: Millis,
    gaps: Vec<Gap>,
    digest: ChainDigest,
    format_version: u32,
    sealed: bool,
}

/// Record timestamps, both ends included. Kafka lets a producer write any number, so they are texts too.
#[derive(Debug, Serialize)]
struct Range {
    min: String,
    max: String,
}

#[derive(Debug, Serialize)]
struct Gap {
    from: String,
    to: String,
    cause: shared::segment::metadata::GapCause,
    declared_at: Millis,
}

/// A segment and its first records.
#[derive(Debug, Serialize)]
pub(crate) struct Opened {
    pub schema: &'static str,
    pub segment: Segment,
    pub records: Vec<Row>,
}

/// A record.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    offset: String,
    timestamp: String,
    timestamp_type: TimestampType,
    key: Option<Cell>,
    value: Option<Cell>,
    headers: Vec<HeaderRow>,
}

#[derive(Debug, Serialize)]
struct HeaderRow {
    name: Cell,
    value: Option<Cell>,
}

/// Bytes; the first of them where there are many.
#[derive(Debug, Serialize)]
struct Cell {
    bytes: usize,
    base64: String,
}

impl From<HeldTopic> for Incarnation {
    fn from(held: HeldTopic) -> Self {
        Incarnation {
            incarnation: held.claim.incarnation,
            topic_id: held.claim.topic_id,
            claimed_at: held.claim.claimed_at,
            partitions: held.chains.iter().map(|chain| chain.partition).collect(),
        }
    }
}

impl Segment {
    pub(crate) fn of(entry: &SegmentEntry, metadata: &SegmentMetadata) -> Self {
        let gap = |gap: &shared::segment::Gap| Gap {
            from: gap.from.to_string(),
            to: gap.to.to_string(),
            cause: gap.cause,
            declared_at: gap.declared_at,
        };
        Segment {
            file: file(&entry.key).to_owned(),
            base: metadata.base.to_string(),
            next: metadata.next.to_string(),
            records: metadata.own.records.to_string(),
            record_bytes: metadata.own.record_bytes.to_string(),
            filtered: metadata.own.filtered.to_string(),
            stored_bytes: entry.size_bytes.to_string(),
            timestamps: metadata.timestamps.map(|it| Range { min: it.min.to_string(), max: it.max.to_string() }),
            written_at: metadata.written_at,
            gaps: metadata.gaps.iter().map(gap).collect(),
            digest: metadata.digest,
            format_version: metadata.format_version,
            sealed: metadata.sealed_by.is_some(),
        }
    }
}

/// The last part of a key.
pub(crate) fn file(key: &str) -> &str {
    key.rsplit('/').next().unwrap_or(key)
}

impl From<&Record> for Row {
    fn from(record: &Record) -> Self {
        let header = |header: &Header| HeaderRow { name: cell(&header.name), value: header.value.as_ref().map(cell) };
        Row {
            offset: record.offset.to_string(),
            timestamp: record.timestamp.to_string(),
            timestamp_type: record.timestamp_type,
            key: record.key.as_ref().map(cell),
            value: record.value.as_ref().map(cell),
            headers: record.headers.iter().map(header).collect(),
        }
    }
}

fn cell(bytes: &Bytes) -> Cell {
    Cell { bytes: bytes.len(), base64: BASE64_STANDARD.encode(&bytes[..bytes.len().min(CELL_BYTES_MAX)]) }
}
