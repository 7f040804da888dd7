//! Function metrics-consumer: messages of the metrics topic become figures, each counted once.
//!
//! A batch is folded into parts ([`shared::metrics::fold`]), and metrics-aggregator applies each under the position that the
//! store keeps for the partition. What the store says is where counting goes on: a batch that comes again, late, in other
//! boundaries, or after an answer that was lost, counts what is missing and no more; a store that lost its latest writes,
//! or all of them, is counted up again from Kafka.
//!
//! Three sources, one path: [`follow`] for a server, and for Lambda a schedule's drain or a Kafka event. Offsets are
//! committed after the figures are in the store, as a report for others: nothing here reads them.

mod context;
mod counting;
mod error;
mod event;
mod follow;
mod pull;
#[cfg(test)]
mod tests;

pub use self::{
    context::{Context, Limits},
    error::CountError,
    follow::follow,
};

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::{
    record::{Offset, Partition, kafka_event::KafkaEvent},
    runs::Failed,
};
use tokio_util::sync::CancellationToken;

/// The function's name.
pub const NAME: &str = "metrics-consumer";

/// The consumer group that is told what is counted: Backbeat's own.
pub const GROUP: &str = "backbeat-metrics-group";

/// What the function can be asked.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Value")]
pub enum Input {
    /// Count everything that the metrics topic holds now.
    Drain,
    /// Count what a Kafka event brought.
    Event(KafkaEvent),
}

impl Input {
    /// What a payload asks: a Kafka event by its `eventSource`, a drain by `{}` or nothing.
    ///
    /// # Errors
    /// When it names an event source and is no Kafka event, or is anything else.
    pub fn parse(payload: &Value) -> Result<Self, CountError> {
        match payload {
            Value::Null => Ok(Input::Drain),
            Value::Object(fields) if fields.is_empty() => Ok(Input::Drain),
            Value::Object(fields) if fields.contains_key("eventSource") => {
                Ok(Input::Event(KafkaEvent::parse(payload)?))
            }
            other => Err(CountError::NotAnInput(other.to_string().chars().take(200).collect())),
        }
    }
}

impl TryFrom<Value> for Input {
    type Error = CountError;

    fn try_from(payload: Value) -> Result<Self, CountError> {
        Input::parse(&payload)
    }
}

/// Up to where partitions of the metrics topic are counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// One entry for each partition that was asked for.
    pub counted: Vec<Counted>,
}

/// Up to where a partition is counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// Which.
    pub partition: Partition,
    /// The offset to come; absent where there was nothing to count ever.
    pub position: Option<Offset>,
}

/// Runs the function once.
///
/// # Errors
/// The first error, after every other partition was counted. The same call again counts what is missing.
pub async fn handle(input: Input, context: &Context) -> Result<Report, CountError> {
    run(input, context, &CancellationToken::new()).await
}

/// The same, but reads no further some time before `time` is over. A drain answers how far it came; an event that was not
/// counted to its end is an error, so that it comes again.
///
/// # Errors
/// As [`handle`].
pub async fn handle_within(input: Input, context: &Context, time: Duration) -> Result<Report, CountError> {
    let stop = CancellationToken::new();
    if time.is_zero() {
        stop.cancel();
    }
    let stopping = async {
        tokio::time::sleep(time - context.limits.margin.min(time / 2)).await;
        stop.cancel();
        std::future::pending().await
    };
    tokio::select! {
        report = run(input, context, &stop) => report,
        never = stopping => never,
    }
}

async fn run(input: Input, context: &Context, stop: &CancellationToken) -> Result<Report, CountError> {
    match input {
        Input::Drain => {
            let drained = pull::drain(context, stop).await;
            note(context, drained.as_ref().err(), stop).await;
            drained
        }
        Input::Event(event) => event::run(event, context, stop).await,
    }
}

/// Notes what a drain came to. One that had no time to reach the end has neither failed nor done all it had to.
async fn note(context: &Context, error: Option<&CountError>, stop: &CancellationToken) {
    let failed: Vec<_> = error.map(|error| Failed::run(error.kind(), error)).into_iter().collect();
    if !failed.is_empty() || !stop.is_cancelled() {
        context.runs.note(context.clock.now(), None, &failed).await;
    }
}
