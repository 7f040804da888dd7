//! The ports in memory, for tests, the simulation and `highwater dev`.

pub mod clock;
pub mod event_gateway;
pub mod faults;
pub mod kafka;
pub mod objects;
pub mod registry;
pub mod store;
