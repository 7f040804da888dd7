//! What the handlers need of the world, as small traits.
//!
//! Each has a real adapter and an in-memory one, and both pass the port's one conformance suite.

pub mod acls;
pub mod clock;
pub mod event_gateway;
pub mod invoker;
pub mod objects;
pub mod records;
pub mod registry;
pub mod store;
pub mod transactions;
