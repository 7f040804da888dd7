//! Logs: to standard error, at the level that `RUST_LOG` says.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::EnvFilter;

/// Starts logging. `default_level` holds for Highwater's own messages where `RUST_LOG` says nothing.
pub fn start(default_level: &str) {
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(format!("warn,{}", ours(default_level))));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr)
        .with_ansi(stderr().is_terminal())
        .with_target(false)
        .init();
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
