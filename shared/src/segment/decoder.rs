//! The bytes of a segment back to records, trusting nothing.

use bytes::Bytes;
use parquet::{
    column::reader::ColumnReader,
    data_type::{ByteArray, ByteArrayType, DataType, Int32Type, Int64Type},
    errors::ParquetError,
    file::{
        reader::{FileReader, RowGroupReader},
        serialized_reader::SerializedFileReader,
    },
};

pub use super::decode_error::DecodeError;
use super::{decode_error::not_panicking, footer::metadata, format::column, metadata::SegmentMetadata};
use crate::record::{Header, Millis, Offset, Record, TimestampType};

/// How many of a segment's last bytes hold its footer, nearly always.
pub const FOOTER_BYTES_GUESS: u64 = 64 * 1024;
/// No row group of ours unpacks to more: a record is at most 1 GiB in Kafka, and a group ends with the record that fills it.
const ROW_GROUP_BYTES_MAX: i64 = 2 << 30;

/// A whole segment, open for reading.
pub struct SegmentReader {
    reader: SerializedFileReader<Bytes>,
    metadata: SegmentMetadata,
}

impl SegmentReader {
    /// Opens a file and compares its checksums.
    pub fn open(body: Bytes) -> Result<Self, DecodeError> {
        let metadata = metadata(&body, body.len() as u64)?;
        let content = usize::try_from(metadata.body_bytes).ok().and_then(|end| body.get(..end));
        let actual = content.map_or(!metadata.body_crc32c, crc32c::crc32c);
        if actual != metadata.body_crc32c {
            return Err(DecodeError::Checksum { expected: metadata.body_crc32c, actual });
        }
        let reader = not_panicking(|| Ok(SerializedFileReader::new(body)?))?;
        Ok(SegmentReader { reader, metadata })
    }

    /// The same records under what another footer says.
    #[cfg(test)]
    pub(super) fn claiming(self, metadata: SegmentMetadata) -> Self {
        SegmentReader { metadata, ..self }
    }

    /// What it says of itself.
    #[must_use]
    pub fn metadata(&self) -> &SegmentMetadata {
        &self.metadata
    }

    /// Its records, a row group at a time.
    pub fn row_groups(&self) -> impl Iterator<Item = Result<Vec<Record>, DecodeError>> + '_ {
        (0..self.row_group_count()).map(|index| self.row_group(index))
    }

    /// How many row groups it has.
    #[must_use]
    pub fn row_group_count(&self) -> usize {
        self.reader.num_row_groups()
    }

    /// The records of one row group.
    ///
    /// # Errors
    /// When they cannot be decoded.
    pub fn row_group(&self, index: usize) -> Result<Vec<Record>, DecodeError> {
        let group = not_panicking(|| Ok(self.reader.get_row_group(index)?))?;
        let described = group.metadata();
        if described.total_byte_size() > ROW_GROUP_BYTES_MAX {
            let what = format!("row group {index} claims {} bytes", described.total_byte_size());
            return Err(DecodeError::NotASegment(what));
        }
        let rows = usize::try_from(described.num_rows()).unwrap_or(0);
        let columns = not_panicking(|| Ok(Columns::read(&*group, rows)?))?;
        columns.into_records(rows).map_err(|(row, what)| DecodeError::Row { group: index, row, what })
    }
}

/// Reads all records of a segment.
pub fn records(body: Bytes) -> Result<(SegmentMetadata, Vec<Record>), DecodeError> {
    let reader = SegmentReader::open(body)?;
    let mut records = vec![];
    for group in reader.row_groups() {
        records.extend(group?);
    }
    Ok((reader.metadata, records))
}

/// The values of one column of a row group with their levels.
#[derive(Default)]
struct Column<T> {
    values: Vec<T>,
    definitions: Vec<i16>,
    repetitions: Vec<i16>,
}

fn read_column<T: DataType>(
    group: &dyn RowGroupReader,
    index: usize,
    rows: usize,
) -> Result<Column<T::T>, ParquetError> {
    let reader: ColumnReader = group.get_column_reader(index)?;
    let mut reader = parquet::column::reader::get_typed_column_reader::<T>(reader);
    let mut column = Column { values: vec![], definitions: vec![], repetitions: vec![] };
    let mut read = 0;
    while read < rows {
        let (records, _, _) = reader.read_records(
            rows - read,
            Some(&mut column.definitions),
            Some(&mut column.repetitions),
            &mut column.values,
        )?;
        if records == 0 {
            break;
        }
        read += records;
    }
    Ok(column)
}

