//! One listing of a whole backup, turned into chain reports: the requests behind `shared::chain::verify`.
//!
//! Keys come in byte order, so the objects of a chain come together and by offset; its floor, which sorts behind them, is
//! read when the chain begins.

use std::{collections::HashMap, sync::Arc};

use futures::{StreamExt, stream};
use shared::{
    archive::{self, ArchiveError, Claim, Owner, SegmentEntry},
    chain::{
        ChainIdentity, Floor,
        keys::{backup_folder, chain_folder},
        place::{ChainPlace, Place, classify},
        verify::{ChainCheck, ChainReport, Finding, Kind, Listed},
    },
    ports::objects::{ListRequest, ObjectEntry, Objects},
    record::TopicId,
};

use super::segments::READS_MAX;
use crate::failure::Failure;

/// What a backup holds and what is wrong with it.
#[derive(Debug, Default)]
pub struct Walked {
    /// Its chains, each with the floor that was read.
    pub chains: Vec<(ChainReport, Floor)>,
    /// What is wrong outside of any chain.
    pub findings: Vec<Finding>,
}

/// Walks a backup.
pub async fn walk(objects: &dyn Objects, owner: &Owner, progress: impl Fn(u64)) -> Result<Walked, Failure> {
    let mut walk = Walk { objects, owner, claims: HashMap::new(), current: None, walked: Walked::default() };
    let folder = backup_folder(&owner.backup);
    let mut after = String::new();
    loop {
        let page = objects.list(ListRequest { after: &after, ..ListRequest::prefix(&folder) }).await?;
        progress(page.objects.len() as u64);
        for run in page.objects.chunk_by(|a, b| chain_of(owner, a) == chain_of(owner, b)) {
            walk.run(run).await?;
        }
        match page.next_after {
            Some(next) => after = next,
            None => break,
        }
    }
    walk.finish_chain();
    Ok(walk.walked)
}

struct Walk<'a> {
    objects: &'a dyn Objects,
    owner: &'a Owner,
    claims: HashMap<Arc<str>, Vec<Claim>>,
    current: Option<(ChainPlace, ChainIdentity, ChainCheck, Floor)>,
    walked: Walked,
}

fn chain_of(owner: &Owner, entry: &ObjectEntry) -> Option<ChainPlace> {
    match classify(&owner.backup, &entry.key) {
        Place::Segment(chain, _) | Place::Floor(chain) => Some(chain),
        Place::Owner | Place::Claim | Place::Foreign => None,
    }
}

impl Walk<'_> {
    /// Objects of one chain, or of none.
    async fn run(&mut self, run: &[ObjectEntry]) -> Result<(), Failure> {
        let Some(place) = run.first().and_then(|entry| chain_of(self.owner, entry)) else {
            self.outside(run);
            return Ok(());
        };
        if self.current.as_ref().is_none_or(|(current, ..)| *current != place) {
            self.finish_chain();
            let Some(topic_id) = self.topic_id(&place).await? else {
                self.walked.findings.push(unclaimed(&run[0].key, &place));
                return Ok(());
            };
            self.current = self.begin(place, topic_id).await?;
        }
        self.segments(run).await
    }

    fn outside(&mut self, run: &[ObjectEntry]) {
        let foreign = run.iter().filter(|entry| classify(&self.owner.backup, &entry.key) == Place::Foreign);
        let finding = |entry: &ObjectEntry| {
            Finding::of_object(Kind::Foreign, &entry.key, "no object of a backup has such a name")
        };
        self.walked.findings.extend(foreign.map(finding));
    }

    async fn topic_id(&mut self, place: &ChainPlace) -> Result<Option<TopicId>, Failure> {
        if !self.claims.contains_key(&place.topic) {
            let claims = archive::claims(self.objects, &self.owner.backup, &place.topic).await?;
            self.claims.insert(place.topic.clone(), claims);
        }
        let claim = self.claims[&place.topic].iter().find(|claim| claim.incarnation == place.incarnation);
        Ok(claim.map(|claim| claim.topic_id.clone()))
    }

    async fn begin(
        &self,
        place: ChainPlace,
        topic_id: TopicId,
    ) -> Result<Option<(ChainPlace, ChainIdentity, ChainCheck, Floor)>, Failure> {
        let chain = ChainIdentity {
            cluster_id: self.owner.cluster_id.clone(),
            backup: self.owner.backup.clone(),
            topic: place.topic.clone(),
            topic_id,
            incarnation: place.incarnation,
            partition: place.partition,
        };
        let floor = archive::read_floor(self.objects, &chain).await?.floor;
        Ok(Some((place, chain.clone(), ChainCheck::new(chain, floor.clone()), floor)))
    }

    async fn segments(&mut self, run: &[ObjectEntry]) -> Result<(), Failure> {
        let objects = self.objects;
        let Some((_, chain, check, _)) = &mut self.current else { return Ok(()) };
        let folder = chain_folder(chain);
        let entries = run.iter().filter_map(|entry| SegmentEntry::of(&folder, entry));
        let mut listed = stream::iter(entries).map(|entry| listed(objects, chain, entry)).buffered(READS_MAX);
        while let Some(segment) = listed.next().await {
            check.segment(segment?);
        }
        Ok(())
    }

    fn finish_chain(&mut self) {
        if let Some((_, _, check, floor)) = self.current.take() {
            self.walked.chains.push((check.finish(), floor));
        }
    }
}

fn unclaimed(key: &str, place: &ChainPlace) -> Finding {
    let detail = format!("topic {:?} has no claim of incarnation {}", place.topic, place.incarnation);
    Finding::of_object(Kind::Foreign, key, detail)
}

/// A segment with its footer, or what is wrong with it. Only a store that does not answer ends the walk.
async fn listed(objects: &dyn Objects, chain: &ChainIdentity, entry: SegmentEntry) -> Result<Listed, Failure> {
    let wrong = |kind, error: &ArchiveError| Err(Finding::of_object(kind, &entry.key, crate::output::chain(error)));
    let metadata = match archive::read_metadata(objects, chain, &entry).await {
        Ok(metadata) => Ok(metadata),
        Err(error @ ArchiveError::Foreign { .. }) => wrong(Kind::Foreign, &error),
        Err(error @ (ArchiveError::Damaged { .. } | ArchiveError::Missing { .. })) => wrong(Kind::Damaged, &error),
        Err(error) => return Err(error.into()),
    };
    Ok(Listed { key: entry.key, base: entry.base, size_bytes: entry.size_bytes, metadata })
}
