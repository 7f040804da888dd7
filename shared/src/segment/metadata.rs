//! What a segment says of itself: one JSON object in the Parquet footer, under the key [`METADATA_KEY`].

use serde::{Deserialize, Serialize};

use crate::{
    chain::{ChainDigest, ChainIdentity, LastRead, Totals},
    record::{Millis, Offset},
};

/// The key of the metadata in the Parquet footer's key-value list.
pub const METADATA_KEY: &str = "highwater";
/// The version of the small JSON objects beside the segments.
pub const FORMAT_VERSION: u32 = 1;
/// The version of the segments this code writes. It reads those of version 1 too, whose footers have no checksum.
pub const SEGMENT_VERSION: u32 = 2;

/// A segment's description of itself and of the chain before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentMetadata {
    /// [`SEGMENT_VERSION`], or an earlier one.
    pub format_version: u32,
    /// Which chain it belongs to.
    #[serde(flatten)]
    pub chain: ChainIdentity,
    /// The first offset it covers: the `next` of the segment before it.
    pub base: Offset,
    /// The offset after the last one it covers, whether records exist there or not.
    pub next: Offset,
    /// When it was written, by the writer's clock.
    pub written_at: Millis,
    /// The least and the greatest record timestamp; absent where it keeps no record.
    pub timestamps: Option<TimestampRange>,
    /// What the chain had counted **before** this segment.
    pub before: ChainPoint,
    /// What this segment adds. Its size comes from the listing, so `stored_bytes` is 0 here.
    pub own: Totals,
    /// The chain digest **after** this segment.
    pub digest: ChainDigest,
    /// The last record that was read for it: what the log must still hold when the chain goes on. Absent where the writer did
    /// not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_read: Option<LastRead>,
    /// The ranges within [base, next) that Kafka had deleted before they were stored.
    pub gaps: Vec<Gap>,
    /// When the latest gap of the chain up to the end of this segment was declared; absent where none ever was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_gap_at: Option<Millis>,
    /// The id of the key that the segment is sealed with; absent where it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed_by: Option<String>,
    /// How many cuts of the chain its writer knew of, as its key says too ([`crate::chain::cuts`]); left out where it is 0.
    #[serde(default, skip_serializing_if = "crate::chain::totals::is_zero")]
    pub cuts: u32,
    /// CRC-32C of the file's first `body_bytes` bytes: its magic and its row groups.
    pub body_crc32c: u32,
    /// How many bytes the checksum covers.
    pub body_bytes: u64,
}

impl SegmentMetadata {
    /// What the chain has counted after this segment, given its size in the storage.
    #[must_use]
    pub fn after(&self, size_bytes: u64) -> ChainPoint {
        let own = Totals { stored_bytes: size_bytes, ..self.own };
        ChainPoint { totals: self.before.totals.plus(own), digest: self.digest }
    }
}

/// What a chain has counted up to some point, and its digest there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainPoint {
    /// The totals since the start of the chain.
    pub totals: Totals,
    /// The chain digest.
    pub digest: ChainDigest,
}

impl ChainPoint {
    /// The point where a chain begins.
    #[must_use]
    pub fn start(chain: &ChainIdentity) -> Self {
        ChainPoint { totals: Totals::default(), digest: ChainDigest::start(chain) }
    }
}

/// Record timestamps, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimestampRange {
    /// The least.
    pub min: Millis,
    /// The greatest.
    pub max: Millis,
}

impl TimestampRange {
    /// The range that also holds `timestamp`.
    #[must_use]
    pub fn including(range: Option<Self>, timestamp: Millis) -> Self {
        range.map_or(TimestampRange { min: timestamp, max: timestamp }, |r| TimestampRange {
            min: r.min.min(timestamp),
            max: r.max.max(timestamp),
        })
    }
}

/// A range of offsets that is lost: Kafka had deleted it before it was stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// Its first offset.
    pub from: Offset,
    /// The offset after its last.
    pub to: Offset,
    /// Why it is lost.
    pub cause: GapCause,
    /// When it was declared, by the writer's clock.
    pub declared_at: Millis,
}

/// Why a range is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GapCause {
    /// It was gone before the chain's first segment: never the backup's to keep, so it is no loss and not counted.
    BeforeBackup,
    /// The broker's log starts behind it: retention (or DeleteRecords) overtook the backup.
    BelowLogStart,
    /// It was stored once: the tail of the backup went missing, which was accepted, and Kafka has it no more either.
    TailMissingAccepted,
}

impl GapCause {
    /// Whether what is gone was the backup's to keep: such gaps are counted.
    #[must_use]
    pub fn is_loss(self) -> bool {
        self != GapCause::BeforeBackup
    }
}
