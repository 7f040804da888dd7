//! segment-restorer on AWS Lambda.

use std::sync::Arc;

use segment_restorer::{Context, Input};
use shared::adapters::{
    connect::{self, StartError},
    instance,
    lambda::runtime,
    settings,
    system_clock::SystemClock,
};

#[tokio::main]
async fn main() -> Result<(), runtime::Error> {
    runtime::run(context, |input: Input, context: Arc<Context>, deadline| async move {
        segment_restorer::answer(input.by(deadline), &context).await
    })
    .await
}

async fn context() -> Result<Context, StartError> {
    let settings = settings::load(None).await?;
    let (target, objects) = connect::both(connect::target(&settings), connect::storage(&settings)).await?;
    // It keeps the results of drills; a restore needs it not.
    let store = if settings.redis.is_some() { Some(connect::redis_at_need(&settings)?) } else { None };
    let mut context = Context::new(objects, target, Arc::new(SystemClock), &instance::name(&SystemClock));
    context.store = store;
    context.pushing = connect::function_gateway(&settings).await?;
    Ok(context)
}
