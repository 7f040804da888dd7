//! What Kafka has of our own topics, left in the store for the route `healthcheck`.

use shared::metrics::health;

use crate::{Context, MonitorError};

/// Looks once, and leaves in the store what was seen. Where Kafka does not answer nothing is left, and what was goes stale.
pub(crate) async fn look(context: &Context) -> Result<(), MonitorError> {
    let topics = context.kafka.layout(&context.own_topics).await?;
    context.apply(&[health::seen(&topics, context.clock.now())]).await
}
