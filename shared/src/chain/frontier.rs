//! Where a chain ends.

use serde::{Deserialize, Serialize};

use super::{Floor, LastRead};
use crate::{
    record::{Millis, Offset},
    segment::{ChainPoint, SegmentMetadata},
};

/// What the last segment of a chain tells beside its counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Marks {
    /// When it was written, by its writer's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written_at: Option<Millis>,
    /// When the chain's latest gap was declared; absent where none ever was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_gap_at: Option<Millis>,
    /// How many steps there were in accepting losses of its tail. Behind each of them the chain is another one: what was
    /// said of it before may lie above, and holds no longer.
    #[serde(default, skip_serializing_if = "super::totals::is_zero")]
    pub losses: u32,
}

/// The end of a chain as the storage has it: the next segment begins here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frontier {
    /// The base of the last segment; `None` where there is none yet.
    pub last_base: Option<Offset>,
    /// The next offset to be stored.
    pub next: Offset,
    /// What the chain has counted up to there.
    pub point: ChainPoint,
    /// What else the storage tells there.
    pub marks: Marks,
    /// Whether the last segment is sealed: then so must be the next one.
    pub sealed: bool,
    /// The last record that was read for it; absent where there is no segment.
    pub last_read: Option<LastRead>,
}

impl Frontier {
    /// The frontier of a chain without a segment: its floor, from which on there never was one, or all are missing.
    #[must_use]
    pub fn at(floor: &Floor) -> Self {
        Frontier {
            last_base: None,
            next: floor.base,
            point: floor.before,
            marks: Marks::default(),
            sealed: false,
            last_read: None,
        }
    }

    /// The frontier behind a segment of this size, in a chain of so many steps of accepting losses.
    #[must_use]
    pub fn behind(segment: &SegmentMetadata, size_bytes: u64, losses: u32) -> Self {
        let marks = Marks { written_at: Some(segment.written_at), last_gap_at: segment.last_gap_at, losses };
        Frontier {
            last_base: Some(segment.base),
            next: segment.next,
            point: segment.after(size_bytes),
            marks,
            sealed: segment.sealed_by.is_some(),
            last_read: segment.last_read,
        }
    }
}
