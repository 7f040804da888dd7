//! What is paused, read again and again: the storage says it, and every instance obeys within one refresh.

use std::sync::Arc;

use shared::{
    archive::{Pauses, read_pauses},
    ports::objects::clock_warning,
};
use tokio::sync::watch;

use crate::{Backup, Context};

/// A clock that is off is said at start, and again every so many refreshes.
const WARN_EVERY: u32 = 20;

/// Reads at every refresh what is paused of a backup, and tells who listens. While the storage cannot be read nothing changes.
pub(crate) async fn watch(context: Arc<Context>, backup: Arc<Backup>, pauses: watch::Sender<Arc<Pauses>>) {
    for refresh in 1_u32.. {
        tokio::time::sleep(context.limits.refresh).await;
        let warning = clock_warning(context.objects.clock_ahead_ms());
        if let Some(warning) = warning.filter(|_| refresh.is_multiple_of(WARN_EVERY)) {
            tracing::warn!("{warning}");
        }
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
