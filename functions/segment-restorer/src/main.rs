//! segment-restorer on AWS Lambda.

use std::sync::Arc;

use segment_restorer::{Context, Restore};
use shared::adapters::{
    connect::{self, StartError},
    instance,
    lambda::runtime,
    settings,
    system_clock::SystemClock,
};

#[tokio::main]
async fn main() -> Result<(), runtime::Error> {
    runtime::run(context, |input: Restore, context: Arc<Context>, deadline| async move {
        segment_restorer::run(input.by(deadline), &context).await
    })
    .await
}

async fn context() -> Result<Context, StartError> {
    let settings = settings::load(None).await?;
    let (target, objects) = connect::both(connect::target(&settings), connect::storage(&settings)).await?;
    let mut context = Context::new(objects, target, Arc::new(SystemClock), &instance::name(&SystemClock));
    context.pushing = connect::event_gateway(&settings, None);
    Ok(context)
}
