//! One chain: sweep below its floor, then move the floor.

use shared::{
    archive::{self, AcceptedLosses, ArchiveError, StoredFloor, pins},
    chain::{ChainIdentity, Cuts, Totals, keys, seal::Worth},
    crash,
    metrics::registers,
    ports::objects::ObjectsError,
    record::Offset,
    segment::SegmentMetadata,
};

use crate::{ExpireError, listed::Listed, prefix::Prefix, report::ChainReport, rules::Run, seals};

/// What was done to a chain.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// Whether all that has expired is below the floor.
    pub complete: bool,
    /// What changed, if anything did.
    pub changed: Option<ChainReport>,
}

/// Deletes what lies below the floor and moves the floor up to the first segment that has not expired.
///
/// A floor that has just moved is left alone until those who were reading below it are done; so it moves once in a grace
/// period, and its date tells when all below it may go.
pub(crate) async fn expire(run: &Run<'_>, chain: &ChainIdentity) -> Result<Done, ExpireError> {
    let floor = archive::read_floor(&*run.context.objects, chain).await?;
    if floor.moved_at.is_some_and(|moved_at| !run.retention.grace_is_over(moved_at, run.now)) {
        return Ok(Done { complete: true, changed: None });
    }
    seals::believe_floor(run, chain, &floor)?;
    let (mut prefix, mut deleted) = look(run, chain, &floor, &Cuts::default()).await?;
    // Their number is under no seal: with a key they are looked at in any case.
    if prefix.new_first().is_some() && (floor.floor.losses > 0 || run.seals.is_some()) {
        // Whoever accepts a loss from now on writes the floor anew, and it does not move.
        let accepted = seals::read_believed_losses(run, chain).await?;
        if accepted.is_proposed() {
            decide(run, chain, accepted).await?;
            return Ok(Done {
                complete: true,
                changed: (deleted > 0).then(|| report(chain, floor.floor.base, Totals::default(), deleted)),
            });
        }
        let cuts = accepted.cuts();
        if cuts.count() > 0 {
            let (whole, more) = look(run, chain, &floor, &cuts).await?;
            (prefix, deleted) = (whole, deleted + more);
        }
    }
    let moved = match prefix.new_first() {
        Some(first) => raise(run, chain, &floor, first, prefix.expired).await?,
        None => None,
    };
    let (start, expired) = moved.unwrap_or((floor.floor.base, Totals::default()));
    let changed = (deleted > 0 || moved.is_some()).then(|| report(chain, start, expired, deleted));
    Ok(Done { complete: !prefix.cut_short, changed })
}

/// Decides about a loss that somebody began to accept: where nobody writes any more, nobody else would, and nothing would
/// expire again. What is not sealed as the backup is stays as it is: deciding seals all of them anew.
async fn decide(run: &Run<'_>, chain: &ChainIdentity, accepted: AcceptedLosses) -> Result<(), ExpireError> {
    let is_ours = match run.seals {
        Some(rule) => accepted.worth(chain, rule) == Worth::Valid,
        None => accepted.seal.is_none(),
    };
    if !is_ours {
        return Ok(());
    }
    match archive::decide_losses(&*run.context.objects, chain, accepted, run.seal_key()).await {
        Ok(_) | Err(ArchiveError::Objects(ObjectsError::PreconditionFailed { .. })) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// What has expired of a chain with these cuts. Deletes what lies below its floor, and tells how many.
async fn look<'a>(
    run: &'a Run<'_>,
    chain: &'a ChainIdentity,
    floor: &StoredFloor,
    cuts: &Cuts,
) -> Result<(Prefix<'a>, u64), ExpireError> {
    let held_from = run.held_from(chain);
    let mut deleted = 0;
    let mut prefix = Prefix::new(run, chain, held_from);
    let is_free = held_from.is_none_or(|from| from >= floor.floor.base);
    let mut after = if is_free { String::new() } else { keys::before_segment(chain, floor.floor.base) };
    loop {
        let (page, next) = archive::chain_objects(&*run.context.objects, chain, &after).await?;
        let segments = page.iter().filter_map(|entry| Listed::of(&keys::chain_folder(chain), entry));
        let (below, above): (Vec<_>, Vec<_>) = segments.partition(|listed| listed.entry.base < floor.floor.base);
        deleted += sweep(run, below).await?;
        prefix.take(above.into_iter().filter(|listed| !listed.entry.is_superseded(cuts)).collect()).await?;
        match next {
            Some(next) if !prefix.ended && !run.is_over() => after = next,
            Some(_) if !prefix.ended => break prefix.cut_short = true,
            _ => break,
        }
    }
    Ok((prefix, deleted))
}

fn report(chain: &ChainIdentity, start: Offset, expired: Totals, deleted_segments: u64) -> ChainReport {
    ChainReport {
        topic: chain.topic.clone(),
        incarnation: chain.incarnation,
        partition: chain.partition,
        start,
        expired_segments: expired.segments,
        expired_records: expired.records,
        deleted_segments,
    }
}

/// Deletes segments that lie below the floor: since the grace period, or put there by a writer that woke too late.
async fn sweep(run: &Run<'_>, segments: Vec<Listed>) -> Result<u64, ExpireError> {
    let keys: Vec<String> = segments.into_iter().map(|listed| listed.entry.key).collect();
    run.context.objects.delete_all(&keys).await?;
    Ok(keys.len() as u64)
}

/// Moves the floor up to the base of `first`. Answers where it is then and what expired by it; nothing where a reader has
/// pinned what would expire, or another has moved the floor.
async fn raise(
    run: &Run<'_>,
    chain: &ChainIdentity,
    floor: &StoredFloor,
    first: &Listed,
    listed: u64,
) -> Result<Option<(Offset, Totals)>, ExpireError> {
    let objects = &*run.context.objects;
    let metadata = seals::read_believed(run, chain, first).await?;
    let first = &first.entry;
    let expired = what_expires(chain, floor, &metadata, listed)?;
    // Right before, so that what somebody has pinned since the run began remains a part of the backup.
    let pins = pins::in_force(objects, &chain.backup, run.now).await?;
    if pins.held_from(chain).is_some_and(|from| first.base > from) {
        return Ok(None);
    }
    crash::point("before-floor");
    let is_moved = archive::move_floor(objects, chain, floor, (first.base, metadata.before), run.seal_key()).await?;
    crash::point("after-floor");
    if is_moved {
        tell(run, chain, first.base, metadata.before.totals).await;
    }
    Ok(is_moved.then_some((first.base, expired)))
}

/// Tells the store of figures where the chain begins now. That it cannot be told costs nothing but time: lag-monitor looks
/// at every chain once in a while.
async fn tell(run: &Run<'_>, chain: &ChainIdentity, start: Offset, before: Totals) {
    let Some(store) = &run.context.store else { return };
    if let Err(error) = store.apply(&[], &[registers::floor(chain, start, before)]).await {
        tracing::debug!(error = &error as &dyn std::error::Error, "the figures do not show yet that segments expired");
    }
}

/// What the chain counts between its floor and the first segment that stays.
fn what_expires(
    chain: &ChainIdentity,
    floor: &StoredFloor,
    first: &SegmentMetadata,
    listed: u64,
) -> Result<Totals, ExpireError> {
    let expired = first.before.totals.minus(floor.floor.before.totals);
    if expired.segments == listed {
        return Ok(expired);
    }
    let (folder, counted) = (keys::chain_folder(chain), expired.segments);
    Err(ExpireError::NotWhole { folder, floor: floor.floor.base, to: first.base, counted, listed })
}
