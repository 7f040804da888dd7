//! One partition's unfinished segment, and the one before it as long as that is on its way to the storage.
#![allow(
    clippy::disallowed_methods,
    reason = "the age of a segment is an interval, which a clock that is set must not change"
)]

use std::sync::Arc;

use shared::{
    chain::{Frontier, LastRead, planner},
    record::{Offset, Record, TopicPartition, filter::Undecided},
    segment::{Gap, SegmentEncoder, SegmentStart, encoder::EncodeError},
};

use tokio::time::Instant;

use crate::{
    Backup, Context, WriteError, blocking,
    memory::{self, Held},
    opened::OpenChain,
    permits::Permits,
    report::Reporter,
    seal::commit_passed,
    sift::{Batch, Sifted},
    storing::{Storing, count},
    unanswered::Unanswered,
};

/// Bytes of records that make a row group.
const ROW_GROUP_BYTES: u64 = 8 << 20;

/// Appends records to a chain, a segment at a time. After an error it is of no use any more.
pub struct PartitionWriter {
    context: Arc<Context>,
    backup: Arc<Backup>,
    /// The chain as far as it is stored.
    open: OpenChain,
    /// Where it ends with the segment that is being stored: where the next begins.
    ahead: Frontier,
    position: Offset,
    /// The consumed position that the group was told; the frontier at first.
    committed: Offset,
    segment: Option<Unfinished>,
    storing: Option<Storing>,
    held: Held,
    sealed_records: u64,
    sealed_segments: u64,
    unanswered: Option<Unanswered>,
}

/// A segment in the making.
struct Unfinished {
    encoder: SegmentEncoder,
    /// Not encoded yet.
    pending: Vec<Record>,
    pending_bytes: u64,
    /// Bytes of all its records.
    record_bytes: u64,
    next: Offset,
    last_read: Option<LastRead>,
    opened_at: Instant,
    /// The first record that the filter could not judge.
    undecided: Option<(Offset, Undecided)>,
}

impl PartitionWriter {
    /// A writer at the frontier of an open chain.
    pub fn new(context: &Arc<Context>, backup: &Arc<Backup>, open: OpenChain) -> Self {
        PartitionWriter {
            context: context.clone(),
            backup: backup.clone(),
            position: open.frontier.next,
            committed: open.frontier.next,
            ahead: open.frontier,
            open,
            segment: None,
            storing: None,
            held: context.memory.hold(0),
            sealed_records: 0,
            sealed_segments: 0,
            unanswered: None,
        }
    }

    /// Which partition.
    #[must_use]
    pub fn partition(&self) -> TopicPartition {
        self.open.chain.topic_partition()
    }

    /// The chain as far as it is stored.
    #[must_use]
    pub fn open_chain(&self) -> &OpenChain {
        &self.open
    }

    /// The consumed position: everything below was looked at.
    #[must_use]
    pub fn position(&self) -> Offset {
        self.position
    }

    /// When the unfinished segment must be closed; `None` where there is none.
    #[must_use]
    pub fn due_at(&self) -> Option<Instant> {
        self.segment.as_ref()?.opened_at.checked_add(self.backup.rollover.age_max)
    }

    /// The segment that could not be stored, as far as is known.
    pub fn unanswered(&mut self) -> Option<Unanswered> {
        self.unanswered.take()
    }

    /// Whether a segment is being stored.
    #[must_use]
    pub fn is_storing(&self) -> bool {
        self.storing.is_some()
    }

    /// Bytes of the unfinished segment in memory.
    #[must_use]
    pub fn buffered_bytes(&self) -> u64 {
        let pending = |s: &Unfinished| memory::of_count(s.pending.len(), s.pending_bytes);
        self.segment.as_ref().map_or(0, |s| pending(s) + s.encoder.encoded_bytes())
    }

    /// Records stored so far, and segments.
    #[must_use]
    pub fn sealed(&self) -> (u64, u64) {
        (self.sealed_records, self.sealed_segments)
    }

    /// The reading has come to `position`: what lies between the last record and it does not exist.
    pub fn pass(&mut self, position: Offset) {
        self.position = self.position.max(position);
    }

    /// Tells the group that the reading has passed offsets behind the chain that hold no record, once all before them is stored:
    /// so that who looks at the group sees nothing left to do.
    pub async fn commit_passed(&mut self) {
        let is_all_stored = self.segment.is_none() && self.storing.is_none();
        if !is_all_stored || self.position <= self.committed {
            return;
        }
        self.committed = self.position;
        commit_passed(&self.context, &self.backup, &self.open.chain, self.open.frontier.next, self.position).await;
    }

    /// Appends records as they were read from the log, ascending and of one leader epoch; closes segments as they fill up.
    pub async fn append(
        &mut self,
        mut records: Vec<Record>,
        leader_epoch: Option<i32>,
        reporter: &mut Reporter,
    ) -> Result<(), WriteError> {
        let started = self.context.clock.now();
        let log_start = self.log_start_if_holes(&records).await?;
        let first_ever = self.expected() == Offset(0) && self.segment.is_none();
        let expected = self.expected();
        let plan = planner::plan_pulled(expected, &records, log_start, first_ever, started);
        records.drain(..plan.skip);
        let mut gaps = planner::tell_accepted(plan.gaps, &self.open.accepted.ranges());
        let partition = self.partition();
        let filter = self.backup.filter(&partition.topic);
        let mut sifted = Sifted::of(filter, &partition, records, leader_epoch).await;
        loop {
            let open_bytes = self.segment.as_ref().map_or(0, |s| s.record_bytes);
            let batch = sifted.split(self.backup.rollover.fitting(open_bytes, &sifted.records));
            if !batch.is_empty() {
                let gaps = batch.gaps(&mut gaps);
                self.take(batch, gaps).await?;
            }
            if sifted.records.is_empty() {
                break;
            }
            self.close(reporter).await?;
        }
        count(&self.context, &self.open, started, 0);
        Ok(())
    }