struct Columns {
    offsets: Column<i64>,
    timestamps: Column<i64>,
    timestamp_types: Column<i32>,
    keys: Column<ByteArray>,
    values: Column<ByteArray>,
    header_names: Column<ByteArray>,
    header_values: Column<ByteArray>,
}

impl Columns {
    fn read(group: &dyn RowGroupReader, rows: usize) -> Result<Self, ParquetError> {
        Ok(Columns {
            offsets: read_column::<Int64Type>(group, column::OFFSET, rows)?,
            timestamps: read_column::<Int64Type>(group, column::TIMESTAMP, rows)?,
            timestamp_types: read_column::<Int32Type>(group, column::TIMESTAMP_TYPE, rows)?,
            keys: read_column::<ByteArrayType>(group, column::KEY, rows)?,
            values: read_column::<ByteArrayType>(group, column::VALUE, rows)?,
            header_names: read_column::<ByteArrayType>(group, column::HEADER_NAME, rows)?,
            header_values: read_column::<ByteArrayType>(group, column::HEADER_VALUE, rows)?,
        })
    }

    fn into_records(self, rows: usize) -> Result<Vec<Record>, (usize, &'static str)> {
        let mut keys = Optional::new(self.keys);
        let mut values = Optional::new(self.values);
        let mut headers = Headers::new(self.header_names, self.header_values);
        (0..rows)
            .map(|row| {
                let at = |what| (row, what);
                let code = *self.timestamp_types.values.get(row).ok_or(at("it has no timestamp type"))?;
                Ok(Record {
                    offset: Offset(*self.offsets.values.get(row).ok_or(at("it has no offset"))?),
                    timestamp: Millis(*self.timestamps.values.get(row).ok_or(at("it has no timestamp"))?),
                    timestamp_type: TimestampType::from_code(code)
                        .ok_or(at("its timestamp type is none of -1, 0, 1"))?,
                    key: keys.next().ok_or(at("it has no key column"))?,
                    value: values.next().ok_or(at("it has no value column"))?,
                    headers: headers.next().ok_or(at("its headers are damaged"))?,
                })
            })
            .collect()
    }
}

/// Walks an optional column row by row.
struct Optional {
    values: std::vec::IntoIter<ByteArray>,
    definitions: std::vec::IntoIter<i16>,
}

impl Optional {
    fn new(column: Column<ByteArray>) -> Self {
        Optional { values: column.values.into_iter(), definitions: column.definitions.into_iter() }
    }

    fn next(&mut self) -> Option<Option<Bytes>> {
        match self.definitions.next()? {
            0 => Some(None),
            _ => Some(Some(data(self.values.next()?))),
        }
    }
}

/// Walks the two header columns record by record.
struct Headers {
    names: std::vec::IntoIter<ByteArray>,
    values: std::vec::IntoIter<ByteArray>,
    name_levels: Vec<i16>,
    value_levels: Vec<i16>,
    repetitions: Vec<i16>,
    position: usize,
}

impl Headers {
    fn new(names: Column<ByteArray>, values: Column<ByteArray>) -> Self {
        Headers {
            names: names.values.into_iter(),
            values: values.values.into_iter(),
            name_levels: names.definitions,
            value_levels: values.definitions,
            repetitions: names.repetitions,
            position: 0,
        }
    }

    fn next(&mut self) -> Option<Vec<Header>> {
        let mut headers = vec![];
        loop {
            let at = self.position;
            let (name_level, value_level) = (*self.name_levels.get(at)?, *self.value_levels.get(at)?);
            self.position += 1;
            if name_level == 0 {
                return Some(headers);
            }
            let value = match value_level {
                2 => Some(data(self.values.next()?)),
                _ => None,
            };
            headers.push(Header { name: data(self.names.next()?), value });
            if self.repetitions.get(self.position).is_none_or(|repetition| *repetition == 0) {
                return Some(headers);
            }
        }
    }
}

fn data(bytes: ByteArray) -> Bytes {
    Bytes::copy_from_slice(bytes.data())
}
