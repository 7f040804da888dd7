//! One entry: from what it asks to the status that says what came of it.

use shared::{
    chain::place::{Place, classify},
    crash,
    ports::objects::GetRange,
    replication::{Entry, State, Status, Subject, event, keys as replication_keys, operation::version_of},
};

use crate::{
    Context, Location, ReplicateError,
    chain::{self, Asked},
    controls::{self, Sides},
    copy::Copied,
    error::{CopyError, of_location, of_source},
    large, retry,
    task::Copy,
    watch::Watch,
};

/// Whether the object is at the location now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is.
    Completed,
    /// It is not.
    Failed {
        /// Whether that is the location's fault, so that the next object would most likely fail too.
        is_of_location: bool,
    },
}

/// Does what an entry asks. What was done before is said once more, since nobody may have been told.
pub(crate) async fn run(context: &Context, location: &Location, entry: Entry) -> Result<Outcome, ReplicateError> {
    let is_by_others = entry.queued_at.is_none();
    let (status, is_new) = begin(context, entry).await?;
    match status.state {
        State::Pending => {}
        State::Completed => return said_again(context, &status, Outcome::Completed).await,
        State::Failed => return said_again(context, &status, Outcome::Failed { is_of_location: false }).await,
    }
    // Of what another program asked for nobody else says that it is queued; and who noted it may have died before saying so.
    let queued = (is_new || is_by_others).then(|| event::of_status(&status));
    let started = event::started(&status, context.clock.now());
    context.queue().tell(queued.into_iter().chain([started]).collect()).await?;
    let copied = copy(location, &Watch { context, status: &status }).await;
    crash::point("after-copy");
    let now = context.clock.now();
    let (ended, outcome) = match copied {
        Ok(Copied::Written { .. } | Copied::WasThere) => {
            // Of a large object each part was told when it arrived.
            if status.size_bytes <= large::WHOLE_BYTES_MAX {
                context.queue().tell(vec![event::part_completed(&status, 1, status.size_bytes, now)]).await?;
            }
            (status.completed(now), Outcome::Completed)
        }
        Err(error) => {
            let retry_at = retry::at(&context.limits, &error, (&status.operation, status.attempt), now);
            let Subject { bucket, key, .. } = &status.subject;
            tracing::warn!(location = location.name, bucket, key, attempt = status.attempt, "not replicated: {error}");
            let is_of_location = error.is_of_location();
            (status.failed(error.kind(), error.to_string(), retry_at, now), Outcome::Failed { is_of_location })
        }
    };
    context.queue().settle(&ended).await?;
    Ok(outcome)
}

async fn said_again(context: &Context, status: &Status, outcome: Outcome) -> Result<Outcome, ReplicateError> {
    context.queue().tell(vec![event::of_status(status)]).await?;
    Ok(outcome)
}

/// The status of what is asked for, and whether it is new: where there is none, another program asked, and it is noted now.
async fn begin(context: &Context, entry: Entry) -> Result<(Status, bool), ReplicateError> {
    let now = context.clock.now();
    let (version, size) = match (entry.version, entry.size) {
        (Some(version), Some(size)) => (version, size),
        (version, size) => {
            let found = head(context, &entry.bucket, &entry.key).await?;
            let (found_version, found_size) = found.unwrap_or_else(|| ("absent".to_owned(), 0));
            (version.unwrap_or(found_version), size.unwrap_or(found_size))
        }
    };
    let subject = Subject { location: entry.location, bucket: entry.bucket, key: entry.key, version };
    let known = shared::archive::read_status(&*context.objects, &subject.location, &subject.id()).await?;
    if let Some(known) = known {
        return Ok((known, false));
    }
    let queued = Status::queued(subject, size, entry.queued_at.unwrap_or(now).min(now));
    let known = shared::archive::put_status(&*context.objects, &queued).await?;
    Ok(known.map_or((queued, true), |known| (known, false)))
}

async fn head(context: &Context, bucket: &str, key: &str) -> Result<Option<(String, u64)>, ReplicateError> {
    let object = match context.place().own_key(bucket, key) {
        Some(own) => context.objects.get(own, GetRange::Last(0)).await?,
        None => context.buckets.bucket(bucket).await?.get(key, GetRange::Last(0)).await?,
    };
    Ok(object.map(|object| (version_of(&object.etag), object.size_bytes)))
}

/// Copies the object, by what it is.
async fn copy(location: &Location, watch: &Watch<'_>) -> Result<Copied, CopyError> {
    let (context, size_bytes) = (watch.context, watch.status.size_bytes);
    let Subject { bucket, key, .. } = &watch.status.subject;
    let target = location.objects().await.map_err(of_location)?;
    let Some(own) = context.place().own_key(bucket, key) else {
        let source = context.buckets.bucket(bucket).await.map_err(of_source)?;
        let location_key = context.place().key_at_location(bucket, key);
        let (source, watch) = (&*source, Some(watch));
        let copy = Copy { source, source_key: key, location: target, location_key: &location_key, size_bytes, watch };
        return copy.mutable().await;
    };
    let sides = Sides { source: &*context.objects, target };
    of_storage(location, sides, own, watch).await
}

async fn of_storage(location: &Location, sides: Sides<'_>, key: &str, watch: &Watch<'_>) -> Result<Copied, CopyError> {
    let backup = key.split('/').next().unwrap_or_default();
    match classify(backup, key) {
        Place::Segment(place, base, cuts) => {
            chain::bring_segment(location, sides, &Asked { backup, place: &place, key, base, cuts, watch }).await
        }
        Place::Owner | Place::Claim(_) => controls::bring_unchanging(sides, key).await,
        Place::AcceptedLoss(place) => {
            let chain = controls::identity(sides.source, backup, &place).await?;
            controls::bring_claim(location, sides, &chain, false).await?;
            sides.copy(key).mutable().await
        }
        Place::Floor(place) => {
            let chain = controls::identity(sides.source, backup, &place).await?;
            let end = chain::look(location, sides, &chain).await?;
            controls::bring_floor(sides, &chain, &end).await?;
            Ok(Copied::WasThere)
        }
        Place::Control => Err(CopyError::NotReplicated(key.to_owned())),
        Place::Foreign if key.starts_with(replication_keys::FOLDER) => Err(CopyError::NotReplicated(key.to_owned())),
        Place::Foreign => sides.sized(key, watch.status.size_bytes, Some(watch)).mutable().await,
    }
}
