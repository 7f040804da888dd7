//! The other functions' binaries under the Runtime API: from the metrics topic to an answer, one invoking another.

use std::{collections::BTreeMap, time::Duration};

use integration_tests::{
    counting::{counter, store},
    eventually::eventually,
    kafka::Kafka,
    kafka_producer::NewRecord,
    lambda::{Deployment, EventSource, invoke_api, kafka_event},
    redis_server::{Database, RedisServer},
    runtime_api::Function,
};
use serde_json::{Value, json};
use shared::{adapters::system_clock::SystemClock, ports::clock::Clock as _};

/// An HTTP request in the three forms in which Lambda gets it, each with the client's address.
fn http_events(path: &str) -> [Value; 3] {
    let http = json!({"method": "GET", "path": path, "protocol": "HTTP/1.1", "sourceIp": "10.0.0.1"});
    [
        json!({
            "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "", "headers": {"host": "x"},
            "requestContext": {"accountId": "1", "apiId": "x", "stage": "$default", "http": http}, "isBase64Encoded": false
        }),
        json!({
            "version": "1.0", "resource": "/{proxy+}", "httpMethod": "GET", "path": path, "body": null,
            "queryStringParameters": null, "multiValueQueryStringParameters": null, "isBase64Encoded": false,
            "headers": {"host": "x"}, "multiValueHeaders": {"host": ["x"]},
            "requestContext": {"stage": "prod", "identity": {"sourceIp": "10.0.0.1"}, "httpMethod": "GET"}
        }),
        json!({
            "requestContext": {"elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:x"}}, "httpMethod": "GET",
            "path": path, "queryStringParameters": {}, "headers": {"x-forwarded-for": "10.0.0.1"}, "body": "",
            "isBase64Encoded": false
        }),
    ]
}

async fn get(query: &Function, path: &str) -> (u64, String) {
    let [event, ..] = http_events(path);
    let answer = query.invoke(event).await.expect("an answer");
    (answer["statusCode"].as_u64().expect("a status"), answer["body"].as_str().expect("a body").to_owned())
}

