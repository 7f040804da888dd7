//! Restoring topics from a backup: what is asked, what is taken, where it went, and what stands in its way. All pure.
//!
//! ```text
//! Plan ──resolve──> TopicJob ──preflight──> findings
//!                      │  Selection: which records
//!                      ▼
//!       records + Progress + mapping runs, in one transaction
//! ```
//! A restore belongs to the pair of a backup and a target topic's id ([`RestoreId`]). All that is known of it lies in the
//! compacted topic [`PROGRESS_TOPIC`] of the target cluster, written in the same transactions as the records.

pub mod clamp;
pub mod mapping;
pub mod origin;
pub mod plan;
pub mod preflight;
pub mod progress;
pub mod raising;
pub mod rehash;
pub mod selection;
pub mod source;
pub mod translation;
pub mod words;

pub use clamp::Clamp;
pub use mapping::MappingRun;
pub use origin::OriginHeaders;
pub use plan::{Moment, Plan, RefusedSettings, TopicJob, TopicRule, resolve};
pub use preflight::{Finding, Severity};
pub use progress::{Position, ProgressKey, RestoreId, Started};
pub use selection::{OffsetRange, Selection, Take, TimeRange};
pub use source::{Missing, SourcePartition, SourceSegment};

/// The topic of the target cluster that holds what is known of restores.
pub const PROGRESS_TOPIC: &str = "highwater-restores";

/// How the names of topics begin into which drills restore; no backup's pattern selects them.
pub const DRILL_TOPICS: &str = "highwater-drill.";
