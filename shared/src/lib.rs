//! What every function of Highwater shares: the pure core, the ports it needs and their adapters.
//!
//! [`record`], [`segment`], [`chain`], [`rollover`], [`metrics`], [`job`], [`config`], [`web`] and [`function`] are pure: no
//! I/O, no clock, no environment; time is an argument. [`archive`] reads and writes a backup through the ports.
//! [`ports`] are the traits the handlers speak to. [`adapters`] are the only place that names an SDK crate.

pub mod adapters;
pub mod archive;
pub mod blocking;
pub mod chain;
pub mod config;
pub mod crash;
pub mod function;
pub mod job;
pub mod metrics;
pub mod ports;
pub mod pushing;
pub mod record;
pub mod replication;
pub mod restore;
pub mod rollover;
pub mod runs;
pub mod schemas;
pub mod segment;
pub mod web;
