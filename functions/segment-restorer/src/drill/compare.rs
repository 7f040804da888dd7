//! What was restored, read back and compared with the backup.
//!
//! Each record that comes back is put in the place of the record that the segment holds: with its offset and its kind of
//! timestamp, which a client cannot write. From the digest before the segment they must lead to the digest behind it, as the
//! footer has it. So what is proven is what the writer had stored, and not only what the segment holds today.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use shared::{
    archive::reading::range::{ChainRange, RangeSegment},
    blocking,
    chain::{ChainDigest, ChainIdentity},
    ports::records::{Fetch, Fetched, RecordsError},
    record::{Offset, Record, TopicPartition},
    segment::decoder::DecodeError,
};

use super::{Candidate, report::PartitionDrill};
use crate::{PartitionReport, RestoreReport, context::Context, error::RestoreError, progress_log};

/// How long one look waits for records, and how often in a row nothing may come.
const LOOK: Duration = Duration::from_millis(500);
const LOOKS_MAX: u32 = 60;

/// Compares every partition that was restored.
pub(super) async fn topic(
    candidate: &Candidate,
    restored: &RestoreReport,
    context: &Context,
) -> Result<Vec<PartitionDrill>, RestoreError> {
    let topics = restored.topics.iter().flat_map(|topic| topic.partitions.iter().map(|it| (topic.target.clone(), it)));
    let mut compared = vec![];
    for (scratch, report) in topics {
        let Some(chain) = candidate.chains.get(&report.partition) else { continue };
        compared.push(partition(candidate, chain, scratch, report, context));
    }
    stream::iter(compared).buffered(context.limits.partitions_max).try_collect().await
}

async fn partition(
    candidate: &Candidate,
    chain: &ChainIdentity,
    scratch: Arc<str>,
    report: &PartitionReport,
    context: &Context,
) -> Result<PartitionDrill, RestoreError> {
    let window = candidate.windows.get(&report.partition);
    let from = window.and_then(|window| window.from).unwrap_or(Offset(0));
    let mut drilled = PartitionDrill::begin(report.partition, from, report.end, window);
    let mut segments = ChainRange::open(&*context.objects, chain, from..report.end).await?;
    let mut back = ReadBack::open(TopicPartition { topic: scratch, partition: report.partition }, context).await?;
    while let Some(segment) = segments.next().await? {
        drilled.difference = compare(segment, &mut back, &mut drilled).await?;
        if drilled.difference.is_some() {
            return Ok(drilled);
        }
    }
    if drilled.segments == 0 {
        drilled.difference = Some("none of its segments could be compared".to_owned());
    }
    if let [extra, ..] = &back.take(1).await?[..] {
        drilled.difference = Some(format!("the scratch topic has a record more, at offset {}", extra.offset));
    }
    Ok(drilled)
}

/// Compares the records of a segment. What is different.
async fn compare(
    segment: RangeSegment,
    back: &mut ReadBack,
    drilled: &mut PartitionDrill,
) -> Result<Option<String>, RestoreError> {
    let RangeSegment { entry, reader } = segment;
    let reader = Arc::new(reader);
    let mut digest = reader.metadata().before.digest;
    for index in 0..reader.row_group_count() {
        let group = reader.clone();
        let stored = blocking::run(move || group.row_group(index)).await;
        let stored = stored.map_err(|source: DecodeError| RestoreError::Damaged {
            key: entry.key.clone(),
            from: reader.metadata().base,
            to: reader.metadata().next,
            source,
        })?;
        let found = back.take(stored.len()).await?;
        let judged = blocking::run(move || judge(stored, found, digest)).await;
        match judged {
            Ok(judged) => {
                drilled.records += judged.records;
                drilled.record_bytes += judged.record_bytes;
                digest = judged.digest;
            }
            Err(difference) => return Ok(Some(difference)),
        }
    }
    let said = reader.metadata().digest;
    drilled.segments += 1;
    let other = || format!("{}: the restored records have digest {digest}, and its footer says {said}", entry.key);
    Ok((digest != said).then(other))
}

struct Judged {
    records: u64,
    record_bytes: u64,
    digest: ChainDigest,
}

/// The digest behind these records, or the first difference.
fn judge(stored: Vec<Record>, found: Vec<Record>, mut digest: ChainDigest) -> Result<Judged, String> {
    let (mut found, records, mut record_bytes) = (found.into_iter(), stored.len() as u64, 0);
    for stored in stored {
        let Some(found) = found.next() else {
            return Err(format!("the record at offset {} did not come back", stored.offset));
        };
        if let Some(what) = difference(&stored, &found) {
            return Err(format!("the record at offset {} came back with another {what}", stored.offset));
        }
        let found = Record { offset: stored.offset, timestamp_type: stored.timestamp_type, ..found };
        record_bytes += found.size_bytes();
        digest = digest.after(&found);
    }
    Ok(Judged { records, record_bytes, digest })
}

