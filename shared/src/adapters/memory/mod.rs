//! The memory adapter.

pub mod kafka;
pub mod objects;
