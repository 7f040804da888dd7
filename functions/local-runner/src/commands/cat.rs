//! `highwater cat`: a topic's records as JSON lines, every byte told.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::Serialize;
use shared::{
    adapters::{instance, system_clock::SystemClock},
    archive::{
        pins::Hold,
        reading::{
            holdings::HeldTopic,
            pinned,
            range::{ChainRange, RangeSegment},
        },
    },
    chain::ChainIdentity,
    ports::objects::Objects,
    record::{Header, Millis, Offset, Partition, Record, TimestampType},
};

use super::find;
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
    let (backup, topic) = find::topic(objects, &args.topic, args.incarnation, args.storage.backup.as_deref()).await?;
    let holds = vec![Hold { incarnation: Some(topic.claim.incarnation), from: args.from, ..Hold::topic(&topic.topic) }];
    let id = format!("cat-{}", instance::name(&SystemClock));
    pinned(objects, &backup, holds, &id, print_topic(objects, &topic, &args)).await?
}

async fn print_topic(objects: &dyn Objects, topic: &HeldTopic, args: &CatArgs) -> Result<Verdict, Failure> {
    for chain in chains(topic, args.partition)? {
        let mut segments = ChainRange::open(objects, chain, args.from..args.to.unwrap_or(Offset(i64::MAX))).await?;
        while let Some(segment) = segments.next().await? {
            print_segment(chain, &segment, args)?;
        }
    }
    Ok(Verdict::Good)
}

/// The chains of a topic, or that of one partition.
fn chains(topic: &HeldTopic, only: Option<Partition>) -> Result<Vec<&ChainIdentity>, Failure> {
    let chains: Vec<_> = topic.chains.iter().filter(|chain| only.is_none_or(|only| chain.partition == only)).collect();
    match only.filter(|_| chains.is_empty()) {
        None => Ok(chains),
        Some(partition) => {
            let held: Vec<_> = topic.chains.iter().map(|chain| chain.partition.to_string()).collect();
            let (name, held) = (&topic.topic, held.join(", "));
            Err(Failure::Usage(format!("the backup holds no partition {partition} of topic {name:?}: it holds {held}")))
        }
    }
}

fn print_segment(chain: &ChainIdentity, segment: &RangeSegment, args: &CatArgs) -> Result<(), Failure> {
    for group in segment.reader.row_groups() {
        let records = group.map_err(|source| Failure::Segment { key: segment.entry.key.clone(), source })?;
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
