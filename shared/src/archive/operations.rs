//! What the storage knows of replication: a status for each operation, and a hint for each that failed.

use serde::{Deserialize, Serialize};

use super::{
    ArchiveError,
    control::{self, Stored},
};
use crate::{
    ports::objects::{ListRequest, Objects, ObjectsError, PutCondition},
    record::Millis,
    replication::{OperationId, State, Status, keys, status::FORMAT_VERSION},
};

/// How often a status is written that others write too.
const ATTEMPTS_MAX: u32 = 16;

/// A failed operation as a listing shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedEntry {
    /// The key of the hint.
    pub key: String,
    /// The operation.
    pub operation: OperationId,
    /// When it is tried again; `None`: when somebody asks.
    pub retry_at: Option<Millis>,
}

/// How far an operation is; `None` where nobody asked for it.
pub async fn read_status(
    objects: &dyn Objects,
    location: &str,
    id: &OperationId,
) -> Result<Option<Status>, ArchiveError> {
    Ok(control::read(objects, &keys::status(location, id)).await?.map(|stored| stored.value))
}

/// Writes the status of an operation that nobody asked for yet; answers the one that is there otherwise.
pub async fn put_status(objects: &dyn Objects, status: &Status) -> Result<Option<Status>, ArchiveError> {
    let key = keys::status(&status.subject.location, &status.operation);
    if control::compare_and_set(objects, &key, None, status).await?.is_some() {
        return Ok(None);
    }
    let found = read_status(objects, &status.subject.location, &status.operation).await?;
    Ok(Some(found.ok_or(ArchiveError::Missing { key })?))
}

/// Writes a status unless a later one is there; answers the one that is there in the end.
pub async fn advance_status(objects: &dyn Objects, status: &Status) -> Result<Status, ArchiveError> {
    let key = keys::status(&status.subject.location, &status.operation);
    for _ in 0..ATTEMPTS_MAX {
        let found: Option<Stored<Status>> = control::read(objects, &key).await?;
        let etag = match found {
            Some(Stored { value, .. }) if value.order() >= status.order() => return Ok(value),
            found => found.map(|found| found.etag),
        };
        if control::compare_and_set(objects, &key, etag, status).await?.is_some() {
            return Ok(status.clone());
        }
    }
    Err(ObjectsError::Conflict { key }.into())
}

