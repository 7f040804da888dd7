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
    let partitions: Vec<_> = (0..topic.partitions).map(|n| TopicPartition::new(topic.name.clone(), n)).collect();
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

impl Pull<'_> {
    async fn round(&mut self) -> Result<(), CountError> {
        let silence_max: Duration = self.context.limits.silence_max;
        let fetched = self.fetch.next(silence_max).await?;
        if fetched.is_empty() {
            let (partition, silence_s) = (self.partition.clone(), silence_max.as_secs());
            return Err(CountError::Silence { partition, silence_s, position: self.next });
        }
        for fetched in fetched {
            if !self.take(fetched).await? {
                break;
            }
        }
        Ok(())
    }

    /// Takes what came; false when the rest of it is of no use any more.
    async fn take(&mut self, fetched: Fetched) -> Result<bool, CountError> {
        match fetched {
            Fetched::Records { mut records, .. } => {
                records.retain(|record| record.offset < self.end);
                self.count(&records).await
            }
            Fetched::End { position, .. } => self.pass(position).await,
            Fetched::OutOfRange { .. } => self.go_on_at(self.position).await,
            Fetched::Failed { error, .. } => Err(CountError::Records((*error).clone())),
            Fetched::Assigned { .. } | Fetched::Revoked { .. } => Ok(true),
        }
    }

    async fn count(&mut self, records: &[Record]) -> Result<bool, CountError> {
        let Some(last) = records.last() else {
            // Everything that came is at the end or beyond it.
            self.next = self.end;
            return Ok(false);
        };
        match counting::deliver(self.context, self.place, self.position, records).await? {
            Delivered::Counted(position) => {
                (self.position, self.next) = (position, last.offset.next());
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
