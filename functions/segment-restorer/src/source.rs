//! What the backup holds of the topics that are asked for.

use std::{collections::BTreeMap, sync::Arc};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use shared::{
    archive::{self, ArchiveError, Claim, Owner, SegmentEntry, TopicSnapshot, reading::segments},
    chain::ChainIdentity,
    function::with_sources,
    ports::objects::Objects,
    record::{Offset, Partition},
    restore::{Missing, Selection, SourcePartition, SourceSegment, TopicJob},
    segment::SegmentMetadata,
};

use crate::error::RestoreError;

/// So many partitions are looked at at the same time.
const PARTITIONS_AT_ONCE: usize = 8;

/// A topic of the backup.
pub(crate) struct SourceTopic {
    /// Which topic of its name.
    pub(crate) claim: Claim,
    /// Its partitions, those that are not asked for too.
    pub(crate) partitions: Vec<SourcePartition>,
    /// Which records of each are asked for.
    pub(crate) selections: BTreeMap<Partition, Selection>,
    /// How it was set up at last, where the backup knows.
    pub(crate) setup: Option<TopicSnapshot>,
}

/// The backup of that name, or the only one.
pub(crate) async fn backup(objects: &dyn Objects, name: Option<&str>) -> Result<Owner, RestoreError> {
    let name = match name {
        Some(name) => name.to_owned(),
        None => {
            let mut names = archive::backups(objects).await?;
            match names.len() {
                1 => names.swap_remove(0),
                _ => return Err(RestoreError::WhichBackup(names)),
            }
        }
    };
    let missing = ArchiveError::NoBackup { backup: name.clone() };
    archive::read_owner(objects, &name).await?.ok_or_else(|| missing.into())
}

/// The names of its topics.
pub(crate) async fn topics(objects: &dyn Objects, backup: &Owner) -> Result<Vec<Arc<str>>, RestoreError> {
    Ok(archive::topics(objects, &backup.backup).await?.into_iter().map(Into::into).collect())
}

/// What is held of a job's topic; `None` where there is no such incarnation.
pub(crate) async fn topic(
    objects: &dyn Objects,
    backup: &Owner,
    job: &TopicJob,
) -> Result<Option<SourceTopic>, RestoreError> {
    let claims = archive::claims(objects, &backup.backup, &job.source).await?;
    let is_wanted = |claim: &&Claim| job.incarnation.is_none_or(|wanted| claim.incarnation == wanted);
    let Some(claim) = claims.iter().rfind(is_wanted).cloned() else { return Ok(None) };
    let chains = archive::chains(objects, &backup.cluster_id, &backup.backup, &job.source, &claim).await?;
    let selection = |partition: Partition| match (job.partitions.get(&partition), job.partitions.is_empty()) {
        (None, false) => None,
        (offsets, _) => Some(Selection {
            offsets: offsets.copied().unwrap_or_default(),
            time: job.time,
            filter: job.filter.clone(),
            ids: None,
        }),
    };
    let selections: BTreeMap<_, _> =
        chains.iter().filter_map(|chain| Some((chain.partition, selection(chain.partition)?))).collect();
    let read = stream::iter(chains).map(|chain| {
        let selection = selections.get(&chain.partition).cloned();
        async move { partition(objects, chain, selection.as_ref()).await }
    });
    let partitions = read.buffered(PARTITIONS_AT_ONCE).try_collect().await?;
    let setup = archive::latest_topic(objects, &backup.backup, &job.source, &claim.topic_id).await?;
    Ok(Some(SourceTopic { claim, partitions, selections, setup }))
}

/// A partition with the footers of the segments that may be needed; none where it is not asked for.
async fn partition(
    objects: &dyn Objects,
    chain: ChainIdentity,
    selection: Option<&Selection>,
) -> Result<SourcePartition, RestoreError> {
    let floor = archive::read_floor(objects, &chain).await?.floor;
    let entries = segments::listed(objects, &chain).await?.entries;
    let first = entries.first().cloned();
    let (next, may_end) = match entries.last() {
        Some(last) => match archive::read_metadata(objects, &chain, last).await {
            Ok(metadata) => (metadata.next, metadata.next),
            // Nobody knows where it ends: it may hold whatever is asked for behind its base.
            Err(error) if error.is_damage() => (last.base, Offset(i64::MAX)),
            Err(error) => return Err(error.into()),
        },
        None => (floor.base, floor.base),
    };
    let bases: Vec<_> = entries.iter().map(|entry| entry.base).collect();
    let wanted = selection.map(|selection| within(entries, selection, may_end)).unwrap_or_default();
    let (mut segments, mut damaged) = (vec![], vec![]);
    for (entry, metadata) in footers(objects, &chain, wanted).await? {
        match metadata {
            Ok(metadata) => segments.push(SourceSegment { entry, metadata }),
            Err(error) => {
                let behind = bases.iter().find(|base| **base > entry.base);
                let (from, to) = (entry.base, behind.copied().unwrap_or(next));
                damaged.push(Missing { from, to, key: entry.key, why: with_sources(&error) });
            }
        }
    }
    Ok(SourcePartition { chain, floor, first, segments, damaged, next })
}

/// The segments, each with its footer or with why that cannot be read.
async fn footers(
    objects: &dyn Objects,
    chain: &ChainIdentity,
    entries: Vec<SegmentEntry>,
) -> Result<Vec<(SegmentEntry, Result<SegmentMetadata, ArchiveError>)>, RestoreError> {
    let read = |entry: SegmentEntry| async move {
        match archive::read_metadata(objects, chain, &entry).await {
            Err(error) if !error.is_damage() => Err(error.into()),
            metadata => Ok((entry, metadata)),
        }
    };
    let reads: Vec<_> = entries.into_iter().map(read).collect();
    stream::iter(reads).buffered(segments::READS_MAX).try_collect().await
}

/// The segments that may hold offsets that are asked for, each of which reaches to the base of the one behind it, the last one to
/// `may_end`; and the one behind them, which tells whether a range between is missing.
fn within(entries: Vec<SegmentEntry>, selection: &Selection, may_end: Offset) -> Vec<SegmentEntry> {
    let end = |index: usize| entries.get(index + 1).map_or(may_end, |later| later.base);
    let overlaps = |index: &usize| selection.overlaps(entries[*index].base, end(*index));
    let mut wanted = (0..entries.len()).filter(overlaps);
    let Some(first) = wanted.next() else { return vec![] };
    let last = wanted.next_back().unwrap_or(first);
    entries.into_iter().take(last + 2).skip(first).collect()
}

#[cfg(test)]
mod tests {
    use shared::restore::OffsetRange;

    use super::*;

    fn bases(from: Option<i64>, until: Option<i64>) -> Vec<i64> {
        let entry = |base: i64| SegmentEntry { key: base.to_string(), base: Offset(base), cuts: 0, size_bytes: 0 };
        let offsets = OffsetRange { from: from.map(Offset), until: until.map(Offset) };
        let selection = Selection { offsets, ..Selection::default() };
        let entries = within([0, 10, 25, 40].map(entry).to_vec(), &selection, Offset(50));
        entries.iter().map(|entry| entry.base.0).collect()
    }

    #[test]
    fn footers_of_the_range_are_read_and_the_one_behind_it() {
        assert_eq!(bases(None, None), [0, 10, 25, 40]);
        assert_eq!(bases(Some(10), Some(12)), [10, 25]);
        assert_eq!(bases(Some(9), Some(10)), [0, 10]);
        assert_eq!(bases(Some(45), None), [40]);
        assert_eq!(bases(Some(50), None), [] as [i64; 0]);
    }
}
