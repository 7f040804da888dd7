//! The segment chain: what it is called, what it counts, where it ends, and what may be added to it.

pub mod cuts;
pub mod digest;
pub mod floor;
pub mod frontier;
pub mod history;
pub mod identity;
pub mod keys;
pub mod place;
pub mod planner;
pub mod retention;
pub mod seal;
pub mod totals;
pub mod verify;

pub use cuts::Cuts;
pub use digest::ChainDigest;
pub use floor::Floor;
pub use frontier::{Frontier, Marks};
pub use history::{History, LastRead};
pub use identity::ChainIdentity;
pub use retention::Retention;
pub use seal::{Seal, SealKey, SealRule};
pub use totals::Totals;
