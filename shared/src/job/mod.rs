//! The states of a backup job.
