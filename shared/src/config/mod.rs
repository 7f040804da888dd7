//! Settings: one file and the environment over it.

pub mod compression;
pub mod secret;
pub mod storage;
pub mod units;
