//! Where a chain begins (C6).

use super::{ArchiveError, json};
use crate::{
    chain::{ChainIdentity, Floor, keys},
    ports::objects::{ETag, Objects},
    record::Offset,
    segment::ChainPoint,
};

/// A chain's floor with the entity tag of its object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFloor {
    /// The floor.
    pub floor: Floor,
    /// Its object's tag; `None` where there is no object: nothing ever expired.
    pub etag: Option<ETag>,
}

impl StoredFloor {
    /// The floor of a chain from which nothing expired.
    #[must_use]
    pub fn ground(chain: &ChainIdentity) -> Self {
        let floor = Floor {
            format_version: crate::segment::metadata::FORMAT_VERSION,
            base: Offset(0),
            before: ChainPoint::start(chain),
        };
        StoredFloor { floor, etag: None }
    }
}

/// Reads a chain's floor.
pub async fn read_floor(objects: &dyn Objects, chain: &ChainIdentity) -> Result<StoredFloor, ArchiveError> {
    Ok(match json::read(objects, &keys::floor(chain)).await? {
        Some((floor, etag)) => StoredFloor { floor, etag: Some(etag) },
        None => StoredFloor::ground(chain),
    })
}
