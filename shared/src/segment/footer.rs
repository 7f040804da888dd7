//! A segment's footer: what it says of itself, read from its last bytes and trusting nothing.

use bytes::Bytes;
use parquet::{
    errors::ParquetError,
    file::metadata::{ParquetMetaData, ParquetMetaDataReader},
};
use serde::Deserialize;

use super::{
    decode_error::{DecodeError, not_panicking},
    format::{END_BYTES, FOOTER_CHECKSUM_BYTES, SCHEMA},
    metadata::{METADATA_KEY, SEGMENT_VERSION, SegmentMetadata},
};
use crate::chain::seal::{SEGMENT_SEAL_KEY, Seal};

/// What a segment says of itself, and the seal on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Footer {
    /// What it says.
    pub metadata: SegmentMetadata,
    /// The same as it stands there: what the seal is over.
    pub text: String,
    /// The seal, where there is one that can be read.
    pub seal: Option<Seal>,
}

/// What is read before all else: a newer version may say everything else in another way.
#[derive(Deserialize)]
struct Versioned {
    format_version: u32,
}

/// Reads what a segment says of itself from its last bytes. `tail` ends where the file of `size_bytes` ends.
///
/// # Errors
/// As [`read`].
pub fn metadata(tail: &Bytes, size_bytes: u64) -> Result<SegmentMetadata, DecodeError> {
    read(tail, size_bytes).map(|footer| footer.metadata)
}

/// Reads a footer from the last bytes of a segment. `tail` ends where the file of `size_bytes` ends.
///
/// # Errors
/// [`DecodeError::NeedsLast`] when the tail does not hold all of the footer; anything else when it is none of ours.
pub fn read(tail: &Bytes, size_bytes: u64) -> Result<Footer, DecodeError> {
    let footer = of_parquet(&not_panicking(|| parse(tail, size_bytes))?)?;
    check(tail, size_bytes, &footer.metadata)?;
    Ok(footer)
}

fn parse(tail: &Bytes, size_bytes: u64) -> Result<ParquetMetaData, DecodeError> {
    let mut reader = ParquetMetaDataReader::new();
    match reader.try_parse_sized(tail, size_bytes) {
        Ok(()) => Ok(reader.finish()?),
        Err(ParquetError::NeedMoreData(bytes)) if (bytes as u64) <= size_bytes && bytes > tail.len() => {
            Err(DecodeError::NeedsLast((bytes + FOOTER_CHECKSUM_BYTES) as u64))
        }
        Err(error) => Err(error.into()),
    }
}

fn of_parquet(parquet: &ParquetMetaData) -> Result<Footer, DecodeError> {
    let file = parquet.file_metadata();
    let not = |what: String| DecodeError::NotASegment(what);
    if file.schema_descr().root_schema() != &**SCHEMA {
        return Err(not("it has other columns".to_owned()));
    }
    let value = |key: &str| {
        let entry = file.key_value_metadata()?.iter().find(|entry| entry.key == key);
        entry?.value.as_deref()
    };
    let json = value(METADATA_KEY).ok_or_else(|| not(format!("its footer has no {METADATA_KEY:?}")))?;
    if let Ok(Versioned { format_version: newer }) = serde_json::from_str(json)
        && newer > SEGMENT_VERSION
    {
        return Err(DecodeError::Newer(newer));
    }
    let metadata: SegmentMetadata =
        serde_json::from_str(json).map_err(|e| not(format!("its metadata is damaged: {e}")))?;
    if metadata.format_version == 0 {
        return Err(not("it has version 0".to_owned()));
    }
    let seal = value(SEGMENT_SEAL_KEY).and_then(|seal| serde_json::from_str(seal).ok());
    Ok(Footer { metadata, text: json.to_owned(), seal })
}

/// Compares the footer's checksum, and that body and footer make up the whole file.
fn check(tail: &Bytes, size_bytes: u64, metadata: &SegmentMetadata) -> Result<(), DecodeError> {
    let Some(footer_bytes) = footer_bytes(tail) else {
        return Err(DecodeError::NotASegment("it ends within its footer".to_owned()));
    };
    let checksum_bytes = if metadata.format_version == 1 { 0 } else { FOOTER_CHECKSUM_BYTES };
    let behind_body = footer_bytes + checksum_bytes;
    if metadata.body_bytes.checked_add(behind_body as u64) != Some(size_bytes) {
        let what = format!("its body of {} bytes does not end where its footer begins", metadata.body_bytes);
        return Err(DecodeError::NotASegment(what));
    }
    if checksum_bytes == 0 {
        return Ok(());
    }
    let Some(start) = tail.len().checked_sub(behind_body) else {
        return Err(DecodeError::NeedsLast(behind_body as u64));
    };
    let (checksum, footer) = tail[start..].split_at(FOOTER_CHECKSUM_BYTES);
    let expected = u32::from_le_bytes(checksum.try_into().unwrap_or_default());
    let actual = crc32c::crc32c(footer);
    if actual == expected { Ok(()) } else { Err(DecodeError::FooterChecksum { expected, actual }) }
}

/// Puts the checksum of everything behind it into the place that is left for it behind the body of a file.
///
/// # Panics
/// When the file ends within that place.
pub fn write_checksum(file: &mut [u8], body_bytes: u64) {
    // The file is in memory, so the length of its body is a usize.
    let (before, footer) = file.split_at_mut(body_bytes as usize + FOOTER_CHECKSUM_BYTES);
    before[body_bytes as usize..].copy_from_slice(&crc32c::crc32c(footer).to_le_bytes());
}

/// The bytes from the footer's first to the end of the file, as its last bytes say.
fn footer_bytes(tail: &[u8]) -> Option<usize> {
    let length = tail.len().checked_sub(END_BYTES).and_then(|at| tail.get(at..at + 4))?;
    let length = u32::from_le_bytes(length.try_into().ok()?);
    usize::try_from(length).ok()?.checked_add(END_BYTES)
}
