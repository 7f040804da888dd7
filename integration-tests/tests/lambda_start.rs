//! What the functions' binaries say when they cannot start, and of a payload that is no input.

use std::sync::{Arc, Mutex};

use axum::{Json, Router, extract::State, http::HeaderMap, routing::post};
use integration_tests::{
    kafka::Kafka,
    lambda::{Deployment, get_event, invoke_api},
    redis_server::RedisServer,
    runtime_api::Function,
    s3_server::S3Server,
};
use serde_json::{Value, json};
use shared::{
    metrics::part::{Outcome, Part, Place},
    record::{Partition, TopicId},
};
use tokio::net::TcpListener;

const SECRET_ARN: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:redis-AbCdEf";
/// Nothing listens there: port 1 is tcpmux.
const NOBODY: &str = "127.0.0.1:1";

/// What the first invocation of a function that cannot start its work is answered.
async fn start_error(name: &str, environment: &[(&str, &str)]) -> String {
    let function = Function::start(name, environment).await;
    let error = function.invoke(json!({})).await.expect_err("it cannot start");
    assert_eq!(error.error_type, "StartError");
    error.error_message
}

fn assert_all(text: &str, wanted: &[&str]) {
    for wanted in wanted {
        assert!(text.contains(wanted), "{wanted:?} is not in:\n{text}");
    }
}

#[tokio::test]
async fn a_function_without_settings_names_each_that_it_needs_and_no_other() {
    let (kafka, storage, redis) = ("kafka.bootstrap_servers", "storage.url", "redis.url");
    for (name, needed) in [
        ("segment-writer", vec![kafka, storage]),
        ("segment-expirer", vec![storage]),
        ("backup-verifier", vec![storage]),
        ("cluster-archiver", vec![kafka, storage]),
        ("schema-archiver", vec![storage]),
        ("lag-monitor", vec![kafka, storage, redis]),
        ("metrics-consumer", vec![kafka]),
        ("metrics-aggregator", vec![redis]),
        ("metrics-query", vec![redis]),
        ("backup-control", vec![storage]),
        ("metrics-gateway", vec![kafka]),
        ("segment-browser", vec![storage]),
    ] {
        let told = start_error(name, &[("AWS_ENDPOINT_URL_LAMBDA", "http://127.0.0.1:1")]).await;
        for setting in [kafka, storage, redis] {
            assert_eq!(told.contains(&format!("{setting} is not set")), needed.contains(&setting), "{name}: {told}");
        }
    }
}

