//! What the storage knows of replication: a status for each operation, and a hint for each that failed.

use super::{
    ArchiveError,
    control::{self, Stored},
};
use crate::{
    ports::objects::{ListRequest, Objects, ObjectsError, PutCondition},
    record::Millis,
    replication::{OperationId, Status, keys},
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        adapters::memory::{clock::ManualClock, objects::MemoryObjects},
        replication::{ReasonKind, State, Subject},
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
