//! One listing of a whole backup, turned into chain reports: the requests behind [`crate::chain::verify`].
//!
//! Keys come in byte order, so the objects of a chain come together and by offset. What the objects of a page say is
//! read side by side, whichever chains they are of; then it is judged in their order.

mod read;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use crate::{
    archive::{self, AcceptedLosses, ArchiveError, Claim, Owner, StoredFloor},
    chain::{
        ChainIdentity, Floor,
        keys::{self, backup_folder, chain_folder},
        place::{ChainPlace, Place, classify},
        verify::{ChainCheck, ChainReport, Finding, FindingKind, seals},
    },
    function::with_sources,
    ports::objects::{ListRequest, ObjectEntry, Objects},
};
use futures::{StreamExt, TryStreamExt, stream};

pub use self::read::{Depth, Reader};
use super::segments::READS_MAX;

/// What a backup holds and what is wrong with it.
#[derive(Debug, Default)]
pub struct Walked {
    /// Its chains, each with the floor that was read.
    pub chains: Vec<(ChainReport, Floor)>,
    /// What is wrong outside of any chain.
    pub findings: Vec<Finding>,
}

/// Walks a backup.
pub async fn walk(owner: &Owner, reader: &Reader<'_>) -> Result<Walked, ArchiveError> {
    let mut walk = Walk { reader, owner, claims: HashMap::new(), current: None, walked: Walked::default() };
    let mut after = String::new();
    loop {
        let folder = backup_folder(&owner.backup);
        let page = reader.objects.list(ListRequest { after: &after, ..ListRequest::prefix(&folder) }).await?;
        walk.page(&page.objects).await?;
        match page.next_after {
            Some(next) => after = next,
            None => break,
        }
    }
    walk.finish_chain();
    Ok(walk.walked)
}

/// How many bytes the segments of a backup have, by listings alone.
pub async fn segment_bytes(objects: &dyn Objects, backup: &str) -> Result<u64, ArchiveError> {
    let (folder, mut after, mut bytes) = (backup_folder(backup), String::new(), 0);
    loop {
        let page = objects.list(ListRequest { after: &after, ..ListRequest::prefix(&folder) }).await?;
        let segments = page.objects.iter().filter(|it| matches!(classify(backup, &it.key), Place::Segment(..)));
        bytes += segments.map(|entry| entry.size_bytes).sum::<u64>();
        match page.next_after {
            Some(next) => after = next,
            None => return Ok(bytes),
        }
    }
}

/// By topic; `None` where they cannot be read.
type Claims = HashMap<Arc<str>, Option<Vec<Claim>>>;

struct Walk<'a> {
    reader: &'a Reader<'a>,
    owner: &'a Owner,
    claims: Claims,
    current: Option<Current>,
    walked: Walked,
}

/// Where a chain begins, and where it was cut.
struct Limits {
    floor: StoredFloor,
    accepted: AcceptedLosses,
}

/// The chain whose objects are being judged.
struct Current {
    place: ChainPlace,
    /// `None` where nobody claimed its incarnation: nothing can be said of it.
    check: Option<(ChainIdentity, ChainCheck, Floor)>,
}

