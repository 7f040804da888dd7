//! The memory adapter.

pub mod objects;
