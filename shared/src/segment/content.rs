//! A segment's records against what its footer says of them: everything counted anew, a row group in memory at a time.

use super::{
    decoder::{DecodeError, SegmentReader},
    metadata::{SegmentMetadata, TimestampRange},
};
use crate::{
    chain::{ChainDigest, Totals},
    record::{Offset, Record},
};

/// Where a footer contradicts itself: no record needs to be read for that.
#[must_use]
pub fn contradictions(metadata: &SegmentMetadata) -> Vec<String> {
    let SegmentMetadata { base, next, own, gaps, last_read, .. } = metadata;
    let mut found = vec![];
    if next <= base {
        found.push(format!("it says it covers from {base} to {next}"));
        return found;
    }
    let offsets = next.0.abs_diff(base.0);
    let kept_or_lost = own.records.saturating_add(own.filtered).saturating_add(own.gap_offsets);
    if kept_or_lost > offsets {
        found.push(format!("it says it accounts for {kept_or_lost} offsets, and covers {offsets}"));
    }
    if own.segments != 1 || own.stored_bytes != 0 {
        found.push(format!("it says it adds {} segments and {} stored bytes", own.segments, own.stored_bytes));
    }
    if metadata.timestamps.is_some() != (own.records > 0) {
        found.push(format!("it says it keeps {} records, with {}", own.records, text_of(metadata.timestamps)));
    }
    if let Some(last) = last_read.filter(|last| last.offset.next() != *next) {
        found.push(format!(
            "it says the last record read for it was at {}, and that it covers up to {next}",
            last.offset
        ));
    }
    let ends = std::iter::once(*base).chain(gaps.iter().map(|gap| gap.to));
    if gaps.iter().zip(ends).any(|(gap, end)| gap.from < end || gap.to <= gap.from || gap.to > *next) {
        found.push("its gaps do not lie one after the other within what it covers".to_owned());
        return found;
    }
    let lost = gaps.iter().filter(|gap| gap.cause.is_loss());
    let (count, sum) = lost.fold((0, 0), |(count, sum), gap| (count + 1, sum + gap.to.0.abs_diff(gap.from.0)));
    if (count, sum) != (own.gaps, own.gap_offsets) {
        let said = format!("{} gaps of {} offsets", own.gaps, own.gap_offsets);
        found.push(format!("it says it has {said}, and lists {count} of {sum}"));
    }
    found
}

fn text_of(range: Option<TimestampRange>) -> String {
    range.map_or_else(|| "no timestamps".to_owned(), |range| format!("timestamps from {} to {}", range.min, range.max))
}

/// Decodes every page and says where the records are not what the footer says.
///
/// # Errors
/// When it cannot be decoded.
pub fn differences(reader: &SegmentReader) -> Result<Vec<String>, DecodeError> {
    let mut recount = Recount::new(reader.metadata());
    for group in reader.row_groups() {
        recount.add(&group?);
    }
    Ok(recount.finish())
}

/// What the records are, counted anew.
struct Recount<'a> {
    metadata: &'a SegmentMetadata,
    own: Totals,
    digest: ChainDigest,
    timestamps: Option<TimestampRange>,
    expected: Offset,
    misplaced: Option<Offset>,
    last_differs: bool,
}

impl<'a> Recount<'a> {
    fn new(metadata: &'a SegmentMetadata) -> Self {
        let (digest, expected) = (metadata.before.digest, metadata.base);
        Recount {
            metadata,
            own: Totals::default(),
            digest,
            timestamps: None,
            expected,
            misplaced: None,
            last_differs: false,
        }
    }

    fn add(&mut self, records: &[Record]) {
        for record in records {
            self.own.records += 1;
            self.own.record_bytes += record.size_bytes();
            self.timestamps = Some(TimestampRange::including(self.timestamps, record.timestamp));
            let has_place = record.offset >= self.expected && record.offset < self.metadata.next;
            if !has_place || self.is_lost(record.offset) {
                self.misplaced.get_or_insert(record.offset);
            }
            self.expected = self.expected.max(record.offset.next());
        }
        let said = self.metadata.last_read;
        let last = records.last().filter(|last| said.is_some_and(|said| said.offset == last.offset));
        self.last_differs |= last.is_some_and(|last| said.is_some_and(|it| it.digest != ChainDigest::of_record(last)));
        self.digest = self.digest.after_all(records);
    }

    fn is_lost(&self, offset: Offset) -> bool {
        self.metadata.gaps.iter().any(|gap| gap.from <= offset && offset < gap.to)
    }

    fn finish(self) -> Vec<String> {
        let (said, own) = (self.metadata, self.own);
        let mut found = vec![];
        let mut compare = |same: bool, text: String| {
            if !same {
                found.push(text);
            }
        };
        compare(own.records == said.own.records, format!("{} records where it says {}", own.records, said.own.records));
        let bytes = (own.record_bytes, said.own.record_bytes);
        compare(bytes.0 == bytes.1, format!("{} bytes of records where it says {}", bytes.0, bytes.1));
        let times = (self.timestamps, said.timestamps);
        compare(times.0 == times.1, format!("{} where it says {}", text_of(times.0), text_of(times.1)));
        compare(self.digest == said.digest, format!("the digest {} where it says {}", self.digest, said.digest));
        if self.last_differs {
            found.push("its last record is not the one that it says was read last".to_owned());
        }
        if let Some(offset) = self.misplaced {
            found.push(format!("a record at offset {offset}, where none can be"));
        }
        found
    }
}
