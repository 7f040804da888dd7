//! What a start says when it cannot succeed: setting, value and remedy within ten seconds, and exit code 2.

use std::time::Duration;

use integration_tests::{highwater::highwater, process::Process};
use tokio::net::TcpListener;

const TOLD_WITHIN: Duration = Duration::from_secs(10);
/// Nothing listens there: port 1 is tcpmux.
const NOBODY: &str = "127.0.0.1:1";

/// The output of a `highwater` that must end with exit code 2 in time.
async fn refusal(args: &[&str], settings: &[(&str, &str)]) -> String {
    let mut command = highwater(args.iter().copied());
    command.envs(settings.iter().copied());
    let mut process = Process::start(&mut command);
    let status = process.ended(TOLD_WITHIN).await;
    let output = process.output().join("\n");
    assert_eq!(status.code(), Some(2), "{output}");
    output
}

fn settings() -> [(&'static str, &'static str); 6] {
    [
        ("KAFKA_BOOTSTRAP_SERVERS", NOBODY),
        ("REDIS_URL", "redis://me:hunter2@127.0.0.1:1"),
        ("STORAGE_URL", "s3://bucket/prefix"),
        ("S3_ENDPOINT_URL", "http://127.0.0.1:1"),
        ("HIGHWATER_STORAGE_ACCESS_KEY_ID", "key"),
        ("HIGHWATER_STORAGE_SECRET_ACCESS_KEY", "hunter2"),
    ]
}

fn assert_all(output: &str, expected: &[&str]) {
    for text in expected {
        assert!(output.contains(text), "{text:?} is not in:\n{output}");
    }
}

#[tokio::test]
async fn everything_that_cannot_be_reached_is_told_at_once_with_its_setting() {
    let mut settings = settings().to_vec();
    settings.push(("HIGHWATER_BACKUPS_MAIN_TOPICS_INCLUDE", "orders"));
    let output = refusal(&["serve"], &settings).await;
    assert_all(
        &output,
        &[NOBODY, "kafka.bootstrap_servers", "http://127.0.0.1:1", "storage.endpoint_url", "redis.url"],
    );
    assert!(!output.contains("hunter2"), "{output}");
}

#[tokio::test]
async fn a_section_that_is_missing_is_named_with_how_to_set_it() {
    let output = refusal(&["serve"], &[]).await;
    assert_all(&output, &["KAFKA_BOOTSTRAP_SERVERS", "STORAGE_URL", "REDIS_URL"]);
}

#[tokio::test]
async fn a_function_alone_needs_its_own_sections_only() {
    let output = refusal(&["serve", "--only", "metrics-query"], &[]).await;
    assert_all(&output, &["REDIS_URL"]);
    assert!(!output.contains("KAFKA_BOOTSTRAP_SERVERS") && !output.contains("STORAGE_URL"), "{output}");
}

#[tokio::test]
async fn an_unknown_setting_is_refused_with_the_nearest() {
    let output = refusal(&["serve"], &[("HIGHWATER_METRICS_REFRESHS", "1")]).await;
    assert_all(&output, &["HIGHWATER_METRICS_REFRESHS is no setting", "HIGHWATER_METRICS_REFRESH_S"]);
}

#[tokio::test]
async fn a_port_in_use_is_named_with_its_setting() {
    let taken = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let args = ["dev", "--data-dir", &folder.path().to_string_lossy()];
    let output = refusal(&args, &[("HIGHWATER_LISTEN_QUERY", &address)]).await;
    assert_all(&output, &[&format!("listen.query is {address}"), "in use", "HIGHWATER_LISTEN_QUERY"]);
}

#[tokio::test]
async fn a_command_line_that_makes_no_sense_is_explained() {
    assert_all(&refusal(&["serve", "--only", "segment-eater"], &[]).await, &["segment-eater", "segment-writer"]);
    assert_all(&refusal(&["cat", "orders", "--from", "x"], &[]).await, &["\"x\" is no offset"]);
    assert_all(&refusal(&["invoke", "lag-monitor", "{"], &[]).await, &["the payload is no JSON"]);
}
