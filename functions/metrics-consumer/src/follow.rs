//! Following: counting as messages come, for a server. Any number of instances share the group.
#![allow(clippy::disallowed_methods, reason = "a follower measures the time between two looks")]

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use shared::{
    metrics::part::Place,
    ports::records::{Fetch, Fetched},
    record::{Offset, Record, TopicId, TopicPartition},
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    Context, CountError, GROUP,
    counting::{self, Delivered, Position},
};

/// Counts messages until `stop`, whatever happens on the way.
pub async fn follow(context: &Context, stop: &CancellationToken) {
    let mut backoff = Backoff::new(context);
    while !stop.is_cancelled() {
        if let Err(error) = follow_once(context, &mut backoff, stop).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "{error}; counting goes on in {:?}", backoff.next);
            stop.run_until_cancelled(backoff.wait()).await;
        }
    }
}

/// Works as one member of the group until something fails, or `stop`; then leaves the group.
async fn follow_once(context: &Context, backoff: &mut Backoff, stop: &CancellationToken) -> Result<(), CountError> {
    let Some(begun) = stop.run_until_cancelled(Follower::begin(context)).await else { return Ok(()) };
    let mut follower = begun?;
    let ended = stop.run_until_cancelled(follower.run(backoff)).await;
    follower.fetch.close().await;
    ended.unwrap_or(Ok(()))
}

struct Follower<'a> {
    context: &'a Context,
    topic_id: TopicId,
    fetch: Box<dyn Fetch>,
    lanes: HashMap<TopicPartition, Lane>,
}

/// What there is to count.
enum Came {
    Records(Vec<Record>),
    /// Nothing more up to here: what is not counted below does not exist.
    End(Offset),
}

/// A partition that is ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Lane {
    /// Where the store stands, and so the first offset that the next records can have.
    position: Position,
    /// Whether it is being read: what the log does not reach yet is not.
    reading: bool,
}

impl<'a> Follower<'a> {
    async fn begin(context: &'a Context) -> Result<Self, CountError> {
        let topic = counting::topic(context).await?;
        let fetch = context.kafka.join(GROUP, &[topic.name]).await?;
        Ok(Follower { context, topic_id: topic.id, fetch, lanes: HashMap::new() })
    }

    async fn run(&mut self, backoff: &mut Backoff) -> Result<(), CountError> {
        let mut looked_at = Instant::now();
        loop {
            let wait = self.context.limits.refresh.saturating_sub(looked_at.elapsed());
            self.round(wait, backoff).await?;
            if looked_at.elapsed() >= self.context.limits.refresh {
                self.look().await?;
                looked_at = Instant::now();
            }
        }
    }

    async fn round(&mut self, wait: Duration, backoff: &mut Backoff) -> Result<(), CountError> {
        // What came before a partition was moved does not go on from where it is now.
        let (mut moved, mut counted) = (HashSet::new(), HashMap::new());
        let fetched = self.fetch.next(wait).await?;
        if fetched.iter().any(|it| matches!(it, Fetched::Records { .. } | Fetched::End { .. })) {
            counting::is_still(self.context, &self.topic_id).await?;
        }
        for fetched in fetched {
            let (partition, came) = match fetched {
                Fetched::Records { partition, records, .. } => (partition, Came::Records(records)),
                Fetched::End { partition, position } => (partition, Came::End(position)),
                other => {
                    self.obey(other).await?;
                    continue;
                }
            };
            if !moved.contains(&partition) && self.is_new(&partition, &came) {
                match self.count(&partition, &came, backoff).await {
                    Ok(Some(position)) => drop(counted.insert(partition, position)),
                    Ok(None) => drop(moved.insert(partition)),
                    Err(error) if error.retry() => return Err(error),
                    Err(error) => {
                        self.leave(&partition, &error).await?;
                        moved.insert(partition);
                    }
                }
            }
        }
        counting::commit(self.context, &counted.into_iter().collect::<Vec<_>>()).await;
        Ok(())
    }

    /// Does what the group or the log says.
    async fn obey(&mut self, fetched: Fetched) -> Result<(), CountError> {
        match fetched {
            Fetched::Assigned { partition } => {
                let position = counting::ask(self.context, &self.place(&partition)).await?;
                self.go_on_at(&partition, position).await
            }
            Fetched::Revoked { partition } => {
                self.lanes.remove(&partition);
                Ok(())
            }
            Fetched::OutOfRange { partition } => {
                let position = self.lanes.get(&partition).and_then(|lane| lane.position);
                self.go_on_at(&partition, position).await
            }
            Fetched::Failed { error, .. } => Err(CountError::Records((*error).clone())),
            Fetched::Records { .. } | Fetched::End { .. } | Fetched::Interrupted => Ok(()),
        }
    }

