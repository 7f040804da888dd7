//! One suite for each port: what every adapter of it must do.

pub mod objects;
pub mod records;
pub mod registry;
pub mod store;
