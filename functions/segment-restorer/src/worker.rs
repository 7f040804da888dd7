//! One producer and the partitions it restores, transaction by transaction.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use shared::{
    crash,
    ports::transactions::{Acknowledged, TransactionError, TransactionalProducer},
    record::{Millis, Offset, Partition, Record, TopicId, TopicPartition},
    restore::{
        Clamp, Missing, OriginHeaders, PROGRESS_TOPIC, RestoreId,
        mapping::{Origin, lay_side_by_side},
        progress::{Counts, MappedRuns, Position, progress_records},
        rehash,
    },
};

use crate::{
    context::Context,
    error::RestoreError,
    limiter::Limiter,
    reading::{ReadFrom, Reading, Slice, Start},
};

/// How long a failed transaction waits before it is begun again, at first and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// What all workers of a topic write to.
#[derive(Debug, Clone)]
pub(crate) struct Aim {
    pub(crate) restore: RestoreId,
    pub(crate) source: Arc<str>,
    pub(crate) target: Arc<str>,
    pub(crate) target_id: TopicId,
    /// A transaction is committed when its records have so many bytes.
    pub(crate) transaction_bytes_max: u64,
    /// How many partitions it has.
    pub(crate) target_partitions: i32,
    /// Whether records go where their keys belong.
    pub(crate) rehash: bool,
    /// The headers that tell where they came from.
    pub(crate) origin_headers: OriginHeaders,
    /// Dates anew what the target would refuse.
    pub(crate) clamp: Option<Clamp>,
    /// How much may be written in a second.
    pub(crate) limiter: Arc<Limiter>,
    /// Nothing is begun from then on.
    pub(crate) stop_at: Option<Millis>,
}

/// How a worker ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Everything is restored.
    Done,
    /// The deadline came.
    Stopped,
}

/// A producer and its partitions.
pub(crate) struct Worker<'a> {
    pub(crate) context: &'a Context,
    pub(crate) aim: Aim,
    pub(crate) producer: Box<dyn TransactionalProducer>,
    /// Where the partitions are read, as the restore begins.
    pub(crate) starts: Vec<Start>,
    /// How far each is, as it was committed.
    pub(crate) positions: BTreeMap<Partition, Position>,
    /// What was passed over in this run and committed.
    pub(crate) missing: BTreeMap<Partition, Vec<Missing>>,
    /// Whether a transaction is begun.
    pub(crate) is_open: bool,
}

/// What one transaction has so far.
#[derive(Default)]
struct Batch {
    bytes: u64,
    /// How far each source partition is.
    parts: BTreeMap<Partition, Part>,
    /// What was sent to each target partition, in this order.
    sent: BTreeMap<Partition, Vec<Origin>>,
}

/// What it has of one source partition.
#[derive(Default)]
struct Part {
    next: Offset,
    counts: Counts,
    missing: Vec<Missing>,
}

