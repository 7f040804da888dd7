//! Opening a chain: which incarnation, where it ends, and whether it may be written at all.

use shared::{
    archive::{self, ArchiveError},
    chain::ChainIdentity,
    ports::records::Topic,
    record::TopicPartition,
};

use crate::{
    Backup, Context, WriteError,
    believed::is_believed,
    opened::{OpenChain, OpenOutcome, Purpose},
    replicate, superseded, tail,
};

/// Opens the chain of a partition of the topic that has this name now. Where its tail is missing (C5), that is the error,
/// and the chain beside it, for whoever must say so.
pub async fn open(context: &Context, backup: &Backup, partition: &TopicPartition) -> Result<OpenOutcome, WriteError> {
    open_to(Purpose::Write, context, backup, partition).await
}

/// The same, for a purpose.
pub(crate) async fn open_to(
    purpose: Purpose,
    context: &Context,
    backup: &Backup,
    partition: &TopicPartition,
) -> Result<OpenOutcome, WriteError> {
    let topic = context.topic_now(partition).await?;
    // Before the storage is read: what others commit after that is behind segments this reading may not show.
    let committed = context.committed(backup, partition).await?;
    let (objects, now) = (&*context.objects, context.clock.now());
    let cluster_id = context.kafka.cluster_id().await?;
    let incarnation = incarnation_of(context, backup, &topic).await?;
    let chain = ChainIdentity {
        cluster_id,
        backup: backup.name.clone(),
        topic: topic.name,
        topic_id: topic.id,
        incarnation,
        partition: partition.partition,
    };
    let told = committed.as_ref().and_then(|committed| committed.in_topic(&chain.topic_id));
    let mut end = archive::chain_end(objects, &chain, context.hint(&chain).as_ref()).await?;
    if !end.accepted.losses.is_empty() && !is_believed(backup, &chain, &end.accepted) {
        tracing::warn!(%partition, "a loss was accepted without the key of the backup: it is passed over");
    }
    if end.frontier.sealed && backup.seal_key.is_none() {
        return Err(WriteError::KeyMissing { partition: partition.clone(), backup: backup.name.clone() });
    }
    let missing = tail::missing(context, backup, &chain, &mut end, committed, purpose).await?;
    let owner_epoch = context.owner_epoch(now);
    let superseded = end.superseded;
    let open = OpenChain { chain, frontier: end.frontier, floor: end.floor, accepted: end.accepted, owner_epoch };
    if superseded::is_cut_by_others(backup, &open, &superseded) {
        let (partition, first) = (partition.clone(), superseded.into_iter().next().unwrap_or_default());
        return Err(WriteError::CutWithoutKey { partition, key: first, backup: backup.name.clone() });
    }
    if purpose == Purpose::Write && missing.is_none() {
        superseded::sweep(context, backup, &open, &superseded).await;
        replicate::ask_again(context, &open.chain, &open.frontier, told).await?;
    }
    context.remember(&open);
    Ok(OpenOutcome { open, missing })
}

/// The topic's incarnation in the backup. Claims never change, so what was claimed once needs no second look.
async fn incarnation_of(context: &Context, backup: &Backup, topic: &Topic) -> Result<u32, ArchiveError> {
    if let Some(known) = context.incarnation(&backup.name, topic) {
        return Ok(known);
    }
    let (objects, now) = (&*context.objects, context.clock.now());
    let incarnation = archive::incarnation_of(objects, &backup.name, &topic.name, &topic.id, now).await?;
    context.remember_incarnation(&backup.name, topic, incarnation);
    Ok(incarnation)
}
