//! Pulling: one partition counted from where the store stands to an end that was taken before.

use std::time::Duration;

use futures::future::join_all;
use shared::{
    metrics::part::Place,
    ports::records::{Fetch, Fetched},
    record::{Offset, Record, TopicPartition},
};
use tokio_util::sync::CancellationToken;

use crate::{
    Context, CountError, Counted, Report,
    counting::{self, Delivered, Position},
};

/// Messages that are counted at once, and their bytes.
const BATCH_RECORDS_MAX: usize = 10_000;
const BATCH_BYTES_MAX: u64 = 4 << 20;

/// Counts all that the metrics topic holds now, or as much as there is time for.
pub(crate) async fn drain(context: &Context, stop: &CancellationToken) -> Result<Report, CountError> {
    let far_enough = |pulled| match pulled {
        Err(CountError::OutOfTime { position, .. }) => Ok(Some(position)),
        pulled => pulled,
    };
    all(context, stop, far_enough).await
}

/// Counts all that the metrics topic holds now.
pub(crate) async fn to_the_ends(context: &Context, stop: &CancellationToken) -> Result<Report, CountError> {
    all(context, stop, |pulled| pulled).await
}

async fn all(
    context: &Context,
    stop: &CancellationToken,
    outcome: impl Fn(Result<Position, CountError>) -> Result<Position, CountError>,
) -> Result<Report, CountError> {
    let topic = counting::topic(context).await?;
    let partitions: Vec<_> = topic.each_partition().collect();
    let bounds = context.kafka.bounds(&partitions).await?;
    let pulls = partitions.iter().zip(bounds).map(async |(partition, bounds)| {
        let place = Place { topic_id: topic.id.clone(), partition: partition.partition };
        let position = counting::ask(context, &place).await?;
        outcome(pull(context, partition, &place, position, bounds?.stable_end, stop).await)
    });
    report(context, &partitions, join_all(pulls).await).await
}

/// Commits what is counted, and answers all positions, or the first error.
pub(crate) async fn report(
    context: &Context,
    partitions: &[TopicPartition],
    positions: Vec<Result<Position, CountError>>,
) -> Result<Report, CountError> {
    let counted = partitions.iter().zip(&positions);
    let counted = counted.filter_map(|(partition, position)| Some((partition.clone(), (*position.as_ref().ok()?)?)));
    counting::commit(context, &counted.collect::<Vec<_>>()).await;
    let entry = |(partition, position): (&TopicPartition, Result<Position, CountError>)| {
        Ok(Counted { partition: partition.partition, position: position? })
    };
    Ok(Report { counted: partitions.iter().zip(positions).map(entry).collect::<Result<_, CountError>>()? })
}

/// Counts a partition from `position` to `end`. Answers where it stands then.
///
/// At `stop` it ends where it is: a part that is on its way then is applied or not, which the next call is told.
pub(crate) async fn pull(
    context: &Context,
    partition: &TopicPartition,
    place: &Place,
    position: Position,
    end: Offset,
    stop: &CancellationToken,
) -> Result<Position, CountError> {
    let from = counting::start(context, partition, position).await?;
    if from >= end {
        return Ok(position);
    }
    let fetch = context.kafka.fetch(&[(partition.clone(), from)]).await?;
    let mut pull = Pull { context, partition, place, fetch, position, next: from, end };
    while pull.next < end {
        match stop.run_until_cancelled(pull.round()).await {
            Some(done) => done?,
            None => return Err(CountError::OutOfTime { partition: partition.clone(), position: pull.next }),
        }
    }
    Ok(pull.position)
}

struct Pull<'a> {
    context: &'a Context,
    partition: &'a TopicPartition,
    place: &'a Place,
    fetch: Box<dyn Fetch>,
    /// Where the store stands.
    position: Position,
    /// Below it, everything is counted or does not exist.
    next: Offset,
    end: Offset,
}

