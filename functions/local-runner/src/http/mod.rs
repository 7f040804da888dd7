//! The HTTP ports: limits and life of connections in [`server`], [`routes`] for the functions that answer HTTP, [`invoke`] for the Invoke API,
//! [`events`] for what the console is told by itself.

pub mod answer;
pub mod body;
pub mod events;
pub mod invoke;
pub mod routes;
pub mod server;
pub mod tls;
