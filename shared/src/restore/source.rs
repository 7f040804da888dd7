//! What a backup holds of a partition, as its listing and its footers say.

use super::Selection;
use crate::{
    archive::SegmentEntry,
    chain::{ChainIdentity, Floor, Totals},
    record::Offset,
    segment::{Gap, SegmentMetadata},
};

/// A segment, and what it says of itself.
#[derive(Debug, Clone)]
pub struct SourceSegment {
    /// As it is listed.
    pub entry: SegmentEntry,
    /// Its footer.
    pub metadata: SegmentMetadata,
}

/// A partition in the backup.
#[derive(Debug, Clone)]
pub struct SourcePartition {
    /// Its chain.
    pub chain: ChainIdentity,
    /// Where the chain begins.
    pub floor: Floor,
    /// The first segment that is listed.
    pub first: Option<SegmentEntry>,
    /// Its segments that may hold offsets that are asked for, in order and without one left out.
    pub segments: Vec<SourceSegment>,
    /// Where the chain ends.
    pub next: Offset,
}

/// A place where the chain does not go on from where it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hole {
    /// The object behind it.
    pub key: String,
    /// The first offset that is in no segment.
    pub from: Offset,
    /// Where the object begins.
    pub to: Offset,
}

impl SourcePartition {
    /// The first place where the chain does not go on from where it was.
    #[must_use]
    pub fn hole(&self) -> Option<Hole> {
        let at_start = self.first.as_ref().filter(|first| first.base > self.floor.base);
        if let Some(first) = at_start {
            return Some(Hole { key: first.key.clone(), from: self.floor.base, to: first.base });
        }
        let pairs = self.segments.windows(2);
        pairs.map(|pair| (&pair[0], &pair[1])).find_map(|(earlier, later)| {
            let (earlier, metadata) = (&earlier.metadata, &later.metadata);
            let is_joined = metadata.base == earlier.next && metadata.before.digest == earlier.digest;
            let hole = || Hole { key: later.entry.key.clone(), from: earlier.next, to: metadata.base };
            (!is_joined).then(hole)
        })
    }

    /// The segments that are read.
    pub fn needed<'a>(&'a self, selection: &'a Selection) -> impl Iterator<Item = &'a SourceSegment> {
        self.segments.iter().filter(|segment| selection.needs(&segment.metadata))
    }

    /// The ranges that are asked for and not there, each with why.
    pub fn gaps<'a>(&'a self, selection: &'a Selection) -> impl Iterator<Item = &'a Gap> {
        let gaps = self.segments.iter().flat_map(|segment| &segment.metadata.gaps);
        gaps.filter(|gap| selection.overlaps(gap.from, gap.to))
    }

    /// How much is read at most: the sums of the segments that are.
    #[must_use]
    pub fn upper_bound(&self, selection: &Selection) -> Totals {
        let own = |segment: &SourceSegment| Totals { stored_bytes: segment.entry.size_bytes, ..segment.metadata.own };
        self.needed(selection).map(own).fold(Totals::default(), Totals::plus)
    }

    /// Where the restore of this partition is done.
    #[must_use]
    pub fn end(&self, selection: &Selection) -> Offset {
        selection.offsets.until.map_or(self.next, |until| until.min(self.next))
    }
}
