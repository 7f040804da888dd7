//! The HTTP ports: limits and life of connections in [`server`], one file a port.

pub mod invoke;
pub mod metrics;
pub mod query;
pub mod server;
