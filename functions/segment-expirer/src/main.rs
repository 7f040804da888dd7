//! segment-expirer on AWS Lambda.

use std::sync::Arc;

use segment_expirer::{Context, Expire, handle};
use shared::adapters::{
    connect::{self, StartError},
    lambda::runtime,
    settings,
    system_clock::SystemClock,
};

#[tokio::main]
async fn main() -> Result<(), runtime::Error> {
    runtime::run(context, |input: Expire, context: Arc<Context>, deadline| async move {
        handle(input.by(deadline), &context).await
    })
    .await
}

async fn context() -> Result<Context, StartError> {
    let settings = settings::load(None).await?;
    let objects = connect::storage(&settings).await?;
    let store = connect::redis_at_need_if_configured(&settings)?;
    Ok(Context::new(&settings, objects, store, Arc::new(SystemClock)))
}
