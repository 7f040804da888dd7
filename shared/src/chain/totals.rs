//! What a chain has counted from its start on.

use serde::{Deserialize, Serialize};

/// Sums over a chain, from its first segment to some point. They only grow along the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Totals {
    /// Records kept.
    pub records: u64,
    /// Bytes of the kept records: keys, values, header names and header values.
    pub record_bytes: u64,
    /// Records that the filter left out.
    pub filtered: u64,
    /// Records that were kept because the filter could not judge them. Left out where it is 0, as older segments do.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub filter_errors: u64,
    /// Segments.
    pub segments: u64,
    /// Bytes of the segments in the storage, as the listing gives them.
    pub stored_bytes: u64,
    /// Declared gaps: ranges that Kafka had deleted before they were stored.
    pub gaps: u64,
    /// Offsets in declared gaps.
    pub gap_offsets: u64,
}

impl Totals {
    /// Both sums together.
    #[must_use]
    pub fn plus(self, other: Totals) -> Totals {
        self.combine(other, u64::saturating_add)
    }

    /// What was counted after `earlier`; never below zero.
    #[must_use]
    pub fn minus(self, earlier: Totals) -> Totals {
        self.combine(earlier, u64::saturating_sub)
    }

    fn combine(self, other: Totals, with: impl Fn(u64, u64) -> u64) -> Totals {
        Totals {
            records: with(self.records, other.records),
            record_bytes: with(self.record_bytes, other.record_bytes),
            filtered: with(self.filtered, other.filtered),
            filter_errors: with(self.filter_errors, other.filter_errors),
            segments: with(self.segments, other.segments),
            stored_bytes: with(self.stored_bytes, other.stored_bytes),
            gaps: with(self.gaps, other.gaps),
            gap_offsets: with(self.gap_offsets, other.gap_offsets),
        }
    }
}

/// For numbers that a later version added: where they are 0 everything reads as before.
pub(crate) fn is_zero<N: PartialEq + Default>(number: &N) -> bool {
    *number == N::default()
}
