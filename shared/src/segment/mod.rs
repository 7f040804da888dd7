//! The segment: a range of a partition's records as a Parquet file that DuckDB and pyarrow read.

pub mod compression;
pub mod content;
mod decode_error;
pub mod decoder;
pub mod encoder;
pub mod footer;
mod format;
pub mod metadata;
pub mod plain;

pub use compression::Compression;
pub use encoder::{EncodedSegment, SegmentEncoder, SegmentStart};
pub use metadata::{ChainPoint, Gap, GapCause, SegmentMetadata};

#[cfg(test)]
mod tests;
