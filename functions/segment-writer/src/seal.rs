//! Making a finished segment durable, and saying so: the order is the protocol (C2 to C6).
//!
//! 1. the topic still has the id under which the records were read (C4);
//! 2. the segment is created if absent (C2); nothing before this is visible to anyone;
//! 3. the listing behind it shows whether a floor (C6) or a cut passed it meanwhile and whether others went on;
//! 4. where there are locations, what asks for the segment there is stored and acknowledged;
//! 5. only then the offset is committed, as a report for others (C5).
//!
//! Its standing goes on its way to the metrics topic before the commit, and nothing waits for it.

use std::time::Duration;

use shared::{
    archive,
    chain::{ChainIdentity, Frontier, keys},
    crash,
    ports::objects::{ObjectsError, PutCondition},
    record::{Offset, TopicPartition},
    replication::Stored,
    segment::EncodedSegment,
};

use crate::{Backup, Context, WriteError, opened::OpenChain, replicate, report::Reporter, superseded};

/// How often a PUT is tried again that met a concurrent write (409).
const CONFLICTS_MAX: u32 = 5;
const CONFLICT_WAIT: Duration = Duration::from_millis(50);

/// Stores a segment at the frontier and moves the frontier behind it.
pub async fn seal(
    context: &Context,
    backup: &Backup,
    open: &mut OpenChain,
    segment: EncodedSegment,
    reporter: &mut Reporter,
    position: Offset,
) -> Result<(), WriteError> {
    let partition = open.chain.topic_partition();
    let (base, size_bytes) = (segment.metadata.base, segment.body.len() as u64);
    if context.protections.topic_id_check {
        check_topic(context, open).await?;
    }
    if !context.protections.commit_after_durable {
        commit(context, backup, &open.chain, segment.metadata.next).await;
    }
    crash::point("before-put");
    let stored = put(context, open, &segment, &partition).await?;
    crash::point("after-put");
    let newer = look_behind(context, backup, open, base, &partition).await?;
    open.frontier = Frontier::behind(&segment.metadata, size_bytes, open.accepted.steps());
    context.remember(open);
    reporter.standing(context, open, position);
    crash::point("before-replication");
    replicate::ask(context, &[stored]).await?;
    crash::point("before-commit");
    commit_passed(context, backup, &open.chain, open.frontier.next, position).await;
    if newer {
        return Err(WriteError::LostRace { partition, base: open.frontier.next });
    }
    Ok(())
}

async fn check_topic(context: &Context, open: &OpenChain) -> Result<(), WriteError> {
    let topic = context.topic_now(&open.chain.topic_partition()).await?;
    if topic.id == open.chain.topic_id {
        return Ok(());
    }
    Err(WriteError::TopicChanged { topic: topic.name.to_string() })
}

async fn put(
    context: &Context,
    open: &OpenChain,
    segment: &EncodedSegment,
    partition: &TopicPartition,
) -> Result<Stored, WriteError> {
    let base = segment.metadata.base;
    let key = keys::segment_behind(&open.chain, base, segment.metadata.cuts);
    for attempt in 1.. {
        match context.objects.put(&key, segment.body.clone(), PutCondition::IfAbsent).await {
            Ok(etag) => return Ok(Stored { key, etag, size_bytes: segment.body.len() as u64 }),
            Err(ObjectsError::PreconditionFailed { .. }) => {
                return Err(WriteError::LostRace { partition: partition.clone(), base });
            }
            Err(ObjectsError::Conflict { .. }) if attempt < CONFLICTS_MAX => {
                tokio::time::sleep(CONFLICT_WAIT * attempt).await
            }
            Err(error) => return Err(error.into()),
        }
    }
    unreachable!("the loop above has no end")
}

/// Whether others went on behind the segment. A floor that passed it makes it a lost race: it does not exist. So do losses
/// that were accepted meanwhile, or are about to be.
async fn look_behind(
    context: &Context,
    backup: &Backup,
    open: &mut OpenChain,
    base: Offset,
    partition: &TopicPartition,
) -> Result<bool, WriteError> {
    let newer = archive::newer_than(&*context.objects, &open.chain, base, &open.accepted.cuts()).await?;
    if context.protections.cuts && (newer.segments || newer.accepted_etag != open.accepted.etag) {
        superseded::check(context, backup, open, base).await?;
    }
    superseded::sweep(context, backup, open, &newer.superseded).await;
    if newer.segments || newer.floor_etag != open.floor.etag {
        let floor = archive::read_floor(&*context.objects, &open.chain).await?;
        if base < floor.floor.base && context.protections.floor_check {
            // What is known of the chain stays as it is: a floor above its frontier would be no standing.
            return Err(WriteError::LostRace { partition: partition.clone(), base });
        }
        open.floor = floor;
    }
    Ok(newer.segments || newer.accepted_etag != open.accepted.etag)
}

/// Commits as a report for others. Failing costs nothing: the next commit says the same and more.
async fn commit(context: &Context, backup: &Backup, chain: &ChainIdentity, next: Offset) {
    commit_passed(context, backup, chain, next, next).await;
}

/// The same where the reading has passed offsets behind the chain that hold no record.
pub(crate) async fn commit_passed(
    context: &Context,
    backup: &Backup,
    chain: &ChainIdentity,
    next: Offset,
    position: Offset,
) {
    if let Err(error) = context.commit_passed(backup, chain, next, position).await {
        tracing::warn!(partition = %chain.topic_partition(), offset = %position, error = &error as &dyn std::error::Error, "offset not committed; the next commit covers it");
    }
}
