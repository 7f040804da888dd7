//! A real Prometheus scrapes a running system: it answers every panel of the dashboard, takes every alert rule, and says so
//! when a verification finds something.

use std::{collections::BTreeSet, time::Duration};

use integration_tests::{
    eventually::eventually,
    highwater::listener,
    http,
    kafka::Kafka,
    prometheus::{Prometheus, shipped},
    s3_server::S3Server,
    serving::Served,
};
use serde_json::Value;

use crate::replication::{Replicated, objects};

const WITHIN: Duration = Duration::from_secs(120);

/// The queries of the dashboard, with the titles of their panels.
fn queries() -> Vec<(String, String)> {
    let dashboard = std::fs::read_to_string(shipped("grafana/highwater.json")).expect("the dashboard");
    let dashboard: Value = serde_json::from_str(&dashboard).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let of = |panel: &Value| {
        let title = text(&panel["title"]);
        let targets = panel["targets"].as_array().expect("targets").clone();
        targets.into_iter().map(move |target| (title.clone(), text(&target["expr"])))
    };
    panels.iter().flat_map(of).collect()
}

fn alerts() -> BTreeSet<String> {
    let rules = std::fs::read_to_string(shipped("prometheus/alerts.yaml")).expect("the rules");
    rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).map(str::to_owned).collect()
}

/// A restore of somebody else, so that the panels about restores have something to show.
async fn push_a_restore(served: &Served) {
    let gateway = listener(&served.process, "gateway").await;
    let body = r#"{"state":100,"progress":0.5}"#;
    let target = "/namespaces/test/restores/copy/1/topics/copy/progress";
    let head = format!("host: localhost\r\nconnection: close\r\ncontent-length: {}", body.len());
    let answer =
        http::send(gateway, &format!("POST {target} HTTP/1.1\r\n{head}\r\n\r\n{body}")).await.expect("an answer");
    assert_eq!(answer.status, 200, "{answer:?}");
}

async fn every_panel_is_answered(prometheus: &Prometheus) {
    eventually("every query of the dashboard to be answered", WITHIN, || async {
        let mut silent = vec![];
        for (panel, query) in queries() {
            if prometheus.series_of(&query).await? == 0 {
                silent.push(format!("{panel}: {query}"));
            }
        }
        if silent.is_empty() { Ok(()) } else { Err(silent.join("\n")) }
    })
    .await;
}

/// Every rule is there and was evaluated without an error; gives those that fire.
async fn firing(prometheus: &Prometheus) -> Result<BTreeSet<String>, String> {
    let rules = prometheus.rules().await?;
    let name = |rule: &Value| rule["name"].as_str().expect("a name").to_owned();
    let good = rules.iter().filter(|rule| rule["health"] == "ok").map(name).collect::<BTreeSet<_>>();
    if good != alerts() {
        return Err(format!("{rules:#?}"));
    }
    Ok(rules.iter().filter(|rule| rule["state"] == "firing").map(name).collect())
}

async fn fire(prometheus: &Prometheus, wanted: &[&str]) {
    let wanted: BTreeSet<String> = wanted.iter().map(|name| (*name).to_owned()).collect();
    eventually(&format!("exactly {wanted:?} to fire"), WITHIN, || async {
        let firing = firing(prometheus).await?;
        if firing == wanted { Ok(()) } else { Err(format!("{firing:?} fire")) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_prometheus_answers_every_panel_and_tells_of_a_verification_that_failed() {
    let (kafka, location) = (Kafka::shared().await, S3Server::start().await);
    let it = Replicated::on(kafka, &location, "scraped").await;
    let served = it.serving.serve().await;
    let prometheus = Prometheus::scraping(listener(&served.process, "metrics").await).await;
    it.produce(kafka, 40).await;
    it.everything_is_there(40).await;
    push_a_restore(&served).await;
    let verified = it.serving.verify().await;
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    every_panel_is_answered(&prometheus).await;
    fire(&prometheus, &[]).await;

    let prefix = format!("backups/{}/", it.serving.backup);
    let held = objects(&S3Server::shared().await.client(), &it.serving.bucket, &prefix).await;
    let first = held.keys().find(|key| key.ends_with(".kan")).expect("a segment");
    it.serving.delete_object(&format!("{}/{first}", it.serving.backup)).await;
    assert!(!it.serving.verify().await.status.success());
    fire(&prometheus, &["HighwaterVerificationFailed"]).await;
}
