//! The one integration-test binary: a module for each subject.
#![allow(clippy::disallowed_methods, reason = "a test run has an environment")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test, as tests do")]

mod backbeat_recorded;
mod backup;
mod conformance_objects;
mod conformance_store;
mod embedded_s3_cli;
mod exposition;
mod harness;
mod objects_faults;
mod servers;
mod simulation;
