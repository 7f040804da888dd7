//! Replication: objects copied to other locations.
//!
//! ```text
//! status PENDING in the storage -> queued event -> entry on the topic -> copy -> status COMPLETED or FAILED -> its event
//! ```
//! An [`operation`] is one version of one object that goes to one location; its id is a hash of these. An [`entry`] on topic
//! `backbeat-replication` asks for it. Its [`status`] in the storage is the truth, and is written before the [`event`] that
//! counts it; so figures can be late, and after a crash an event can come twice, but none is missing. [`queue`] does the
//! writing in this order; the rest is pure.

pub mod entry;
pub mod event;
pub mod keys;
pub mod operation;
pub mod outgoing;
pub mod place;
pub mod queue;
pub mod status;

pub use self::{
    entry::{Entry, EntryError},
    operation::{OperationId, Subject},
    outgoing::{Outgoing, Stored},
    place::SourcePlace,
    queue::{Known, Queue, QueueError, Wanted},
    status::{ReasonKind, State, Status},
};

/// The topic of entries, unless `replication.topic` names another: Backbeat's name for it.
pub const TOPIC: &str = "backbeat-replication";

/// The consumer group that replicates a storage to a location. One for each location, so that a slow or dead one holds up no
/// other; and one for each storage, so that installations that share a Kafka cluster do not share their groups.
#[must_use]
pub fn group(storage: &str, location: &str) -> String {
    format!("highwater.replication.{storage}.{location}")
}
