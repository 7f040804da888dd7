//! What is known of replication beside Backbeat's figures: latency, age of what waits, failures by reason, bytes by size, and how
//! far each location is.
//!
//! Three numbers are kept of operations: how many are pending (Backbeat's own counter), how many were completed, how many attempts
//! failed. The last two only grow ([`counters`]). How many were queued is their sum, so that at any moment, whatever came twice or
//! out of order, pending = queued - completed - failed, and queued only grows too. All figures of an answer come from one reading
//! ([`figures`]).

pub mod counters;
pub mod exposition;
pub mod figures;
pub mod frontiers;

pub use self::{
    counters::{LATENCY_BOUNDS_MS, REASONS, SIZES},
    figures::Figures,
};
