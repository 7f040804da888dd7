//! The states of a backup job.

pub mod state;

pub use state::{State, Word};
