//! `[backups.<name>]`: what is backed up, and how it is cut into segments.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    selection::TopicSelection,
    units::{ByteSize, Span},
};
use crate::segment::Compression;

/// One backup.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BackupSettings {
    /// Which topics it takes.
    pub topics: TopicSelection,
    /// How records become segments.
    #[serde(default)]
    pub segment: SegmentSettings,
}

/// When a segment is closed, and how it is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SegmentSettings {
    /// A segment is closed when its keys, values and headers reach this size; one larger record is a segment of its own.
    pub bytes_max: ByteSize,
    /// A segment is closed when its first record has waited so long, also on a topic that went idle.
    pub age_max: Span,
    /// The compression of its pages: "none", or "zstd:1" to "zstd:22".
    pub compression: Compression,
}

impl Default for SegmentSettings {
    fn default() -> Self {
        SegmentSettings {
            bytes_max: ByteSize::mib(64),
            age_max: Span::seconds(60),
            compression: Compression::default(),
        }
    }
}
