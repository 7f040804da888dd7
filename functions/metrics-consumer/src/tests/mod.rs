//! The function against Kafka and the store in memory, through the real metrics-aggregator.
#![allow(clippy::disallowed_methods, reason = "tests measure paused time")]

mod draining;
mod events;
mod following;
mod refusing;
mod replaying;
mod world;
