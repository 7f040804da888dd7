//! The refresh over the ports in memory, with segments that segment-writer wrote.

mod changes;
mod faults;
mod healing;
mod observing;
mod outlook;
mod settings;
mod world;
