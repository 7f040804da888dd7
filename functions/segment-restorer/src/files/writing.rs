//! The file of one segment.

use std::{
    io::{self, Write as _},
    path::PathBuf,
};

use shared::{
    adapters::files::NewFile,
    record::{Partition, Record, line::Line},
    restore::progress::Fixed,
    segment::{Compression, plain::PlainWriter},
};

use super::FileFormat;

/// A file that is begun with its first record.
pub(super) struct Writing {
    path: PathBuf,
    format: FileFormat,
    fixed: Fixed,
    partition: Partition,
    file: Option<Format>,
}

enum Format {
    Lines(NewFile),
    Parquet(PlainWriter<NewFile>),
}

impl Writing {
    pub(super) fn new(path: PathBuf, format: FileFormat, fixed: Fixed, partition: Partition) -> Self {
        Writing { path, format, fixed, partition, file: None }
    }

    /// Adds records.
    pub(super) fn append(&mut self, records: &[Record]) -> io::Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        let file = match self.file.take() {
            Some(file) => file,
            None => self.begin()?,
        };
        match self.file.insert(file) {
            Format::Parquet(writer) => writer.append(records),
            Format::Lines(file) => records.iter().try_for_each(|record| {
                let line = Line::of(&self.fixed.source, self.fixed.incarnation, self.partition, record);
                serde_json::to_writer(&mut *file, &line)?;
                file.write_all(b"\n")
            }),
        }
    }

    fn begin(&self) -> io::Result<Format> {
        let file = NewFile::create(&self.path)?;
        Ok(match self.format {
            FileFormat::Jsonl => Format::Lines(file),
            FileFormat::Parquet => Format::Parquet(PlainWriter::new(file, Compression::default())?),
        })
    }

    /// Lets the file appear; false where no record was added, and there is none.
    pub(super) fn finish(self) -> io::Result<bool> {
        match self.file {
            None => return Ok(false),
            Some(Format::Lines(file)) => file.finish()?,
            Some(Format::Parquet(writer)) => writer.finish()?.finish()?,
        }
        Ok(true)
    }
}