impl Worker<'_> {
    /// Restores what is left. A transaction that fails in passing is begun again, and with it the reading.
    pub(crate) async fn run(&mut self) -> Result<Ended, RestoreError> {
        let (mut attempt, mut pause) = (1, FIRST_PAUSE);
        loop {
            let before = self.positions.clone();
            let error = match self.attempt().await {
                Ok(ended) => return Ok(ended),
                Err(error) => error,
            };
            if self.positions != before {
                (attempt, pause) = (1, FIRST_PAUSE);
            }
            if !error.retry() || attempt >= self.context.limits.attempts_max {
                self.give_up(&error).await;
                return Err(error);
            }
            tracing::warn!(
                target = &*self.aim.target,
                attempt,
                error = &error as &dyn std::error::Error,
                "a transaction failed; it is begun again"
            );
            self.context.meter.failed(&self.aim.target);
            self.abort().await?;
            tokio::time::sleep(pause).await;
            (attempt, pause) = (attempt + 1, (pause * 2).min(PAUSE_MAX));
        }
    }

    /// What was not committed must not hold up those who read. The next run would abort it too.
    async fn give_up(&mut self, error: &RestoreError) {
        if error.is_fenced() {
            return;
        }
        if let Err(error) = self.abort().await {
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "a transaction was not aborted; it ends by its time-out"
            );
        }
    }

    async fn abort(&mut self) -> Result<(), RestoreError> {
        if std::mem::take(&mut self.is_open) {
            self.producer.abort().await?;
        }
        Ok(())
    }

    async fn attempt(&mut self) -> Result<Ended, RestoreError> {
        let mut reading = Reading::start(ReadFrom::of(self.context), self.left());
        loop {
            if self.aim.stop_at.is_some_and(|stop| self.context.clock.now() >= stop) {
                return Ok(Ended::Stopped);
            }
            let Some(first) = reading.next().await else { return Ok(Ended::Done) };
            self.transaction(first?, &mut reading).await?;
        }
    }

    /// Where the reading goes on.
    fn left(&self) -> Vec<Start> {
        let from = |start: &Start| self.positions.get(&start.source.chain.partition).map_or(start.from, |at| at.next);
        self.starts.iter().map(|start| Start { from: from(start), ..start.clone() }).collect()
    }

    /// Writes slices until there is enough of them, or none comes any more. What was read before an error is written too.
    async fn transaction(&mut self, first: Slice, reading: &mut Reading) -> Result<(), RestoreError> {
        let mut batch = Batch::default();
        self.producer.begin().await?;
        self.is_open = true;
        self.send(first, &mut batch).await?;
        let enough = tokio::time::sleep(self.context.limits.transaction_age_max);
        tokio::pin!(enough);
        let mut failed = None;
        while batch.bytes < self.aim.transaction_bytes_max && failed.is_none() {
            tokio::select! {
                biased;
                () = &mut enough => break,
                slice = reading.next() => match slice {
                    Some(Ok(slice)) => self.send(slice, &mut batch).await?,
                    Some(Err(error)) => failed = Some(error),
                    None => break,
                },
            }
        }
        self.commit(batch).await?;
        failed.map_or(Ok(()), Err)
    }

    async fn send(&mut self, slice: Slice, batch: &mut Batch) -> Result<(), RestoreError> {
        let Slice { partition, records, next, counts, missing } = slice;
        let part = batch.parts.entry(partition).or_default();
        batch.bytes += counts.record_bytes;
        part.next = next;
        part.counts = part.counts.plus(counts);
        part.missing.extend(missing);
        for (target, records) in self.by_target(partition, records) {
            let origins = records.iter().map(|record| (partition, record.offset));
            batch.sent.entry(target).or_default().extend(origins);
            let to = TopicPartition { topic: self.aim.target.clone(), partition: target };
            self.producer.send(&to, &records).await.map_err(|error| self.refused(error, batch))?;
        }
        Ok(())
    }

    /// The records by the partition they go to, with the headers that were asked for.
    fn by_target(&self, source: Partition, mut records: Vec<Record>) -> BTreeMap<Partition, Vec<Record>> {
        if !self.aim.origin_headers.is_none() {
            records.iter_mut().for_each(|record| self.aim.origin_headers.put(record, source));
        }
        if let Some(clamp) = &self.aim.clamp {
            let now = self.context.clock.now();
            records.iter_mut().for_each(|record| clamp.put(record, now));
        }
        match (records.is_empty(), self.aim.rehash) {
            (true, _) => BTreeMap::new(),
            (false, false) => BTreeMap::from([(source, records)]),
            (false, true) => records.into_iter().fold(BTreeMap::new(), |mut by_target, record| {
                let target = rehash::partition(&record, source, self.aim.target_partitions);
                by_target.entry(target).or_insert_with(Vec::new).push(record);
                by_target
            }),
        }
    }

    /// Which record of the source it is that the target does not take.
    fn refused(&self, error: TransactionError, batch: &Batch) -> RestoreError {
        let TransactionError::RecordRefused { partition: target, index, message } = error else { return error.into() };
        let sent = batch.sent.get(&target.partition);
        let origin = sent.and_then(|sent| sent.get(usize::try_from(index).ok()?));
        let (partition, offset) = origin.copied().unwrap_or((target.partition, Offset(0)));
        let from = TopicPartition { topic: self.aim.source.clone(), partition };
        RestoreError::RecordRefused { from, target, offset, message }
    }

    async fn commit(&mut self, batch: Batch) -> Result<(), RestoreError> {
        let acknowledged = match self.producer.acknowledged().await {
            Ok(acknowledged) => acknowledged,
            Err(error) => return Err(self.refused(error, &batch)),
        };
        crash::point("restore-acknowledged");
        self.check_target().await?;
        let moved = self.write_progress(&batch, acknowledged).await?;
        crash::point("restore-before-commit");
        self.producer.commit().await?;
        self.is_open = false;
        crash::point("restore-after-commit");
        self.context.meter.committed(&self.aim.target, &moved);
        self.positions.extend(moved);
        for (partition, part) in &batch.parts {
            self.missing.entry(*partition).or_default().extend(part.missing.iter().cloned());
        }
        let counts = batch.parts.values().fold(Counts::default(), |all, part| all.plus(part.counts));
        self.aim.limiter.pass(counts, &*self.context.clock).await;
        Ok(())
    }

    /// What is acknowledged lies in the topic that is meant. Were it created again between this and the commit, the records
    /// would be gone with the old one, and the progress is the old one's.
    async fn check_target(&self) -> Result<(), RestoreError> {
        let Aim { target, target_id, .. } = &self.aim;
        let topics = self.context.target.topics(Some(std::slice::from_ref(target))).await?;
        match topics.first() {
            Some(topic) if topic.id == *target_id => Ok(()),
            _ => Err(RestoreError::TargetReplaced { name: target.clone(), id: target_id.clone() }),
        }
    }

    /// Writes how far each partition is with this transaction, and where its records lie.
    async fn write_progress(
        &mut self,
        batch: &Batch,
        acknowledged: Vec<Acknowledged>,
    ) -> Result<BTreeMap<Partition, Position>, RestoreError> {
        let mut lie = self.mapped(batch, acknowledged)?;
        let now = self.context.clock.now();
        let (mut moved, mut records) = (BTreeMap::new(), vec![]);
        for (partition, part) in &batch.parts {
            let before = self.positions.get(partition).copied().unwrap_or_default();
            let position = Position { next: part.next, counts: before.counts.plus(part.counts) };
            let mapped = lie.remove(partition).unwrap_or_default();
            records.extend(progress_records(&self.aim.restore, *partition, &position, &mapped, &part.missing, now)?);
            moved.insert(*partition, position);
        }
        self.producer.send(&TopicPartition::new(PROGRESS_TOPIC, 0), &records).await?;
        self.producer.acknowledged().await?;
        Ok(moved)
    }

    /// Where the records of each source partition lie.
    fn mapped(
        &self,
        batch: &Batch,
        acknowledged: Vec<Acknowledged>,
    ) -> Result<BTreeMap<Partition, Vec<MappedRuns>>, RestoreError> {
        let lie: BTreeMap<_, _> = acknowledged.into_iter().map(|it| (it.partition.partition, it.runs)).collect();
        let mut mapped: BTreeMap<Partition, Vec<MappedRuns>> = BTreeMap::new();
        for (target, origins) in &batch.sent {
            let targets = lie.get(target).map_or(&[][..], Vec::as_slice);
            let by_source = lay_side_by_side(origins, targets).map_err(|source| {
                let partition = TopicPartition { topic: self.aim.target.clone(), partition: *target };
                RestoreError::Mismatch { partition, source }
            })?;
            for (source, runs) in by_source {
                mapped.entry(source).or_default().push(MappedRuns { target_partition: *target, runs });
            }
        }
        Ok(mapped)
    }
}
