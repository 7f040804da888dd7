//! Small JSON objects.

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

use super::ArchiveError;
use crate::ports::objects::{ETag, GetRange, Objects};

/// Reads a JSON object with its entity tag; `None` when it is not there.
pub(super) async fn read<T: DeserializeOwned>(
    objects: &dyn Objects,
    key: &str,
) -> Result<Option<(T, ETag)>, ArchiveError> {
    let Some(object) = objects.get(key, GetRange::Whole).await? else { return Ok(None) };
    let value = serde_json::from_slice(&object.body).map_err(|e| ArchiveError::damaged(key, e))?;
    Ok(Some((value, object.etag)))
}

/// The bytes of a small JSON object, readable by people.
pub(super) fn bytes<T: Serialize>(key: &str, value: &T) -> Result<Bytes, ArchiveError> {
    let mut text = serde_json::to_vec_pretty(value).map_err(|e| ArchiveError::damaged(key, e))?;
    text.push(b'\n');
    Ok(text.into())
}
