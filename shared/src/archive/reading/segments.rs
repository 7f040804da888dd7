//! The segments of a chain.

use crate::{
    archive::{self, ArchiveError, SegmentEntry},
    chain::{ChainIdentity, keys},
    ports::objects::Objects,
    segment::SegmentMetadata,
};
use futures::{StreamExt, TryStreamExt, stream};

/// How many footers are read at a time.
pub const READS_MAX: usize = 16;

/// Every segment of a chain that is part of the backup, as the listing shows it: none below the floor, and no stale one.
pub async fn entries(objects: &dyn Objects, chain: &ChainIdentity) -> Result<Vec<SegmentEntry>, ArchiveError> {
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
    found.retain(|entry| !entry.is_stale(&cuts));
    Ok(found)
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
    stream::iter(entries).map(read).buffered(READS_MAX).try_collect().await
}
