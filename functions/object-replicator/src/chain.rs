//! Bringing a location's copy of a chain up to a segment.
//!
//! Segments come in their order only: one is put where the location's copy of the chain ends, never behind a hole. So
//! whatever is missing before it is copied first, whoever asked for that; its own entry then finds it there.

use shared::{
    archive::{self, ChainEnd, ChainHint, SegmentEntry},
    chain::{ChainIdentity, keys, place::ChainPlace},
    ports::objects::Objects,
    record::Offset,
};

use crate::{
    Location,
    controls::{self, Sides},
    copy::Copied,
    error::{CopyError, of_location, of_source},
    watch::Watch,
};

/// A segment of the storage that is asked for.
pub(crate) struct Asked<'a> {
    pub backup: &'a str,
    pub place: &'a ChainPlace,
    pub key: &'a str,
    pub base: Offset,
    pub cuts: u32,
    pub watch: &'a Watch<'a>,
}

/// What the next step is.
enum Step {
    /// The segment lies below where the location's copy ends.
    Passed,
    /// This one is put next.
    Put(SegmentEntry),
    /// What tells readers of so many cuts comes first: a writer that knew of them stored a segment.
    Cut(u32),
    /// The storage has nothing more there: its floor comes first.
    Floor,
}

/// Copies the segment and, before it, whatever the location lacks of its chain.
pub(crate) async fn bring_segment(
    location: &Location,
    sides: Sides<'_>,
    asked: &Asked<'_>,
) -> Result<Copied, CopyError> {
    let folder = &asked.key[..=asked.key.rfind('/').unwrap_or(0)];
    let chain = known_chain(location, sides.source, asked.backup, asked.place, folder).await?;
    let (mut cuts_came, mut floor_came, mut is_claimed) = (0, false, false);
    loop {
        let end = look(location, sides, &chain).await?;
        if !is_claimed {
            controls::bring_claim(location, sides, &chain, end.frontier.last_base.is_none()).await?;
            is_claimed = true;
        }
        match next_step(sides, &chain, &end, asked, cuts_came).await? {
            Step::Passed => return passed(location, sides, &chain, &end, asked).await,
            Step::Put(segment) => {
                let is_asked = segment.key == asked.key;
                let watch = is_asked.then_some(asked.watch);
                let copied = sides.sized(&segment.key, segment.size_bytes, watch).immutable().await?;
                location.remember(&chain, segment.base).await;
                location.say_copied(asked.watch.context, sides, &chain, &segment).await;
                if is_asked {
                    return Ok(copied);
                }
            }
            Step::Cut(cuts) => {
                controls::bring_cuts(sides, &chain).await?;
                cuts_came = cuts;
            }
            Step::Floor if !floor_came => {
                controls::bring_floor_first(sides, &chain).await?;
                floor_came = true;
            }
            Step::Floor => return Err(CopyError::Hole { key: asked.key.to_owned(), next: end.frontier.next }),
        }
    }
}

/// Which chain the folder of a segment is. Owner and claims never change, so what was read once needs no second look.
pub(crate) async fn known_chain(
    location: &Location,
    source: &dyn Objects,
    backup: &str,
    place: &ChainPlace,
    folder: &str,
) -> Result<ChainIdentity, CopyError> {
    if let Some(chain) = location.chains.lock().await.get(folder) {
        return Ok(chain.clone());
    }
    let chain = controls::identity(source, backup, place).await?;
    location.chains.lock().await.insert(folder.to_owned(), chain.clone());
    Ok(chain)
}

/// Where the location's copy ends.
pub(crate) async fn look(location: &Location, sides: Sides<'_>, chain: &ChainIdentity) -> Result<ChainEnd, CopyError> {
    let hint = location.hint(chain).await;
    archive::chain_end(sides.target, chain, hint.as_ref()).await.map_err(of_location)
}

/// What is to be done next, where what tells of so many cuts was brought already.
async fn next_step(
    sides: Sides<'_>,
    chain: &ChainIdentity,
    end: &ChainEnd,
    asked: &Asked<'_>,
    cuts_came: u32,
) -> Result<Step, CopyError> {
    let next = end.frontier.next;
    let is_unknown = |cuts: u32| cuts > cuts_came && !controls::knows_cuts(end, cuts);
    if is_unknown(asked.cuts) {
        return Ok(Step::Cut(asked.cuts));
    }
    if asked.base < next {
        return Ok(Step::Passed);
    }
    let (folder, mut after) = (keys::chain_folder(chain), keys::before_segment(chain, next));
    let cuts = end.accepted.cuts();
    loop {
        let (page, more) = archive::chain_objects(sides.source, chain, &after).await.map_err(of_source)?;
        let mut segments = page.iter().filter_map(|entry| SegmentEntry::of(&folder, entry));
        match segments.find(|segment| !segment.is_superseded(&cuts)) {
            Some(segment) if is_unknown(segment.cuts) => return Ok(Step::Cut(segment.cuts)),
            Some(segment) if segment.base == next => return Ok(Step::Put(segment)),
            Some(_) => return Ok(Step::Floor),
            None => match more {
                Some(more) => after = more,
                None => return Err(CopyError::SourceGone(asked.key.to_owned())),
            },
        }
    }
}

/// The segment lies below the end: it is there, or it has expired there, or there is a hole that somebody made.
async fn passed(
    location: &Location,
    sides: Sides<'_>,
    chain: &ChainIdentity,
    end: &ChainEnd,
    asked: &Asked<'_>,
) -> Result<Copied, CopyError> {
    if asked.base < end.floor.floor.base || end.accepted.cuts().is_superseded(asked.base, asked.cuts) {
        return Ok(Copied::WasThere);
    }
    let size_bytes = asked.watch.status.size_bytes;
    let copied = sides.sized(asked.key, size_bytes, Some(asked.watch)).unless_there().await?;
    if matches!(copied, Copied::Written { .. }) {
        let segment = SegmentEntry { key: asked.key.to_owned(), base: asked.base, cuts: asked.cuts, size_bytes };
        location.say_copied(asked.watch.context, sides, chain, &segment).await;
    }
    Ok(copied)
}

impl Location {
    pub(crate) async fn hint(&self, chain: &ChainIdentity) -> Option<ChainHint> {
        self.hints.lock().await.get(&keys::chain_folder(chain)).cloned()
    }

    pub(crate) async fn remember(&self, chain: &ChainIdentity, base: Offset) {
        self.hints.lock().await.insert(keys::chain_folder(chain), ChainHint { base, known: None });
    }
}
