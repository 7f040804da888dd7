//! A missing tail (C5): the storage ends below what was said to be stored. Nothing is written until somebody accepts it.

use shared::{
    archive::{self, AcceptedLoss, ArchiveError, ChainEnd},
    chain::{ChainIdentity, keys},
    ports::{
        objects::{ListRequest, Objects, ObjectsError},
        records::Committed,
    },
    record::Offset,
};

use crate::{Backup, Context, WriteError, believed::is_believed, opened::Purpose};

/// Whether the tail of a chain is missing: the group committed more than there is, which it does only behind durable
/// segments; or nothing lies behind a floor, where the last segment never expires; or it ends below where it was once cut. Where that loss was accepted, the commit
/// is taken back, and it is noted that writing goes on, before it does: so that no later loss is excused.
pub(crate) async fn missing(
    context: &Context,
    backup: &Backup,
    chain: &ChainIdentity,
    end: &mut ChainEnd,
    committed: Option<Committed>,
    purpose: Purpose,
) -> Result<Option<WriteError>, WriteError> {
    if purpose == Purpose::Write && end.accepted.is_proposed() {
        // Whoever proposed it may have died, and nobody may go on before that is decided.
        let (known, key) = (std::mem::take(&mut end.accepted), backup.seal_key.as_deref());
        let key = key.filter(|_| is_believed(backup, chain, &known));
        return match archive::decide_losses(&*context.objects, chain, known, key).await {
            Ok(_) | Err(ArchiveError::Objects(ObjectsError::PreconditionFailed { .. })) => {
                Err(WriteError::LostRace { partition: chain.topic_partition(), base: end.frontier.next })
            }
            Err(error) => Err(error.into()),
        };
    }
    // Who began to accept it came no further: it is as missing as it was.
    if let Some(loss) = end.accepted.proposed().filter(|_| is_believed(backup, chain, &end.accepted)) {
        let (partition, AcceptedLoss { frontier, witness, .. }) = (chain.topic_partition(), *loss);
        return Ok(Some(WriteError::TailMissing { partition, frontier, committed: witness }));
    }
    let missing = not_excused(context, backup, chain, end, committed, purpose).await?;
    if missing.is_none() && purpose == Purpose::Write && end.accepted.is_pending() {
        let known = std::mem::take(&mut end.accepted);
        // What somebody without the key wrote is not vouched for.
        let key = backup.seal_key.as_deref().filter(|_| is_believed(backup, chain, &known));
        let resumed = archive::resume_writing(&*context.objects, chain, known, context.clock.now(), key).await;
        end.accepted = match resumed {
            Err(ArchiveError::Objects(ObjectsError::PreconditionFailed { .. })) => {
                let (partition, base) = (chain.topic_partition(), end.frontier.next);
                return Err(WriteError::LostRace { partition, base });
            }
            resumed => resumed?,
        };
    }
    Ok(missing)
}

async fn not_excused(
    context: &Context,
    backup: &Backup,
    chain: &ChainIdentity,
    end: &ChainEnd,
    committed: Option<Committed>,
    purpose: Purpose,
) -> Result<Option<WriteError>, WriteError> {
    let (partition, frontier) = (chain.topic_partition(), end.frontier.next);
    let nothing_behind_floor = end.floor.floor.base > Offset(0) && end.frontier.last_base.is_none();
    let at_least = nothing_behind_floor.then(|| frontier.next());
    let cut = end.accepted.cuts().last().filter(|cut| *cut > frontier);
    let of_an_unknown_topic = committed.as_ref().is_some_and(|it| it.topic_id.is_none());
    let beyond_of = |committed: Option<Committed>| {
        let offset = committed.and_then(|it| it.in_topic(&chain.topic_id));
        offset.filter(|offset| *offset > frontier).max(cut)
    };
    let beyond = beyond_of(committed);
    let Some(committed) = beyond.or(at_least) else { return Ok(None) };
    // The offset may be of a topic of the same name that was deleted in between.
    if context.topic_now(&partition).await?.id != chain.topic_id {
        return Err(WriteError::TopicChanged { topic: chain.topic.to_string() });
    }
    let may_be_of_another = of_an_unknown_topic && !nothing_behind_floor && cut.is_none();
    if may_be_of_another && is_of_an_earlier_topic(&*context.objects, chain, committed).await? {
        tracing::warn!(%partition, %committed, "the group's committed offset is of an earlier topic of that name");
        // Now, since the segment that tells it will expire.
        take_back(context, backup, chain, frontier, purpose).await?;
        return Ok(None);
    }
    // What nothing but the floor tells is excused until there is a segment again: there may be no record for long.
    let is_excused = match beyond {
        Some(committed) => end.accepted.cover(frontier, committed),
        None => end.accepted.excuse(&end.floor),
    };
    if is_excused && is_believed(backup, chain, &end.accepted) {
        tracing::warn!(%partition, %frontier, %committed, "the backup goes on where its tail went missing: that was accepted");
        if beyond.is_some() {
            take_back(context, backup, chain, frontier, purpose).await?;
        }
        return Ok(None);
    }
    // Somebody else may have taken it back since it was read.
    let now = context.committed(backup, &partition).await?;
    match beyond_of(now).or(at_least) {
        Some(committed) => Ok(Some(WriteError::TailMissing { partition, frontier, committed })),
        None => Ok(None),
    }
}

/// Commits what the storage has; who only looks does not.
async fn take_back(
    context: &Context,
    backup: &Backup,
    chain: &ChainIdentity,
    frontier: Offset,
    purpose: Purpose,
) -> Result<(), WriteError> {
    if purpose == Purpose::Write {
        context.commit(backup, chain, frontier).await?;
    }
    Ok(())
}

/// Whether an offset is one that was committed for an earlier topic of that name, where the commit does not tell: who
/// committed is older than that, or somebody else. Groups commit by name: a commit that was on its way when the topic was
/// created again is kept for the new one. It is always the end of a segment.
async fn is_of_an_earlier_topic(
    objects: &dyn Objects,
    chain: &ChainIdentity,
    committed: Offset,
) -> Result<bool, ArchiveError> {
    let claims = archive::claims(objects, &chain.backup, &chain.topic).await?;
    for claim in claims.into_iter().filter(|claim| claim.incarnation < chain.incarnation) {
        let earlier = ChainIdentity { topic_id: claim.topic_id, incarnation: claim.incarnation, ..chain.clone() };
        let end = archive::chain_end(objects, &earlier, None).await?;
        let key = keys::before_segment(&earlier, committed);
        if end.frontier.next == committed || !objects.list(ListRequest::prefix(&key)).await?.objects.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}
