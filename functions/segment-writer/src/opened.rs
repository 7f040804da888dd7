//! What opening a chain gives.

use shared::{
    archive::{AcceptedLosses, StoredFloor},
    chain::{ChainIdentity, Frontier},
};

use crate::WriteError;

/// A chain that may be written.
#[derive(Debug, Clone)]
pub struct OpenChain {
    /// Which.
    pub chain: ChainIdentity,
    /// Where it ends.
    pub frontier: Frontier,
    /// Where it begins.
    pub floor: StoredFloor,
    /// The losses of its tail that were accepted.
    pub accepted: AcceptedLosses,
    /// Grows with every opening: whose word counts about the chain's state.
    pub owner_epoch: u64,
}

/// A chain that was opened, and why nothing may be written to it nevertheless.
#[derive(Debug)]
pub struct OpenOutcome {
    /// The chain.
    pub open: OpenChain,
    /// That its tail is missing.
    pub missing: Option<WriteError>,
}

/// What a chain is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To go on writing it, also behind a loss that was accepted.
    Write,
    /// To look at it.
    Look,
}
