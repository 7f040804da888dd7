//! What a new environment of a function takes on Lambda: until it asks for its first payload, and until it has answered it beside
//! local servers. With `HIGHWATER_TEST_BINARIES` the packaged binaries are measured (`infra/deploy/packaged.sh` shows how).

use std::time::{Duration, Instant};

use integration_tests::{
    kafka::Kafka,
    kafka_producer::NewRecord,
    lambda::{Deployment, EventSource, get_event, invoke_api, kafka_event},
    programs::binary,
    runtime_api::Function,
};
use serde_json::{Value, json};
use shared::{
    metrics::part::{Part, Place},
    record::{Partition, TopicId},
};

const STARTS: usize = 50;
/// So many records a mapping hands over at once at most; with values of this size they fill an event of 6 MB.
const RECORDS_OF_EVENT_MAX: usize = 10_000;
const VALUE_BYTES: usize = 300;

/// What one start took.
struct Start {
    to_next: Duration,
    to_answer: Duration,
    memory_bytes: u64,
}

/// Starts every function so often, or the one of that name, and prints the median and the worst.
pub async fn run(only: Option<&str>) {
    let kafka = Kafka::shared().await;
    let topic = kafka.new_topic("starts", 4, &[]).await;
    let value = "x".repeat(VALUE_BYTES);
    let records = (0..RECORDS_OF_EVENT_MAX).map(|_| NewRecord::new(value.clone()).partition(0));
    kafka.produce(&topic, records.collect()).await;
    let log = kafka.read(&topic).await;
    let event = kafka_event(EventSource::Msk, &[(&topic, 0, &log[&0])]);
    let deployment = Deployment::of(&topic).await;
    let aggregator = invoke_api("metrics-aggregator", deployment.start("metrics-aggregator").await).await;
    let endpoint = format!("http://{aggregator}");
    let config = deployment.config(1 << 20).await;
    let environment = [("HIGHWATER_CONFIG", config.as_str()), ("AWS_ENDPOINT_URL_LAMBDA", &endpoint)];
    println!("function            to next: median, worst   to its first answer: median, worst   memory   binary");
    println!("{}", measured("echo_function", &json!({"echo": "x"}), &environment).await);
    for (name, payload) in payloads().into_iter().filter(|(name, _)| only.is_none_or(|only| only == *name)) {
        println!("{}", measured(name, &payload, &environment).await);
    }
    println!(
        "An event of {RECORDS_OF_EVENT_MAX} records, {:.1} MB; the first start stores them:",
        event.to_string().len() as f64 / 1e6
    );
    println!("{}", measured("segment-writer", &event, &environment).await);
}

/// The functions, each with a payload that makes it use what it needs.
fn payloads() -> Vec<(&'static str, Value)> {
    let asking = Part::asking(Place { topic_id: TopicId::from("x"), partition: Partition(0) });
    vec![
        ("segment-writer", json!({"backup": "main"})),
        ("segment-restorer", json!({"deadline": i64::MAX})),
        ("object-replicator", json!({})),
        ("segment-expirer", json!({})),
        ("backup-verifier", json!({})),
        ("cluster-archiver", json!({})),
        ("metrics-consumer", json!({})),
        // It waits for metrics-consumer where that never ran.
        ("lag-monitor", json!({})),
        ("metrics-aggregator", serde_json::to_value(asking).expect("JSON")),
        ("metrics-query", get_event("/metrics")),
        ("metrics-gateway", get_event("/openapi.json")),
        ("backup-control", get_event("/_/highwater/api/pause/main")),
        ("segment-browser", get_event("/v1/segments")),
    ]
}

async fn measured(name: &str, payload: &Value, environment: &[(&str, &str)]) -> String {
    let mut starts = Vec::with_capacity(STARTS);
    for _ in 0..STARTS {
        starts.push(start(name, payload, environment).await);
    }
    let spread = |of: fn(&Start) -> Duration| {
        let mut all: Vec<_> = starts.iter().map(of).collect();
        all.sort();
        let ms = |duration: &Duration| duration.as_secs_f64() * 1e3;
        format!("{:8.1} ms {:8.1} ms", ms(&all[STARTS / 2]), ms(&all[STARTS - 1]))
    };
    let memory = starts.iter().map(|start| start.memory_bytes).max().unwrap_or_default();
    let size = std::fs::metadata(binary(name)).expect("the binary").len();
    format!(
        "{name:18} {}      {}    {:5} MB  {:5.1} MB",
        spread(|start| start.to_next),
        spread(|start| start.to_answer),
        memory >> 20,
        size as f64 / f64::from(1 << 20),
    )
}

async fn start(name: &str, payload: &Value, environment: &[(&str, &str)]) -> Start {
    let since = Instant::now();
    let function = Function::start(name, environment).await;
    let to_next = function.first_asked().await.duration_since(since);
    let since = Instant::now();
    let answered = function.invoke(payload.clone()).await;
    let to_answer = since.elapsed();
    answered.unwrap_or_else(|error| panic!("{name} does not answer {payload}: {error}"));
    Start { to_next, to_answer: to_next + to_answer, memory_bytes: function.memory_bytes_peak() }
}
