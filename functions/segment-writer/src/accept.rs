//! Tails that are missing, for a person who decides, and accepting that they are lost.

use shared::{
    archive::{self, AcceptedLoss},
    chain::{ChainIdentity, keys},
    ports::objects::{ETag, ObjectsError},
    record::{Offset, Partition, TopicPartition},
};

use crate::{
    Backup, Context, WriteError,
    believed::is_believed,
    open::open_to,
    opened::{OpenOutcome, Purpose},
};

/// A tail that is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingTail {
    /// Of which chain.
    pub chain: ChainIdentity,
    /// Where the storage ends.
    pub frontier: Offset,
    /// What was committed behind durable segments.
    pub witness: Offset,
    /// Where Kafka's log begins now: what is missing from there on is fetched again, what is below is lost.
    pub log_start: Offset,
    /// The losses that were accepted before, as they were then: whoever accepts this one has seen no others.
    accepted_etag: Option<ETag>,
}

/// The tails that are missing from a backup of these partitions.
///
/// # Errors
/// When Kafka or the storage do not answer.
pub async fn missing_tails(
    context: &Context,
    backup: &Backup,
    partitions: &[TopicPartition],
) -> Result<Vec<MissingTail>, WriteError> {
    let mut tails = vec![];
    for partition in partitions {
        let OpenOutcome { open, missing } = open_to(Purpose::Look, context, backup, partition).await?;
        let Some(WriteError::TailMissing { frontier, committed: witness, .. }) = missing else { continue };
        let bounds = context.kafka.bounds(std::slice::from_ref(partition)).await?.pop();
        let gone = || WriteError::Gone { partition: partition.clone() };
        let log_start = bounds.ok_or_else(gone)??.start;
        let accepted_etag = open.accepted.etag;
        tails.push(MissingTail { chain: open.chain, frontier, witness, log_start, accepted_etag });
    }
    Ok(tails)
}

/// Accepts that a tail is missing: whoever writes goes on from the frontier.
///
/// # Errors
/// When the storage does not answer, or somebody else accepted or went on meanwhile.
pub async fn accept(context: &Context, tail: &MissingTail) -> Result<(), WriteError> {
    let objects = &*context.objects;
    let (known, now) = (archive::read_accepted_losses(objects, &tail.chain).await?, context.clock.now());
    if known.etag != tail.accepted_etag {
        let key = keys::accepted_loss(&tail.chain);
        return Err(ObjectsError::PreconditionFailed { key }.into());
    }
    let loss = AcceptedLoss::new(tail.frontier, tail.witness, now);
    let backup = context.backup(&tail.chain.backup);
    let seal_key = backup.and_then(|backup| backup.seal_key.as_deref());
    // All of them are sealed together: what nobody vouches for must not be vouched for by that.
    let is_foreign = !known.losses.is_empty() && backup.is_some_and(|it| !is_believed(it, &tail.chain, &known));
    let known = if is_foreign { known.disowned(now) } else { known };
    match context.protections.cuts {
        true => archive::accept_loss(objects, &tail.chain, known, loss, seal_key).await?,
        false => drop(archive::note_loss(objects, &tail.chain, known, loss, seal_key).await?),
    }
    tracing::warn!(partition = %tail.chain.topic_partition(), frontier = %tail.frontier, witness = %tail.witness, "the loss of the backup's tail was accepted");
    Ok(())
}

impl MissingTail {
    /// The partition.
    #[must_use]
    pub fn partition(&self) -> Partition {
        self.chain.partition
    }

    /// The offset after the last one that Kafka has no more: [frontier, this) is lost.
    #[must_use]
    pub fn lost_to(&self) -> Offset {
        self.log_start.clamp(self.frontier, self.witness)
    }
}
