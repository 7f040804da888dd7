//! `highwater cat`: a topic's records as JSON lines, every byte told.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::Serialize;
use shared::{
    adapters::{instance, system_clock::SystemClock},
    archive::{
        self, SegmentEntry,
        pins::Hold,
        reading::{
            holdings::{self, HeldTopic},
            pinned, segments,
        },
    },
    chain::ChainIdentity,
    ports::objects::Objects,
    record::{Header, Millis, Offset, Partition, Record, TimestampType},
};

use crate::{
    cli::CatArgs,
    failure::{Failure, Verdict},
    output, storage,
};

#[derive(Debug, Serialize)]
struct Line<'a> {
    topic: &'a str,
    incarnation: u32,
    partition: Partition,
    offset: Offset,
    timestamp_ms: Millis,
    timestamp_type: TimestampType,
    key: Option<Data<'a>>,
    value: Option<Data<'a>>,
    headers: Vec<HeaderLine<'a>>,
}

#[derive(Debug, Serialize)]
struct HeaderLine<'a> {
    name: Data<'a>,
    value: Option<Data<'a>>,
}

/// Bytes: exact as base64, and readable where they are UTF-8. A null is JSON's null.
#[derive(Debug, Serialize)]
struct Data<'a> {
    base64: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
}

pub(super) async fn run(config: Option<&str>, args: CatArgs) -> Result<Verdict, Failure> {
    let storage = storage::open(config, &args.storage).await?;
    let objects = &*storage.objects;
    let (backup, topic) = find(objects, &args).await?;
    let holds = vec![Hold { incarnation: Some(topic.claim.incarnation), from: args.from, ..Hold::topic(&topic.topic) }];
    let id = format!("cat-{}", instance::name(&SystemClock));
    pinned(objects, &backup, holds, &id, print_topic(objects, &topic, &args)).await?
}

async fn print_topic(objects: &dyn Objects, topic: &HeldTopic, args: &CatArgs) -> Result<Verdict, Failure> {
    let chains = topic.chains.iter().filter(|chain| args.partition.is_none_or(|wanted| chain.partition == wanted));
    for chain in chains {
        for entry in within(segments::entries(objects, chain).await?, args.from, args.to) {
            print_segment(objects, chain, &entry, args).await?;
        }
    }
    Ok(Verdict::Good)
}

/// The one incarnation of the one topic that is meant, and its backup.
async fn find(objects: &dyn Objects, args: &CatArgs) -> Result<(String, HeldTopic), Failure> {
    let mut found = vec![];
    for backup in holdings::backups(objects, args.storage.backup.as_deref()).await? {
        let mut held = holdings::topics(objects, &backup, |topic| topic == args.topic).await?;
        held.retain(|topic| args.incarnation.is_none_or(|n| topic.claim.incarnation == n));
        found.extend(held.pop().map(|topic| (backup.owner.backup, topic)));
    }
    let names: Vec<_> = found.iter().map(|(backup, _)| backup.as_str()).collect();
    match names[..] {
        [] => Err(Failure::Usage(format!(
            "the backup holds no such topic {:?}: `highwater topics` lists what it holds",
            args.topic
        ))),
        [_] => Ok(found.swap_remove(0)),
        _ => Err(Failure::Usage(format!(
            "topic {:?} is in the backups {}: name one with --backup",
            args.topic,
            names.join(", ")
        ))),
    }
}

/// The segments that may hold offsets of [from, to): a segment reaches to the base of the one behind it.
fn within(entries: Vec<SegmentEntry>, from: Offset, to: Option<Offset>) -> Vec<SegmentEntry> {
    let ends: Vec<_> = entries.iter().skip(1).map(|next| next.base).chain([Offset(i64::MAX)]).collect();
    let overlaps = |(entry, end): &(SegmentEntry, Offset)| *end > from && to.is_none_or(|to| entry.base < to);
    entries.into_iter().zip(ends).filter(overlaps).map(|(entry, _)| entry).collect()
}

async fn print_segment(
    objects: &dyn Objects,
    chain: &ChainIdentity,
    entry: &SegmentEntry,
    args: &CatArgs,
) -> Result<(), Failure> {
    let segment = archive::read_segment(objects, &entry.key).await?;
    for group in segment.row_groups() {
        let records = group.map_err(|source| Failure::Segment { key: entry.key.clone(), source })?;
        for record in
            records.iter().filter(|record| record.offset >= args.from && args.to.is_none_or(|to| record.offset < to))
        {
            output::line(&line(chain, record))?;
        }
    }
    Ok(())
}

fn line<'a>(chain: &'a ChainIdentity, record: &'a Record) -> Line<'a> {
    let header = |header: &'a Header| HeaderLine { name: data(&header.name), value: header.value.as_ref().map(data) };
    Line {
        topic: &chain.topic,
        incarnation: chain.incarnation,
        partition: chain.partition,
        offset: record.offset,
        timestamp_ms: record.timestamp,
        timestamp_type: record.timestamp_type,
        key: record.key.as_ref().map(data),
        value: record.value.as_ref().map(data),
        headers: record.headers.iter().map(header).collect(),
    }
}

fn data(bytes: &Bytes) -> Data<'_> {
    Data { base64: STANDARD.encode(bytes), text: std::str::from_utf8(bytes).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(base: i64) -> SegmentEntry {
        SegmentEntry { key: base.to_string(), base: Offset(base), cuts: 0, size_bytes: 0 }
    }

    fn bases(from: i64, to: Option<i64>) -> Vec<i64> {
        let entries = [0, 10, 25].map(entry).to_vec();
        within(entries, Offset(from), to.map(Offset)).iter().map(|entry| entry.base.0).collect()
    }

    #[test]
    fn only_segments_that_may_hold_the_range_are_read() {
        assert_eq!(bases(0, None), [0, 10, 25]);
        assert_eq!(bases(10, None), [10, 25]);
        assert_eq!(bases(9, Some(10)), [0]);
        assert_eq!(bases(1_000, None), [25]);
        assert_eq!(bases(0, Some(0)), [] as [i64; 0]);
    }

    #[test]
    fn null_empty_text_and_bytes_are_told_apart() {
        let chain: ChainIdentity = serde_json::from_value(serde_json::json!({
            "cluster_id": "c", "backup": "main", "topic": "orders", "topic_id": "i", "incarnation": 1, "partition": 0
        }))
        .unwrap();
        let header = |name: &'static [u8], value| Header { name: Bytes::from_static(name), value };
        let record = Record {
            offset: Offset(7),
            timestamp: Millis(-1),
            timestamp_type: TimestampType::None,
            key: None,
            value: Some(Bytes::new()),
            headers: vec![
                header(b"a", None),
                header(b"\xff", Some(Bytes::from_static(b"\xfe"))),
                header(b"a", Some(Bytes::from_static("ü".as_bytes()))),
            ],
        };
        let expected = r#"{"topic":"orders","incarnation":1,"partition":0,"offset":7,"timestamp_ms":-1,"timestamp_type":"none","key":null,"value":{"base64":"","text":""},"headers":[{"name":{"base64":"YQ==","text":"a"},"value":null},{"name":{"base64":"/w=="},"value":{"base64":"/g=="}},{"name":{"base64":"YQ==","text":"a"},"value":{"base64":"w7w=","text":"ü"}}]}"#;
        assert_eq!(serde_json::to_string(&line(&chain, &record)).unwrap(), expected);
    }
}
