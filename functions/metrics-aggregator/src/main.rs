//! metrics-aggregator on AWS Lambda.

use std::sync::Arc;

use metrics_aggregator::{Context, handle};
use shared::adapters::{
    connect::{self, StartError},
    lambda::runtime,
    settings,
};

#[tokio::main]
async fn main() -> Result<(), runtime::Error> {
    runtime::run(context, |part, context: Arc<Context>, _| async move { handle(part, &context).await }).await
}

async fn context() -> Result<Context, StartError> {
    Ok(Context { store: connect::redis(&settings::load(None).await?).await? })
}
