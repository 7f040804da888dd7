//! How a segment's pages are compressed.

use std::{borrow::Cow, fmt, str::FromStr};

use parquet::basic::{Compression as ParquetCompression, GzipLevel, ZstdLevel};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A compression and its level, written `none`, `lz4`, `snappy`, `gzip`, `gzip:9`, `zstd` or `zstd:3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Compression {
    /// Pages as they are.
    None,
    /// LZ4 blocks, Parquet's `LZ4_RAW`.
    Lz4,
    /// Snappy.
    Snappy,
    /// Gzip, level 1 to 9.
    Gzip(u32),
    /// Zstandard, level 1 to 22.
    Zstd(i32),
}

/// The level of `gzip` alone.
const GZIP_LEVEL: u32 = 6;
/// 0 is gzip's name for no compression: there is `none` for that. The highest is above what other gzips know.
const GZIP_LEVELS: std::ops::RangeInclusive<u32> = 1..=9;

impl Default for Compression {
    fn default() -> Self {
        Compression::Zstd(1)
    }
}

impl Compression {
    pub(super) fn parquet(self) -> ParquetCompression {
        match self {
            Compression::None => ParquetCompression::UNCOMPRESSED,
            Compression::Lz4 => ParquetCompression::LZ4_RAW,
            Compression::Snappy => ParquetCompression::SNAPPY,
            Compression::Gzip(level) => ParquetCompression::GZIP(GzipLevel::try_new(level).unwrap_or_default()),
            Compression::Zstd(level) => ParquetCompression::ZSTD(ZstdLevel::try_new(level).unwrap_or_default()),
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Compression::None => f.write_str("none"),
            Compression::Lz4 => f.write_str("lz4"),
            Compression::Snappy => f.write_str("snappy"),
            Compression::Gzip(level) => write!(f, "gzip:{level}"),
            Compression::Zstd(level) => write!(f, "zstd:{level}"),
        }
    }
}

/// A compression that is none of ours.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "no compression {0:?}: use \"none\", \"lz4\", \"snappy\", \"gzip:1\" to \"gzip:9\", or \"zstd:1\" to \"zstd:22\""
)]
pub struct UnknownCompression(String);

impl FromStr for Compression {
    type Err = UnknownCompression;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || UnknownCompression(text.to_owned());
        match text.split_once(':') {
            None => match text {
                "none" => Ok(Compression::None),
                "lz4" => Ok(Compression::Lz4),
                "snappy" => Ok(Compression::Snappy),
                "gzip" => Ok(Compression::Gzip(GZIP_LEVEL)),
                "zstd" => Ok(Compression::default()),
                _ => Err(unknown()),
            },
            Some(("gzip", level)) => {
                let level = level.parse().ok().filter(|level| GZIP_LEVELS.contains(level));
                level.map(Compression::Gzip).ok_or_else(unknown)
            }
            Some(("zstd", level)) => {
                let level = level.parse().map_err(|_| unknown())?;
                // The library takes 0 for its own default: a name for nothing, so not one of ours.
                ZstdLevel::try_new(level).ok().filter(|_| level > 0).ok_or_else(unknown)?;
                Ok(Compression::Zstd(level))
            }
            _ => Err(unknown()),
        }
    }
}

impl TryFrom<String> for Compression {
    type Error = UnknownCompression;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl JsonSchema for Compression {
    fn schema_name() -> Cow<'static, str> {
        "Compression".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "examples": ["none", "lz4", "snappy", "gzip:6", "zstd:1"] })
    }
}

impl From<Compression> for String {
    fn from(compression: Compression) -> Self {
        compression.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compression_is_read_as_it_is_written_and_anything_else_is_refused() {
        for text in ["none", "lz4", "snappy", "gzip:1", "gzip:9", "zstd:1", "zstd:22"] {
            assert_eq!(text.parse::<Compression>().map(String::from), Ok(text.to_owned()));
        }
        for text in ["", "zstd:", "zstd:0", "zstd:23", "gzip:x", "gzip:0", "gzip:10", "ZSTD", "none:1", "lz4:1"] {
            let error = text.parse::<Compression>().unwrap_err();
            assert!(error.to_string().contains("zstd:22"), "{error}");
        }
    }
}
