//! The HTTP ports: limits and life of connections in [`server`], [`routes`] for the functions that answer HTTP, [`invoke`] for the Invoke API.

pub mod body;
pub mod invoke;
pub mod routes;
pub mod server;
