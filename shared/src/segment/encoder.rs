//! Records to the bytes of a segment, a row group at a time.

use std::{io::Write, sync::Arc};

use bytes::Bytes;
use parquet::{
    basic::Encoding,
    column::writer::ColumnWriter,
    data_type::{ByteArray, ByteArrayType, Int32Type, Int64Type},
    errors::ParquetError,
    file::{
        metadata::KeyValue,
        properties::{EnabledStatistics, WriterProperties},
        writer::{SerializedColumnWriter, SerializedFileWriter, SerializedRowGroupWriter},
    },
    schema::types::ColumnPath,
};

use super::{
    compression::Compression,
    footer,
    format::{FOOTER_CHECKSUM_BYTES, SCHEMA, column},
    metadata::{ChainPoint, Gap, METADATA_KEY, SEGMENT_VERSION, SegmentMetadata, TimestampRange},
};
use crate::{
    chain::{ChainDigest, ChainIdentity, LastRead, SealKey, Totals, seal::SEGMENT_SEAL_KEY},
    record::{Header, Millis, Offset, Record},
};

/// Bytes of a data page before compression: small pages compress faster and let a reader skip.
const PAGE_BYTES: usize = 64 * 1024;
/// How many values are written between two looks at the page's size.
const BATCH_ROWS: usize = 64;

/// A segment could not be encoded. Nothing but a defect or a lack of memory does this.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// The Parquet library refused.
    #[error("encode segment {base}: the parquet writer refused")]
    Parquet {
        /// The segment's base.
        base: Offset,
        /// What it said.
        #[source]
        source: ParquetError,
    },
}

/// Where a segment begins: all that must be known before its first record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentStart {
    /// Which chain it goes on.
    pub chain: ChainIdentity,
    /// Its base: the chain's frontier.
    pub base: Offset,
    /// What the chain had counted there.
    pub before: ChainPoint,
    /// When its latest gap was declared.
    pub last_gap_at: Option<Millis>,
}

/// A segment in the making. Records go in by row groups, ascending by offset.
pub struct SegmentEncoder {
    start: SegmentStart,
    writer: SerializedFileWriter<ChecksumSink>,
    own: Totals,
    digest: ChainDigest,
    timestamps: Option<TimestampRange>,
    gaps: Vec<Gap>,
    seal_key: Option<Arc<SealKey>>,
    cuts: u32,
    last_read: Option<LastRead>,
}

/// A finished segment.
#[derive(Debug, Clone)]
pub struct EncodedSegment {
    /// The file.
    pub body: Bytes,
    /// What its footer says.
    pub metadata: SegmentMetadata,
}

impl SegmentEncoder {
    /// An empty segment.
    pub fn new(start: SegmentStart, compression: Compression) -> Result<Self, EncodeError> {
        let base = start.base;
        let writer =
            SerializedFileWriter::new(ChecksumSink::default(), SCHEMA.clone(), Arc::new(properties(compression)))
                .map_err(|source| EncodeError::Parquet { base, source })?;
        let own = Totals { segments: 1, ..Totals::default() };
        let digest = start.before.digest;
        Ok(SegmentEncoder {
            start,
            writer,
            own,
            digest,
            timestamps: None,
            gaps: vec![],
            seal_key: None,
            cuts: 0,
            last_read: None,
        })
    }

    /// Seals it with a key.
    #[must_use]
    pub fn sealed_with(mut self, key: Option<Arc<SealKey>>) -> Self {
        self.seal_key = key;
        self
    }

    /// Its writer knows of so many cuts of the chain.
    #[must_use]
    pub fn behind_cuts(mut self, cuts: u32) -> Self {
        self.cuts = cuts;
        self
    }

    /// The last record that was read for it is this one.
    #[must_use]
    pub fn behind_record(mut self, last_read: Option<LastRead>) -> Self {
        self.last_read = last_read;
        self
    }

    /// How many bytes the file has so far.
    #[must_use]
    pub fn encoded_bytes(&self) -> u64 {
        self.writer.bytes_written() as u64
    }

