//! Small JSON objects.

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

use super::ArchiveError;
use crate::{
    ports::objects::{ETag, GetRange, Objects},
    record::Millis,
};

/// Reads a JSON object with its entity tag; `None` when it is not there.
pub(super) async fn read<T: DeserializeOwned>(
    objects: &dyn Objects,
    key: &str,
) -> Result<Option<(T, ETag)>, ArchiveError> {
    Ok(read_dated(objects, key).await?.map(|(value, etag, _)| (value, etag)))
}

/// The same, with when it was written by the store's clock.
pub(super) async fn read_dated<T: DeserializeOwned>(
    objects: &dyn Objects,
    key: &str,
) -> Result<Option<(T, ETag, Millis)>, ArchiveError> {
    let Some(object) = objects.get(key, GetRange::Whole).await? else { return Ok(None) };
    let value = serde_json::from_slice(&object.body).map_err(|e| ArchiveError::damaged(key, e))?;
    Ok(Some((value, object.etag, object.modified)))
}

/// The bytes of a small JSON object, readable by people.
pub(super) fn bytes<T: Serialize>(key: &str, value: &T) -> Result<Bytes, ArchiveError> {
    let mut text = serde_json::to_vec_pretty(value).map_err(|e| ArchiveError::damaged(key, e))?;
    text.push(b'\n');
    Ok(text.into())
}
