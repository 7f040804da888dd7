//! The bytes of a `.kan` segment: a Parquet file.
//!
//! ```text
//! "PAR1" | row groups | footer checksum | footer (schema, row groups, key-value list) | footer length | "PAR1"
//! ```
//! Every byte is under a checksum: what comes before the footer checksum under the one in the metadata, and what comes
//! behind it, to the end of the file, under the footer checksum itself: CRC-32C, little-endian, which readers of Parquet
//! pass over. Version 1 has no footer checksum.
//!
//! One row a record, in offset order, in these columns:
//!
//! | column | type | meaning |
//! |---|---|---|
//! | `offset` | INT64 | place in the partition |
//! | `timestamp_ms` | INT64 | milliseconds since 1970; -1 none. A plain number, as Kafka lets a producer write any |
//! | `timestamp_type` | INT32 | -1 none, 0 create time, 1 log append time |
//! | `key` | BYTE_ARRAY, optional | null and empty differ |
//! | `value` | BYTE_ARRAY, optional | null is a tombstone |
//! | `headers` | LIST of (`name` BYTE_ARRAY, `value` BYTE_ARRAY optional) | in their order, duplicates kept |
//!
//! The key-value list holds [`super::metadata`]. Offsets and timestamps are DELTA_BINARY_PACKED, the rest PLAIN.

use std::sync::{Arc, LazyLock};

use parquet::schema::{parser::parse_message_type, types::Type};

const MESSAGE: &str = "
message record {
  required int64 offset;
  required int64 timestamp_ms;
  required int32 timestamp_type;
  optional binary key;
  optional binary value;
  required group headers (LIST) {
    repeated group list {
      required group element {
        required binary name;
        optional binary value;
      }
    }
  }
}";

/// The bytes of the footer checksum.
pub(super) const FOOTER_CHECKSUM_BYTES: usize = 4;
/// The footer length and the magic at the end of a file.
pub(super) const END_BYTES: usize = 8;

/// The columns, by their place in the file.
pub(super) mod column {
    pub const OFFSET: usize = 0;
    pub const TIMESTAMP: usize = 1;
    pub const TIMESTAMP_TYPE: usize = 2;
    pub const KEY: usize = 3;
    pub const VALUE: usize = 4;
    pub const HEADER_NAME: usize = 5;
    pub const HEADER_VALUE: usize = 6;
    pub const COUNT: usize = 7;
}

/// The Parquet schema of a segment.
pub(super) static SCHEMA: LazyLock<Arc<Type>> =
    LazyLock::new(|| Arc::new(parse_message_type(MESSAGE).expect("the schema text above is valid")));
