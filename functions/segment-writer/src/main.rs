//! segment-writer on AWS Lambda.

use std::sync::Arc;

use segment_writer::{Context, Input, handle};
use shared::adapters::{
    connect::{self, StartError},
    instance,
    lambda::runtime,
    settings,
    system_clock::SystemClock,
};

#[tokio::main]
async fn main() -> Result<(), runtime::Error> {
    runtime::run(context, |input: Input, context: Arc<Arc<Context>>, deadline| async move {
        handle(input.by(deadline), &context).await
    })
    .await
}

async fn context() -> Result<Arc<Context>, StartError> {
    let settings = settings::load(None).await?;
    let (kafka, objects) = connect::backups(&settings).await?;
    let context = Context::of(&settings, kafka, objects, Arc::new(SystemClock), &instance::name(&SystemClock));
    let store = connect::redis_at_need_if_configured(&settings)?;
    Ok(context.pushing(connect::event_gateway(&settings, None)?).counted_in(store))
}
