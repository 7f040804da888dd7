//! Where a chain ends.

use serde::{Deserialize, Serialize};

use super::ChainIdentity;
use crate::{record::Offset, segment::ChainPoint};

/// The end of a chain as the storage has it: the next segment begins here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frontier {
    /// The base of the last segment; `None` where there is none yet.
    pub last_base: Option<Offset>,
    /// The next offset to be stored.
    pub next: Offset,
    /// What the chain has counted up to there.
    pub point: ChainPoint,
}

impl Frontier {
    /// The frontier of a chain without a segment.
    #[must_use]
    pub fn empty(chain: &ChainIdentity) -> Self {
        Frontier { last_base: None, next: Offset(0), point: ChainPoint::start(chain) }
    }
}
