//! What is paused, read again and again: the storage says it, and every instance obeys within one refresh.

use std::sync::Arc;

use shared::archive::{Pauses, read_pauses};
use tokio::sync::watch;

use crate::{Backup, Context};

/// Reads at every refresh what is paused of a backup, and tells who listens. While the storage cannot be read nothing changes.
pub(crate) async fn watch(context: Arc<Context>, backup: Arc<Backup>, pauses: watch::Sender<Arc<Pauses>>) {
    loop {
        tokio::time::sleep(context.limits.refresh).await;
        match read_pauses(&*context.objects, &backup.name).await {
            Ok(now) => drop(pauses.send_if_modified(|before| {
                let changed = **before != now;
                *before = Arc::new(now);
                changed
            })),
            Err(error) => tracing::warn!(
                backup = backup.name,
                error = &error as &dyn std::error::Error,
                "what is paused cannot be read; what was known holds until the next refresh: {error}"
            ),
        }
    }
}
