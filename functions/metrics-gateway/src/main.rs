//! metrics-gateway on AWS Lambda, behind API Gateway, a function URL or a load balancer.

use std::sync::Arc;

use metrics_gateway::{Context, handle_event};
use shared::adapters::{
    connect::{self, StartError},
    lambda::runtime,
    settings,
    system_clock::SystemClock,
};

#[tokio::main]
async fn main() -> Result<(), runtime::Error> {
    runtime::run(context, |event, context: Arc<Context>, _| async move { handle_event(event, &context).await }).await
}

async fn context() -> Result<Context, StartError> {
    let settings = settings::load(None).await?;
    let kafka = connect::kafka(&settings).await?;
    Ok(Context::new(&settings, kafka, Arc::new(SystemClock)))
}
