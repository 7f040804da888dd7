//! The function over a storage in memory that segment-writer filled.

mod attacking;
mod expiring;
mod holding;
mod world;
