//! cluster-archiver on AWS Lambda.

use std::sync::Arc;

use cluster_archiver::{Archive, Context, handle};
use shared::adapters::{
    connect::{self, StartError},
    lambda::runtime,
    settings,
    system_clock::SystemClock,
};

#[tokio::main]
async fn main() -> Result<(), runtime::Error> {
    runtime::run(context, |input: Archive, context: Arc<Context>, _| async move { handle(input, &context).await }).await
}

async fn context() -> Result<Context, StartError> {
    let settings = settings::load(None).await?;
    let (kafka, objects) = connect::both(connect::kafka(&settings), connect::storage(&settings)).await?;
    let store = connect::redis_at_need_if_configured(&settings)?;
    Ok(Context::new(&settings, kafka, objects, store, Arc::new(SystemClock)))
}
