//! `highwater serve`: hosts functions until stopped.

use std::time::Duration;

use shared::adapters::{otlp::Otlp, settings};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    cli::ServeArgs,
    failure::{Failure, Verdict},
    host::{Host, listeners::Listeners, selection::Selection, signals},
    telemetry,
};

/// How long unfinished segments have to be written when it stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(60);

pub(super) async fn run(config: Option<&str>, args: ServeArgs) -> Result<Verdict, Failure> {
    let settings = settings::load(config).await?;
    settings.warnings().iter().for_each(|warning| tracing::warn!("{warning}"));
    let selection = Selection::only(&args.only);
    let stop = stop_signal()?;
    let listeners = Listeners::open(&settings.listen, &selection).await?;
    let host = Host::connect(&settings, &selection, listeners.gateway()).await?;
    for (name, address) in listeners.addresses() {
        tracing::info!("{name}: http://{address}");
    }
    tracing::info!(instance = host.instance, "highwater serves");
    let otlp = telemetry::export(&settings.otlp, &host.instance);
    host_until(&host, listeners, otlp, &stop).await;
    Ok(Verdict::Good)
}

/// Runs a host until `stop`, and then until everything unfinished is written.
pub(super) async fn host_until(host: &Host, listeners: Listeners, otlp: Option<Otlp>, stop: &CancellationToken) {
    let tasks = TaskTracker::new();
    if let Some(otlp) = &otlp {
        telemetry::follow(otlp, host, &tasks, stop);
    }
    host.triggers.start(&host.functions, &tasks, stop);
    listeners.serve(host, &tasks, stop);
    stop.cancelled().await;
    tasks.close();
    if tokio::time::timeout(STOP_TIMEOUT, tasks.wait()).await.is_err() {
        tracing::warn!(
            "not everything ended within {STOP_TIMEOUT:?}: what is unfinished is read again by the next run"
        );
    }
    if let Some(otlp) = otlp {
        otlp.end().await;
    }
}

pub(super) fn stop_signal() -> Result<CancellationToken, Failure> {
    signals::stop().map_err(|source| Failure::Io { what: "signals cannot be received".to_owned(), source })
}
