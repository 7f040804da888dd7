//! Reading backups, for every function and command that does.
//!
//! [`holdings`] finds backups, topics and chains; [`segments`] lists the segments of a chain that count; [`range`] reads
//! their records and stops where a segment is missing; [`walk`] judges a whole backup; [`pinned`] keeps what is read from
//! expiring meanwhile.

pub mod holdings;
mod pinned;
pub mod range;
pub mod segments;
pub mod walk;

pub use pinned::pinned;
