//! The one integration-test binary: a module for each subject.
#![allow(clippy::disallowed_methods, reason = "a test run has an environment")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test, as tests do")]

mod backbeat_recorded;
mod backup;
mod bad_messages;
mod binary_sizes;
mod conformance_objects;
mod conformance_records;
mod conformance_store;
mod console;
mod container_image;
mod counting;
mod dev;
mod documentation;
mod embedded_s3_cli;
mod event_gateway;
mod exposition;
mod faults_while_serving;
mod filters;
mod harness;
mod http_limits;
mod kafka_faults;
mod kills;
mod lambda_frozen;
mod lambda_metrics;
mod lambda_runtime;
mod lambda_segment_writer;
mod lambda_start;
mod log_went_back;
mod losses;
mod objects_faults;
mod openapi;
mod pausing;
mod publishing;
mod reading;
mod redis_faults;
mod repair;
mod replication;
mod restarts;
mod restore;
mod retention;
mod segment_compressions;
mod selection;
mod servers;
mod simulation;
mod start_up;
