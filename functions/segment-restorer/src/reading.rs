//! The records of a worker's partitions, read ahead: segments are fetched by parts, checked, decoded and judged beside the
//! writing.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use futures::{StreamExt as _, stream};
use shared::{
    archive::ArchiveError,
    blocking,
    function::with_sources,
    ports::objects::{GetRange, Objects, ObjectsError},
    record::{Offset, Partition, Record, TopicPartition},
    restore::{Missing, Selection, SourcePartition, SourceSegment, Take, progress::Counts},
    schemas::{Mapped, Side, UnknownId},
    segment::decoder::{DecodeError, SegmentReader},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::task::AbortOnDropHandle;

use crate::{
    context::{Context, Limits},
    error::RestoreError,
};

/// A segment is fetched by such parts; one that breaks is fetched again by itself.
const PART_BYTES: u64 = 8 << 20;
/// How often a part is fetched, waiting longer each time.
const ATTEMPTS_MAX: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// How many slices wait to be written.
const SLICES_AHEAD: usize = 2;

/// Records of a partition that follow each other.
#[derive(Debug)]
pub(crate) struct Slice {
    /// The source partition.
    pub(crate) partition: Partition,
    /// The records that are restored.
    pub(crate) records: Vec<Record>,
    /// Everything below is in this slice or one before it, or is not restored.
    pub(crate) next: Offset,
    /// How much that is.
    pub(crate) counts: Counts,
    /// What is not restored, although it should be in the backup, and was passed over.
    pub(crate) missing: Vec<Missing>,
}

impl Slice {
    /// Nothing up to `next`.
    fn nothing(partition: Partition, next: Offset, missing: Vec<Missing>) -> Self {
        Slice { partition, records: vec![], next, counts: Counts::default(), missing }
    }
}

/// Where a partition's reading goes on.
#[derive(Debug, Clone)]
pub(crate) struct Start {
    pub(crate) source: Arc<SourcePartition>,
    pub(crate) selection: Arc<Selection>,
    pub(crate) from: Offset,
    /// Goes on over segments that are damaged or gone.
    pub(crate) skip_damaged: bool,
}

/// Slices as they become ready, those of one partition in order. The reading ends when this is dropped.
pub(crate) struct Reading {
    slices: mpsc::Receiver<Result<Slice, RestoreError>>,
    _task: AbortOnDropHandle<()>,
}

/// What is read from, and how much at a time.
#[derive(Clone)]
pub(crate) struct ReadFrom {
    pub(crate) objects: Arc<dyn Objects>,
    memory: Arc<Semaphore>,
    limits: Limits,
}

impl ReadFrom {
    /// From this storage, with memory of its own.
    pub(crate) fn new(objects: Arc<dyn Objects>, limits: Limits) -> Self {
        let memory = Arc::new(Semaphore::new(limits.segment_kib_max as usize));
        ReadFrom { objects, memory, limits }
    }

    /// As a context has it.
    pub(crate) fn of(context: &Context) -> Self {
        let Context { objects, memory, limits, .. } = context;
        ReadFrom { objects: objects.clone(), memory: memory.clone(), limits: *limits }
    }
}

impl Reading {
    /// Begins to read.
    pub(crate) fn start(from: ReadFrom, starts: Vec<Start>) -> Self {
        let (sender, slices) = mpsc::channel(SLICES_AHEAD);
        let ReadFrom { objects, memory, limits } = from;
        let (memory_kib, segments_ahead) = (limits.segment_kib_max, limits.segments_ahead);
        let reader = Reader { objects, memory, memory_kib, segments_ahead, sender };
        let at_once = limits.partitions_max;
        let task = tokio::spawn(async move {
            stream::iter(starts).for_each_concurrent(at_once, |start| reader.partition(start)).await;
        });
        Reading { slices, _task: AbortOnDropHandle::new(task) }
    }

    /// The next slice; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<Result<Slice, RestoreError>> {
        self.slices.recv().await
    }
}

struct Reader {
    objects: Arc<dyn Objects>,
    memory: Arc<Semaphore>,
    memory_kib: u32,
    segments_ahead: usize,
    sender: mpsc::Sender<Result<Slice, RestoreError>>,
}

/// A segment in memory.
struct Fetched {
    segment: SourceSegment,
    body: Bytes,
    _memory: OwnedSemaphorePermit,
}

impl Reader {
    async fn partition(&self, start: Start) {
        if let Err(error) = self.read(&start).await {
            // Nobody listens when the worker has ended.
            drop(self.sender.send(Err(error)).await);
        }
    }

