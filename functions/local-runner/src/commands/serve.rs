//! `highwater serve`: hosts functions until stopped.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use shared::{
    adapters::{otlp::Otlp, settings},
    config::{
        Settings,
        listen::{Listen, ListenSettings},
    },
};
use tokio_util::{
    sync::CancellationToken,
    task::{AbortOnDropHandle, TaskTracker},
};

use crate::{
    cli::ServeArgs,
    emulation::Emulator,
    failure::{Failure, Verdict},
    host::{Host, listeners::Listeners, selection::Selection, signals},
    http::{invoke, server::bind},
    telemetry,
};

/// How long unfinished segments have to be written when it stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(60);

/// How often secrets that are kept elsewhere are looked at.
const LOOK_AT_SECRETS_EVERY: Duration = Duration::from_secs(60);
/// Where everything cannot start again with a new secret, that is tried again after so long.
const AGAIN_AFTER: Duration = Duration::from_secs(10);

/// Hosts functions until it is stopped. A secret that was rotated is taken by starting everything anew, as a new process would.
pub(super) async fn run(config: Option<&str>, args: ServeArgs) -> Result<Verdict, Failure> {
    let stop = stop_signal()?;
    let mut again = false;
    loop {
        match until_a_secret_changes(config, &args, &stop).await {
            Err(error) if again && !stop.is_cancelled() => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "it cannot start again with the new secret, and tries again: {error}");
                stop.run_until_cancelled(tokio::time::sleep(AGAIN_AFTER)).await;
            }
            Err(error) => return Err(error),
            Ok(()) => {}
        }
        if stop.is_cancelled() {
            return Ok(Verdict::Good);
        }
        again = true;
    }
}

async fn until_a_secret_changes(
    config: Option<&str>,
    args: &ServeArgs,
    stopped: &CancellationToken,
) -> Result<(), Failure> {
    let (settings, secrets) = settings::load_with_secrets(config).await?;
    let stop = stopped.child_token();
    let watching = stop.clone();
    let _watch = AbortOnDropHandle::new(tokio::spawn(async move {
        loop {
            tokio::time::sleep(LOOK_AT_SECRETS_EVERY).await;
            if let Some(setting) = secrets.changed().await {
                tracing::info!("{setting} was rotated: everything starts again with the new one");
                return watching.cancel();
            }
        }
    }));
    serve(config, args, &settings, &stop).await
}

async fn serve(
    config: Option<&str>,
    args: &ServeArgs,
    settings: &Settings,
    stop: &CancellationToken,
) -> Result<(), Failure> {
    settings.warnings().iter().for_each(|warning| tracing::warn!("{warning}"));
    let selection = Selection::only(&args.only);
    let listeners = Listeners::open(&settings.listen, &selection).await?;
    let host = match &args.emulate {
        None => Host::connect(settings, &selection, listeners.gateway()).await?,
        Some(folder) => emulate(folder, config, settings, &selection, listeners.gateway(), stop).await?,
    };
    let scheme = if settings.listen.tls_certificate_file.is_some() { "https" } else { "http" };
    for (name, address) in listeners.addresses() {
        tracing::info!("{name}: {scheme}://{address}");
    }
    tracing::info!(instance = host.instance, "highwater serves");
    let otlp = telemetry::export(&settings.otlp, &host.instance);
    host_until(&host, listeners, otlp, stop).await;
    Ok(())
}

/// Packaged functions, and the Invoke API at which they find each other: nobody else's, so that it asks for no token.
async fn emulate(
    folder: &Path,
    config: Option<&str>,
    settings: &Settings,
    selection: &Selection,
    gateway: Option<SocketAddr>,
    stop: &CancellationToken,
) -> Result<Host, Failure> {
    let at = Listen::At("127.0.0.1:0".to_owned());
    let listening = bind("invoke", &at, &ListenSettings::default()).await?.expect("it is not off");
    let functions = selection.rows().map(|row| row.name);
    let emulator = Emulator::open(folder, functions, config, settings, listening.address(), gateway)?;
    let host = Host::emulate(settings, selection, &emulator).await?;
    let router = invoke::router(Arc::clone(&host.functions), TaskTracker::new());
    tokio::spawn(listening.serve(router, stop.clone()));
    Ok(host)
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
