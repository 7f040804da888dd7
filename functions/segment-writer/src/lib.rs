//! segment-writer: Kafka records become the segments of a chain.
//!
//! A **drain** pulls every selected partition from its frontier to the end of the log ([`handle`] with [`Input::Drain`];
//! [`follow`] does not stop there). A **Kafka event** ([`Input::Event`]) is a hint up to where to pull. `input` tells one
//! from the other.
//!
//! `session` feeds the lanes from one consumer, `lane` runs one partition, `writer` holds its unfinished segment of what
//! `sift` leaves of the records, `storing` has a closed one on its way to the storage, `seal` makes it durable.

mod accept;
mod believed;
mod blocking;
mod coalesce;
pub mod context;
mod drain;
mod error;
mod event;
mod follow;
mod input;
mod lane;
mod memory;
mod offsets;
mod open;
mod opened;
mod outbox;
mod pause;
mod permits;
mod progress;
mod replicate;
mod report;
mod resting;
mod seal;
mod session;
mod settings;
mod sift;
mod storing;
mod superseded;
mod tail;
#[cfg(test)]
mod tests;
mod topics;
mod unanswered;
mod writer;

pub use accept::{MissingTail, accept, missing_tails};
pub use context::{Backup, Context, Limits, Protections};
pub use drain::{Drain, DrainReport, PartitionReport, Shard, Waiting};
pub use error::WriteError;
pub use event::{Arrived, Event, EventReport, ItemFailure};
pub use follow::follow;
pub use input::{Input, InputError};

use std::sync::Arc;

use serde::Serialize;

/// The function's name.
pub const NAME: &str = "segment-writer";

/// What the function answers.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Output {
    /// To a drain.
    Drain(DrainReport),
    /// To an event.
    Event(EventReport),
}

/// Runs the function once.
///
/// # Errors
/// When nothing could be done at all: the backup is unknown or another's, Kafka's topics could not be read; and when an
/// event must come again as a whole. What fails for one partition is in the answer and costs no other partition anything.
pub async fn handle(input: Input, context: &Arc<Context>) -> Result<Output, WriteError> {
    match input {
        Input::Drain(drain) => drain::run(drain, context).await.map(Output::Drain),
        Input::Event(event) => event::run(event, context).await.map(Output::Event),
    }
}
