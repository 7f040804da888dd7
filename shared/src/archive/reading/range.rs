//! Reading a range of a chain: its segments one after the other, and an error where one is missing.

use std::{collections::VecDeque, ops::Range};

use super::segments::{self, ListedChain};
use crate::{
    archive::{self, ArchiveError, SegmentEntry},
    chain::{ChainIdentity, keys},
    ports::objects::Objects,
    record::Offset,
    segment::{SegmentMetadata, decoder::SegmentReader},
};

/// The segments of a chain that hold offsets of a range, in order.
pub struct ChainRange<'a> {
    objects: &'a dyn Objects,
    chain: &'a ChainIdentity,
    range: Range<Offset>,
    /// What is still to be read.
    entries: VecDeque<SegmentEntry>,
    /// Where the segment behind them begins, if there is one.
    beyond: Option<Offset>,
    /// Where the next segment must begin.
    expected: Offset,
}

/// A segment of a range.
pub struct RangeSegment {
    /// Its place.
    pub entry: SegmentEntry,
    /// Its content. Where it reaches beyond the range, so do its records.
    pub reader: SegmentReader,
}

impl<'a> ChainRange<'a> {
    /// Lists what there is of the range. What has expired belongs to no range: reading begins at the floor then. Beyond the
    /// chain's end there is nothing, and that is no error.
    pub async fn open(
        objects: &'a dyn Objects,
        chain: &'a ChainIdentity,
        range: Range<Offset>,
    ) -> Result<Self, ArchiveError> {
        let ListedChain { floor, entries } = segments::listed(objects, chain).await?;
        let beyond = entries.iter().map(|entry| entry.base).find(|base| *base >= range.end);
        let entries = within(entries, &range);
        let begins_at = range.start.max(floor);
        let expected = entries.front().map_or(begins_at, |first| first.base.clamp(floor, begins_at));
        Ok(ChainRange { objects, chain, range, entries, beyond, expected })
    }

    /// Reads the next segment; `None` behind the last.
    ///
    /// # Errors
    /// [`ArchiveError::Hole`] when offsets of the range before it lie in no segment; whatever lies below was read.
    pub async fn next(&mut self) -> Result<Option<RangeSegment>, ArchiveError> {
        let next_base = self.entries.front().map(|entry| entry.base).or(self.beyond);
        if self.expected < self.range.end
            && let Some(error) = next_base.and_then(|base| join(self.chain, self.expected, base))
        {
            return Err(error);
        }
        let Some(entry) = self.entries.front() else { return Ok(None) };
        let (footer, body) = archive::read_whole(self.objects, self.chain, entry).await?;
        let reader = SegmentReader::open(body).map_err(|error| archive::error::undecodable(&entry.key, error))?;
        self.expected = footer.metadata.next;
        Ok(self.entries.pop_front().map(|entry| RangeSegment { entry, reader }))
    }
}

/// The places at which the segments of a chain do not join; the first of them begins at the floor.
pub fn holes<'a>(
    chain: &'a ChainIdentity,
    floor: Offset,
    described: &'a [(SegmentEntry, SegmentMetadata)],
) -> impl Iterator<Item = ArchiveError> + 'a {
    let ends = std::iter::once(floor).chain(described.iter().map(|(_, metadata)| metadata.next));
    described.iter().zip(ends).filter_map(|((entry, _), expected)| join(chain, expected, entry.base))
}

/// What is wrong where a segment should begin at one offset and begins at another.
fn join(chain: &ChainIdentity, expected: Offset, base: Offset) -> Option<ArchiveError> {
    let folder = keys::chain_folder(chain);
    match base.cmp(&expected) {
        std::cmp::Ordering::Equal => None,
        std::cmp::Ordering::Greater => Some(ArchiveError::Hole { folder, from: expected, to: base }),
        std::cmp::Ordering::Less => Some(ArchiveError::Overlap { folder, from: base, to: expected }),
    }
}

/// The segments that may hold offsets of the range: each reaches to the base of the one behind it.
fn within(entries: Vec<SegmentEntry>, range: &Range<Offset>) -> VecDeque<SegmentEntry> {
    let ends: Vec<_> = entries.iter().skip(1).map(|next| next.base).chain([Offset(i64::MAX)]).collect();
    let overlaps = |(entry, end): &(SegmentEntry, Offset)| *end > range.start && entry.base < range.end;
    entries.into_iter().zip(ends).filter(overlaps).map(|(entry, _)| entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(base: i64) -> SegmentEntry {
        SegmentEntry { key: base.to_string(), base: Offset(base), cuts: 0, size_bytes: 0 }
    }

    fn bases(from: i64, to: i64) -> Vec<i64> {
        let entries = [0, 10, 25].map(entry).to_vec();
        within(entries, &(Offset(from)..Offset(to))).iter().map(|entry| entry.base.0).collect()
    }

    #[test]
    fn only_segments_that_may_hold_the_range_are_read() {
        assert_eq!(bases(0, i64::MAX), [0, 10, 25]);
        assert_eq!(bases(10, i64::MAX), [10, 25]);
        assert_eq!(bases(9, 10), [0]);
        assert_eq!(bases(1_000, i64::MAX), [25]);
        assert_eq!(bases(0, 0), [] as [i64; 0]);
    }
}