#[tokio::test]
async fn settings_that_are_wrong_are_told_with_what_to_do_and_no_secret() {
    let told = start_error("metrics-aggregator", &[("HIGHWATER_CONFIG", "[redis]\nurll = \"redis://x\"")]).await;
    assert_all(&told, &["HIGHWATER_CONFIG", "redis.urll is no setting", "redis.url"]);
    let told = start_error("metrics-aggregator", &[("REDIS_URL", "redis://me:hunter2@127.0.0.1:1")]).await;
    assert_all(&told, &[NOBODY, "correct redis.url"]);
    assert!(!told.contains("hunter2"), "{told}");
    let told = start_error("metrics-consumer", &[("KAFKA_BOOTSTRAP_SERVERS", NOBODY)]).await;
    assert_all(&told, &[NOBODY, "correct kafka.bootstrap_servers"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_configuration_may_be_an_object_and_is_told_when_it_is_not_there() {
    let (deployment, s3) = (Deployment::of("unused").await, S3Server::shared().await);
    let url = format!("s3://{}/settings/highwater.toml", deployment.bucket);
    let environment: Vec<_> = [("HIGHWATER_CONFIG", url.as_str()), ("S3_ENDPOINT_URL", s3.endpoint_url())]
        .into_iter()
        .chain(s3.environment())
        .collect();
    assert_all(&start_error("metrics-aggregator", &environment).await, &[&url, "does not exist"]);

    let text = deployment.config(1 << 20).await;
    let put = s3.client().put_object().bucket(&deployment.bucket).key("settings/highwater.toml");
    put.body(text.into_bytes().into()).send().await.expect("the configuration is stored");
    let aggregator = Function::start("metrics-aggregator", &environment).await;
    let asking = Part::asking(Place { topic_id: TopicId::from("x"), partition: Partition(0) });
    let answer = aggregator.invoke(serde_json::to_value(asking).expect("JSON")).await.expect("an answer");
    let outcome: Outcome = serde_json::from_value(answer).expect("an outcome");
    assert_eq!(outcome, Outcome::Elsewhere { position: None });
}

/// An endpoint of Secrets Manager that gives the text it is told, and where it is.
async fn secrets_manager() -> (Arc<Mutex<String>>, String) {
    async fn give(State(secret): State<Arc<Mutex<String>>>, headers: HeaderMap, body: String) -> Json<Value> {
        assert_eq!(headers["x-amz-target"], "secretsmanager.GetSecretValue");
        let signed = headers["authorization"].to_str().expect("a text").to_owned();
        assert!(signed.contains("/eu-west-1/secretsmanager/aws4_request"), "{signed}");
        assert_eq!(body, json!({"SecretId": SECRET_ARN}).to_string());
        Json(json!({"ARN": SECRET_ARN, "SecretString": json!({"url": *secret.lock().expect("no panic")}).to_string()}))
    }
    let secret = Arc::new(Mutex::new(String::new()));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let app = Router::new().route("/", post(give)).with_state(secret.clone());
    tokio::spawn(async move { axum::serve(listener, app).await.expect("the server runs") });
    (secret, url)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_comes_from_secrets_manager_and_is_read_again_when_it_was_rotated() {
    let (secret, endpoint) = secrets_manager().await;
    let place = format!("{SECRET_ARN}#url");
    let environment = [
        ("HIGHWATER_REDIS_URL_FILE", place.as_str()),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", &endpoint),
        ("AWS_ACCESS_KEY_ID", "key"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
    ];
    let aggregator = Function::start("metrics-aggregator", &environment).await;
    let asking = Part::asking(Place { topic_id: TopicId::from("x"), partition: Partition(0) });
    let asking = serde_json::to_value(asking).expect("JSON");
    *secret.lock().expect("no panic") = format!("redis://me:hunter2@{NOBODY}");
    let refused = aggregator.invoke(asking.clone()).await.expect_err("nobody listens there").to_string();
    assert!(refused.contains(NOBODY) && !refused.contains("hunter2"), "{refused}");
    *secret.lock().expect("no panic") = RedisServer::shared().await.new_database().url;
    aggregator.invoke(asking).await.expect("the new secret is right");
    assert!(!aggregator.output().join("\n").contains("hunter2"), "{:?}", aggregator.output());
}

#[tokio::test]
async fn metrics_query_starts_without_its_store_and_answers_503() {
    let query = Function::start("metrics-query", &[("REDIS_URL", "redis://127.0.0.1:1")]).await;
    let event = get_event("/readyz");
    let answer = query.invoke(event).await.expect("an answer");
    assert_eq!(answer["statusCode"], 503);
    assert!(answer["body"].as_str().is_some_and(|body| body.contains("\"ServiceUnavailable\":true")), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payload_that_is_no_input_is_told_and_the_next_one_is_taken() {
    let topic = Kafka::shared().await.new_topic("lambda-inputs", 1, &[]).await;
    let deployment = Deployment::of(&topic).await;
    let aggregator = invoke_api("metrics-aggregator", deployment.start("metrics-aggregator").await).await;
    let sqs = json!({"eventSource": "aws:sqs", "Records": []});
    for (function, wrong, told, right) in [
        (
            deployment.start("segment-writer").await,
            json!({"backups": "main"}),
            "unknown field `backups`",
            json!({"backup": "main"}),
        ),
        (
            deployment.start("segment-writer").await,
            sqs.clone(),
            "eventSource is \"aws:sqs\"",
            json!({"backup": "main"}),
        ),
        (deployment.start("segment-expirer").await, json!({"backups": "main"}), "unknown field `backups`", json!({})),
        (deployment.start("lag-monitor").await, json!({"backup": 7}), "backup: invalid type: integer `7`", json!({})),
        (deployment.start_consumer(aggregator).await, sqs, "eventSource is \"aws:sqs\"", json!({})),
    ] {
        refuses(&function, wrong, told).await;
        function.invoke(right).await.expect("an input is taken");
    }
    refuses(&deployment.start("metrics-aggregator").await, json!({}), "missing field").await;
    refuses(&deployment.start("metrics-query").await, json!({}), "it has no method").await;
}

async fn refuses(function: &Function, payload: Value, told: &str) {
    let error = function.invoke(payload).await.expect_err("it is no input");
    assert_eq!(error.error_type, "InputError.Permanent");
    assert_all(&error.error_message, &["the input is not what this function takes", told]);
}
