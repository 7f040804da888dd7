//! Comparing the storage with a location: what is missing there is asked for, and the objects beside the segments follow.
//!
//! One listing of each side, read side by side. Whatever was lost on the way (an entry, a topic, a copy that somebody
//! deleted) is found here, so nothing else needs to be perfect.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use shared::{
    archive::{self, AcceptedLosses, SegmentEntry},
    chain::{
        keys,
        place::{ChainPlace, Place, classify},
    },
    ports::objects::{ListPage, ListRequest, ObjectEntry, Objects, ObjectsError},
    record::{Millis, Offset},
    replication::{Known, State, Stored, Wanted, event},
};

use crate::{
    Context, Location, ReplicateError, chain,
    controls::{self, Sides},
    error::CopyError,
    frontier, process,
};

/// Statuses of completed operations are kept for a week.
const COMPLETED_KEPT_MS: i64 = 7 * 86_400_000;
/// Clocks may be apart, and a status is stored some time before it is told.
const TOLD_AGAIN_MARGIN_MS: i64 = 600_000;
/// So many objects are asked for at once.
const WANTED_AT_ONCE: usize = 500;

/// What was compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reconciled {
    /// Segments of the storage.
    pub segments: u64,
    /// Those of them that the location lacks.
    pub missing: u64,
    /// Those of them that were asked for; the others are on their way, or failed and have their own time.
    pub asked: u64,
}

/// Compares all backups of the storage with a location.
pub(crate) async fn run(context: &Context, location: &Location) -> Result<Reconciled, ReplicateError> {
    let began = context.clock.now();
    let seen_at = began;
    let known = match has_caught_up(context, location).await? {
        true => Known::Restore { seen_at },
        false => Known::RestoreUnlessPending { seen_at },
    };
    let oldest_pending = tell_again(context, location, known).await?;
    let before = Millis(context.clock.now().0.saturating_sub(COMPLETED_KEPT_MS));
    archive::forget_completed(&*context.objects, &location.name, before).await?;
    let at = |source: CopyError| ReplicateError::Location { location: location.name.clone(), source: Box::new(source) };
    let target = location.objects().await.map_err(|error| at(CopyError::Location(error.into())))?;
    let sides = Sides { source: &*context.objects, target };
    let mut run =
        Run { context, location, known, began, reconciled: Reconciled::default(), wanted: vec![], controls: vec![] };
    for backup in archive::backups(&*context.objects).await? {
        let there = listed(target, &keys::backup_folder(&backup)).await;
        let there = there.map_err(|error| at(CopyError::Location(error.into())))?;
        run.compare(&backup, &there).await?;
        run.ask().await?;
        run.bring_controls(sides, &backup, &there).await.map_err(at)?;
    }
    archive::note_compared(&*context.objects, &location.name, began.min(oldest_pending)).await?;
    Ok(run.reconciled)
}

/// Sends the events of what ended since the location was last compared once more: whoever stored a status may have died before
/// it was told, and its entry may be gone. Events count once. What is pending although all entries were read is asked for
/// again: whoever copied it may have died before it said so. Answers when the oldest pending status was stored.
async fn tell_again(context: &Context, location: &Location, known: Known) -> Result<Millis, ReplicateError> {
    let (objects, mut after, mut oldest_pending) = (&*context.objects, String::new(), Millis(i64::MAX));
    let since = archive::compared_at(objects, &location.name).await?;
    let since = Millis(since.0.saturating_sub(TOLD_AGAIN_MARGIN_MS));
    loop {
        let (changed, next) = archive::changed_since(objects, &location.name, since, &after).await?;
        let (pending, ended): (Vec<_>, Vec<_>) = changed.into_iter().partition(|(_, it)| it.state == State::Pending);
        if !ended.is_empty() {
            context.queue().tell(ended.iter().map(|(_, status)| event::of_status(status)).collect()).await?;
        }
        oldest_pending = pending.iter().map(|(stored_at, _)| *stored_at).fold(oldest_pending, Millis::min);
        if matches!(known, Known::Restore { .. }) {
            let pending: Vec<_> = pending.into_iter().map(|(_, status)| status).collect();
            context.queue().ask_again(&pending).await?;
        }
        match next {
            Some(next) => after = next,
            None => return Ok(oldest_pending),
        }
    }
}

