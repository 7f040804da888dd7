//! Control objects: small JSON objects that say what a backup is and what may be done with it (owner, claims, floors,
//! accepted losses, pauses, pins, clock).
//!
//! They change by compare-and-set only: who writes names the entity tag that was read, or that nothing was there. Each begins
//! with `format_version`. One of a newer version than this program knows may mean what this program does not know: it is
//! refused by name wherever it is read, and never written over.

use bytes::Bytes;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::ArchiveError;
use crate::{
    ports::objects::{ETag, GetRange, Objects, ObjectsError, PutCondition},
    record::Millis,
    segment::metadata::FORMAT_VERSION,
};

/// A control object as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored<T> {
    /// What it says.
    pub value: T,
    /// Its entity tag, under which it may be replaced.
    pub etag: ETag,
    /// When it was written, by the store's clock.
    pub modified: Millis,
}

/// What every control object has.
#[derive(Deserialize)]
struct Versioned {
    format_version: u32,
}

/// Reads a control object; `None` when it is not there.
///
/// # Errors
/// [`ArchiveError::Newer`] when a newer version of Highwater wrote it, [`ArchiveError::Damaged`] when it does not say what it
/// should.
pub async fn read<T: DeserializeOwned>(objects: &dyn Objects, key: &str) -> Result<Option<Stored<T>>, ArchiveError> {
    let Some(object) = objects.get(key, GetRange::Whole).await? else { return Ok(None) };
    let value = parse(key, &object.body)?;
    Ok(Some(Stored { value, etag: object.etag, modified: object.modified }))
}

/// Writes a control object in place of what was read under this tag; `None`: nothing was there. Answers its new tag, or
/// `None` where it is another by now. That may be one's own: a retry that the store sees twice finds what the first wrote.
pub async fn compare_and_set<T: Serialize>(
    objects: &dyn Objects,
    key: &str,
    from: Option<ETag>,
    value: &T,
) -> Result<Option<ETag>, ArchiveError> {
    match replace(objects, key, from, value).await {
        Ok(etag) => Ok(Some(etag)),
        Err(ArchiveError::Objects(ObjectsError::PreconditionFailed { .. })) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The same, where that it is another by now is an error.
///
/// # Errors
/// [`ObjectsError::PreconditionFailed`] when it is another by now.
pub async fn replace<T: Serialize>(
    objects: &dyn Objects,
    key: &str,
    from: Option<ETag>,
    value: &T,
) -> Result<ETag, ArchiveError> {
    let condition = from.map_or(PutCondition::IfAbsent, PutCondition::IfMatch);
    Ok(objects.put(key, bytes(key, value)?, condition).await?)
}

/// Deletes a control object, unless a newer version of Highwater wrote it; that there is none is well.
pub async fn remove(objects: &dyn Objects, key: &str) -> Result<(), ArchiveError> {
    if let Some(object) = objects.get(key, GetRange::Whole).await? {
        check_version(key, &object.body)?;
        objects.delete(key).await?;
    }
    Ok(())
}

/// What a control object says.
pub(super) fn parse<T: DeserializeOwned>(key: &str, body: &Bytes) -> Result<T, ArchiveError> {
    check_version(key, body)?;
    serde_json::from_slice(body).map_err(|error| ArchiveError::damaged(key, error))
}

/// One that tells no version is for whoever reads it to judge.
fn check_version(key: &str, body: &Bytes) -> Result<(), ArchiveError> {
    match serde_json::from_slice::<Versioned>(body) {
        Ok(Versioned { format_version: found }) if found > FORMAT_VERSION => {
            Err(ArchiveError::Newer { key: key.to_owned(), found, known: FORMAT_VERSION })
        }
        _ => Ok(()),
    }
}

/// The bytes of a control object, readable by people.
fn bytes<T: Serialize>(key: &str, value: &T) -> Result<Bytes, ArchiveError> {
    let mut text = serde_json::to_vec_pretty(value).map_err(|error| ArchiveError::damaged(key, error))?;
    text.push(b'\n');
    Ok(text.into())
}

#[cfg(test)]
mod tests;
