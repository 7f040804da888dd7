//! The segment chain: what it is called, what it counts, where it ends, and what may be added to it.

pub mod digest;
pub mod identity;
pub mod totals;

pub use digest::ChainDigest;
pub use identity::ChainIdentity;
pub use totals::Totals;
