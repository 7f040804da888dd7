//! Logs to standard error, at the level that `RUST_LOG` says; traces and figures to an OpenTelemetry collector where one is
//! set.

mod people;

use std::{
    io::{IsTerminal, stderr},
    sync::OnceLock,
    time::Duration,
};

use shared::{
    adapters::otlp::{Otlp, TraceLayer},
    config::OtlpSettings,
    web::HttpRequest,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing_subscriber::{EnvFilter, Registry, fmt, layer::SubscriberExt as _, reload, util::SubscriberInitExt as _};

use crate::host::{Host, function::Mount, port::Port};

/// How often the figures are read that a collector gets.
const LOOK_EVERY: Duration = Duration::from_secs(5);
const PAGE: &str = "/metrics";

/// Where the layer of traces is put in: the settings are known after logging has begun.
static TRACES: OnceLock<reload::Handle<Option<TraceLayer>, Registry>> = OnceLock::new();

/// Starts logging. `default_level` holds for Highwater's own messages where `RUST_LOG` says nothing.
pub fn start(default_level: &str) {
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(format!("warn,{}", ours(default_level))));
    let (traces, handle) = reload::Layer::new(None);
    let logs = fmt::layer().fmt_fields(people::Fields).with_writer(stderr).with_ansi(has_colour()).with_target(false);
    tracing_subscriber::registry().with(traces).with(filter).with(logs).init();
    // There is one start of a process.
    let _ = TRACES.set(handle);
}

#[allow(clippy::disallowed_methods, reason = "a convention of terminals, which is no setting")]
fn has_colour() -> bool {
    stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Sends traces and figures from now on; `None` where no collector is set, or it cannot be used.
#[must_use]
pub fn export(settings: &OtlpSettings, instance: &str) -> Option<Otlp> {
    let url = settings.url.as_ref()?;
    match Otlp::start(url, instance) {
        Ok(otlp) => {
            let layer = otlp.layer();
            let put_in = TRACES.get().map(|handle| handle.reload(Some(layer)));
            if !matches!(put_in, Some(Ok(()))) {
                tracing::warn!("no traces are sent to {url}: logging was not started");
            }
            Some(otlp)
        }
        Err(error) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "nothing is sent to the OpenTelemetry collector at {url}"
            );
            None
        }
    }
}

/// Keeps what is sent of figures as `/metrics` has it, where a host answers for that. While it has none, none are sent.
pub fn follow(otlp: &Otlp, host: &Host, tasks: &TaskTracker, stop: &CancellationToken) {
    let answers = |mount: &&Mount| mount.port == Port::Metrics && PAGE.starts_with(mount.prefix);
    let Some(page) = host.mounts.iter().filter(answers).max_by_key(|mount| mount.prefix.len()).cloned() else { return };
    let (otlp, stop) = (otlp.clone(), stop.clone());
    tasks.spawn(async move {
        while !stop.is_cancelled() {
            let request = HttpRequest { method: "GET".to_owned(), target: PAGE.to_owned(), ..HttpRequest::default() };
            let answer = (page.answer)(request).await;
            let text = if answer.status == 200 { String::from_utf8_lossy(&answer.body) } else { "".into() };
            otlp.show(&text);
            stop.run_until_cancelled(tokio::time::sleep(LOOK_EVERY)).await;
        }
    });
}

fn ours(level: &str) -> String {
    const CRATES: [&str; 9] = [
        "local_runner",
        "shared",
        "segment_writer",
        "segment_expirer",
        "lag_monitor",
        "metrics_consumer",
        "metrics_aggregator",
        "metrics_query",
        "backup_control",
    ];
    CRATES.map(|name| format!("{name}={level}")).join(",")
}
