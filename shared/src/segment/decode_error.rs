//! Why bytes are not a segment.

use std::panic::{AssertUnwindSafe, catch_unwind};

use parquet::errors::ParquetError;

use super::metadata::SEGMENT_VERSION;

/// Why bytes are not a segment.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The footer is larger than what was read: read the last so many bytes.
    #[error("the footer needs the last {0} bytes")]
    NeedsLast(u64),
    /// It is not a Parquet file, or a damaged one.
    #[error("not a readable parquet file")]
    Parquet(#[from] ParquetError),
    /// It is a Parquet file, but not one of ours, or of another version, or its metadata is damaged.
    #[error("not a segment of format version {SEGMENT_VERSION} or before: {0}")]
    NotASegment(String),
    /// A newer version of Highwater wrote it.
    #[error("a segment of format version {0}, and this version of highwater reads {SEGMENT_VERSION} and before")]
    Newer(u32),
    /// The bytes before the footer do not have the checksum that the footer names.
    #[error("the content is damaged: checksum {actual:08x} where the footer says {expected:08x}")]
    Checksum {
        /// What the footer says.
        expected: u32,
        /// What was computed.
        actual: u32,
    },
    /// The footer does not have the checksum that stands before it.
    #[error("the footer is damaged: checksum {actual:08x} where {expected:08x} stands before it")]
    FooterChecksum {
        /// What stands before it.
        expected: u32,
        /// What was computed.
        actual: u32,
    },
    /// A row is none that a segment can hold.
    #[error("row {row} of row group {group} is damaged: {what}")]
    Row {
        /// The row group.
        group: usize,
        /// The row in it.
        row: usize,
        /// What is wrong.
        what: &'static str,
    },
}

/// Where the Parquet library panics at a footer that no writer of ours makes, the file is damaged like any other.
pub(super) fn not_panicking<T>(read: impl FnOnce() -> Result<T, DecodeError>) -> Result<T, DecodeError> {
    let panicked = |_| Err(DecodeError::NotASegment("it makes the parquet library panic".to_owned()));
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(panicked)
}
