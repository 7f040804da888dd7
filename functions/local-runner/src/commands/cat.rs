//! `highwater cat`: a topic's records as JSON lines, every byte told.

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
    record::{Offset, Partition, line::Line},
};

use super::find;
use crate::{
    cli::CatArgs,
    failure::{Failure, Verdict},
    output, storage,
};

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
            output::line(&Line::of(&chain.topic, chain.incarnation, chain.partition, record))?;
        }
    }
    Ok(())
}
