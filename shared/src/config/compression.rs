//! How segments are compressed.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::units::text_setting;

const ZSTD_LEVELS: std::ops::RangeInclusive<i32> = 1..=22;

/// The compression of a segment's pages: `none`, or `zstd` with a level from 1 to 22 (`zstd:1`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Compression {
    /// Pages as they are.
    None,
    /// Zstandard.
    Zstd {
        /// From 1, the fastest, to 22.
        level: i32,
    },
}

impl Default for Compression {
    fn default() -> Self {
        Compression::Zstd { level: 1 }
    }
}

impl FromStr for Compression {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let level = match text.split_once(':').unwrap_or((text, "1")) {
            ("none", _) if text == "none" => return Ok(Compression::None),
            ("zstd", level) => level.parse().ok().filter(|l| ZSTD_LEVELS.contains(l)),
            _ => None,
        };
        level.map(|level| Compression::Zstd { level }).ok_or_else(|| format!("{text:?} is no compression: write \"none\", or \"zstd:1\" to \"zstd:22\""))
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Compression::None => f.write_str("none"),
            Compression::Zstd { level } => write!(f, "zstd:{level}"),
        }
    }
}

text_setting!(Compression, "zstd:1");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compression_is_none_or_zstd_with_a_level() {
        assert_eq!("none".parse(), Ok(Compression::None));
        assert_eq!("zstd".parse(), Ok(Compression::Zstd { level: 1 }));
        assert_eq!("zstd:22".parse(), Ok(Compression::Zstd { level: 22 }));
        for text in ["zstd:0", "zstd:23", "zstd:", "none:1", "gzip", "", "ZSTD"] {
            assert!(text.parse::<Compression>().is_err(), "{text}");
        }
    }
}
