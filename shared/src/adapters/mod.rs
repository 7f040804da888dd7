//! The real and the in-memory side of every port. SDK crates are named here and nowhere else.

pub mod allocator;
mod aws_api;
pub mod connect;
pub mod counting;
pub mod event_gateway;
pub mod files;
mod http_client;
pub mod instance;
pub mod kafka;
pub mod lambda;
pub mod memory;
pub mod otlp;
pub mod redis;
pub mod registry;
pub mod s3;
mod secrets_manager;
pub mod settings;
pub mod system_clock;
mod trust;
