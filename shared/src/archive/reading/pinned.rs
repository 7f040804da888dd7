//! Holding what is being read.

use crate::{
    archive::{
        ArchiveError,
        pins::{self, Hold, Pin, Pinned},
    },
    ports::objects::{Objects, ObjectsError},
};

/// Does `work`, which reads these parts of a backup (none: all of it), while a pin keeps them from expiring. `id` names
/// this process and what it reads for. With credentials that may only read it goes on without a pin, and says so.
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
    let id = pins::holder(id);
    let pin = Pin::new(&format!("highwater {id}"), holds);
    match Pinned::create(objects, backup, &id, pin).await {
        Ok(pinned) => pinned.during(work).await,
        Err(ArchiveError::Objects(ObjectsError::Refused { message, .. })) => {
            tracing::warn!("no pin can be written ({message}): what expires meanwhile may be missed");
            Ok(work.await)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use crate::{
        adapters::memory::{clock::ManualClock, objects::MemoryObjects},
        chain::keys,
        ports::objects::ListRequest,
        record::Millis,
    };

    #[tokio::test]
    async fn of_two_readers_in_one_process_each_has_a_pin_of_its_own() {
        let objects = MemoryObjects::new(Arc::new(ManualClock::at(Millis(1_000))));
        let held = || async {
            let folder = keys::pins_folder("main");
            objects.list(ListRequest::prefix(&folder)).await.unwrap().objects.len()
        };
        let nested = async {
            let inner = pinned(&objects, "main", vec![], "reader", async { held().await }).await.unwrap();
            (inner, held().await)
        };
        assert_eq!(pinned(&objects, "main", vec![], "reader", nested).await.unwrap(), (2, 1));
        assert_eq!(held().await, 0);
    }
}
