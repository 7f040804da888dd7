//! What is read of the storage.

use shared::{
    archive::{
        self, ArchiveError,
        reading::{holdings, segments as reading},
    },
    chain::ChainIdentity,
    ports::objects::Objects,
    record::Offset,
};

use crate::{
    Chain, ReadError,
    answer::{Incarnation, Opened, Row, Segment, Segments, Topic, file},
};

/// So many segments are told at a time.
const SEGMENTS_MAX: usize = 50;
/// So many records of a segment are told.
const RECORDS_MAX: usize = 50;

pub(crate) async fn topic(objects: &dyn Objects, backup: &str, topic: &str) -> Result<Topic, ReadError> {
    let held = held(objects, backup, topic).await?;
    Ok(Topic { schema: "highwater.held-topic.v1", incarnations: held.into_iter().map(Incarnation::from).collect() })
}

/// The latest segments that begin below `before`.
pub(crate) async fn segments(
    objects: &dyn Objects,
    chain: &Chain<'_>,
    before: Option<Offset>,
) -> Result<Segments, ReadError> {
    let chain = identity(objects, chain).await?;
    let mut entries = reading::listed(objects, &chain).await?.entries;
    entries.retain(|entry| before.is_none_or(|before| entry.base < before));
    let shown = entries.split_off(entries.len().saturating_sub(SEGMENTS_MAX));
    let before = if entries.is_empty() { None } else { shown.first().map(|entry| entry.base.to_string()) };
    let described = reading::described(objects, &chain, shown).await?;
    let segments = described.iter().rev().map(|(entry, metadata)| Segment::of(entry, metadata)).collect();
    Ok(Segments { schema: "highwater.chain.v1", segments, before })
}

/// A segment and its first records.
pub(crate) async fn segment(objects: &dyn Objects, chain: &Chain<'_>, name: &str) -> Result<Opened, ReadError> {
    let chain = identity(objects, chain).await?;
    let entries = reading::listed(objects, &chain).await?.entries;
    let entry = entries.into_iter().find(|entry| file(&entry.key) == name);
    let entry = entry.ok_or_else(|| ReadError::Missing(format!("the backup holds no segment {name:?} there")))?;
    let segment = archive::read_segment(objects, &entry.key).await?;
    let mut records = vec![];
    for group in segment.row_groups() {
        let group = group.map_err(|source| archive::undecodable(&entry.key, source))?;
        records.extend(group.iter().take(RECORDS_MAX - records.len()).map(Row::from));
        if records.len() >= RECORDS_MAX {
            break;
        }
    }
    Ok(Opened { schema: "highwater.segment.v1", segment: Segment::of(&entry, segment.metadata()), records })
}

async fn identity(objects: &dyn Objects, chain: &Chain<'_>) -> Result<ChainIdentity, ReadError> {
    let held = held(objects, chain.backup, chain.topic).await?;
    let of_incarnation = held.into_iter().find(|topic| topic.claim.incarnation == chain.incarnation);
    let mut chains = of_incarnation.into_iter().flat_map(|topic| topic.chains);
    let found = chains.find(|it| it.partition == chain.partition);
    found.ok_or_else(|| {
        let Chain { backup, topic, incarnation, partition } = chain;
        ReadError::Missing(format!(
            "backup {backup:?} holds nothing of partition {partition} of topic {topic:?}, incarnation {incarnation}"
        ))
    })
}

async fn held(objects: &dyn Objects, backup: &str, topic: &str) -> Result<Vec<holdings::HeldTopic>, ReadError> {
    let held = match holdings::backups(objects, Some(backup)).await {
        Ok(backups) => backups,
        Err(ArchiveError::NoBackup { .. }) => vec![],
        Err(error) => return Err(error.into()),
    };
    let nothing = || ReadError::Missing(format!("backup {backup:?} holds nothing of topic {topic:?} yet"));
    let backup = held.first().ok_or_else(nothing)?;
    let topics = holdings::incarnations(objects, backup, topic).await?;
    if topics.is_empty() { Err(nothing()) } else { Ok(topics) }
}