    async fn read(&self, start: &Start) -> Result<(), RestoreError> {
        let Start { source, selection, from, .. } = start;
        let segments: Vec<_> =
            source.needed(selection).filter(|segment| segment.metadata.next > *from).cloned().collect();
        let mut missing = missing(start).into_iter().peekable();
        let fetches = segments.into_iter().map(|segment| self.fetch(segment));
        let mut fetched = stream::iter(fetches).buffered(self.segments_ahead);
        while let Some((segment, fetched)) = fetched.next().await {
            while let Some(missing) = missing.next_if(|missing| missing.to <= segment.metadata.base) {
                self.nothing(start, missing.to, vec![missing]).await;
            }
            let decoded = match fetched {
                Ok(fetched) => self.decode(fetched, start).await,
                Err(error) => Err((segment.metadata.base, error)),
            };
            match decoded {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err((reached, error)) if start.skip_damaged && error.is_damage() => {
                    let missing = passed_over(start, &segment, reached, &error);
                    self.nothing(start, segment.metadata.next, vec![missing]).await;
                }
                Err((_, error)) => return Err(error),
            }
        }
        let end = source.end(selection);
        if end > *from {
            self.nothing(start, end, missing.collect()).await;
        }
        Ok(())
    }

    /// Says how far the partition is where no record comes.
    async fn nothing(&self, start: &Start, next: Offset, missing: Vec<Missing>) {
        // Nobody listens when the worker has ended.
        drop(self.sender.send(Ok(Slice::nothing(start.source.chain.partition, next, missing))).await);
    }

    /// Fetches a segment, in a task of its own so that it goes on while others are decoded.
    fn fetch(
        &self,
        segment: SourceSegment,
    ) -> impl Future<Output = (SourceSegment, Result<Fetched, RestoreError>)> + use<> {
        let (objects, memory) = (self.objects.clone(), self.memory.clone());
        let kib = u32::try_from(segment.entry.size_bytes.div_ceil(1024)).unwrap_or(u32::MAX).min(self.memory_kib);
        async move {
            let wanted = segment.clone();
            let task = AbortOnDropHandle::new(tokio::spawn(async move {
                let permit = memory.acquire_many_owned(kib).await.expect("the semaphore is never closed");
                let body = whole(&*objects, &wanted).await?;
                Ok(Fetched { segment: wanted, body, _memory: permit })
            }));
            match task.await {
                Ok(fetched) => (segment, fetched),
                Err(failed) => blocking::go_on_after(failed),
            }
        }
    }