    /// The offset after the last record taken. Offsets passed at the end of the log belong to the records behind them.
    fn expected(&self) -> Offset {
        self.segment.as_ref().map_or(self.ahead.next, |segment| segment.next)
    }

    /// The log's start where offsets are left out, read now: after the records were fetched.
    async fn log_start_if_holes(&self, records: &[Record]) -> Result<Offset, WriteError> {
        if !planner::has_holes(self.expected(), records) {
            return Ok(Offset(0));
        }
        let partition = self.partition();
        let bounds = self.context.kafka.bounds(std::slice::from_ref(&partition)).await?;
        Ok(bounds.into_iter().next().transpose()?.map_or(Offset(0), |bounds| bounds.start))
    }

    async fn take(&mut self, batch: Batch, gaps: Vec<Gap>) -> Result<(), WriteError> {
        let mut segment = match self.segment.take() {
            Some(segment) => segment,
            None => self.begin()?,
        };
        for gap in gaps {
            tracing::warn!(partition = %self.partition(), from = %gap.from, to = %gap.to, cause = ?gap.cause, "offsets are not in the log any more");
            segment.encoder.declare(gap);
        }
        let bytes: u64 = batch.records.iter().map(Record::size_bytes).sum();
        (segment.next, segment.last_read) = (batch.next, batch.last_read);
        segment.encoder.sift(batch.filtered, batch.failed.len() as u64);
        segment.undecided = segment.undecided.or_else(|| batch.failed.into_iter().next());
        self.position = self.position.max(segment.next);
        segment.record_bytes += bytes;
        segment.pending_bytes += bytes;
        segment.pending.extend(batch.records);
        if segment.pending_bytes >= ROW_GROUP_BYTES {
            segment = segment.encode_pending(&self.context.permits).await?;
        }
        self.segment = Some(segment);
        self.held.set(self.buffered_bytes());
        Ok(())
    }

    fn begin(&self) -> Result<Unfinished, EncodeError> {
        let start = SegmentStart {
            chain: self.open.chain.clone(),
            base: self.ahead.next,
            before: self.ahead.point,
            last_gap_at: self.ahead.marks.last_gap_at,
        };
        let encoder = SegmentEncoder::new(start, self.backup.compression)?.sealed_with(self.backup.seal_key.clone());
        Ok(Unfinished {
            encoder: encoder.behind_cuts(self.open.accepted.cuts().count()),
            pending: vec![],
            pending_bytes: 0,
            record_bytes: 0,
            next: self.ahead.next,
            last_read: None,
            opened_at: Instant::now(),
            undecided: None,
        })
    }

    /// Closes the unfinished segment and makes it durable; nothing to do where there is none.
    pub async fn seal(&mut self, reporter: &mut Reporter) -> Result<(), WriteError> {
        self.close(reporter).await?;
        self.settle().await
    }

    /// Closes the unfinished segment and begins to store it, as soon as the one before it is durable.
    pub async fn close(&mut self, reporter: &mut Reporter) -> Result<(), WriteError> {
        let Some(segment) = self.segment.take() else { return Ok(()) };
        let started = self.context.clock.now();
        let segment = segment.encode_pending(&self.context.permits).await?;
        let undecided = segment.undecided;
        let encoded = segment.encoder.behind_record(segment.last_read).finish(segment.next, started)?;
        if let Some((offset, why)) = undecided {
            let records = encoded.metadata.own.filter_errors;
            tracing::warn!(partition = %self.partition(), records, %offset, "the filter could not judge records, which are kept; the first: {why}");
        }
        let size_bytes = encoded.body.len() as u64;
        self.held.set(size_bytes);
        count(&self.context, &self.open, started, 0);
        self.settle().await?;
        self.ahead = Frontier::behind(&encoded.metadata, size_bytes, self.open.accepted.steps());
        let open = self.open.clone();
        let storing = Storing::begin(&self.context, &self.backup, open, encoded, reporter.fork(), self.position);
        self.storing = Some(storing);
        self.held.set(0);
        Ok(())
    }

    /// Waits until the segment that is being stored is durable; nothing to do where there is none. May be given up and
    /// asked again.
    pub async fn settle(&mut self) -> Result<(), WriteError> {
        let Some(storing) = &mut self.storing else { return Ok(()) };
        let stored = storing.end().await;
        self.storing = None;
        self.open = stored.open;
        if let Err(error) = stored.result {
            self.unanswered = Some(stored.segment);
            return Err(error);
        }
        self.committed = self.committed.max(stored.position);
        self.sealed_records += stored.records;
        self.sealed_segments += 1;
        Ok(())
    }
}

impl Unfinished {
    async fn encode_pending(mut self, permits: &Permits) -> Result<Self, EncodeError> {
        let bytes = std::mem::take(&mut self.pending_bytes);
        let records = std::mem::take(&mut self.pending);
        let _permit = if blocking::is_large(bytes) { permits.to_encode().await } else { None };
        blocking::run(bytes, move || self.encoder.append(&records).map(|()| self)).await
    }
}
