//! Holding what a command reads.

use shared::{
    adapters::{instance, system_clock::SystemClock},
    archive::{
        ArchiveError,
        pins::{Hold, Pin, Pinned},
    },
    ports::objects::{Objects, ObjectsError},
};

use crate::failure::Failure;

/// Does `work`, which reads these parts of a backup (none: all of it), while a pin keeps them from expiring. With
/// credentials that may only read it goes on without, and says so.
pub async fn pinned<T>(
    objects: &dyn Objects,
    backup: &str,
    holds: Vec<Hold>,
    command: &str,
    work: impl Future<Output = T>,
) -> Result<T, Failure> {
    let id = format!("{command}-{}", instance::name(&SystemClock));
    let pin = Pin::new(&format!("highwater {id}"), holds);
    match Pinned::create(objects, backup, &id, pin).await {
        Ok(pinned) => Ok(pinned.during(work).await?),
        Err(ArchiveError::Objects(ObjectsError::Refused { message, .. })) => {
            tracing::warn!("no pin can be written ({message}): what expires meanwhile may be missed");
            Ok(work.await)
        }
        Err(error) => Err(error.into()),
    }
}
