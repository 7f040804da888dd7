//! The binary `highwater` with settings of a test's own: nothing of this machine's environment reaches it.

use std::{net::SocketAddr, process::Command, time::Duration};

use crate::{process::Process, programs::binary};

/// What a start may take; an unreachable service is told within ten seconds.
const READY_WITHIN: Duration = Duration::from_secs(20);
/// Settings that other programs' variables could change.
const FOREIGN: [&str; 11] = [
    "KAFKA_BOOTSTRAP_SERVERS",
    "REDIS_URL",
    "STORAGE_URL",
    "S3_ENDPOINT_URL",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_REGION",
    "AWS_PROFILE",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_LAMBDA",
    "RUST_LOG",
];

/// A call of `highwater`, all its ports chosen by the machine.
pub fn highwater<'a>(args: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = isolated("highwater");
    command.args(args);
    for listener in ["METRICS", "QUERY", "INVOKE", "GATEWAY", "CONSOLE"] {
        command.env(format!("HIGHWATER_LISTEN_{listener}"), "127.0.0.1:0");
    }
    command
}

/// A binary of this workspace, with nothing of what this machine's environment has for it.
pub fn isolated(name: &str) -> Command {
    let mut command = Command::new(binary(name));
    let ours = std::env::vars().map(|(name, _)| name).filter(|name| name.starts_with("HIGHWATER_"));
    for name in ours.chain(FOREIGN.map(str::to_owned)) {
        command.env_remove(name);
    }
    command
}

/// Waits until a running `dev` or `serve` tells where a listener is.
pub async fn listener(process: &Process, name: &str) -> SocketAddr {
    let words = [format!("{name} "), format!("{name}: ")];
    let line = loop {
        process.printed("http://127.0.0.1:", READY_WITHIN).await;
        let output = process.output();
        let found = output
            .iter()
            .find(|line| words.iter().any(|word| line.contains(word)) && line.contains("http://127.0.0.1:"));
        if let Some(line) = found {
            break line.clone();
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    };
    let address = line.split("http://").nth(1).and_then(|rest| rest.split_whitespace().next());
    address.and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{line:?} tells no address"))
}
