//! Reading the segments of a chain.

use bytes::Bytes;

use super::{ArchiveError, error::undecodable};
use crate::{
    chain::{ChainIdentity, Cuts, keys},
    ports::objects::{GetRange, ListRequest, ObjectEntry, Objects, ObjectsError},
    record::{Millis, Offset},
    segment::{
        SegmentMetadata,
        decoder::{self, DecodeError, FOOTER_BYTES_GUESS},
        footer::{self, Footer},
    },
};

/// A segment as a listing shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentEntry {
    /// Its key.
    pub key: String,
    /// Its base, from the key.
    pub base: Offset,
    /// How many cuts its writer knew of, from the key.
    pub cuts: u32,
    /// Its size.
    pub size_bytes: u64,
}

impl SegmentEntry {
    /// The segment behind an entry of the listing of `folder`, if it is one.
    #[must_use]
    pub fn of(folder: &str, entry: &ObjectEntry) -> Option<Self> {
        match keys::parse(folder, &entry.key) {
            keys::ChainKey::Segment(base, cuts) => {
                Some(SegmentEntry { key: entry.key.clone(), base, cuts, size_bytes: entry.size_bytes })
            }
            _ => None,
        }
    }

    /// Whether it does not exist, in a chain with these cuts.
    #[must_use]
    pub fn is_superseded(&self, cuts: &Cuts) -> bool {
        cuts.is_superseded(self.base, self.cuts)
    }
}

/// One page of the objects in a chain's folder, segments or not, after the key `after` (empty: from the first), with the
/// key to go on from.
pub async fn chain_objects(
    objects: &dyn Objects,
    chain: &ChainIdentity,
    after: &str,
) -> Result<(Vec<ObjectEntry>, Option<String>), ArchiveError> {
    let folder = keys::chain_folder(chain);
    let page = objects.list(ListRequest { after, ..ListRequest::prefix(&folder) }).await?;
    Ok((page.objects, page.next_after))
}

/// Whether any segment of a chain begins at `from` or above, is not superseded, and is of such a date.
pub(super) async fn is_any_from(
    objects: &dyn Objects,
    chain: &ChainIdentity,
    from: Offset,
    cuts: &Cuts,
    is_of_date: impl Fn(Millis) -> bool,
) -> Result<bool, ArchiveError> {
    let (folder, mut after) = (keys::chain_folder(chain), keys::before_segment(chain, from));
    loop {
        let (page, next) = chain_objects(objects, chain, &after).await?;
        let mut dated = page.iter().filter(|entry| is_of_date(entry.modified));
        let found =
            dated.any(|entry| SegmentEntry::of(&folder, entry).is_some_and(|segment| !segment.is_superseded(cuts)));
        match next {
            Some(next) if !found => after = next,
            _ => return Ok(found),
        }
    }
}

/// Reads what a segment says of itself, and checks that it says it of this place.
pub async fn read_metadata(
    objects: &dyn Objects,
    chain: &ChainIdentity,
    segment: &SegmentEntry,
) -> Result<SegmentMetadata, ArchiveError> {
    Ok(read_footer(objects, chain, segment).await?.metadata)
}

/// The same, with the seal on it.
pub async fn read_footer(
    objects: &dyn Objects,
    chain: &ChainIdentity,
    segment: &SegmentEntry,
) -> Result<Footer, ArchiveError> {
    let mut last = FOOTER_BYTES_GUESS;
    let footer = loop {
        let tail = get(objects, &segment.key, GetRange::Last(last)).await?;
        match footer::read(&tail, segment.size_bytes) {
            Ok(footer) => break footer,
            Err(DecodeError::NeedsLast(bytes)) if bytes > last => last = bytes,
            Err(error) => return Err(undecodable(&segment.key, error)),
        }
    };
    check_place(footer, chain, segment)
}

/// Reads all bytes of a segment, and checks that its footer says it of this place; the body is not looked at.
pub async fn read_whole(
    objects: &dyn Objects,
    chain: &ChainIdentity,
    segment: &SegmentEntry,
) -> Result<(Footer, Bytes), ArchiveError> {
    let body = get(objects, &segment.key, GetRange::Whole).await?;
    let footer = footer::read(&body, body.len() as u64).map_err(|error| undecodable(&segment.key, error))?;
    Ok((check_place(footer, chain, segment)?, body))
}

fn check_place(footer: Footer, chain: &ChainIdentity, segment: &SegmentEntry) -> Result<Footer, ArchiveError> {
    let metadata = &footer.metadata;
    if metadata.chain != *chain || (metadata.base, metadata.cuts) != (segment.base, segment.cuts) {
        let of = &metadata.chain;
        let found = format!(
            "the segment at {} behind {} cuts of partition {} of topic {:?} ({}, incarnation {}) in backup {:?} of cluster {:?}",
            metadata.base, metadata.cuts, of.partition, of.topic, of.topic_id, of.incarnation, of.backup, of.cluster_id
        );
        return Err(ArchiveError::Foreign { key: segment.key.clone(), found });
    }
    Ok(footer)
}

/// Reads a whole segment, checksum compared.
pub async fn read_segment(objects: &dyn Objects, key: &str) -> Result<decoder::SegmentReader, ArchiveError> {
    let body = get(objects, key, GetRange::Whole).await?;
    decoder::SegmentReader::open(body).map_err(|error| undecodable(key, error))
}

async fn get(objects: &dyn Objects, key: &str, range: GetRange) -> Result<Bytes, ArchiveError> {
    let object = match objects.get(key, range).await {
        Err(error @ ObjectsError::Altered { .. }) => return Err(ArchiveError::damaged(key, error)),
        answer => answer?,
    };
    Ok(object.ok_or_else(|| ArchiveError::Missing { key: key.to_owned() })?.body)
}
