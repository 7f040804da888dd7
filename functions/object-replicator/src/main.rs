//! object-replicator on AWS Lambda.

use std::sync::Arc;

use object_replicator::{Context, Location, handle_within};
use shared::adapters::{
    connect::{self, StartError},
    lambda::runtime,
    s3::S3Buckets,
    settings,
    system_clock::SystemClock,
};

#[tokio::main]
async fn main() -> Result<(), runtime::Error> {
    runtime::run(context, |input, context: Arc<Context>, deadline| async move {
        handle_within(input, &context, SystemClock.until(deadline)).await
    })
    .await
}

async fn context() -> Result<Context, StartError> {
    let settings = settings::load(None).await?;
    let (kafka, objects) = connect::both(connect::kafka(&settings), connect::storage(&settings)).await?;
    connect::create_topics(&settings, &*kafka).await?;
    let stores = connect::locations(&settings).await?;
    let locations = stores.into_iter().map(|(name, objects)| Location::new(&name, objects)).collect();
    let buckets = Arc::new(S3Buckets::beside(settings.storage()?));
    let store = connect::redis_at_need_if_configured(&settings)?;
    Ok(Context::new(&settings, kafka, objects, buckets, store, Arc::new(SystemClock), locations)?)
}