    /// Whether there is something to count in what came, or offsets without messages to pass over.
    fn is_new(&self, partition: &TopicPartition, came: &Came) -> bool {
        match (self.lanes.get(partition), came) {
            (None, _) => false,
            (Some(_), Came::Records(_)) => true,
            (Some(lane), Came::End(end)) => end.0 > 0 && lane.position < Some(*end),
        }
    }

    /// Counts what came and answers where the partition stands; `None` when it was moved elsewhere, or is not ours.
    async fn count(
        &mut self,
        partition: &TopicPartition,
        came: &Came,
        backoff: &mut Backoff,
    ) -> Result<Option<Offset>, CountError> {
        let Some(lane) = self.lanes.get_mut(partition) else { return Ok(None) };
        let place = Place { topic_id: self.topic_id.clone(), partition: partition.partition };
        match deliver(self.context, &place, lane.position, came, backoff).await? {
            Delivered::Counted(position) => {
                lane.position = position;
                Ok(position)
            }
            Delivered::Elsewhere(position) => {
                self.go_on_at(partition, position).await?;
                Ok(None)
            }
        }
    }

    /// Reads a partition no further that cannot be counted, until the next look; the others go on.
    async fn leave(&mut self, partition: &TopicPartition, error: &CountError) -> Result<(), CountError> {
        tracing::error!(%partition, error = error as &dyn std::error::Error, "{error}; the other partitions go on");
        if let Some(lane) = self.lanes.get_mut(partition) {
            lane.reading = false;
        }
        Ok(self.fetch.stop(partition).await?)
    }

    /// Whether the store still has what was counted, and the topic its id.
    async fn look(&mut self) -> Result<(), CountError> {
        counting::is_still(self.context, &self.topic_id).await?;
        for (partition, lane) in self.lanes.clone() {
            let position = counting::ask(self.context, &self.place(&partition)).await?;
            if lane.position != position {
                tracing::warn!(
                    %partition, ?position, expected = ?lane.position,
                    "redis was emptied or restored meanwhile: the partition is read again from the position in redis"
                );
            }
            if lane != (Lane { position, reading: true }) {
                self.go_on_at(&partition, position).await?;
            }
        }
        Ok(())
    }

    async fn go_on_at(&mut self, partition: &TopicPartition, position: Position) -> Result<(), CountError> {
        let start = counting::start(self.context, partition, position).await;
        let reading = match start {
            Ok(from) => self.fetch.start(partition, from).await.map(|()| true)?,
            Err(error @ CountError::AheadOfLog { .. }) => {
                tracing::error!(%partition, error = &error as &dyn std::error::Error, "{error}");
                self.fetch.stop(partition).await.map(|()| false)?
            }
            Err(error) => return Err(error),
        };
        self.lanes.insert(partition.clone(), Lane { position, reading });
        Ok(())
    }

    fn place(&self, partition: &TopicPartition) -> Place {
        Place { topic_id: self.topic_id.clone(), partition: partition.partition }
    }
}

/// Counts what came, again and again while the aggregator or its store is down: it stays in hand.
async fn deliver(
    context: &Context,
    place: &Place,
    from: Position,
    came: &Came,
    backoff: &mut Backoff,
) -> Result<Delivered, CountError> {
    loop {
        let delivered = match came {
            Came::Records(records) => counting::deliver(context, place, from, records).await,
            Came::End(end) => counting::pass(context, place, from, *end).await,
        };
        match delivered {
            Err(error) if error.retry() => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "{error}; the same again in {:?}",
                    backoff.next
                );
                backoff.wait().await;
            }
            delivered => {
                backoff.reset();
                return delivered;
            }
        }
    }
}

/// Waits that double, up to a limit, until something succeeds.
struct Backoff {
    next: Duration,
    min: Duration,
    max: Duration,
}

impl Backoff {
    fn new(context: &Context) -> Self {
        let (min, max) = (context.limits.backoff_min, context.limits.backoff_max);
        Backoff { next: min, min, max }
    }

    async fn wait(&mut self) {
        tokio::time::sleep(self.next).await;
        self.next = self.next.saturating_mul(2).min(self.max);
    }

    fn reset(&mut self) {
        self.next = self.min;
    }
}
