//! What a backup holds of a partition, as its listing and its footers say.

use serde::{Deserialize, Serialize};

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
    /// Those of which nothing can be read: each reaches to the base of the one behind it.
    pub damaged: Vec<Missing>,
    /// Where the chain ends.
    pub next: Offset,
}

/// A segment, or what is left of one.
#[derive(Clone, Copy)]
enum Piece<'a> {
    Segment(&'a SourceSegment),
    Damaged(&'a Missing),
}

impl Piece<'_> {
    fn base(&self) -> Offset {
        match self {
            Piece::Segment(segment) => segment.metadata.base,
            Piece::Damaged(damaged) => damaged.from,
        }
    }

    fn next(&self) -> Offset {
        match self {
            Piece::Segment(segment) => segment.metadata.next,
            Piece::Damaged(damaged) => damaged.to,
        }
    }

    fn key(&self) -> &str {
        match self {
            Piece::Segment(segment) => &segment.entry.key,
            Piece::Damaged(damaged) => &damaged.key,
        }
    }

    /// Whether its digest goes on from the one before it, as far as both can be read.
    fn follows(&self, before: Option<Piece<'_>>) -> bool {
        match (before, self) {
            (Some(Piece::Segment(before)), Piece::Segment(segment)) => {
                segment.metadata.before.digest == before.metadata.digest
            }
            _ => true,
        }
    }
}

/// Offsets that should be in the backup and cannot be restored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// The first offset.
    pub from: Offset,
    /// The offset after the last. The same as `from` where none is known to be missing.
    pub to: Offset,
    /// The object that is damaged, or that lies behind the hole.
    pub key: String,
    /// What is wrong.
    pub why: String,
}

impl SourcePartition {
    /// Everything that should be there and is not, in order: segments that cannot be read, and places where the chain does not
    /// go on from where it was.
    fn missing(&self) -> Vec<Missing> {
        let damaged = self.damaged.iter().map(Piece::Damaged);
        let mut pieces: Vec<_> = self.segments.iter().map(Piece::Segment).chain(damaged).collect();
        pieces.sort_by_key(Piece::base);
        let is_first = |piece: &Piece<'_>| self.first.as_ref().is_some_and(|first| first.base == piece.base());
        let mut missing = vec![];
        let mut before: Option<Piece<'_>> = None;
        for piece in pieces {
            let at = match before {
                Some(before) => before.next(),
                None if is_first(&piece) => self.floor.base,
                None => piece.base(),
            };
            let of = |from, to, why: &str| Missing { from, to, key: piece.key().to_owned(), why: why.to_owned() };
            if piece.base() > at {
                missing.push(of(at, piece.base(), "no segment holds them"));
            } else if piece.base() < at || !piece.follows(before) {
                missing.push(of(at, at, "it does not continue the segment before it"));
            }
            if let Piece::Damaged(damaged) = piece {
                missing.push(damaged.clone());
            }
            before = Some(piece);
        }
        missing
    }

    /// What of that is asked for: of a last segment that cannot be read nobody knows where it ends, so it always is.
    #[must_use]
    pub fn missing_of(&self, selection: &Selection) -> Vec<Missing> {
        let is_asked_for = |it: &Missing| it.from == it.to || selection.overlaps(it.from, it.to);
        self.missing().into_iter().filter(is_asked_for).collect()
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
