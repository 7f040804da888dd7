//! The refresh over the ports in memory, with segments that segment-writer wrote.

mod backlog;
mod changes;
mod faults;
mod healing;
mod looking;
mod observing;
mod past;
mod settings;
mod world;
