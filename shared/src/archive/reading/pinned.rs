//! Holding what is being read.

use crate::{
    archive::{
        ArchiveError,
        pins::{Hold, Pin, Pinned},
    },
    ports::objects::{Objects, ObjectsError},
};

/// Does `work`, which reads these parts of a backup (none: all of it), while a pin keeps them from expiring. `id` names
/// this reader and no other. With credentials that may only read it goes on without a pin, and says so.
///
/// # Errors
/// When the pin cannot be written, or was lost on the way: then the work is dropped.
pub async fn pinned<T>(
    objects: &dyn Objects,
    backup: &str,
    holds: Vec<Hold>,
    id: &str,
    work: impl Future<Output = T>,
) -> Result<T, ArchiveError> {
    let pin = Pin::new(&format!("highwater {id}"), holds);
    match Pinned::create(objects, backup, id, pin).await {
        Ok(pinned) => pinned.during(work).await,
        Err(ArchiveError::Objects(ObjectsError::Refused { message, .. })) => {
            tracing::warn!("no pin can be written ({message}): what expires meanwhile may be missed");
            Ok(work.await)
        }
        Err(error) => Err(error),
    }
}
