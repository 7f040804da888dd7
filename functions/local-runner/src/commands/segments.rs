//! `highwater segments`: every segment and what it says of itself.

use serde::Serialize;
use shared::{
    archive::{
        SegmentEntry,
        reading::{
            holdings, range,
            segments::{self, ListedChain},
        },
    },
    chain::ChainDigest,
    ports::objects::Objects,
    record::{Millis, Offset, Partition},
    segment::{Gap, SegmentMetadata, metadata::TimestampRange},
};

use super::find;
use crate::{
    cli::SegmentsArgs,
    failure::{Failure, Verdict},
    output::{self, Report, table, time::utc},
    storage,
};

#[derive(Debug, Serialize)]
pub(super) struct Segments {
    pub(super) segments: Vec<Segment>,
    /// The places at which they do not join: a segment is missing there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) holes: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct Segment {
    pub(super) key: String,
    pub(super) backup: String,
    pub(super) topic: String,
    pub(super) incarnation: u32,
    pub(super) partition: Partition,
    pub(super) base: Offset,
    pub(super) next: Offset,
    pub(super) records: u64,
    pub(super) record_bytes: u64,
    pub(super) filtered: u64,
    pub(super) filter_errors: u64,
    pub(super) stored_bytes: u64,
    pub(super) timestamps: Option<TimestampRange>,
    pub(super) written_at: Millis,
    pub(super) gaps: Vec<Gap>,
    /// The chain digest after it.
    pub(super) digest: ChainDigest,
}

pub(super) async fn run(config: Option<&str>, args: SegmentsArgs) -> Result<Verdict, Failure> {
    let storage = storage::open(config, &args.storage).await?;
    let wanted = |topic: &str| args.topic.as_ref().is_none_or(|pattern| pattern.matches(topic));
    let segments = held(&*storage.objects, args.storage.backup.as_deref(), wanted).await?;
    if let Some(topic) = args.topic.filter(|_| segments.segments.is_empty()) {
        return Err(find::no_topic(&topic.to_string()));
    }
    output::print(&segments, args.output.json)?;
    Ok(if segments.holes.is_empty() { Verdict::Good } else { Verdict::Wrong })
}

/// The segments of the wanted topics.
pub(super) async fn held(
    objects: &dyn Objects,
    backup: Option<&str>,
    wanted: impl Fn(&str) -> bool,
) -> Result<Segments, Failure> {
    let mut held = Segments { segments: vec![], holes: vec![] };
    for backup in holdings::backups(objects, backup).await? {
        for chain in holdings::topics(objects, &backup, &wanted).await?.into_iter().flat_map(|topic| topic.chains) {
            let ListedChain { floor, entries } = segments::listed(objects, &chain).await?;
            let described = segments::described(objects, &chain, entries).await?;
            held.holes.extend(range::holes(&chain, floor, &described).map(|hole| hole.to_string()));
            held.segments.extend(described.into_iter().map(Segment::from));
        }
    }
    Ok(held)
}

impl From<(SegmentEntry, SegmentMetadata)> for Segment {
    fn from((entry, metadata): (SegmentEntry, SegmentMetadata)) -> Self {
        let chain = metadata.chain;
        Segment {
            key: entry.key,
            backup: chain.backup,
            topic: chain.topic.to_string(),
            incarnation: chain.incarnation,
            partition: chain.partition,
            base: metadata.base,
            next: metadata.next,
            records: metadata.own.records,
            record_bytes: metadata.own.record_bytes,
            filtered: metadata.own.filtered,
            filter_errors: metadata.own.filter_errors,
            stored_bytes: entry.size_bytes,
            timestamps: metadata.timestamps,
            written_at: metadata.written_at,
            gaps: metadata.gaps,
            digest: metadata.digest,
        }
    }
}

impl Report for Segments {
    const SCHEMA: &'static str = "highwater.segments.v1";

    fn text(&self) -> String {
        let row = |segment: &Segment| {
            let span = |end: fn(&TimestampRange) -> Millis| {
                segment.timestamps.as_ref().map_or("-".to_owned(), |range| utc(end(range)))
            };
            [
                segment.key.clone(),
                segment.next.to_string(),
                segment.records.to_string(),
                segment.record_bytes.to_string(),
                segment.stored_bytes.to_string(),
                span(|range| range.min),
                span(|range| range.max),
            ]
        };
        let heads = ["KEY", "NEXT", "RECORDS", "BYTES", "STORED", "FROM", "TO"];
        let table = table::layout(heads, &self.segments.iter().map(row).collect::<Vec<_>>());
        let holes: String = self.holes.iter().map(|hole| format!("{hole}\n")).collect();
        format!("{table}{holes}")
    }
}
