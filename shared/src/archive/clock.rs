//! What time it is for the object store.
//!
//! All that expires is judged by dates that the store set: those of segments, floors and pins. So the time they are compared
//! with is the store's as well, and a process whose clock jumps neither deletes too early nor takes a pin from anyone.

use serde::{Deserialize, Serialize};

use super::{
    ArchiveError,
    control::{self, Stored},
};
use crate::{
    chain::keys,
    ports::objects::{GetRange, Objects},
    record::Millis,
    segment::metadata::FORMAT_VERSION,
};

/// The content of `=clock.json`: its date is what counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Written {
    /// The version of this format.
    format_version: u32,
    /// How often it was written.
    written: u64,
}

/// The store's time, which is the date of an object that is written for it. Never later than the moment of the answer.
pub async fn store_time(objects: &dyn Objects, backup: &str) -> Result<Millis, ArchiveError> {
    let key = keys::clock(backup);
    let (written, from) = match control::read(objects, &key).await? {
        Some(Stored { value: Written { written, .. }, etag, .. }) => (written.saturating_add(1), Some(etag)),
        None => (1, None),
    };
    // Where another one wrote it meanwhile, or a retry of this call did, that date serves as well.
    control::compare_and_set(objects, &key, from, &Written { format_version: FORMAT_VERSION, written }).await?;
    let written = objects.get(&key, GetRange::Whole).await?;
    written.map(|object| object.modified).ok_or(ArchiveError::Missing { key })
}