/// What is counted at once.
#[derive(Default)]
struct Batch {
    records: Vec<Record>,
    record_bytes: u64,
    /// Where the log ended, when it was said.
    log_end: Option<Offset>,
    /// Why nothing more comes.
    failure: Option<Fetched>,
    /// Whether a record at or beyond the end came: there is nothing more to wait for.
    reached_end: bool,
}

impl Batch {
    fn take(&mut self, fetched: Fetched, end: Offset) {
        let mut records = match fetched {
            Fetched::Records { records, .. } => records,
            Fetched::End { position, .. } => return self.log_end = Some(position),
            Fetched::Interrupted | Fetched::Assigned { .. } | Fetched::Revoked { .. } => return,
            Fetched::OutOfRange { .. } | Fetched::Failed { .. } => return self.failure = Some(fetched),
        };
        let within = records.partition_point(|record| record.offset < end);
        self.reached_end |= within < records.len() || records.last().is_some_and(|last| last.offset.next() >= end);
        records.truncate(within);
        self.record_bytes += records.iter().map(Record::size_bytes).sum::<u64>();
        self.records.append(&mut records);
    }

    fn is_closed(&self) -> bool {
        self.log_end.is_some() || self.failure.is_some() || self.reached_end
    }

    fn is_full(&self) -> bool {
        self.records.len() >= BATCH_RECORDS_MAX || self.record_bytes >= BATCH_BYTES_MAX
    }
}

impl Pull<'_> {
    /// Counts what comes, many messages at once: each time costs a round trip to the store.
    async fn round(&mut self) -> Result<(), CountError> {
        let silence_max: Duration = self.context.limits.silence_max;
        let mut batch = Batch::default();
        while !batch.is_closed() && !batch.is_full() {
            let fetched = self.fetch.next(silence_max).await?;
            if fetched.is_empty() {
                let (partition, silence_s) = (self.partition.clone(), silence_max.as_secs());
                return Err(CountError::Silence { partition, silence_s, position: self.next });
            }
            for fetched in fetched {
                batch.take(fetched, self.end);
            }
        }
        counting::is_still(self.context, &self.place.topic_id).await?;
        let Batch { records, log_end, failure, reached_end, .. } = batch;
        if !self.count(&records, reached_end).await? {
            return Ok(());
        }
        // Beyond the end there may be records that were left out: they are not to be passed over.
        if let Some(position) = log_end.filter(|_| !reached_end)
            && !self.pass(position).await?
        {
            return Ok(());
        }
        match failure {
            Some(Fetched::Failed { error, .. }) => Err(CountError::Records((*error).clone())),
            Some(_) => self.go_on_at(self.position).await.map(drop),
            None => Ok(()),
        }
    }

    /// Counts records; false when the store stands elsewhere, so that what follows them is of no use.
    async fn count(&mut self, records: &[Record], reached_end: bool) -> Result<bool, CountError> {
        let end = if reached_end { self.end } else { self.next };
        let Some(last) = records.last() else {
            self.next = end;
            return Ok(true);
        };
        match counting::deliver(self.context, self.place, self.position, records).await? {
            Delivered::Counted(position) => {
                (self.position, self.next) = (position, last.offset.next().max(end));
                Ok(true)
            }
            Delivered::Elsewhere(position) => self.go_on_at(position).await,
        }
    }

    async fn pass(&mut self, end: Offset) -> Result<bool, CountError> {
        if self.position >= Some(end) {
            self.next = self.next.max(end);
            return Ok(true);
        }
        match counting::pass(self.context, self.place, self.position, end).await? {
            Delivered::Counted(position) => {
                (self.position, self.next) = (position, end);
                Ok(true)
            }
            Delivered::Elsewhere(position) => self.go_on_at(position).await,
        }
    }

    async fn go_on_at(&mut self, position: Position) -> Result<bool, CountError> {
        self.position = position;
        self.next = counting::start(self.context, self.partition, position).await?;
        self.fetch.start(self.partition, self.next).await?;
        Ok(false)
    }
}
