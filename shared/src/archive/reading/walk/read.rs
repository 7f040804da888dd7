//! Reading one segment, to the depth asked for.

use crate::{
    archive::{self, ArchiveError, SegmentEntry},
    chain::{
        ChainIdentity, SealRule,
        place::Place,
        verify::{Finding, FindingKind, Listed, seals::SealSeen},
    },
    function::with_sources,
    ports::objects::{ObjectEntry, Objects},
    segment::{content, decoder::SegmentReader, footer::Footer},
};
use bytes::Bytes;
use tokio::sync::Semaphore;

use super::super::segments::READS_MAX;

/// How much of a segment is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Its footer.
    Footers,
    /// Every byte.
    Records,
}

impl Depth {
    /// How many segments are read side by side: decoding needs a core each, and one more is fetched meanwhile.
    pub(super) fn at_once(self) -> usize {
        match self {
            Depth::Footers => READS_MAX,
            Depth::Records => std::thread::available_parallelism().map_or(2, usize::from) + 1,
        }
    }
}

/// Kibibytes of segments in memory at a time; a larger one is read alone.
const MEMORY_KIB: u32 = 256 << 10;

/// Reads segments.
pub struct Reader<'a> {
    /// The storage.
    pub objects: &'a dyn Objects,
    /// How much of them.
    pub depth: Depth,
    /// Is told of each segment that was read how many bytes of it were.
    progress: Box<dyn Fn(u64) + Send + Sync + 'a>,
    memory: Semaphore,
    /// What seals are checked by.
    pub rule: Option<SealRule>,
}

impl<'a> Reader<'a> {
    /// A reader of this depth.
    pub fn new(objects: &'a dyn Objects, depth: Depth, progress: impl Fn(u64) + Send + Sync + 'a) -> Self {
        Reader { objects, depth, progress: Box::new(progress), memory: Semaphore::new(MEMORY_KIB as usize), rule: None }
    }

    /// What an object of a listing says, if it is a segment of this chain. Only a store that does not answer is an error.
    pub(super) async fn segment(
        &self,
        place: &Place,
        chain: Option<ChainIdentity>,
        entry: &ObjectEntry,
    ) -> Result<Option<Listed>, ArchiveError> {
        let (Place::Segment(_, base, cuts), Some(chain)) = (place, chain) else { return Ok(None) };
        let modified = entry.modified;
        let entry = SegmentEntry { key: entry.key.clone(), base: *base, cuts: *cuts, size_bytes: entry.size_bytes };
        let read = match self.depth {
            Depth::Footers => self.footer(&chain, &entry).await.map(|footer| (footer, vec![])),
            Depth::Records => self.records(&chain, &entry).await,
        };
        let wrong =
            |kind, error: &ArchiveError| (Err(Finding::of_object(kind, &entry.key, with_sources(error))), vec![]);
        let mut seal = None;
        let (metadata, content) = match read {
            Ok((footer, content)) => {
                seal = Some(SealSeen::of(&footer, modified, self.rule.as_ref()));
                (Ok(footer.metadata), content)
            }
            Err(error @ ArchiveError::Foreign { .. }) => wrong(FindingKind::Foreign, &error),
            Err(error @ ArchiveError::Missing { .. }) => {
                // The floor moves before what lies below is deleted.
                if archive::read_floor(self.objects, &chain).await?.floor.base > entry.base {
                    return Ok(None);
                }
                wrong(FindingKind::Damaged, &error)
            }
            Err(error @ ArchiveError::Damaged { .. }) => wrong(FindingKind::Damaged, &error),
            Err(error) => return Err(error),
        };
        let (key, base, cuts) = (entry.key, entry.base, entry.cuts);
        Ok(Some(Listed { key, base, cuts, size_bytes: entry.size_bytes, metadata, content, seal }))
    }

    async fn footer(&self, chain: &ChainIdentity, entry: &SegmentEntry) -> Result<Footer, ArchiveError> {
        let footer = archive::read_footer(self.objects, chain, entry).await?;
        (self.progress)(0);
        Ok(footer)
    }

    async fn records(
        &self,
        chain: &ChainIdentity,
        entry: &SegmentEntry,
    ) -> Result<(Footer, Vec<Finding>), ArchiveError> {
        let kib = u32::try_from(entry.size_bytes.div_ceil(1024)).unwrap_or(MEMORY_KIB).clamp(1, MEMORY_KIB);
        let _held = self.memory.acquire_many(kib).await;
        let (footer, body) = archive::read_whole(self.objects, chain, entry).await?;
        let (base, next, key) = (footer.metadata.base, footer.metadata.next, entry.key.clone());
        let found = tokio::task::spawn_blocking(move || wrong_records(body)).await;
        (self.progress)(entry.size_bytes);
        let found = found.unwrap_or_else(|_| vec![(FindingKind::Damaged, "its pages cannot be decoded".to_owned())]);
        let finding = |(kind, detail)| Finding::of_object(kind, key.clone(), detail).with_range(base, next);
        Ok((footer, found.into_iter().map(finding).collect()))
    }
}

/// Everything that is wrong with the records of a file whose footer is right.
fn wrong_records(body: Bytes) -> Vec<(FindingKind, String)> {
    let differences = SegmentReader::open(body).and_then(|reader| content::differences(&reader));
    match differences {
        Ok(differences) => differences.into_iter().map(|detail| (FindingKind::Content, detail)).collect(),
        Err(error) => vec![(FindingKind::Damaged, with_sources(&error))],
    }
}