    /// Decodes a segment and hands its slices on; false when nobody wants them any more. An error comes with the offset up to
    /// which the records were handed on.
    async fn decode(&self, fetched: Fetched, start: &Start) -> Result<bool, (Offset, RestoreError)> {
        let Fetched { segment, body, _memory } = fetched;
        let segment = Arc::new(segment);
        let mut reached = segment.metadata.base;
        let opened = segment.clone();
        let reader = blocking::run(move || open(&opened, body)).await.map_err(|error| (reached, error))?;
        let reader = Arc::new(reader);
        for index in 0..reader.row_group_count() {
            let (reader, start, of) = (reader.clone(), start.clone(), segment.clone());
            // A thread decodes one row group and never waits for whoever writes it.
            let slice = blocking::run(move || {
                let records = reader.row_group(index).map_err(|source| damaged(&of, source))?;
                sift(&start, records)
            });
            let slice = slice.await.map_err(|error| (reached, error))?;
            reached = reached.max(slice.next);
            if self.sender.send(Ok(slice)).await.is_err() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Opens a segment, which must be the one that was looked at.
fn open(segment: &SourceSegment, body: Bytes) -> Result<SegmentReader, RestoreError> {
    let reader = SegmentReader::open(body).map_err(|source| damaged(segment, source))?;
    match *reader.metadata() == segment.metadata {
        true => Ok(reader),
        false => Err(changed(segment, "it is another one than when it was looked at")),
    }
}

fn damaged(segment: &SourceSegment, source: DecodeError) -> RestoreError {
    let SourceSegment { entry, metadata } = segment;
    RestoreError::Damaged { key: entry.key.clone(), from: metadata.base, to: metadata.next, source }
}

/// What is known to be missing of what is asked for and not passed yet.
fn missing(start: &Start) -> Vec<Missing> {
    let Start { source, selection, from, .. } = start;
    let mut missing = source.missing_of(selection);
    missing.retain(|missing| missing.from < missing.to && missing.to > *from);
    missing.into_iter().map(|missing| clipped(start, missing)).collect()
}

/// What of a segment is not restored.
fn passed_over(start: &Start, segment: &SourceSegment, reached: Offset, error: &RestoreError) -> Missing {
    let SourceSegment { entry, metadata } = segment;
    let why = with_sources(error);
    tracing::warn!(key = entry.key, from = reached.0, to = metadata.next.0, why, "passed over");
    clipped(start, Missing { from: reached, to: metadata.next, key: entry.key.clone(), why })
}

/// Only what is asked for and not restored yet.
fn clipped(start: &Start, missing: Missing) -> Missing {
    let to = start.selection.offsets.until.map_or(missing.to, |until| missing.to.min(until));
    Missing { from: missing.from.max(start.from), to, ..missing }
}

fn changed(segment: &SourceSegment, what: &'static str) -> RestoreError {
    let SourceSegment { entry, metadata } = segment;
    RestoreError::Changed { key: entry.key.clone(), from: metadata.base, to: metadata.next, what }
}

/// What is restored of these records.
fn sift(start: &Start, records: Vec<Record>) -> Result<Slice, RestoreError> {
    let at = start.source.chain.topic_partition();
    let (mut counts, mut next) = (Counts::default(), start.from);
    let mut restored = Vec::with_capacity(records.len());
    for mut record in records {
        next = next.max(record.offset.next());
        let take = if record.offset < start.from { Take::Outside } else { start.selection.judge(&at, &record) };
        match take {
            Take::Restored => {}
            Take::Undecided => counts.filter_errors += 1,
            Take::Filtered => counts.filtered += 1,
            Take::Outside => {}
        }
        let is_taken = matches!(take, Take::Restored | Take::Undecided);
        if is_taken && put_ids(start, &at, &mut record, &mut counts)? {
            counts.records += 1;
            counts.record_bytes += record.size_bytes();
            restored.push(record);
        }
    }
    Ok(Slice { partition: at.partition, records: restored, next, counts, missing: vec![] })
}

/// Puts the ids of schemas into a record, where the plan says that it has any; false when it is left out.
fn put_ids(start: &Start, at: &TopicPartition, record: &mut Record, counts: &mut Counts) -> Result<bool, RestoreError> {
    let Some(ids) = &start.selection.ids else { return Ok(true) };
    let offset = record.offset;
    let unknown = |UnknownId { id, side }| RestoreError::UnknownSchemaId {
        at: at.clone(),
        offset,
        side: if side == Side::Key { "key" } else { "value" },
        id,
    };
    let (became, is_kept) = match ids.apply(record) {
        Ok(Mapped::Kept(became)) => (became, true),
        Ok(Mapped::Dropped(became)) => (became, false),
        Err(error) => return Err(unknown(error)),
    };
    *counts = counts.plus(Counts { schema_ids: became, ..Counts::default() });
    Ok(is_kept)
}

/// All bytes of a segment.
async fn whole(objects: &dyn Objects, segment: &SourceSegment) -> Result<Bytes, RestoreError> {
    let size = segment.entry.size_bytes;
    if size <= PART_BYTES {
        return part(objects, segment, 0, size).await;
    }
    let mut body = BytesMut::with_capacity(usize::try_from(size).unwrap_or(0));
    let mut from = 0;
    while from < size {
        let to = size.min(from + PART_BYTES);
        body.extend_from_slice(&part(objects, segment, from, to).await?);
        from = to;
    }
    Ok(body.freeze())
}

async fn part(objects: &dyn Objects, segment: &SourceSegment, from: u64, to: u64) -> Result<Bytes, RestoreError> {
    let key = &segment.entry.key;
    let (mut attempt, mut pause) = (1, FIRST_PAUSE);
    loop {
        match objects.get(key, GetRange::Bytes(from..to)).await {
            Ok(Some(object)) if object.size_bytes != segment.entry.size_bytes => {
                return Err(changed(segment, "it has another size than when it was listed"));
            }
            Ok(Some(object)) => return Ok(object.body),
            Ok(None) => return Err(ArchiveError::Missing { key: key.clone() }.into()),
            Err(error) if error.retry() && attempt < ATTEMPTS_MAX => warn(key, &error),
            Err(error) => return Err(error.into()),
        }
        tokio::time::sleep(pause).await;
        (attempt, pause) = (attempt + 1, pause * 2);
    }
}

fn warn(key: &str, error: &ObjectsError) {
    tracing::warn!(key, error = error as &dyn std::error::Error, "part of a segment not read; trying again");
}
