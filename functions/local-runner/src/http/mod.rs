//! The HTTP ports: limits and life of connections in [`server`], one file a port.

pub mod body;
pub mod figures;
pub mod invoke;
pub mod server;
