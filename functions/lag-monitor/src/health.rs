//! What Kafka has of our own topics, and that the storage answers, left in the store for the route `healthcheck`.

use shared::{archive::ArchiveError, metrics::health, ports::objects::ListRequest};

use crate::{Context, MonitorError};

/// Looks once, and leaves in the store what was seen. Where Kafka does not answer nothing is left, and what was goes stale.
pub(crate) async fn look(context: &Context) -> Result<(), MonitorError> {
    let topics = context.kafka.layout(&context.own_topics).await?;
    context.apply(&[health::seen(&topics, context.clock.now())]).await?;
    // Where there are backups, the owner of each is read at every refresh, and no request more is needed.
    if context.backups.is_empty() { look_at_storage(context).await } else { Ok(()) }
}

/// Asks the storage for one key, and notes that it answered.
pub(crate) async fn look_at_storage(context: &Context) -> Result<(), MonitorError> {
    let one = ListRequest { limit: 1, folders: true, ..ListRequest::prefix("") };
    context.objects.list(one).await.map_err(ArchiveError::from)?;
    storage_answered(context).await;
    Ok(())
}

/// Notes that the storage answered. Where that cannot be noted, the storage is told as one that does not answer; nothing else
/// depends on it.
pub(crate) async fn storage_answered(context: &Context) {
    if let Err(error) = context.apply(&[health::storage_seen(context.clock.now())]).await {
        tracing::debug!("that the storage answered was not noted: {error}");
    }
}
