//! backup-verifier on AWS Lambda.

use std::sync::Arc;

use backup_verifier::{Context, Verify, handle};
use shared::adapters::{
    connect::{self, StartError},
    instance,
    lambda::runtime,
    settings,
    system_clock::SystemClock,
};

#[tokio::main]
async fn main() -> Result<(), runtime::Error> {
    runtime::run(context, |input: Verify, context: Arc<Context>, deadline| async move {
        handle(input.by(deadline), &context).await
    })
    .await
}

async fn context() -> Result<Context, StartError> {
    let settings = settings::load(None).await?;
    let witnesses = connect::both(connect::kafka_if_configured(&settings), connect::redis_if_configured(&settings));
    let (objects, (kafka, store)) = connect::both(connect::storage_to_read(&settings), witnesses).await?;
    let instance = instance::name(&SystemClock);
    Ok(Context::new(Some(&settings), objects, kafka, store, Arc::new(SystemClock), &instance))
}
