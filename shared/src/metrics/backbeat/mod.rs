//! Backbeat's replication metrics: its messages, its keys in Redis, its formulas and its HTTP answers.
//!
//! Facts from the original (2018, called A here, and 8.7, called B): a store that one of the two wrote is read by
//! Highwater and the other way round. What differs on purpose is said where it differs.

pub mod answer;
pub mod control;
pub mod error;
pub mod figures;
pub mod formulas;
pub mod keys;
pub mod message;
pub mod retry_body;
pub mod route;
