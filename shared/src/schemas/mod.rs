//! A backup of a schema registry, as far as it is pure: what a snapshot holds, what a restore of it does, and what becomes of
//! the ids in records.

pub mod ids;
pub mod order;
pub mod plan;
pub mod snapshot;

pub use ids::{IdMap, Mapped, Rewritten, SchemaIds, Side, TopicIds, Unknown, UnknownId};
pub use plan::{Finding, Plan, Step, plan};
pub use snapshot::{Held, Manifest, Snapshot, Subject};