impl Walk<'_> {
    async fn page(&mut self, objects: &[ObjectEntry]) -> Result<(), ArchiveError> {
        let placed: Vec<(Place, &ObjectEntry)> =
            objects.iter().map(|entry| (classify(&self.owner.backup, &entry.key), entry)).collect();
        self.learn_claims(&placed).await?;
        let mut limits = self.limits(&placed).await?;

        let (owner, reader) = (self.owner, self.reader);
        let claims = std::mem::take(&mut self.claims);
        // The futures are made before the stream: a closure in it would keep whoever spawns this from being `Send`.
        let look = |(place, entry)| {
            let chain = chain_of(&place).and_then(|place| identity(owner, &claims, place));
            async move { Ok::<_, ArchiveError>((reader.segment(&place, chain, entry).await?, place, entry)) }
        };
        let looks: Vec<_> = placed.into_iter().map(look).collect();
        let mut looks = stream::iter(looks).buffered(reader.depth.at_once());
        while let Some((segment, place, entry)) = looks.try_next().await? {
            match chain_of(&place) {
                Some(chain) => {
                    if self.current.as_ref().is_none_or(|current| current.place != *chain) {
                        self.finish_chain();
                        self.begin(entry, chain, identity(owner, &claims, chain), &mut limits);
                    }
                    if let (Some(segment), Some((_, check, _))) =
                        (segment, self.current.as_mut().and_then(|current| current.check.as_mut()))
                    {
                        check.segment(segment);
                    }
                }
                None if place == Place::Foreign => {
                    let detail = "no object of a backup has such a name";
                    self.walked.findings.push(Finding::of_object(FindingKind::Foreign, &entry.key, detail));
                }
                None => {}
            }
        }
        drop(looks);
        self.claims = claims;
        Ok(())
    }

    /// Reads the claims of topics that were not met before, or have an incarnation that was claimed since: what is claimed
    /// comes after its claim.
    async fn learn_claims(&mut self, placed: &[(Place, &ObjectEntry)]) -> Result<(), ArchiveError> {
        let is_known = |place: &Place, topic: &Arc<str>| match (self.claims.get(topic), chain_of(place)) {
            (Some(Some(claims)), Some(chain)) => claims.iter().any(|claim| claim.incarnation == chain.incarnation),
            (known, _) => known.is_some(),
        };
        let new: BTreeSet<Arc<str>> =
            placed.iter().filter_map(|(place, _)| topic_of(place).filter(|topic| !is_known(place, topic))).collect();
        let (objects, backup) = (self.reader.objects, self.owner.backup.as_str());
        let read = |topic: Arc<str>| async move { (archive::claims(objects, backup, &topic).await, topic) };
        let reads: Vec<_> = new.into_iter().map(read).collect();
        let mut claims = stream::iter(reads).buffered(READS_MAX);
        while let Some((found, topic)) = claims.next().await {
            let found = or_finding(found, &mut self.walked.findings)?;
            self.claims.insert(topic, found);
        }
        Ok(())
    }

    /// Reads the floors and accepted losses of chains that begin in a page; what is damaged counts as none.
    async fn limits(&mut self, placed: &[(Place, &ObjectEntry)]) -> Result<BTreeMap<String, Limits>, ArchiveError> {
        let current = self.current.as_ref().map(|current| current.place.clone());
        let mut chains: Vec<ChainIdentity> = placed
            .iter()
            .filter_map(|(place, _)| chain_of(place))
            .filter(|place| Some(*place) != current.as_ref())
            .filter_map(|place| identity(self.owner, &self.claims, place))
            .collect();
        chains.dedup();
        let objects = self.reader.objects;
        let read = |chain: ChainIdentity| async move {
            let floor = archive::read_floor(objects, &chain).await;
            let accepted = match &floor {
                Ok(stored) => archive::accepted_losses_behind(objects, &chain, &stored.floor).await,
                Err(_) => archive::read_accepted_losses(objects, &chain).await,
            };
            (floor, accepted, chain)
        };
        let reads: Vec<_> = chains.into_iter().map(read).collect();
        let mut read = stream::iter(reads).buffered(READS_MAX);
        let mut limits = BTreeMap::new();
        while let Some((floor, accepted, chain)) = read.next().await {
            let floor = or_finding(floor, &mut self.walked.findings)?.unwrap_or_else(|| StoredFloor::ground(&chain));
            let accepted = or_finding(accepted, &mut self.walked.findings)?.unwrap_or_default();
            limits.insert(chain_folder(&chain), Limits { floor, accepted });
        }
        Ok(limits)
    }

    fn begin(
        &mut self,
        first: &ObjectEntry,
        place: &ChainPlace,
        chain: Option<ChainIdentity>,
        limits: &mut BTreeMap<String, Limits>,
    ) {
        let check = chain.and_then(|chain| {
            let Limits { floor: stored, accepted } = limits.remove(&chain_folder(&chain))?;
            let mut check = ChainCheck::new(chain.clone(), stored.floor.clone(), accepted.cuts());
            if let (Some(rule), Some(moved_at)) = (&self.reader.rule, stored.moved_at) {
                let Floor { base, before, seal, .. } = &stored.floor;
                let worth = rule.of_floor(&chain, *base, before, seal.as_ref());
                let found = seals::of_floor(&keys::floor(&chain), &worth, rule.excuses(moved_at));
                found.into_iter().for_each(|finding| check.found(finding));
            }
            let rule = self.reader.rule.as_ref();
            let rule = rule.filter(|rule| !accepted.modified.is_some_and(|modified| rule.excuses(modified)));
            let found =
                rule.and_then(|rule| seals::of_losses(&keys::accepted_loss(&chain), &accepted.worth(&chain, rule)));
            match found {
                None if accepted.excuse(&stored) => check.floor_may_be_bare(),
                Some(finding) if accepted.cuts().count() > 0 => check.found(finding),
                _ => {}
            }
            Some((chain, check, stored.floor))
        });
        if check.is_none() {
            let detail = format!("topic {:?} has no claim of incarnation {}", place.topic, place.incarnation);
            self.walked.findings.push(Finding::of_object(FindingKind::Foreign, &first.key, detail));
        }
        self.current = Some(Current { place: place.clone(), check });
    }

    fn finish_chain(&mut self) {
        if let Some((_, check, floor)) = self.current.take().and_then(|current| current.check) {
            self.walked.chains.push((check.finish(), floor));
        }
    }
}

fn chain_of(place: &Place) -> Option<&ChainPlace> {
    match place {
        Place::Segment(chain, ..) | Place::Floor(chain) | Place::AcceptedLoss(chain) => Some(chain),
        Place::Owner | Place::Claim(_) | Place::Control | Place::Foreign => None,
    }
}

fn topic_of(place: &Place) -> Option<Arc<str>> {
    match place {
        Place::Segment(chain, ..) | Place::Floor(chain) | Place::AcceptedLoss(chain) => Some(chain.topic.clone()),
        Place::Claim(topic) => Some(topic.clone()),
        Place::Owner | Place::Control | Place::Foreign => None,
    }
}

fn identity(owner: &Owner, claims: &Claims, place: &ChainPlace) -> Option<ChainIdentity> {
    let claim = claims.get(&place.topic)?.as_ref()?.iter().find(|claim| claim.incarnation == place.incarnation)?;
    Some(ChainIdentity {
        cluster_id: owner.cluster_id.clone(),
        backup: owner.backup.clone(),
        topic: place.topic.clone(),
        topic_id: claim.topic_id.clone(),
        incarnation: place.incarnation,
        partition: place.partition,
    })
}

/// What was read, or nothing and a finding where it is damaged. Only a store that does not answer ends the walk.
fn or_finding<T>(read: Result<T, ArchiveError>, findings: &mut Vec<Finding>) -> Result<Option<T>, ArchiveError> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(error @ ArchiveError::Damaged { .. }) => {
            let ArchiveError::Damaged { key, .. } = &error else { return Ok(None) };
            findings.push(Finding::of_object(FindingKind::Damaged, key.clone(), with_sources(&error)));
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
