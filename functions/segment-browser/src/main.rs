//! segment-browser on AWS Lambda, behind API Gateway, a function URL or a load balancer.

use std::sync::Arc;

use segment_browser::{Context, handle_event};
use shared::adapters::{
    connect::{self, StartError},
    lambda::runtime,
    settings,
};

#[tokio::main]
async fn main() -> Result<(), runtime::Error> {
    runtime::run(context, |event, context: Arc<Context>, _| async move { handle_event(event, &context).await }).await
}

async fn context() -> Result<Context, StartError> {
    let settings = settings::load(None).await?;
    let objects = connect::storage_to_read(&settings).await?;
    Ok(Context::new(&settings, objects))
}