/// Whether the location has read all entries that were on the topic a moment ago.
async fn has_caught_up(context: &Context, location: &Location) -> Result<bool, ReplicateError> {
    let partitions = process::partitions(context).await?;
    let ends = process::bounds(context, &partitions).await?;
    let committed = context.kafka.committed_offsets(&context.group(location), &partitions).await?;
    for (end, committed) in ends.into_iter().zip(committed) {
        if end.stable_end > end.start && committed.is_none_or(|committed| committed < end.stable_end) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What the location holds of a backup, by key: size and tag.
type There = HashMap<String, ObjectEntry>;

async fn listed(objects: &dyn Objects, prefix: &str) -> Result<There, ObjectsError> {
    let (mut all, mut after) = (There::new(), String::new());
    loop {
        let ListPage { objects: page, next_after, .. } =
            objects.list(ListRequest { after: &after, ..ListRequest::prefix(prefix) }).await?;
        all.extend(page.into_iter().map(|entry| (entry.key.clone(), entry)));
        match next_after {
            Some(next) => after = next,
            None => return Ok(all),
        }
    }
}

struct Run<'a> {
    context: &'a Context,
    location: &'a Location,
    known: Known,
    began: Millis,
    reconciled: Reconciled,
    wanted: Vec<Wanted>,
    /// The other objects of the backup.
    controls: Vec<ObjectEntry>,
}

/// The segments of a chain, as far as they were listed.
struct OfChain {
    place: ChainPlace,
    folder: String,
    segments: Vec<ObjectEntry>,
}

impl Run<'_> {
    async fn compare(&mut self, backup: &str, there: &There) -> Result<(), ReplicateError> {
        let (folder, mut after) = (keys::backup_folder(backup), String::new());
        let mut open: Option<OfChain> = None;
        loop {
            let page = self.context.objects.list(ListRequest { after: &after, ..ListRequest::prefix(&folder) }).await?;
            for entry in page.objects {
                let Place::Segment(place, ..) = classify(backup, &entry.key) else {
                    self.controls.push(entry);
                    continue;
                };
                if open.as_ref().is_none_or(|chain| chain.place != place)
                    && let Some(chain) = open.replace(OfChain::of(place, &entry.key))
                {
                    self.compare_chain(backup, chain, there).await?;
                }
                open.iter_mut().for_each(|chain| chain.segments.push(entry.clone()));
            }
            match page.next_after {
                Some(next) => after = next,
                None => break,
            }
        }
        match open {
            Some(chain) => self.compare_chain(backup, chain, there).await,
            None => Ok(()),
        }
    }

    /// Asks for the segments of a chain that exist (not below its floor, not cut off) and are not there.
    async fn compare_chain(&mut self, backup: &str, chain: OfChain, there: &There) -> Result<(), ReplicateError> {
        let is_there = |entry: &ObjectEntry| there.get(&entry.key).is_some_and(|it| it.size_bytes == entry.size_bytes);
        self.reconciled.segments += chain.segments.len() as u64;
        if chain.segments.iter().all(is_there) {
            self.say_complete(backup, &chain, None).await;
            return Ok(());
        }
        let base = archive::floor_base_in(&*self.context.objects, &chain.folder).await?;
        let losses: AcceptedLosses = archive::accepted_losses_in(&*self.context.objects, &chain.folder).await?;
        let cuts = losses.cuts();
        let mut first_missing = None;
        for entry in chain.segments.iter().filter(|entry| !is_there(entry)) {
            let segment = SegmentEntry::of(&chain.folder, entry);
            let Some(segment) = segment.filter(|segment| segment.base >= base && !segment.is_superseded(&cuts)) else {
                self.reconciled.segments -= 1;
                continue;
            };
            first_missing.get_or_insert(segment.base);
            self.reconciled.missing += 1;
            let stored = Stored { key: entry.key.clone(), etag: entry.etag.clone(), size_bytes: entry.size_bytes };
            self.wanted.push(self.context.outgoing.wanted(&self.location.name, &stored, self.known));
            if self.wanted.len() >= WANTED_AT_ONCE {
                self.ask().await?;
            }
        }
        self.say_complete(backup, &chain, first_missing).await;
        Ok(())
    }

    /// Says up to where the location holds the chain: to the first segment that it lacks, or else to the chain's end.
    async fn say_complete(&self, backup: &str, of: &OfChain, first_missing: Option<Offset>) {
        let (context, location) = (self.context, self.location);
        let chain = chain::known_chain(location, &*context.objects, backup, &of.place, &of.folder).await;
        let Ok(chain) = chain else { return };
        let last = of.segments.iter().rev().find_map(|entry| SegmentEntry::of(&of.folder, entry));
        let next = match (first_missing, last) {
            (Some(missing), _) => Some(missing),
            (None, Some(last)) => frontier::end_behind(context, &chain, last.base).await,
            (None, None) => None,
        };
        if let Some(next) = next {
            location.say_compared(context, &chain, next, self.began).await;
        }
    }

    async fn ask(&mut self) -> Result<(), ReplicateError> {
        self.reconciled.asked += self.context.queue().enqueue(std::mem::take(&mut self.wanted)).await? as u64;
        Ok(())
    }

    /// Lets floors and accepted losses follow that changed since they were copied, claims of topics without a segment, and the
    /// last snapshot of each consumer group and of how each topic is set up.
    async fn bring_controls(&mut self, sides: Sides<'_>, backup: &str, there: &There) -> Result<(), CopyError> {
        controls::bring_unchanging(sides, &keys::owner(backup)).await?;
        let all = std::mem::take(&mut self.controls);
        for key in last_snapshots(backup, &all).filter(|key| !there.contains_key(*key)) {
            match controls::bring_unchanging(sides, key).await {
                // It grew old and was deleted since it was listed.
                Ok(_) | Err(CopyError::SourceGone(_)) => {}
                Err(error) => return Err(error),
            }
        }
        for ObjectEntry { key, etag, .. } in all {
            if there.get(&key).is_some_and(|it| it.etag == etag) {
                continue;
            }
            match classify(backup, &key) {
                Place::Claim(_) => drop(controls::bring_unchanging(sides, &key).await?),
                Place::AcceptedLoss(place) => {
                    let chain = controls::identity(sides.source, backup, &place).await?;
                    controls::bring_losses(sides, &chain).await?;
                }
                Place::Floor(place) => {
                    let chain = controls::identity(sides.source, backup, &place).await?;
                    let end = chain::look(self.location, sides, &chain).await?;
                    controls::bring_floor(sides, &chain, &end).await?;
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// The last snapshot in each folder of snapshots, of a listing in its order.
fn last_snapshots<'a>(backup: &str, controls: &'a [ObjectEntry]) -> impl Iterator<Item = &'a str> {
    let folders = [keys::groups_folder(backup), keys::topics_folder(backup)];
    let is_snapshot = move |key: &&str| folders.iter().any(|folder| key.starts_with(folder));
    let snapshots = controls.iter().map(|entry| entry.key.as_str()).filter(is_snapshot);
    let by_folder = snapshots.filter_map(|key| Some((key.rsplit_once('/')?.0, key)));
    by_folder.collect::<BTreeMap<_, _>>().into_values()
}

impl OfChain {
    fn of(place: ChainPlace, key: &str) -> Self {
        let folder = key[..=key.rfind('/').unwrap_or(0)].to_owned();
        OfChain { place, folder, segments: vec![] }
    }
}
