//! Where a chain begins, and what it had counted below.

use serde::{Deserialize, Serialize};

use super::Seal;
use crate::{record::Offset, segment::ChainPoint};

/// The content of `=floor.json`. It is changed only under `If-Match`, and moves before expired segments are deleted:
/// whatever lies below `base` is no part of the backup any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Floor {
    /// The version of this format.
    pub format_version: u32,
    /// The base of the first segment that counts.
    pub base: Offset,
    /// What the chain had counted before that segment.
    pub before: ChainPoint,
    /// The seal of whoever moved it there with a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seal: Option<Seal>,
    /// How many steps there were in accepting losses of the chain's tail when somebody last decided: written anew for each, so that
    /// who read the floor before cannot move it. Left out where it is 0.
    #[serde(default, skip_serializing_if = "super::totals::is_zero")]
    pub losses: u32,
}
