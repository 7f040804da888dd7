//! Where a chain begins (C6).

use super::{
    ArchiveError,
    control::{self, Stored},
};
use crate::{
    chain::{ChainIdentity, Floor, SealKey, keys},
    ports::objects::{ETag, Objects},
    record::{Millis, Offset},
    segment::{ChainPoint, metadata::FORMAT_VERSION},
};

/// A chain's floor with the entity tag of its object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFloor {
    /// The floor.
    pub floor: Floor,
    /// Its object's tag; `None` where there is no object: nothing ever expired.
    pub etag: Option<ETag>,
    /// When it came to lie there, by the store's clock; `None` where nothing ever expired.
    pub moved_at: Option<Millis>,
}

impl StoredFloor {
    /// The floor of a chain from which nothing expired.
    #[must_use]
    pub fn ground(chain: &ChainIdentity) -> Self {
        let floor = Floor {
            format_version: FORMAT_VERSION,
            base: Offset(0),
            before: ChainPoint::start(chain),
            seal: None,
            losses: 0,
        };
        StoredFloor { floor, etag: None, moved_at: None }
    }
}

/// Reads a chain's floor.
pub async fn read_floor(objects: &dyn Objects, chain: &ChainIdentity) -> Result<StoredFloor, ArchiveError> {
    Ok(match control::read(objects, &keys::floor(chain)).await? {
        Some(Stored { value: floor, etag, modified }) => {
            StoredFloor { floor, etag: Some(etag), moved_at: Some(modified) }
        }
        None => StoredFloor::ground(chain),
    })
}

/// Where the chain in this folder (which ends in `/`) begins.
pub async fn floor_base_in(objects: &dyn Objects, folder: &str) -> Result<Offset, ArchiveError> {
    let floor: Option<Stored<Floor>> = control::read(objects, &keys::floor_in(folder)).await?;
    Ok(floor.map_or(Offset(0), |stored| stored.value.base))
}

/// Writes a chain's floor anew, where it lies, so that who has read it cannot move it any more: what it read may have
/// gone missing since.
pub(super) async fn touch_floor(
    objects: &dyn Objects,
    chain: &ChainIdentity,
    losses: u32,
    seal_key: Option<&SealKey>,
) -> Result<(), ArchiveError> {
    let stored = read_floor(objects, chain).await?;
    if stored.floor.losses >= losses {
        return Ok(());
    }
    let key = keys::floor(chain);
    let Floor { base, before, seal, .. } = stored.floor;
    let seal = seal.or_else(|| seal_key.filter(|_| stored.etag.is_none()).map(|key| key.floor(chain, base, &before)));
    let floor = Floor { format_version: FORMAT_VERSION, base, before, seal, losses };
    control::replace(objects, &key, stored.etag, &floor).await?;
    Ok(())
}

/// Moves a chain's floor up from where it was read to `base`, before which the chain had counted `before`, sealed
/// where there is a key. Answers whether it was this call that moved it: not where another moved it since it was read, nor in the end to one's own retry.
pub async fn move_floor(
    objects: &dyn Objects,
    chain: &ChainIdentity,
    from: &StoredFloor,
    (base, before): (Offset, ChainPoint),
    seal_key: Option<&SealKey>,
) -> Result<bool, ArchiveError> {
    let key = keys::floor(chain);
    let seal = seal_key.map(|key| key.floor(chain, base, &before));
    let floor = Floor { format_version: FORMAT_VERSION, base, before, seal, losses: from.floor.losses };
    Ok(control::compare_and_set(objects, &key, from.etag.clone(), &floor).await?.is_some())
}
