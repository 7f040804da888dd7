//! The segments of a chain.

use futures::{StreamExt, TryStreamExt, stream};

use crate::{
    archive::{self, ArchiveError, SegmentEntry},
    chain::{ChainIdentity, keys},
    ports::objects::Objects,
    record::Offset,
    segment::SegmentMetadata,
};

/// How many footers are read at a time.
pub const READS_MAX: usize = 16;

/// The segments of a chain that count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedChain {
    /// Where the chain begins: what lies below has expired.
    pub floor: Offset,
    /// Its segments in order: none below the floor, and no superseded one.
    pub entries: Vec<SegmentEntry>,
}

/// Lists the segments of a chain that are part of the backup.
pub async fn listed(objects: &dyn Objects, chain: &ChainIdentity) -> Result<ListedChain, ArchiveError> {
    let folder = keys::chain_folder(chain);
    let floor = archive::read_floor(objects, chain).await?.floor;
    let (mut found, mut after) = (vec![], keys::before_segment(chain, floor.base));
    loop {
        let (page, next) = archive::chain_objects(objects, chain, &after).await?;
        found.extend(page.iter().filter_map(|entry| SegmentEntry::of(&folder, entry)));
        match next {
            Some(next) => after = next,
            None => break,
        }
    }
    let cuts = archive::accepted_losses_behind(objects, chain, &floor).await?.cuts();
    found.retain(|entry| !entry.is_superseded(&cuts));
    Ok(ListedChain { floor: floor.base, entries: found })
}

/// The segments with what they say of themselves, in order.
pub async fn described(
    objects: &dyn Objects,
    chain: &ChainIdentity,
    entries: Vec<SegmentEntry>,
) -> Result<Vec<(SegmentEntry, SegmentMetadata)>, ArchiveError> {
    let read = |entry: SegmentEntry| async move {
        let metadata = archive::read_metadata(objects, chain, &entry).await?;
        Ok((entry, metadata))
    };
    let reads: Vec<_> = entries.into_iter().map(read).collect();
    stream::iter(reads).buffered(READS_MAX).try_collect().await
}
