//! schema-archiver on AWS Lambda.

use std::sync::Arc;

use schema_archiver::{Context, Input, handle};
use shared::adapters::{
    connect::{self, StartError},
    lambda::runtime,
    settings,
    system_clock::SystemClock,
};

#[tokio::main]
async fn main() -> Result<(), runtime::Error> {
    runtime::run(context, |input: Input, context: Arc<Context>, _| async move { handle(input, &context).await }).await
}

async fn context() -> Result<Context, StartError> {
    let settings = settings::load(None).await?;
    let objects = connect::storage(&settings).await?;
    let store = if settings.redis.is_some() { Some(connect::redis_at_need(&settings)?) } else { None };
    let registries = connect::registries(&settings)?;
    let (clock, name) = (Arc::new(SystemClock), &registries.name);
    let mut context = Context::new(objects, registries.source, registries.target, name, store, clock);
    context.pushing = connect::function_gateway(&settings).await?;
    Ok(context)
}