    /// Adds a row group.
    pub fn append(&mut self, records: &[Record]) -> Result<(), EncodeError> {
        if records.is_empty() {
            return Ok(());
        }
        self.digest = self.digest.after_all(records);
        for record in records {
            self.own.records += 1;
            self.own.record_bytes += record.size_bytes();
            self.timestamps = Some(TimestampRange::including(self.timestamps, record.timestamp));
        }
        let base = self.start.base;
        self.writer
            .next_row_group()
            .and_then(|group| write_row_group(group, records))
            .map_err(|source| EncodeError::Parquet { base, source })
    }

    /// Counts records of its range that the filter left out, and kept ones that it could not judge.
    pub fn sift(&mut self, filtered: u64, filter_errors: u64) {
        self.own.filtered += filtered;
        self.own.filter_errors += filter_errors;
    }

    /// Declares a range that the broker no longer has.
    pub fn declare(&mut self, gap: Gap) {
        if gap.cause.is_loss() {
            self.start.last_gap_at = self.start.last_gap_at.max(Some(gap.declared_at));
            self.own.gaps += 1;
            self.own.gap_offsets += u64::try_from(gap.to.0 - gap.from.0).unwrap_or(0);
        }
        self.gaps.push(gap);
    }

    /// Closes the segment: it covers everything up to before `next`.
    pub fn finish(mut self, next: Offset, written_at: Millis) -> Result<EncodedSegment, EncodeError> {
        let base = self.start.base;
        let parquet = |source| EncodeError::Parquet { base, source };
        self.writer.flush().map_err(|e| parquet(e.into()))?;
        let body = self.writer.inner();
        let metadata = SegmentMetadata {
            format_version: SEGMENT_VERSION,
            body_crc32c: body.crc32c,
            body_bytes: body.bytes.len() as u64,
            chain: self.start.chain,
            base,
            next,
            written_at,
            timestamps: self.timestamps,
            before: self.start.before,
            own: self.own,
            digest: self.digest,
            last_read: self.last_read,
            gaps: self.gaps,
            last_gap_at: self.start.last_gap_at,
            sealed_by: self.seal_key.as_ref().map(|key| key.id().to_owned()),
            cuts: self.cuts,
        };
        let external = |error: serde_json::Error| parquet(ParquetError::External(Box::new(error)));
        let json = serde_json::to_string(&metadata).map_err(external)?;
        if let Some(key) = &self.seal_key {
            let seal = serde_json::to_string(&key.segment(&json)).map_err(external)?;
            self.writer.append_key_value_metadata(KeyValue::new(SEGMENT_SEAL_KEY.to_owned(), seal));
        }
        self.writer.append_key_value_metadata(KeyValue::new(METADATA_KEY.to_owned(), json));
        self.writer.write_all(&[0; FOOTER_CHECKSUM_BYTES]).map_err(|e| parquet(e.into()))?;
        let mut file = self.writer.into_inner().map_err(parquet)?.bytes;
        footer::write_checksum(&mut file, metadata.body_bytes);
        Ok(EncodedSegment { body: file.into(), metadata })
    }
}

/// Who wrote a file, in the form that Parquet readers parse: application, version, build. The build is named where one is
/// packaged.
fn created_by() -> String {
    let build = option_env!("HIGHWATER_BUILD").unwrap_or("unknown");
    format!("highwater version {} (build {build})", env!("CARGO_PKG_VERSION"))
}

pub(super) fn properties(compression: Compression) -> WriterProperties {
    let mut properties = WriterProperties::builder()
        .set_created_by(created_by())
        .set_compression(compression.parquet())
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_offset_index_disabled(true)
        .set_data_page_size_limit(PAGE_BYTES)
        .set_write_batch_size(BATCH_ROWS)
        .set_encoding(Encoding::PLAIN);
    for name in ["offset", "timestamp_ms", "timestamp_type"] {
        let path = ColumnPath::from(name);
        properties = properties
            .set_column_encoding(path.clone(), Encoding::DELTA_BINARY_PACKED)
            .set_column_statistics_enabled(path, EnabledStatistics::Chunk);
    }
    properties.build()
}

