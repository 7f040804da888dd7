//! How far chains are in the storage.
//!
//! What the store of figures knows is the hint: a chain whose frontier it has costs one listing.

use futures::{StreamExt as _, stream};
use shared::{
    archive::{self, ArchiveError, ChainEnd, ChainHint, Claim},
    chain::{ChainIdentity, Cuts},
    metrics::registers::{Chain, Registers},
    ports::{objects::Objects, records::Topic},
    record::Offset,
};

use crate::{
    Backup, Context, Failure, MonitorError, health,
    looks::{Looks, SingleChain},
};

/// A chain as the storage has it.
#[derive(Debug, Clone)]
pub(crate) struct StoredChain {
    /// Which.
    pub identity: ChainIdentity,
    /// Whether it is of the topic that exists now.
    pub current: bool,
    /// How far it is.
    pub end: End,
}

/// How far a chain is in the storage.
#[derive(Debug, Clone)]
pub(crate) enum End {
    /// Exactly where the store of figures has it.
    AsKnown,
    /// There, whether the store knows it or not.
    Read(Box<ChainEnd>),
}

/// The chains, and what could not be read.
#[derive(Default)]
pub(crate) struct Stored {
    pub chains: Vec<StoredChain>,
    /// Those whose end cannot be read, however often it is tried, and why.
    pub damaged: Vec<(ChainIdentity, String)>,
    pub failures: Vec<Failure>,
}

/// Reads the ends of the chains to look at.
pub(crate) async fn stored(
    context: &Context,
    backup: &Backup,
    looks: &Looks,
    known: &Registers,
) -> Result<Stored, MonitorError> {
    let Some(cluster_id) = owner(context, backup).await? else { return Ok(Stored::default()) };
    let objects = &*context.objects;
    let mut stored = Stored::default();
    let identity = |it: &SingleChain| (it.identity(&cluster_id, &backup.name), true);
    let mut places: Vec<_> = looks.chains.iter().map(identity).collect();
    // The futures are made before the stream: a closure in it would keep whoever spawns this from being `Send`.
    let of_topics: Vec<_> =
        looks.topics.iter().map(|topic| chains_of_topic(objects, &cluster_id, &backup.name, topic)).collect();
    let mut of_topics = stream::iter(of_topics).buffer_unordered(context.limits.requests_max);
    while let Some(chains) = of_topics.next().await {
        chains.map_or_else(|failure| stored.failures.push(failure), |chains| places.extend(chains));
    }
    let ends: Vec<_> =
        places.into_iter().map(|(identity, current)| stored_chain(objects, identity, current, known)).collect();
    let mut ends = stream::iter(ends).buffer_unordered(context.limits.requests_max);
    while let Some(end) = ends.next().await {
        match end {
            Ok(chain) => stored.chains.push(chain),
            Err((identity, failure)) => {
                if !failure.error.retry() {
                    stored.damaged.push((identity, failure.error.to_string()));
                }
                stored.failures.push(failure);
            }
        }
    }
    Ok(stored)
}

impl Stored {
    /// Whether everything was read that can be.
    pub fn is_all(&self) -> bool {
        self.failures.len() == self.damaged.len()
    }
}

async fn chains_of_topic(
    objects: &dyn Objects,
    cluster_id: &str,
    backup: &str,
    topic: &Topic,
) -> Result<Vec<(ChainIdentity, bool)>, Failure> {
    let chains = chains_of(objects, cluster_id, backup, topic).await;
    chains.map_err(|error| Failure::of_topic(&topic.name, error))
}

async fn stored_chain(
    objects: &dyn Objects,
    identity: ChainIdentity,
    current: bool,
    known: &Registers,
) -> Result<StoredChain, (ChainIdentity, Failure)> {
    match end_of(objects, &identity, known_chain(known, &identity)).await {
        Ok(end) => Ok(StoredChain { identity, current, end }),
        Err(error) => {
            let failure = Failure::of_partition(&identity.topic, identity.partition, error);
            Err((identity, failure))
        }
    }
}

/// The cluster whose backup this is; `None` where nobody has begun it.
async fn owner(context: &Context, backup: &Backup) -> Result<Option<String>, MonitorError> {
    let owner = archive::read_owner(&*context.objects, &backup.name).await?;
    health::storage_answered(context).await;
    let Some(owner) = owner else { return Ok(None) };
    let cluster = context.kafka.cluster_id().await?;
    if owner.cluster_id != cluster {
        return Err(MonitorError::OtherCluster { backup: backup.name.clone(), owner: owner.cluster_id, cluster });
    }
    Ok(Some(cluster))
}

/// All chains of all incarnations of a topic, each with whether its incarnation is the topic of now.
async fn chains_of(
    objects: &dyn Objects,
    cluster_id: &str,
    backup: &str,
    topic: &Topic,
) -> Result<Vec<(ChainIdentity, bool)>, ArchiveError> {
    let mut all = vec![];
    for claim in archive::claims(objects, backup, &topic.name).await? {
        let chains = archive::chains(objects, cluster_id, backup, &topic.name, &claim).await?;
        let current = is_current(&claim, topic);
        all.extend(chains.into_iter().map(|chain| (chain, current)));
    }
    Ok(all)
}

fn is_current(claim: &Claim, topic: &Topic) -> bool {
    claim.topic_id == topic.id
}

fn known_chain<'a>(known: &'a Registers, identity: &ChainIdentity) -> Option<&'a Chain> {
    let topic = known.topics.get(&*identity.topic)?;
    // A claim that the store does not know, or knows otherwise, makes the whole standing worth saying again.
    let id = topic.incarnations.get(&identity.incarnation).filter(|id| **id == identity.topic_id);
    id.and_then(|_| topic.chains.get(&(identity.incarnation, identity.partition)))
}

async fn end_of(objects: &dyn Objects, identity: &ChainIdentity, known: Option<&Chain>) -> Result<End, ArchiveError> {
    let known = known.and_then(|chain| Some((chain.head?, chain.floor?.start)));
    let hint = known.map(|(head, _)| Offset(head.next.0 - 1)).filter(|last| last.0 >= 0);
    if let (Some((head, start)), Some(last)) = (known, hint) {
        let newer = archive::newer_than(objects, identity, last, &Cuts::default()).await?;
        let floor = match newer.floor_etag {
            Some(_) if !newer.segments => archive::read_floor(objects, identity).await?.floor.base,
            _ => Offset(0),
        };
        let losses = match newer.accepted_etag {
            Some(_) if !newer.segments => archive::read_accepted_losses(objects, identity).await?.steps(),
            _ => 0,
        };
        if !newer.segments && floor <= start && losses == head.marks.losses {
            return Ok(End::AsKnown);
        }
    }
    let hint = hint.map(|base| ChainHint { base, known: None });
    Ok(End::Read(Box::new(archive::chain_end(objects, identity, hint.as_ref()).await?)))
}
