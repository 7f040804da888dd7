//! Harness of the integration tests: one Kafka, one Redis and one S3 server in containers for the whole test binary,
//! and what tests need to fill, read and watch them.
//!
//! Everything here panics, saying what was tried, when it cannot be done: a test cannot go on then.
#![allow(clippy::disallowed_methods, reason = "a test run has a clock, an environment and a random name")]

pub mod agreement;
pub mod backend;
pub mod backup;
pub mod cargo_lambda;
pub mod certificates;
pub mod conformance;
pub mod counting;
pub mod eventually;
pub mod gate;
pub mod highwater;
pub mod http;
pub mod kafka;
pub mod kafka_brokers;
pub mod kafka_consumer;
pub mod kafka_guarded;
pub mod kafka_producer;
pub mod kafka_wire;
pub mod lambda;
pub mod load;
pub mod process;
pub mod programs;
pub mod prometheus;
pub mod redis_server;
pub mod replay;
pub mod runtime_api;
pub mod s3_server;
pub mod serving;
pub mod simulation;
pub mod terminal;