pub(super) fn write_row_group<W: Write + Send>(
    mut group: SerializedRowGroupWriter<'_, W>,
    records: &[Record],
) -> Result<(), ParquetError> {
    for index in 0..column::COUNT {
        let mut writer =
            group.next_column()?.ok_or_else(|| ParquetError::General(format!("the schema has no column {index}")))?;
        write_column(&mut writer, index, records)?;
        writer.close()?;
    }
    group.close()?;
    Ok(())
}

fn write_column(writer: &mut SerializedColumnWriter<'_>, index: usize, records: &[Record]) -> Result<(), ParquetError> {
    match index {
        column::OFFSET => write_i64(writer, records.iter().map(|r| r.offset.0)),
        column::TIMESTAMP => write_i64(writer, records.iter().map(|r| r.timestamp.0)),
        column::TIMESTAMP_TYPE => {
            let values: Vec<i32> = records.iter().map(|r| r.timestamp_type.code()).collect();
            writer.typed::<Int32Type>().write_batch(&values, None, None).map(drop)
        }
        column::KEY => write_optional(writer, records.iter().map(|r| r.key.as_ref())),
        column::VALUE => write_optional(writer, records.iter().map(|r| r.value.as_ref())),
        column::HEADER_NAME => write_repeated(writer, records, 1, |header| Some(&header.name)),
        _ => write_repeated(writer, records, 2, |header| header.value.as_ref()),
    }
}

fn write_i64(writer: &mut SerializedColumnWriter<'_>, values: impl Iterator<Item = i64>) -> Result<(), ParquetError> {
    let values: Vec<i64> = values.collect();
    writer.typed::<Int64Type>().write_batch(&values, None, None).map(drop)
}

fn write_optional<'a>(
    writer: &mut SerializedColumnWriter<'_>,
    values: impl Iterator<Item = Option<&'a Bytes>>,
) -> Result<(), ParquetError> {
    let (mut present, mut levels) = (vec![], vec![]);
    for value in values {
        levels.push(i16::from(value.is_some()));
        present.extend(value.map(|bytes| ByteArray::from(bytes.clone())));
    }
    writer.typed::<ByteArrayType>().write_batch(&present, Some(&levels), None).map(drop)
}

/// Writes one field of the headers. `level_max` is the definition level of a value that is there; one less is a null
/// value of a header that is there; 0 is a record without headers.
fn write_repeated<'a>(
    writer: &mut SerializedColumnWriter<'_>,
    records: &'a [Record],
    level_max: i16,
    field: impl Fn(&'a Header) -> Option<&'a Bytes>,
) -> Result<(), ParquetError> {
    let (mut present, mut definitions, mut repetitions) = (vec![], vec![], vec![]);
    for record in records {
        if record.headers.is_empty() {
            definitions.push(0);
            repetitions.push(0);
        }
        for (index, header) in record.headers.iter().enumerate() {
            let value = field(header);
            definitions.push(if value.is_some() { level_max } else { level_max - 1 });
            repetitions.push(i16::from(index > 0));
            present.extend(value.map(|bytes| ByteArray::from(bytes.clone())));
        }
    }
    let ColumnWriter::ByteArrayColumnWriter(typed) = writer.untyped() else {
        return Err(ParquetError::General("a header column is not of bytes".to_owned()));
    };
    typed.write_batch(&present, Some(&definitions), Some(&repetitions)).map(drop)
}

/// Memory that keeps a checksum of what was written to it.
#[derive(Default)]
struct ChecksumSink {
    bytes: Vec<u8>,
    crc32c: u32,
}

impl Write for ChecksumSink {
    fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
        self.crc32c = crc32c::crc32c_append(self.crc32c, buffer);
        self.bytes.extend_from_slice(buffer);
        Ok(buffer.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
