//! Opening a chain: which incarnation, where it ends, and whether it may be written at all.

use shared::{
    archive::{self, ArchiveError, StoredFloor},
    chain::{ChainIdentity, Frontier, keys},
    ports::{
        objects::{ListRequest, Objects},
        records::Topic,
    },
    record::{Offset, TopicPartition},
};

use crate::{Backup, Context, WriteError};

/// A chain that may be written.
#[derive(Debug, Clone)]
pub struct OpenChain {
    /// Which.
    pub chain: ChainIdentity,
    /// Where it ends.
    pub frontier: Frontier,
    /// Where it begins.
    pub floor: StoredFloor,
    /// Grows with every opening: whose word counts about the chain's state.
    pub owner_epoch: u64,
}

/// The topic of a partition as the cluster has it now.
///
/// # Errors
/// [`WriteError::Gone`] when the topic is not there, or has no such partition.
pub async fn topic_now(context: &Context, partition: &TopicPartition) -> Result<Topic, WriteError> {
    let topics = context.kafka.topics(Some(std::slice::from_ref(&partition.topic))).await?;
    let found = topics.into_iter().find(|topic| topic.name == partition.topic);
    let found = found.filter(|topic| partition.partition.0 < topic.partitions);
    found.ok_or_else(|| WriteError::Gone { partition: partition.clone() })
}

/// Opens the chain of a partition of the topic that has this name now.
pub async fn open(context: &Context, backup: &Backup, partition: &TopicPartition) -> Result<OpenChain, WriteError> {
    let topic = topic_now(context, partition).await?;
    // Before the storage is read: what others commit after that is behind segments this reading may not show.
    let committed = context.kafka.committed(&backup.group(), std::slice::from_ref(partition)).await?;
    let committed = committed.first().copied().flatten();
    let (objects, now) = (&*context.objects, context.clock.now());
    let cluster_id = context.kafka.cluster_id().await?;
    let incarnation = archive::incarnation_of(objects, &backup.name, &topic.name, &topic.id, now).await?;
    let chain = ChainIdentity {
        cluster_id,
        backup: backup.name.clone(),
        topic: topic.name,
        topic_id: topic.id,
        incarnation,
        partition: partition.partition,
    };
    let hint = context.hint(&backup.name, partition);
    let end = archive::chain_end(objects, &chain, hint).await?;
    check_tail(context, &chain, &end.frontier, committed).await?;
    if let Some(base) = end.frontier.last_base {
        context.remember(&backup.name, partition, base);
    }
    let owner_epoch = u64::try_from(now.0).unwrap_or(0);
    Ok(OpenChain { chain, frontier: end.frontier, floor: end.floor, owner_epoch })
}

/// Refuses to go on from a frontier below what the group committed (C5): offsets are committed only behind durable segments,
/// so the storage has lost its tail.
async fn check_tail(
    context: &Context,
    chain: &ChainIdentity,
    frontier: &Frontier,
    committed: Option<Offset>,
) -> Result<(), WriteError> {
    let Some(committed) = committed.filter(|committed| *committed > frontier.next) else { return Ok(()) };
    // The offset may be of a topic of the same name that was deleted in between.
    if topic_now(context, &chain.topic_partition()).await?.id != chain.topic_id {
        return Err(WriteError::TopicChanged { topic: chain.topic.to_string() });
    }
    if is_of_an_earlier_topic(&*context.objects, chain, committed).await? {
        tracing::warn!(partition = %chain.topic_partition(), %committed, "the group's committed offset is of an earlier topic of that name");
        return Ok(());
    }
    Err(WriteError::TailMissing { partition: chain.topic_partition(), frontier: frontier.next, committed })
}

/// Whether an offset is one that was committed for an earlier topic of that name. Groups commit by name: a commit that was
/// on its way when the topic was created again is kept for the new one. It is always the end of a segment.
async fn is_of_an_earlier_topic(
    objects: &dyn Objects,
    chain: &ChainIdentity,
    committed: Offset,
) -> Result<bool, ArchiveError> {
    let claims = archive::claims(objects, &chain.backup, &chain.topic).await?;
    for claim in claims.into_iter().filter(|claim| claim.incarnation < chain.incarnation) {
        let earlier = ChainIdentity { topic_id: claim.topic_id, incarnation: claim.incarnation, ..chain.clone() };
        let end = archive::chain_end(objects, &earlier, None).await?;
        let key = keys::segment(&earlier, committed);
        if end.frontier.next == committed || !objects.list(ListRequest::prefix(&key)).await?.objects.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}