async fn consumer(deployment: &Deployment) -> Function {
    let aggregator = deployment.start("metrics-aggregator").await;
    deployment.start_consumer(invoke_api("metrics-aggregator", aggregator).await).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_segment_writer_stores_is_what_metrics_query_tells_with_every_function_on_its_own() {
    let kafka = Kafka::shared().await;
    let topic = kafka.new_topic("lambda-figures", 2, &[]).await;
    let records = (0..300).map(|n| NewRecord::new(format!("value {n}")).partition(n % 2)).collect();
    kafka.produce(&topic, records).await;
    let deployment = Deployment::of(&topic).await;
    let writer = deployment.start("segment-writer").await;
    let (monitor, query) = (deployment.start("lag-monitor").await, deployment.start("metrics-query").await);
    let consumer = consumer(&deployment).await;
    assert_eq!(get(&query, "/metrics").await.0, 503, "an empty store has no figures");

    writer.invoke(json!({"backup": "main"})).await.expect("a drain");
    let expected = format!("backup_sink_records_count{{topic=\"{topic}\"}} 300\n");
    eventually("the figures of what was stored", Duration::from_secs(60), || async {
        // As schedules have it: neither waits for the other.
        let (seen, counted) = tokio::join!(monitor.invoke(json!({})), consumer.invoke(json!({})));
        let (seen, counted) = (seen.expect("a look"), counted.expect("a drain"));
        let (status, page) = get(&query, "/metrics").await;
        if status == 200 && page.contains(&expected) {
            Ok(())
        } else {
            Err(format!("{status} {page} {seen} {counted}"))
        }
    })
    .await;
    assert_eq!(get(&query, "/readyz").await, (200, "ready\n".to_owned()));
}

fn queued(ops: u32, partition: i32) -> NewRecord {
    let timestamp = SystemClock.now();
    let message =
        json!({"timestamp": timestamp, "ops": ops, "bytes": 1, "extension": "crr", "type": "queued", "site": "site1"});
    NewRecord::new(message.to_string()).partition(partition)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kafka_event_counts_once_however_often_it_comes_and_in_whatever_boundaries() {
    let kafka = Kafka::shared().await;
    let deployment = Deployment::of("unused").await;
    let topic = deployment.metrics_topic.as_str();
    let consumer = consumer(&deployment).await;
    kafka.produce(topic, (0..10_000).map(|_| queued(1, 0)).chain((0..100).map(|_| queued(2, 1))).collect()).await;
    let log = kafka.read(topic).await;
    let (first, second) = (&log[&0], &log[&1]);
    let store = store(&deployment.database);
    let pending = || counter(&store, "site1:bb:crr:opspending");

    for (source, parts) in [
        (EventSource::Msk, vec![(topic, 0, &first[..100])]),
        (EventSource::Msk, vec![(topic, 0, &first[..10_000]), (topic, 1, &second[..10])]),
        (EventSource::SelfManaged, vec![(topic, 0, &first[50..150]), (topic, 1, &second[..10])]),
        (EventSource::SelfManaged, vec![(topic, 1, &second[5..100])]),
    ] {
        consumer.invoke(kafka_event(source, &parts)).await.expect("counted");
    }
    assert_eq!(pending().await, 10_200);

    // A record that tells no partition: whatever kafka holds is counted instead.
    kafka.produce(topic, vec![queued(7, 1)]).await;
    let mut nowhere = kafka_event(EventSource::Msk, &[(topic, 0, &first[..1])]);
    nowhere["records"]["nowhere"] = json!(["not a record"]);
    consumer.invoke(nowhere).await.expect("counted");
    assert_eq!(pending().await, 10_207);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_aggregator_that_is_not_deployed_is_told_by_its_name() {
    let deployment = Deployment::of("unused").await;
    let elsewhere = invoke_api("another-function", deployment.start("metrics-aggregator").await).await;
    let error = deployment.start_consumer(elsewhere).await.invoke(json!({})).await.expect_err("nobody to invoke");
    assert!(error.error_message.contains("no function named \"metrics-aggregator\""), "{error}");
}

/// A case that was recorded from Backbeat, with its keys' times moved to now: the binary has the machine's clock.
struct Case {
    state: BTreeMap<String, String>,
    path: String,
    status: u64,
    body: String,
}

fn recorded(wanted: impl Fn(&Value) -> bool) -> Case {
    const INTERVAL_MS: i64 = 300_000;
    let all: Value = serde_json::from_str(include_str!("../fixtures/backbeat.json")).expect("the recorded cases");
    let case = all["cases"].as_array().expect("cases").iter().find(|case| wanted(case)).expect("such a case");
    let then = case["now_ms"].as_i64().expect("a time");
    let moved_by = (SystemClock.now().0 / INTERVAL_MS - then / INTERVAL_MS) * INTERVAL_MS;
    let moved = |key: &str| match key.rsplit_once(':').and_then(|(head, time)| Some((head, time.parse::<i64>().ok()?)))
    {
        Some((head, time)) => format!("{head}:{}", time + moved_by),
        None => key.to_owned(),
    };
    let state = case["state"].as_object().expect("a state");
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    Case {
        state: state.iter().map(|(key, value)| (moved(key), text(value))).collect(),
        path: text(&case["path"]),
        status: case["status"].as_u64().expect("a status"),
        body: text(&case["body"]),
    }
}

async fn fill(database: &Database, state: &BTreeMap<String, String>) {
    let mut fill = redis::pipe();
    fill.cmd("FLUSHDB");
    for (key, text) in state {
        fill.cmd("SET").arg(key).arg(text);
    }
    let () = fill.query_async(&mut database.connect().await).await.expect("the state is written");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recorded_cases_are_answered_through_every_form_of_http_event() {
    let database = RedisServer::shared().await.new_database();
    let location = |name: &str| format!("[locations.{name}]\nurl = \"s3://elsewhere\"\n");
    let config = format!("[redis]\nurl = {:?}\n{}{}", database.url, location("site1"), location("site2"));
    let query = Function::start("metrics-query", &[("HIGHWATER_CONFIG", &config)]).await;
    let backlog = recorded(|case| case["path"] == "/_/metrics/crr/site1/backlog" && case["status"] == 200);
    let unknown = recorded(|case| case["path"] == "/_/metrics" && case["status"] == 404);
    for case in [backlog, unknown] {
        fill(&database, &case.state).await;
        for event in http_events(&case.path) {
            let answer = query.invoke(event).await.expect("an answer");
            assert_eq!(
                (&answer["statusCode"], &answer["body"]),
                (&json!(case.status), &json!(case.body)),
                "{}",
                case.path
            );
            let types = [&answer["headers"]["content-type"], &answer["multiValueHeaders"]["content-type"][0]];
            assert!(types.contains(&&json!("application/json")), "{answer}");
        }
    }
}
