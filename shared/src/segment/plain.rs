//! Records as a Parquet file with the columns of a segment, for others: no part of a chain, so without our metadata.

use std::{
    io::{self, Write},
    sync::Arc,
};

use parquet::{errors::ParquetError, file::writer::SerializedFileWriter};

use super::{
    compression::Compression,
    encoder::{properties, write_row_group},
    format::SCHEMA,
};
use crate::record::Record;

/// A file in the making.
pub struct PlainWriter<W: Write + Send>(SerializedFileWriter<W>);

impl<W: Write + Send> PlainWriter<W> {
    /// Begins a file.
    ///
    /// # Errors
    /// When nothing can be written.
    pub fn new(file: W, compression: Compression) -> io::Result<Self> {
        let writer = SerializedFileWriter::new(file, SCHEMA.clone(), Arc::new(properties(compression)));
        writer.map(PlainWriter).map_err(of_file)
    }

    /// Adds a row group.
    ///
    /// # Errors
    /// When nothing can be written.
    pub fn append(&mut self, records: &[Record]) -> io::Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        self.0.next_row_group().and_then(|group| write_row_group(group, records)).map_err(of_file)
    }

    /// Ends the file.
    ///
    /// # Errors
    /// When nothing can be written.
    pub fn finish(self) -> io::Result<W> {
        self.0.into_inner().map_err(of_file)
    }
}

fn of_file(error: ParquetError) -> io::Error {
    io::Error::other(error)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use parquet::{
        file::{reader::FileReader as _, serialized_reader::SerializedFileReader},
        record::RowAccessor as _,
    };

    use super::*;
    use crate::record::{Millis, Offset, TimestampType};

    #[test]
    fn any_reader_of_parquet_finds_the_records_in_their_order() {
        let record = |offset| Record {
            offset: Offset(offset),
            timestamp: Millis(-1),
            timestamp_type: TimestampType::CreateTime,
            key: None,
            value: Some(Bytes::from_static(b"\xff")),
            headers: vec![],
        };
        let mut writer = PlainWriter::new(vec![], Compression::default()).unwrap();
        writer.append(&[record(3), record(5)]).unwrap();
        writer.append(&[]).unwrap();
        writer.append(&[record(9)]).unwrap();
        let file = SerializedFileReader::new(Bytes::from(writer.finish().unwrap())).unwrap();
        let rows: Vec<_> = file.get_row_iter(None).unwrap().map(|row| row.unwrap()).collect();
        let offsets: Vec<_> = rows.iter().map(|row| row.get_long(0).unwrap()).collect();
        assert_eq!((offsets, file.num_row_groups()), (vec![3, 5, 9], 2));
    }
}
