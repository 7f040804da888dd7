//! metrics-consumer on AWS Lambda.

use std::sync::Arc;

use metrics_consumer::{Context, handle_within};
use shared::adapters::{
    connect::{self, StartError},
    lambda::runtime,
    settings,
    system_clock::SystemClock,
};

#[tokio::main]
async fn main() -> Result<(), runtime::Error> {
    runtime::run(context, |input, context: Arc<Context>, deadline| async move {
        handle_within(input, &context, SystemClock.until(deadline)).await
    })
    .await
}

async fn context() -> Result<Context, StartError> {
    let settings = settings::load(None).await?;
    let (kafka, invoker) = connect::both(connect::kafka(&settings), connect::invoker(&settings)).await?;
    connect::create_metrics_topic(&settings, &*kafka).await;
    let store = connect::redis_at_need_if_configured(&settings)?;
    Ok(Context::of(&settings, kafka, invoker, store, Arc::new(SystemClock)))
}
