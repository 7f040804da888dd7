//! A segment that was sent to the storage, and of which nobody knows whether it was stored: the answer was lost, or was 412
//! because the client itself had sent it before. The chain is opened again then, and here it is seen what became of it.

use shared::{
    archive::{self, ArchiveError, SegmentEntry},
    chain::keys,
    ports::objects::Objects,
    segment::{EncodedSegment, SegmentMetadata},
};

use crate::opened::OpenChain;

/// The segment.
#[derive(Debug, Clone)]
pub(crate) struct Unanswered {
    metadata: SegmentMetadata,
    size_bytes: u64,
}

impl Unanswered {
    /// What there is to know of a segment before it is sent.
    pub fn of(segment: &EncodedSegment) -> Self {
        Unanswered { metadata: segment.metadata.clone(), size_bytes: segment.body.len() as u64 }
    }

    /// How many records it holds.
    pub fn records(&self) -> u64 {
        self.metadata.own.records
    }

    /// Whether it is in the chain, which was opened since. One that somebody else stored in its place tells another time.
    ///
    /// # Errors
    /// When the storage does not tell.
    pub async fn is_stored(&self, objects: &dyn Objects, open: &OpenChain) -> Result<bool, ArchiveError> {
        let SegmentMetadata { chain, base, next, cuts, .. } = &self.metadata;
        let key = keys::segment_behind(chain, *base, *cuts);
        let entry = SegmentEntry { key, base: *base, cuts: *cuts, size_bytes: self.size_bytes };
        let is_within = *base >= open.floor.floor.base && *next <= open.frontier.next;
        if open.chain != *chain || !is_within || entry.is_superseded(&open.accepted.cuts()) {
            return Ok(false);
        }
        match archive::read_metadata(objects, chain, &entry).await {
            Ok(stored) => Ok(stored == self.metadata),
            Err(error) if error.retry() => Err(error),
            Err(_) => Ok(false),
        }
    }
}
