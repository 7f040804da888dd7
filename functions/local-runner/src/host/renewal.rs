//! What makes `serve` start again: a secret that was rotated, and brokers that an MSK cluster has no more.

use std::{error::Error, sync::Arc, time::Duration};

use shared::{
    adapters::{
        connect,
        settings::{self, Secrets},
    },
    config::Settings,
    ports::records::Kafka,
};
use tokio_util::sync::CancellationToken;

/// How often is looked.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// Stops everything when one of the two is so.
pub(crate) async fn until_needed(
    config: Option<String>,
    secrets: Secrets,
    settings: Settings,
    stop: CancellationToken,
) {
    tokio::select! {
        () = until_rotated(config, secrets) => {}
        () = until_brokers_moved(&settings) => {}
    }
    stop.cancel();
}

/// Ends when a secret has changed, and the settings are good with the new one.
async fn until_rotated(config: Option<String>, secrets: Secrets) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let Some(setting) = secrets.changed().await else { continue };
        match settings::load(config.as_deref()).await {
            Ok(_) => return tracing::info!("{setting} was rotated: the program starts again with the new one"),
            Err(error) => {
                let cause = &error as &dyn Error;
                tracing::error!(error = cause, "{setting} was rotated, and the old one stays in use: {error}");
            }
        }
    }
}

/// Ends when the brokers that were looked up at the start answer no more, and those that the cluster has now do. Where brokers are
/// written in the settings, nothing is looked up, and it never ends.
async fn until_brokers_moved(settings: &Settings) {
    let Some(arn) = settings.kafka.as_ref().and_then(|kafka| kafka.msk_cluster_arn.as_deref()) else {
        return std::future::pending().await;
    };
    let topics = [settings.metrics.topic.as_str().into()];
    let Ok(in_use) = connect::kafka(settings).await else { return std::future::pending().await };
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let new_one = async { connect::kafka(settings).await.is_ok() };
        if are_stale(answers(&*in_use, &topics), new_one, answers(&*in_use, &topics)).await {
            return tracing::info!("the brokers of {arn} are others now: the program starts again with them");
        }
    }
}

async fn answers(kafka: &dyn Kafka, topics: &[Arc<str>]) -> bool {
    kafka.topics(Some(topics)).await.is_ok()
}

/// Clients in use do not answer, but a new one does; and it was no outage that just ended.
async fn are_stale(
    in_use: impl Future<Output = bool>,
    new_one: impl Future<Output = bool>,
    in_use_again: impl Future<Output = bool>,
) -> bool {
    !in_use.await && new_one.await && !in_use_again.await
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use super::*;

    #[tokio::test]
    async fn clients_are_stale_when_they_do_not_answer_before_and_after_a_new_one_did() {
        assert!(are_stale(ready(false), ready(true), ready(false)).await);
    }

    #[tokio::test]
    async fn clients_that_answer_an_outage_and_an_outage_that_just_ended_are_no_reason_to_start_again() {
        assert!(!are_stale(ready(true), ready(true), ready(true)).await);
        assert!(!are_stale(ready(false), ready(false), ready(false)).await);
        assert!(!are_stale(ready(false), ready(true), ready(true)).await);
    }
}
