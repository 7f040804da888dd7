//! Between two invocations Lambda freezes a function, for minutes or hours; its connections are dead when it goes on.

use std::time::Duration;

use integration_tests::{
    agreement::assert_exactly_once,
    backup::TestBackup,
    eventually::eventually,
    gate::Gate,
    kafka::Kafka,
    kafka_producer::NewRecord,
    lambda::{Deployment, PREFIX, get_event, invoke_api},
    load::Produced,
    redis_server::RedisServer,
    runtime_api::Function,
    s3_server::S3Server,
    serving::{PARTITIONS, Serving},
};
use serde_json::{Value, json};
use shared::{
    metrics::part::{Part, Place},
    record::{Partition, TopicId},
};

const ROUNDS: i32 = 2;
const RECORDS: i32 = 100;
const SHOWN_WITHIN: Duration = Duration::from_secs(60);

/// Freezes the function, breaks what goes through the gate, and thaws it again.
fn freeze(function: &Function, gate: &Gate) {
    function.freeze();
    gate.shut();
    gate.open();
    function.thaw();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_of_figures_is_reached_anew_after_a_frozen_connection_died() {
    let deployment = Deployment::of("unused").await;
    let (server, database) = server_and_database(&deployment.database.url);
    let gate = Gate::in_front_of(&server).await;
    let url = format!("redis://{}/{database}", gate.address());
    let aggregator = Function::start("metrics-aggregator", &[("REDIS_URL", &url)]).await;
    let place = Place { topic_id: TopicId::from("frozen"), partition: Partition(0) };
    let asking = serde_json::to_value(Part::asking(place)).expect("JSON");
    let before = aggregator.invoke(asking.clone()).await.expect("an answer");
    for _ in 0..3 {
        freeze(&aggregator, &gate);
        assert_eq!(answered(&aggregator, &asking).await, before);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_storage_is_reached_anew_and_every_record_is_stored_once() {
    let (kafka, s3) = (Kafka::shared().await, S3Server::shared().await);
    let topic = kafka.new_topic("lambda-frozen", 1, &[]).await;
    let deployment = Deployment::of(&topic).await;
    let gate = Gate::in_front_of(s3.endpoint_url().trim_start_matches("http://")).await;
    let config = deployment.config(1 << 20).await;
    let endpoint = format!("http://{}", gate.address());
    let environment = [("HIGHWATER_CONFIG", config.as_str()), ("HIGHWATER_STORAGE_ENDPOINT_URL", &endpoint)];
    let writer = Function::start("segment-writer", &environment).await;
    for round in 0..3 {
        kafka.produce(&topic, (0..100).map(|n| NewRecord::new(format!("{round} {n}")).partition(0)).collect()).await;
        answered(&writer, &json!({"backup": "main"})).await;
        freeze(&writer, &gate);
    }
    let backup = TestBackup::in_bucket(&deployment.bucket, &topic, 1 << 20).await;
    assert_eq!(backup.stored(1, 0).await.records, kafka.read(&topic).await[&0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_brokers_are_reached_anew_and_every_record_is_stored_and_counted_once() {
    let kafka = Kafka::start_restartable().await;
    let redis = RedisServer::shared().await.new_database();
    let serving = Serving::new("frozen", &kafka, &redis.url).await;
    let config = serving.config();
    let environment = [("HIGHWATER_CONFIG", config.as_str())];
    let aggregator = Function::start("metrics-aggregator", &environment).await;
    let endpoint = format!("http://{}", invoke_api("metrics-aggregator", aggregator).await);
    let prefixed =
        [environment[0], ("HIGHWATER_LAMBDA_FUNCTION_PREFIX", PREFIX), ("AWS_ENDPOINT_URL_LAMBDA", &endpoint)];
    let writer = Function::start("segment-writer", &environment).await;
    let monitor = Function::start("lag-monitor", &environment).await;
    let consumer = Function::start("metrics-consumer", &prefixed).await;
    let all = [(&writer, json!({"backup": serving.backup})), (&consumer, json!({})), (&monitor, json!({}))];
    let mut produced = Produced::default();
    for round in 0..ROUNDS {
        let records = (0..RECORDS).map(|n| (n % PARTITIONS, format!("{round} {n}"))).collect();
        produced.produce(&kafka, &serving.topic, records).await;
        for (function, payload) in &all {
            answered(function, payload).await;
        }
        all.iter().for_each(|(function, _)| function.freeze());
        kafka.restart().await;
        all.iter().for_each(|(function, _)| function.thaw());
    }
    assert_exactly_once(&serving, &produced).await;
    let query = Function::start("metrics-query", &environment).await;
    let line = format!("backup_sink_records_count{{topic=\"{}\"}} {}", serving.topic, ROUNDS * RECORDS);
    eventually(&line, SHOWN_WITHIN, || async {
        for (function, payload) in &all[1..] {
            function.invoke(payload.clone()).await.map_err(|error| error.to_string())?;
        }
        let page = query.invoke(get_event("/metrics")).await.map_err(|error| error.to_string())?;
        if page["body"].as_str().is_some_and(|body| body.contains(&line)) { Ok(()) } else { Err(page.to_string()) }
    })
    .await;
}

/// The answer to the invocation, or to one that comes again: Lambda's schedules and callers try again as well.
async fn answered(function: &Function, payload: &Value) -> Value {
    eventually("an answer after the thaw", Duration::from_secs(30), || async {
        function.invoke(payload.clone()).await.map_err(|error| error.to_string())
    })
    .await
}

fn server_and_database(url: &str) -> (String, String) {
    let (server, database) = url.trim_start_matches("redis://").rsplit_once('/').expect("redis://host:port/database");
    (server.to_owned(), database.to_owned())
}