fn difference(stored: &Record, found: &Record) -> Option<&'static str> {
    let parts = [
        ("timestamp", stored.timestamp != found.timestamp),
        ("key", stored.key != found.key),
        ("value", stored.value != found.value),
        ("header", stored.headers != found.headers),
    ];
    parts.into_iter().find(|(_, differs)| *differs).map(|(name, _)| name)
}

/// The records of a scratch partition, to the end that it had when everything was committed.
struct ReadBack {
    at: TopicPartition,
    fetch: Box<dyn Fetch>,
    waiting: VecDeque<Record>,
    position: Offset,
    end: Offset,
}

impl ReadBack {
    async fn open(at: TopicPartition, context: &Context) -> Result<Self, RestoreError> {
        let bounds = progress_log::ended_bounds(&*context.target, std::slice::from_ref(&at)).await?;
        let (start, end) = bounds.first().map_or((Offset(0), Offset(0)), |log| (log.start, log.high_watermark));
        let fetch = context.target.fetch(&[(at.clone(), start)]).await?;
        Ok(ReadBack { at, fetch, waiting: VecDeque::new(), position: start, end })
    }

    /// The next records, fewer where there are no more.
    async fn take(&mut self, count: usize) -> Result<Vec<Record>, RestoreError> {
        let mut quiet = 0;
        while self.waiting.len() < count && self.position < self.end {
            let before = self.position;
            for fetched in self.fetch.next(LOOK).await? {
                self.came(fetched)?;
            }
            quiet = if self.position > before { 0 } else { quiet + 1 };
            if quiet > LOOKS_MAX {
                return Err(RestoreError::NotReadBack { partition: self.at.clone(), position: self.position });
            }
        }
        let count = count.min(self.waiting.len());
        Ok(self.waiting.drain(..count).collect())
    }

    fn came(&mut self, fetched: Fetched) -> Result<(), RestoreError> {
        match fetched {
            Fetched::Records { records, .. } => {
                self.position = records.last().map_or(self.position, |last| last.offset.next());
                self.waiting.extend(records);
            }
            Fetched::End { position, .. } => self.position = self.position.max(position),
            Fetched::Failed { error, .. } => return Err(RecordsError::clone(&error).into()),
            Fetched::OutOfRange { partition } => {
                return Err(RestoreError::NotReadBack { partition, position: self.position });
            }
            Fetched::Interrupted | Fetched::Assigned { .. } | Fetched::Revoked { .. } => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use shared::record::{Header, Millis, TimestampType};

    use super::*;

    fn record(offset: i64) -> Record {
        Record {
            offset: Offset(offset),
            timestamp: Millis(5),
            timestamp_type: TimestampType::LogAppendTime,
            key: None,
            value: Some(Bytes::from_static(b"v")),
            headers: vec![Header { name: Bytes::from_static(b"h"), value: None }],
        }
    }

    /// The record as it lies in a scratch topic.
    fn back(offset: i64) -> Record {
        Record { offset: Offset(offset), timestamp_type: TimestampType::CreateTime, ..record(0) }
    }

    fn start() -> ChainDigest {
        ChainDigest::of_record(&record(0))
    }

    fn judged(found: Vec<Record>) -> Result<Judged, String> {
        judge(vec![record(7), record(9)], found, start())
    }

    #[test]
    fn records_that_came_back_lead_to_the_digest_of_those_that_were_stored() {
        let judged = judged(vec![back(0), back(1)]).ok().unwrap();
        let expected = start().after_all(&[record(7), record(9)]);
        assert_eq!((judged.records, judged.digest), (2, expected));
    }

    #[test]
    fn the_first_difference_is_told_by_its_offset() {
        let told = |found| judged(found).err().unwrap();
        assert_eq!(told(vec![back(0)]), "the record at offset 9 did not come back");
        let others = [
            ("timestamp", Record { timestamp: Millis(6), ..back(1) }),
            ("key", Record { key: Some(Bytes::new()), ..back(1) }),
            ("value", Record { value: None, ..back(1) }),
            ("header", Record { headers: vec![], ..back(1) }),
        ];
        for (what, other) in others {
            assert_eq!(told(vec![back(0), other]), format!("the record at offset 9 came back with another {what}"));
        }
    }
}
