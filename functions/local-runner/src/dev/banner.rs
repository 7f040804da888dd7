//! What `highwater dev` says at its start: what is embedded, the ports, what to try.

use std::net::SocketAddr;

use shared::adapters::s3::embedded::{ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY};

use super::samples::{LOCATION, SHOP};
use crate::storage::data_dir::{BUCKET, REPLICA_BUCKET};

/// What the banner speaks of.
pub struct Banner<'a> {
    /// The folder, as the user wrote it.
    pub data_dir: &'a str,
    /// This program, as it can be called from the current folder.
    pub program: &'a str,
    /// The embedded Kafka.
    pub bootstrap_servers: &'a str,
    /// The embedded S3.
    pub s3: SocketAddr,
    /// The address of the embedded schema registry.
    pub registry: &'a str,
    /// The open ports, by the names of their settings.
    pub listeners: &'a [(&'static str, SocketAddr)],
}

impl Banner<'_> {
    /// The text.
    #[must_use]
    pub fn text(&self) -> String {
        [self.embedded(), samples(), self.ports(), self.to_try(), self.clients()].join("\n")
    }

    fn embedded(&self) -> String {
        let Banner { data_dir, bootstrap_servers, s3, registry, .. } = self;
        format!(
            "highwater dev: everything in this process, nothing else needed\n\n\
             Embedded\n\
             \x20 Kafka  {bootstrap_servers}  librdkafka's mock cluster; it forgets at the end\n\
             \x20 S3     http://{s3}  bucket {BUCKET}, kept in {data_dir}\n\
             \x20 Redis  in memory; filled again from the bucket at the next start\n\
             \x20 Schema registry  {registry}  in memory, backed up hourly; try `curl -s {registry}/subjects`\n"
        )
    }

    fn ports(&self) -> String {
        let about = |name: &str| match name {
            "metrics" => "/metrics for Prometheus, /healthz, /readyz",
            "query" => "Backbeat's metrics routes",
            "gateway" => "the event gateway, which jobs push their progress to",
            "console" => "the console: open it in a browser",
            _ => "AWS Lambda's Invoke API",
        };
        let line = |(name, address): &(&str, SocketAddr)| format!("  {name:<8} http://{address}  {}\n", about(name));
        format!("Ports\n{}", self.listeners.iter().map(line).collect::<String>())
    }

    fn to_try(&self) -> String {
        let Banner { data_dir, program, .. } = self;
        let curl = |name: &str, rest: &str| {
            let listener = self.listeners.iter().find(|(listener, _)| *listener == name);
            listener.map(|(_, address)| format!("  curl -s http://{address}{rest}\n")).unwrap_or_default()
        };
        let metrics = curl("metrics", "/metrics | grep -E '^backup_(sink_records_count|topic_progress)'");
        let query = curl("query", &format!("/_/backbeat/api/metrics/crr/{LOCATION}"));
        let console = self.listeners.iter().find(|(listener, _)| *listener == "console");
        let console = console.map(|(_, address)| format!("Look at it in a browser\n  http://{address}\n\n"));
        let console = console.unwrap_or_default();
        format!(
            "{console}Try, in another terminal\n{metrics}{query}  {program} cat orders --data-dir {data_dir} | head -3\n"
        )
    }

    fn clients(&self) -> String {
        let Banner { bootstrap_servers, s3, .. } = self;
        format!(
            "Look at Kafka and S3 with your own tools\n\
             \x20 kcat -b {bootstrap_servers} -C -t orders -o -1 -c 1\n\
             \x20 AWS_ACCESS_KEY_ID={ACCESS_KEY_ID} AWS_SECRET_ACCESS_KEY={SECRET_ACCESS_KEY} AWS_REGION={REGION} \\\n\
             \x20   aws --endpoint-url http://{s3} s3 ls --recursive s3://{BUCKET}/\n\n\
             Ctrl-C writes what is unfinished, and ends.\n"
        )
    }
}

fn samples() -> String {
    let line = |sample: &super::samples::Sample| {
        format!("  {:<8} {:>3} a second  {}\n", sample.topic, sample.per_second, sample.what)
    };
    let topics: String = SHOP.iter().map(line).collect();
    format!(
        "Sample data, made up here\n{topics}  Every segment is replicated to location {LOCATION} (bucket {REPLICA_BUCKET}), whose store fails\n  \
         now and then, so that failures and retries can be seen\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_banner_says_what_is_embedded_where_and_what_to_try() {
        let address = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
        let listeners = [
            ("metrics", address(9000)),
            ("query", address(8900)),
            ("invoke", address(3001)),
            ("console", address(8080)),
        ];
        let banner = Banner {
            data_dir: ".highwater",
            program: "target/debug/highwater",
            bootstrap_servers: "127.0.0.1:40001",
            s3: address(40_002),
            registry: "http://127.0.0.1:40003",
            listeners: &listeners,
        };
        let text = banner.text();
        for expected in [
            "127.0.0.1:40001",
            "http://127.0.0.1:40002  bucket highwater, kept in .highwater",
            "curl -s http://127.0.0.1:9000/metrics",
            "Look at it in a browser\n  http://127.0.0.1:8080\n",
            "curl -s http://127.0.0.1:8900/_/backbeat/api/metrics/crr/us-east-1",
            "target/debug/highwater cat orders --data-dir .highwater",
            "kcat -b 127.0.0.1:40001",
            "curl -s http://127.0.0.1:40003/subjects",
            "aws --endpoint-url http://127.0.0.1:40002",
            "replicated to location us-east-1 (bucket highwater-us-east-1)",
        ] {
            assert!(text.contains(expected), "{expected:?} is not in:\n{text}");
        }
    }
}
