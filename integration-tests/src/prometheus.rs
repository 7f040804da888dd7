//! A real Prometheus with our alert rules, that scrapes a running system.

use std::{
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{eventually::eventually, http, process::Process, programs::tool};

const READY_WITHIN: Duration = Duration::from_secs(60);

/// A Prometheus that looks every second; it ends when dropped.
pub struct Prometheus {
    _process: Process,
    _folder: TempDir,
    address: SocketAddr,
}

impl Prometheus {
    /// Starts one that scrapes `target` under the job's name that the rules expect.
    pub async fn scraping(target: SocketAddr) -> Prometheus {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = folder.path().join("prometheus.yaml");
        std::fs::write(&config, configuration(target).to_string()).expect("the configuration is written");
        let address = free_address();
        let mut command = Command::new(tool("prometheus"));
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"));
        let it = Prometheus { _process: Process::start(&mut command), _folder: folder, address };
        eventually("Prometheus to be ready", READY_WITHIN, || async {
            let answer = http::get(it.address, "/-/ready").await?;
            if answer.status == 200 { Ok(()) } else { Err(format!("{} {}", answer.status, answer.body)) }
        })
        .await;
        it
    }

    /// How many series answer a query.
    pub async fn series_of(&self, query: &str) -> Result<usize, String> {
        let encoded = utf8_percent_encode(query, NON_ALPHANUMERIC);
        let data = self.api(&format!("query?query={encoded}")).await?;
        data["result"].as_array().map(Vec::len).ok_or_else(|| data.to_string())
    }

    /// Every rule as it stands.
    pub async fn rules(&self) -> Result<Vec<Value>, String> {
        let data = self.api("rules").await?;
        let groups = data["groups"].as_array().ok_or_else(|| data.to_string())?;
        Ok(groups.iter().flat_map(|group| group["rules"].as_array().cloned().unwrap_or_default()).collect())
    }

    async fn api(&self, request: &str) -> Result<Value, String> {
        let answer = http::get(self.address, &format!("/api/v1/{request}")).await?;
        let body: Value =
            serde_json::from_str(unchunked(&answer.body)).map_err(|error| format!("{error}: {answer:?}"))?;
        if body["status"] == "success" { Ok(body["data"].clone()) } else { Err(body.to_string()) }
    }
}

/// A file of what `infra` ships.
#[must_use]
pub fn shipped(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra").join(path)
}

/// JSON is YAML.
fn configuration(target: SocketAddr) -> Value {
    json!({
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [shipped("prometheus/alerts.yaml").canonicalize().expect("the rules")],
        "scrape_configs": [{"job_name": "highwater", "static_configs": [{"targets": [target.to_string()]}]}],
    })
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port of the loopback")
}

/// An answer that came in chunks, of which there is one.
fn unchunked(body: &str) -> &str {
    match (body.find('{'), body.rfind('}')) {
        (Some(from), Some(to)) => &body[from..=to],
        _ => body,
    }
}
