//! The functions' binaries as they run on Lambda: what they are configured with, the Kafka events they get, and the Invoke
//! API through which one calls another.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::post,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Map, Value, json};
use shared::record::{Header, Record, TimestampType};
use tokio::net::TcpListener;

use crate::{
    kafka::Kafka,
    redis_server::{Database, RedisServer},
    runtime_api::{Emulation, Function, FunctionError},
    s3_server::{self, S3Server},
};

/// What stands before the deployed functions' names.
pub const PREFIX: &str = "test-";

/// Kafka, a bucket and a database, as the settings of functions.
pub struct Deployment {
    /// The bucket.
    pub bucket: String,
    /// The database.
    pub database: Database,
    /// The metrics topic.
    pub metrics_topic: String,
    topic: String,
}

impl Deployment {
    /// For a backup of one topic, with all else its own.
    pub async fn of(topic: &str) -> Deployment {
        Deployment {
            bucket: S3Server::shared().await.new_bucket("lambda").await,
            database: RedisServer::shared().await.new_database(),
            metrics_topic: Kafka::shared().await.new_topic("lambda-metrics", 2, &[]).await,
            topic: topic.to_owned(),
        }
    }

    /// The text of the configuration, with segments of so many bytes of records.
    pub async fn config(&self, bytes_max: u64) -> String {
        let (kafka, s3) = (Kafka::shared().await, S3Server::shared().await);
        format!(
            "[kafka]\nbootstrap_servers = {:?}\n\
             [storage]\nurl = \"s3://{}/prefix\"\nendpoint_url = {:?}\nregion = {:?}\n\
             access_key_id = {:?}\nsecret_access_key = {:?}\n\
             [redis]\nurl = {:?}\n\
             [backups.main]\ntopics = {{ include = [{:?}] }}\nsegment = {{ bytes_max = \"{bytes_max}B\" }}\n\
             [locations.site1]\nurl = \"s3://elsewhere\"\n[locations.site2]\nurl = \"s3://elsewhere\"\n\
             [replication]\nenabled = false\n\
             [metrics]\ntopic = {:?}\n\
             [lambda]\nfunction_prefix = {PREFIX:?}\n",
            kafka.bootstrap_servers(),
            self.bucket,
            s3.endpoint_url(),
            s3_server::REGION,
            s3_server::ACCESS_KEY,
            s3_server::SECRET_KEY,
            self.database.url,
            self.topic,
            self.metrics_topic,
        )
    }

    /// A function of it, in an environment of its own.
    pub async fn start(&self, name: &str) -> Function {
        self.start_under(Emulation::Own, name).await
    }

    /// The same under this emulation.
    pub async fn start_under(&self, emulation: Emulation, name: &str) -> Function {
        Function::start_under(emulation, name, &[("HIGHWATER_CONFIG", &self.config(1 << 20).await)]).await
    }

    /// metrics-consumer, which finds metrics-aggregator at this Invoke API.
    pub async fn start_consumer(&self, invoke_api: SocketAddr) -> Function {
        let config = self.config(1 << 20).await;
        let endpoint = format!("http://{invoke_api}");
        Function::start("metrics-consumer", &[("HIGHWATER_CONFIG", &config), ("AWS_ENDPOINT_URL_LAMBDA", &endpoint)])
            .await
    }
}

/// Serves Lambda's Invoke API for one function, by its name behind [`PREFIX`].
pub async fn invoke_api(name: &'static str, function: Function) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let routes = Router::new()
        .route("/2015-03-31/functions/{name}/invocations", post(invoke))
        .layer(axum::extract::DefaultBodyLimit::max(6 << 20))
        .with_state((name, Arc::new(function)));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    address
}

async fn invoke(
    State((name, function)): State<(&'static str, Arc<Function>)>,
    Path(asked): Path<String>,
    body: Bytes,
) -> Response {
    if asked.strip_prefix(PREFIX) != Some(name) {
        return (StatusCode::NOT_FOUND, Json(json!({"Message": format!("Function not found: {asked}")})))
            .into_response();
    }
    match function.invoke(serde_json::from_slice(&body).expect("a payload is JSON")).await {
        Ok(answer) => Json(answer).into_response(),
        Err(FunctionError { error_type, error_message }) => {
            let error = json!({"errorType": error_type, "errorMessage": error_message});
            ([("x-amz-function-error", "Unhandled")], Json(error)).into_response()
        }
    }
}

/// A GET as a function URL writes it, with no more than is needed.
pub fn get_event(path: &str) -> Value {
    json!({"version": "2.0", "rawPath": path, "requestContext": {"http": {"method": "GET"}}})
}

/// The two kinds of Kafka event, each around recorded fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventSource {
    /// Amazon MSK.
    Msk,
    /// A cluster of one's own.
    SelfManaged,
}

/// A Kafka event as Lambda writes it, with these records by topic and partition.
pub fn kafka_event(source: EventSource, records: &[(&str, i32, &[Record])]) -> Value {
    let envelope = match source {
        EventSource::Msk => include_str!("../../shared/src/record/fixtures/kafka_event_msk.json"),
        EventSource::SelfManaged => include_str!("../../shared/src/record/fixtures/kafka_event_self_managed.json"),
    };
    let mut event: Value = serde_json::from_str(envelope).expect("the recorded event is JSON");
    let mut items: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for (topic, partition, records) in records {
        let written = records.iter().map(|record| written(topic, *partition, record));
        items.entry(format!("{topic}-{partition}")).or_default().extend(written);
    }
    event["records"] = items.into_iter().map(|(item, records)| (item, records.into())).collect::<Map<_, _>>().into();
    event
}

/// A record as Lambda writes it: signed header bytes, and header names as text, whatever they were.
fn written(topic: &str, partition: i32, record: &Record) -> Value {
    let base64 = |bytes: &Option<Bytes>| bytes.as_ref().map(|bytes| BASE64_STANDARD.encode(bytes));
    let signed = |value: &Bytes| value.iter().map(|byte| byte.cast_signed()).collect::<Vec<i8>>();
    let header = |Header { name, value }: &Header| {
        let name = String::from_utf8_lossy(name).into_owned();
        Value::from(Map::from_iter([(name, json!(value.as_ref().map(signed)))]))
    };
    json!({
        "topic": topic, "partition": partition, "offset": record.offset, "timestamp": record.timestamp,
        "timestampType": match record.timestamp_type {
            TimestampType::LogAppendTime => "LOG_APPEND_TIME",
            TimestampType::CreateTime | TimestampType::None => "CREATE_TIME",
        },
        "key": base64(&record.key), "value": base64(&record.value),
        "headers": record.headers.iter().map(header).collect::<Vec<_>>(),
    })
}
