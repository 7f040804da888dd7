//! The one integration-test binary: a module for each subject.

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
