//! lag-monitor on AWS Lambda.

use std::sync::Arc;

use lag_monitor::{Context, handle, watch};
use shared::adapters::{
    connect::{self, StartError},
    lambda::runtime,
    settings,
    system_clock::SystemClock,
};

#[tokio::main]
async fn main() -> Result<(), runtime::Error> {
    runtime::run(context, |input, context: Arc<Context>, _| async move {
        let report = handle(input, &context).await;
        log_figures(&context).await;
        report
    })
    .await
}

/// CloudWatch's alarms are made of these lines: `infra/template.yaml` names their fields.
async fn log_figures(context: &Context) {
    match watch(context).await {
        Ok(backups) => backups.iter().for_each(|it| {
            tracing::info!(
                backup = &*it.backup,
                seconds_to_loss = it.seconds_to_loss,
                stale_topics = it.stale_topics,
                failed_topics = it.failed_topics,
                unreadable_partitions = it.unreadable_partitions,
                verify_findings = it.verify_findings,
                "figures"
            );
        }),
        Err(error) => tracing::warn!("the figures for alarms cannot be read: {error}"),
    }
}

async fn context() -> Result<Context, StartError> {
    let settings = settings::load(None).await?;
    let ((kafka, objects), store) =
        connect::both(connect::backups_to_read(&settings), connect::redis(&settings)).await?;
    Ok(Context::new(&settings, kafka, objects, store, Arc::new(SystemClock)))
}
