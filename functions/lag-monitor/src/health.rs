//! What Kafka has of our own topics, and that the storage answers, left in the store for the route `healthcheck`.

use shared::{archive::ArchiveError, metrics::health, ports::objects::ListRequest};

use crate::{Context, MonitorError};

/// Looks once, and leaves in the store what was seen. Of what does not answer nothing is left, and what was goes stale.
pub(crate) async fn look(context: &Context) -> Result<(), MonitorError> {
    let one = ListRequest { limit: 1, folders: true, ..ListRequest::prefix("") };
    let (topics, listed) = (context.kafka.layout(&context.own_topics).await, context.objects.list(one).await);
    let now = context.clock.now();
    let seen = topics.as_ref().ok().map(|topics| health::seen(topics, now));
    let seen: Vec<_> = seen.into_iter().chain(listed.as_ref().ok().map(|_| health::storage_seen(now))).collect();
    context.apply(&seen).await?;
    topics?;
    listed.map_err(ArchiveError::from)?;
    Ok(())
}
