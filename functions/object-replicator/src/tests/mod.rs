//! The function over Kafka and storages in memory.

mod chains;
mod controls;
mod failing;
mod objects;
mod simulating;
mod world;
