//! `highwater serve`: hosts functions until stopped.

use std::{net::SocketAddr, os::unix::process::CommandExt as _, path::Path, sync::Arc, time::Duration};

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
    host::{Host, listeners::Listeners, renewal, selection::Selection, signals},
    http::{invoke, server::bind},
    telemetry,
};

/// How long unfinished segments have to be written when it stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(60);
/// This program, also where its file was replaced since.
const THIS_PROGRAM: &str = "/proc/self/exe";

/// Hosts functions until it is stopped. Rotated secrets and other brokers are taken by a new start of the program.
pub(super) async fn run(config: Option<&str>, args: ServeArgs) -> Result<Verdict, Failure> {
    let (settings, secrets) = settings::load_with_secrets(config).await?;
    let stopped = stop_signal()?;
    let stop = stopped.child_token();
    let renewal = renewal::until_needed(config.map(str::to_owned), secrets, settings.clone(), stop.clone());
    let watch = AbortOnDropHandle::new(tokio::spawn(renewal));
    serve(config, &args, &settings, &stop).await?;
    drop(watch);
    if stopped.is_cancelled() { Ok(Verdict::Good) } else { Err(start_again()) }
}

/// Replaces this process by a new one of the same program: nothing that still runs here goes on beside it.
#[allow(clippy::disallowed_methods, reason = "the new process is started as this one was")]
fn start_again() -> Failure {
    let mut arguments = std::env::args_os();
    let mut command = std::process::Command::new(THIS_PROGRAM);
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    let source = command.args(arguments).exec();
    Failure::Io { what: "the program cannot start again with what has changed".to_owned(), source }
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
