//! The event gateway with another program as the sender, on the real Kafka and Redis.

use std::{net::SocketAddr, process::Command, time::Duration};

use integration_tests::{
    eventually::eventually,
    highwater::listener,
    http,
    kafka::Kafka,
    redis_server::RedisServer,
    serving::{Served, Serving},
};
use serde_json::Value;
use shared::{adapters::system_clock::SystemClock, ports::clock::Clock as _};

const WITHIN: Duration = Duration::from_secs(60);

/// What curl prints: the body, and the status in a line of its own.
fn curl(gateway: SocketAddr, path: &str, body: &str) -> (String, String) {
    let url = format!("http://{gateway}/namespaces/prod/restores/orders-copy/7c1b/topics/orders/{path}");
    let output = Command::new("curl")
        .args(["--silent", "--max-time", "10", "--write-out", "\n%{http_code}", "--data", body, &url])
        .output()
        .expect("curl starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (body, status) = text.rsplit_once('\n').expect("a status");
    (status.to_owned(), body.to_owned())
}

/// The job as the console has it.
async fn job(query: SocketAddr) -> Result<Value, String> {
    let answer = http::get(query, "/_/highwater/figures/overview").await?;
    let overview: Value = serde_json::from_str(&answer.body).map_err(|error| format!("{error}: {}", answer.body))?;
    let jobs = overview["jobs"].as_array().ok_or(answer.body)?;
    jobs.iter().find(|job| job["name"] == "orders-copy").cloned().ok_or_else(|| "no such job".to_owned())
}

async fn shows(served: &Served, what: &str, is: impl Fn(&Value) -> bool) -> Value {
    let query = listener(&served.process, "query").await;
    eventually(what, WITHIN, || async {
        let job = job(query).await?;
        if is(&job) { Ok(job) } else { Err(job.to_string()) }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_curl_pushes_is_shown_while_the_job_runs_when_it_is_over_and_after_a_restart() {
    let kafka = Kafka::shared().await;
    let serving = Serving::new("pushed", kafka, &RedisServer::shared().await.new_database().url).await;
    let served = serving.serve().await;
    let gateway = listener(&served.process, "gateway").await;
    let (good, began) = (("200".to_owned(), "{}".to_owned()), SystemClock.now().0 - 20_000);
    let started = format!(r#"{{"timestamp":{began},"recordsTotal":947}}"#);
    assert_eq!(curl(gateway, "started", &started), good);
    let half = format!(r#"{{"timestamp":{},"state":100,"progress":0.5,"recordsCount":470}}"#, began + 10_000);
    assert_eq!(curl(gateway, "progress", &half), good);
    let under_way = shows(&served, "half of it", |job| job["progress"] == 0.5).await;
    assert_eq!((&under_way["running"], &under_way["topics"][0]["records_total"]), (&true.into(), &"947".into()));

    let (status, refusal) = curl(gateway, "progress", r#"{"progress":"half"}"#);
    assert!(status == "400" && refusal.contains(r#""field":"progress""#), "{status} {refusal}");

    let done = format!(r#"{{"timestamp":{},"state":800,"progress":1,"recordsCount":947}}"#, began + 20_000);
    assert_eq!(curl(gateway, "stopped", &done), good);
    assert_eq!(curl(gateway, "progress", &half), good, "again, and late");
    served.end().await;
    let served = serving.serve().await;
    let over = shows(&served, "the end", |job| job["running"] == false).await;
    assert_eq!((&over["state_word"], &over["topics"][0]["records_count"]), (&"Done".into(), &"947".into()));
    served.end().await;
}
