//! What a backup has beside its segments, in the order that never shows a broken chain:
//! owner, claim, accepted losses, segments ascending, floor.
//!
//! Readers look for accepted losses only where the floor says that there are any. So a floor that says so comes before the
//! first segment of a writer that knew of a cut.
//!
//! The last snapshots of consumer groups follow when the location is compared. Pins, pauses and the clock's object are the storage's own business and stay where they are.

use shared::{
    archive::{
        self, ChainEnd, Claim, StoredFloor,
        control::{self, Stored},
    },
    chain::{
        ChainIdentity, Floor, keys,
        place::{ChainPlace, Place, classify},
    },
    ports::objects::{GetRange, Objects},
    record::Millis,
    segment::metadata::FORMAT_VERSION,
};

use crate::{
    Location,
    copy::Copied,
    error::{CopyError, of_location, of_source},
    task::Copy,
    watch::Watch,
};

/// The two sides of a copy.
#[derive(Clone, Copy)]
pub(crate) struct Sides<'a> {
    pub source: &'a dyn Objects,
    pub target: &'a dyn Objects,
}

impl Sides<'_> {
    /// The object of that key, which both sides have at the same place.
    pub fn copy<'k>(&'k self, key: &'k str) -> Copy<'k> {
        self.sized(key, 0, None)
    }

    /// The same of an object whose size is known.
    pub fn sized<'k>(&'k self, key: &'k str, size_bytes: u64, watch: Option<&'k Watch<'k>>) -> Copy<'k> {
        Copy { source: self.source, source_key: key, location: self.target, location_key: key, size_bytes, watch }
    }
}

/// Which chain a place of the storage is.
pub(crate) async fn identity(
    source: &dyn Objects,
    backup: &str,
    place: &ChainPlace,
) -> Result<ChainIdentity, CopyError> {
    let owner = archive::read_owner(source, backup).await.map_err(of_source)?;
    let owner = owner.ok_or_else(|| CopyError::SourceGone(keys::owner(backup)))?;
    let claims = archive::claims(source, backup, &place.topic).await.map_err(of_source)?;
    let claim = claims.into_iter().find(|claim| claim.incarnation == place.incarnation);
    let claim =
        claim.ok_or_else(|| CopyError::SourceGone(keys::incarnation(backup, &place.topic, place.incarnation)))?;
    debug_assert!(owner.format_version <= FORMAT_VERSION);
    Ok(ChainIdentity {
        cluster_id: owner.cluster_id,
        backup: backup.to_owned(),
        topic: place.topic.clone(),
        topic_id: claim.topic_id,
        incarnation: place.incarnation,
        partition: place.partition,
    })
}

/// Copies the owner and a claim, which never change, unless they are known to be there. Where nothing of the chain is there what is
/// known counts for nothing: the location may have been emptied.
pub(crate) async fn bring_claim(
    location: &Location,
    sides: Sides<'_>,
    chain: &ChainIdentity,
    is_empty: bool,
) -> Result<(), CopyError> {
    let claim = keys::incarnation(&chain.backup, &chain.topic, chain.incarnation);
    for key in [keys::owner(&chain.backup), claim] {
        if !is_empty && location.controls.lock().await.contains(&key) {
            continue;
        }
        bring_unchanging(sides, &key).await?;
        location.controls.lock().await.insert(key);
    }
    Ok(())
}

/// Copies an object that is written once. One that is there must say the same.
pub(crate) async fn bring_unchanging(sides: Sides<'_>, key: &str) -> Result<Copied, CopyError> {
    let copied = sides.copy(key).immutable().await;
    if !matches!(copied, Ok(Copied::WasThere) | Err(CopyError::Differs(_))) {
        return copied;
    }
    match says_same(sides, key).await? {
        true => Ok(Copied::WasThere),
        false => Err(CopyError::Differs(key.to_owned())),
    }
}

/// Whether both sides say the same there. Claims do whenever they were made: a writer whose bucket was emptied claims again.
async fn says_same(sides: Sides<'_>, key: &str) -> Result<bool, CopyError> {
    let backup = key.split('/').next().unwrap_or_default();
    if let Place::Claim(_) = classify(backup, key) {
        let one: Option<Stored<Claim>> = control::read(sides.source, key).await.map_err(of_source)?;
        let other: Option<Stored<Claim>> = control::read(sides.target, key).await.map_err(of_location)?;
        let timeless = |stored: Stored<Claim>| Claim { claimed_at: Millis(0), ..stored.value };
        return Ok(one.map(timeless) == other.map(timeless));
    }
    let one = sides.source.get(key, GetRange::Whole).await.map_err(of_source)?;
    let other = sides.target.get(key, GetRange::Whole).await.map_err(of_location)?;
    Ok(one.map(|it| it.body) == other.map(|it| it.body))
}

/// Whether readers of a chain that ends like this know of so many cuts.
pub(crate) fn knows_cuts(end: &ChainEnd, cuts: u32) -> bool {
    cuts == 0 || (end.accepted.cuts().count() >= cuts && end.floor.floor.losses > 0)
}

/// Copies what tells readers where the chain was cut: the accepted losses, and a floor that says that there are any.
pub(crate) async fn bring_cuts(sides: Sides<'_>, chain: &ChainIdentity) -> Result<(), CopyError> {
    bring_losses(sides, chain).await?;
    let end = archive::chain_end(sides.target, chain, None).await.map_err(of_location)?;
    if end.accepted.etag.is_none() || end.floor.floor.losses > 0 {
        return Ok(());
    }
    bring_floor(sides, chain, &end).await?;
    note_losses(sides.target, chain).await
}

/// Notes at the location's own floor that there are accepted losses, where the storage's floor must not come yet.
async fn note_losses(target: &dyn Objects, chain: &ChainIdentity) -> Result<(), CopyError> {
    let StoredFloor { floor, etag, .. } = archive::read_floor(target, chain).await.map_err(of_location)?;
    if floor.losses == 0 {
        let noted = Floor { losses: 1, ..floor };
        control::replace(target, &keys::floor(chain), etag, &noted).await.map_err(of_location)?;
    }
    Ok(())
}

/// Copies the accepted losses as they are now: before any segment that was written in the knowledge of them.
pub(crate) async fn bring_losses(sides: Sides<'_>, chain: &ChainIdentity) -> Result<(), CopyError> {
    match sides.copy(&keys::accepted_loss(chain)).mutable().await {
        Ok(_) | Err(CopyError::SourceGone(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Copies the floor where it lies where the location's does, or higher and the location holds the segment that it points to.
pub(crate) async fn bring_floor(sides: Sides<'_>, chain: &ChainIdentity, end: &ChainEnd) -> Result<bool, CopyError> {
    let floor = archive::read_floor(sides.source, chain).await.map_err(of_source)?;
    let (from, to) = (end.floor.floor.base, floor.floor.base);
    let has_segment = to == from || end.frontier.last_base.is_some_and(|last| last >= to);
    if floor.etag.is_none() || to < from || !has_segment {
        return Ok(false);
    }
    bring_floor_first(sides, chain).await
}

/// Copies the floor although nothing lies behind it yet: the storage has nothing below it any more, and the segment that
/// it points to comes next.
pub(crate) async fn bring_floor_first(sides: Sides<'_>, chain: &ChainIdentity) -> Result<bool, CopyError> {
    match sides.copy(&keys::floor(chain)).mutable().await {
        Ok(copied) => Ok(copied != Copied::WasThere),
        Err(CopyError::SourceGone(_)) => Ok(false),
        Err(error) => Err(error),
    }
}