/// Notes that an operation failed: before its status says so.
pub async fn note_failed(objects: &dyn Objects, status: &Status) -> Result<(), ArchiveError> {
    let key = keys::failed(&status.subject.location, &status.operation, status.retry_at);
    match objects.put(&key, bytes::Bytes::new(), PutCondition::IfAbsent).await {
        Ok(_) | Err(ObjectsError::PreconditionFailed { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Takes such a note back: after the next attempt began, or when nothing failed.
pub async fn clear_failed(objects: &dyn Objects, key: &str) -> Result<(), ArchiveError> {
    Ok(objects.delete(key).await?)
}

/// The failed operations of a location behind the key `after` (empty: from the first), by when they are tried again: a
/// page, and where the next one begins.
pub async fn failed_operations(
    objects: &dyn Objects,
    location: &str,
    after: &str,
) -> Result<(Vec<FailedEntry>, Option<String>), ArchiveError> {
    let folder = keys::failed_folder(location);
    let page = objects.list(ListRequest { after, ..ListRequest::prefix(&folder) }).await?;
    let entry = |key: String| {
        let (retry_at, operation) = keys::parse_failed(location, &key)?;
        Some(FailedEntry { key, operation, retry_at })
    };
    Ok((page.objects.into_iter().filter_map(|object| entry(object.key)).collect(), page.next_after))
}

/// That nothing is copied to a location.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocationPause {
    format_version: u32,
    /// Since when, by the clock of whoever asked.
    pub paused_at: Millis,
    /// When it is over; absent: when somebody says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume_at: Option<Millis>,
}

impl LocationPause {
    fn is_over(&self, now: Millis) -> bool {
        self.resume_at.is_some_and(|at| at <= now)
    }
}

/// The pause of a location that is in force.
pub async fn location_pause(
    objects: &dyn Objects,
    location: &str,
    now: Millis,
) -> Result<Option<LocationPause>, ArchiveError> {
    let read: Option<Stored<LocationPause>> = control::read(objects, &keys::pause(location)).await?;
    Ok(read.map(|stored| stored.value).filter(|pause| !pause.is_over(now)))
}

/// Pauses a location; one that is paused stays so.
pub async fn pause_location(objects: &dyn Objects, location: &str, now: Millis) -> Result<(), ArchiveError> {
    let new = LocationPause { format_version: FORMAT_VERSION, paused_at: now, resume_at: None };
    change_pause(objects, location, |found| match found {
        Some(pause) if !pause.is_over(now) => None,
        _ => Some(new.clone()),
    })
    .await
}

/// Lets a paused location go on at that time; `None`: not by itself.
pub async fn schedule_resume(
    objects: &dyn Objects,
    location: &str,
    resume_at: Option<Millis>,
    now: Millis,
) -> Result<(), ArchiveError> {
    change_pause(objects, location, |found| {
        let pause = found.filter(|pause| !pause.is_over(now))?;
        Some(LocationPause { resume_at, ..pause })
    })
    .await
}

/// Lets a location go on.
pub async fn resume_location(objects: &dyn Objects, location: &str) -> Result<(), ArchiveError> {
    control::remove(objects, &keys::pause(location)).await
}

async fn change_pause(
    objects: &dyn Objects,
    location: &str,
    change: impl Fn(Option<LocationPause>) -> Option<LocationPause>,
) -> Result<(), ArchiveError> {
    let key = keys::pause(location);
    for _ in 0..ATTEMPTS_MAX {
        let found: Option<Stored<LocationPause>> = control::read(objects, &key).await?;
        let etag = found.as_ref().map(|found| found.etag.clone());
        let Some(changed) = change(found.map(|found| found.value)) else { return Ok(()) };
        if control::compare_and_set(objects, &key, etag, &changed).await?.is_some() {
            return Ok(());
        }
    }
    Err(ObjectsError::Conflict { key }.into())
}

/// Forgets the completed operations of a location that nobody changed since `before`: what they copied is there, and were it
/// lost, comparing would ask for it under the same id. Answers how many.
pub async fn forget_completed(objects: &dyn Objects, location: &str, before: Millis) -> Result<usize, ArchiveError> {
    let (folder, mut after, mut forgotten) = (keys::status_folder(location), String::new(), 0);
    loop {
        let page = objects.list(ListRequest { after: &after, ..ListRequest::prefix(&folder) }).await?;
        let mut old = vec![];
        for entry in page.objects.into_iter().filter(|entry| entry.modified < before) {
            let read: Option<Stored<Status>> = control::read(objects, &entry.key).await?;
            if read.is_some_and(|stored| stored.value.state == State::Completed) {
                old.push(entry.key);
            }
        }
        objects.delete_all(&old).await?;
        forgotten += old.len();
        match page.next_after {
            Some(next) => after = next,
            None => return Ok(forgotten),
        }
    }
}

/// The operations of a location whose status was stored since then, each with when that was, behind the key `after`: a page,
/// and where the next one begins. Their events may not have been sent, and of those that are pending nobody may know.
pub async fn changed_since(
    objects: &dyn Objects,
    location: &str,
    since: Millis,
    after: &str,
) -> Result<(Vec<(Millis, Status)>, Option<String>), ArchiveError> {
    let folder = keys::status_folder(location);
    let page = objects.list(ListRequest { after, ..ListRequest::prefix(&folder) }).await?;
    let mut changed = vec![];
    for entry in page.objects.into_iter().filter(|entry| entry.modified >= since) {
        let read: Option<Stored<Status>> = control::read(objects, &entry.key).await?;
        changed.extend(read.map(|stored| (entry.modified, stored.value)));
    }
    Ok((changed, page.next_after))
}

/// When a location was last compared to the end: what ended before that was told.
#[derive(Debug, Serialize, Deserialize)]
struct Compared {
    format_version: u32,
    at: Millis,
}

/// When a location was last compared to the end; the beginning of time where it never was.
pub async fn compared_at(objects: &dyn Objects, location: &str) -> Result<Millis, ArchiveError> {
    let read: Option<Stored<Compared>> = control::read(objects, &keys::compared(location)).await?;
    Ok(read.map_or(Millis(0), |stored| stored.value.at))
}

/// Notes that a location was compared, as of then. Where somebody else noted it meanwhile, theirs stays.
pub async fn note_compared(objects: &dyn Objects, location: &str, at: Millis) -> Result<(), ArchiveError> {
    let key = keys::compared(location);
    let read: Option<Stored<Compared>> = control::read(objects, &key).await?;
    let etag = read.map(|stored| stored.etag);
    control::compare_and_set(objects, &key, etag, &Compared { format_version: FORMAT_VERSION, at }).await?;
    Ok(())
}

/// Has a failed operation tried again at the next look of whoever replicates; whether it had failed.
pub async fn retry_now(objects: &dyn Objects, status: &Status, now: Millis) -> Result<bool, ArchiveError> {
    if status.state != State::Failed {
        return Ok(false);
    }
    let location = &status.subject.location;
    let (due, was) = (Some(now), keys::failed(location, &status.operation, status.retry_at));
    note_failed(objects, &Status { retry_at: due, ..status.clone() }).await?;
    if was != keys::failed(location, &status.operation, due) {
        clear_failed(objects, &was).await?;
    }
    Ok(true)
}

/// The failed operations of these locations behind the first `skip`, at most `limit`; and whether there are more.
pub async fn failed_statuses(
    objects: &dyn Objects,
    locations: &[String],
    skip: usize,
    limit: usize,
) -> Result<(Vec<Status>, bool), ArchiveError> {
    let (mut passed, mut found) = (0, vec![]);
    for location in locations {
        let mut after = String::new();
        loop {
            let (page, next) = failed_operations(objects, location, &after).await?;
            for entry in page {
                if passed < skip {
                    passed += 1;
                } else if found.len() == limit {
                    return Ok((found, true));
                } else if let Some(status) = read_status(objects, location, &entry.operation).await?
                    && status.state == State::Failed
                {
                    found.push(status);
                }
            }
            match next {
                Some(next) => after = next,
                None => break,
            }
        }
    }
    Ok((found, false))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        adapters::memory::{clock::ManualClock, objects::MemoryObjects},
        replication::{ReasonKind, Subject},
    };

    fn world() -> MemoryObjects {
        MemoryObjects::new(Arc::new(ManualClock::at(Millis(1_000))))
    }

    fn status() -> Status {
        let subject = Subject { location: "l".into(), bucket: "b".into(), key: "k".into(), version: "v".into() };
        Status::queued(subject, 7, Millis(1))
    }

    #[tokio::test]
    async fn a_status_only_advances() {
        let objects = world();
        assert_eq!(put_status(&objects, &status()).await.unwrap(), None);
        assert_eq!(put_status(&objects, &status()).await.unwrap(), Some(status()));
        let failed = status().failed(ReasonKind::Refused, "no".into(), None, Millis(2));
        let done = status().completed(Millis(3));
        let again = failed.clone().again(Millis(4));
        for (written, there) in [
            (&failed, &failed),
            (&status(), &failed),
            (&done, &done),
            (&failed, &done),
            (&again, &again),
            (&done, &again),
        ] {
            assert_eq!(&advance_status(&objects, written).await.unwrap(), there);
        }
        let read = read_status(&objects, "l", &status().operation).await.unwrap().unwrap();
        assert_eq!((read.state, read.attempt), (State::Pending, 2));
    }

    #[tokio::test]
    async fn old_completed_operations_are_forgotten_and_no_others() {
        let clock = Arc::new(ManualClock::at(Millis(1_000)));
        let objects = MemoryObjects::new(clock.clone());
        let of = |version: &str| Status::queued(Subject { version: version.into(), ..status().subject }, 7, Millis(1));
        for status in
            [of("a").completed(Millis(2)), of("b"), of("c").failed(ReasonKind::Refused, "no".into(), None, Millis(2))]
        {
            advance_status(&objects, &status).await.unwrap();
        }
        clock.set(Millis(5_000));
        advance_status(&objects, &of("d").completed(Millis(5_000))).await.unwrap();
        assert_eq!(forget_completed(&objects, "l", Millis(5_000)).await.unwrap(), 1);
        for (version, is_there) in [("a", false), ("b", true), ("c", true), ("d", true)] {
            let found = read_status(&objects, "l", &of(version).operation).await.unwrap();
            assert_eq!(found.is_some(), is_there, "{version}");
        }
    }

    #[tokio::test]
    async fn failed_operations_are_listed_by_when_they_are_tried_again() {
        let objects = world();
        for (version, at) in [("a", None), ("b", Some(Millis(9))), ("c", Some(Millis(3)))] {
            let subject = Subject { version: version.into(), ..status().subject };
            let failed = Status::queued(subject, 7, Millis(1)).failed(ReasonKind::Refused, "no".into(), at, Millis(2));
            note_failed(&objects, &failed).await.unwrap();
            note_failed(&objects, &failed).await.unwrap();
        }
        let (listed, next) = failed_operations(&objects, "l", "").await.unwrap();
        assert_eq!(listed.iter().map(|it| it.retry_at).collect::<Vec<_>>(), [Some(Millis(3)), Some(Millis(9)), None]);
        assert_eq!(next, None);
        clear_failed(&objects, &listed[0].key).await.unwrap();
        assert_eq!(failed_operations(&objects, "l", "").await.unwrap().0.len(), 2);
    }
}
