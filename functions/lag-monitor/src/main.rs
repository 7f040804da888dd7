//! lag-monitor on AWS Lambda.

use std::sync::Arc;

use lag_monitor::{Context, handle};
use shared::adapters::{
    connect::{self, StartError},
    lambda::runtime,
    settings,
    system_clock::SystemClock,
};

#[tokio::main]
async fn main() -> Result<(), runtime::Error> {
    runtime::run(context(), |input, context: Arc<Context>, _| async move { handle(input, &context).await }).await
}

async fn context() -> Result<Context, StartError> {
    let settings = settings::load(None).await?;
    let ((kafka, objects), store) = connect::both(connect::backups(&settings), connect::redis(&settings)).await?;
    Ok(Context::new(&settings, kafka, objects, store, Arc::new(SystemClock)))
}
