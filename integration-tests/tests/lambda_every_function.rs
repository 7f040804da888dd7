//! Every function of the workspace under the Runtime API, as it is deployed: each does its own work once, on real servers. The
//! requests of those behind a URL come in each form that AWS has for them.

use std::{collections::BTreeSet, fs, path::Path, sync::Arc, time::Duration};

use integration_tests::{
    eventually::eventually,
    kafka::Kafka,
    kafka_producer::NewRecord,
    lambda::{PREFIX, invoke_api},
    redis_server::RedisServer,
    runtime_api::{Emulation, Function},
    s3_server::{ACCESS_KEY, REGION, S3Server, SECRET_KEY},
};
use local_runner::dev::registry::DevRegistry;
use serde_json::{Value, json};
use shared::{
    adapters::memory::registry::MemoryRegistry,
    ports::registry::{Registry as _, Schema},
};

const RECORDS: usize = 50;
/// As the template gives it; a restore begins nothing in the last minute of it.
const TIMEOUT: Duration = Duration::from_secs(900);
const SHOWN_WITHIN: Duration = Duration::from_secs(60);
const TOKEN: &str = "0123456789abcdef";

/// The servers of a deployment, and the functions that had their turn.
struct Deployed {
    emulation: Emulation,
    /// Its consumer group is nobody else's: the verifier would miss what others backed up.
    backup: &'static str,
    config: String,
    bucket: String,
    location: String,
    topic: String,
    registry: DevRegistry,
    tried: BTreeSet<&'static str>,
}

impl Deployed {
    async fn new(emulation: Emulation, backup: &'static str) -> Deployed {
        let (kafka, s3) = (Kafka::shared().await, S3Server::shared().await);
        let topic = kafka.new_topic("every-function", 2, &[]).await;
        let records = (0..RECORDS).map(|n| NewRecord::new(format!("{n}")).partition((n % 2) as i32));
        kafka.produce(&topic, records.collect()).await;
        let (bucket, location) = (s3.new_bucket("every-function").await, s3.new_bucket("location").await);
        let registry = DevRegistry::start(Arc::new(MemoryRegistry::default())).await.expect("a free port");
        registry.registry.register("orders", &Schema::avro("\"string\"", &[]), None).await.expect("it is registered");
        let store = format!(
            "endpoint_url = {:?}\nregion = {REGION:?}\naccess_key_id = {ACCESS_KEY:?}\nsecret_access_key = {SECRET_KEY:?}\n",
            s3.endpoint_url()
        );
        let config = format!(
            "[kafka]\nbootstrap_servers = {:?}\n[storage]\nurl = \"s3://{bucket}/prefix\"\n{store}\
             [locations.paris]\nurl = \"s3://{location}\"\n{store}\
             [redis]\nurl = {:?}\n[listen]\ntoken = {TOKEN:?}\n[schema_registry]\nurl = {:?}\n\
             [backups.{backup}]\ntopics = {{ include = [{topic:?}] }}\nretention = {{ delete_after = \"30d\" }}\n\
             [metrics]\ntopic = {:?}\n[replication]\ntopic = {:?}\n[lambda]\nfunction_prefix = {PREFIX:?}\n",
            kafka.bootstrap_servers(),
            RedisServer::shared().await.new_database().url,
            registry.url(),
            kafka.new_topic("every-function-metrics", 2, &[]).await,
            kafka.new_topic("every-function-replication", 2, &[]).await,
        );
        Deployed { emulation, backup, config, bucket, location, topic, registry, tried: BTreeSet::new() }
    }

    async fn start(&mut self, name: &'static str, more: &[(&str, &str)]) -> Function {
        self.tried.insert(name);
        let environment = [&[("HIGHWATER_CONFIG", self.config.as_str())], more].concat();
        Function::start_under(self.emulation, name, &environment).await
    }

    /// The answer of a function in a new environment.
    async fn answer(&mut self, name: &'static str, payload: Value) -> Value {
        self.answer_beside(&[], name, payload).await
    }

    async fn answer_beside(&mut self, more: &[(&str, &str)], name: &'static str, payload: Value) -> Value {
        let answer = self.start(name, more).await.invoke_within(TIMEOUT, payload.clone()).await;
        answer.unwrap_or_else(|error| panic!("{name} {payload}: {error}"))
    }

    /// The bodies with which a function answers a request in every form, which all have this status.
    async fn bodies(&mut self, name: &'static str, request: &Request, status: u16) -> Vec<String> {
        let function = self.start(name, &[]).await;
        let mut bodies = vec![];
        for event in request.events() {
            let answer = function.invoke(event).await.unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(answer["statusCode"], status, "{name}: {answer}");
            bodies.push(answer["body"].as_str().expect("a text").to_owned());
        }
        bodies
    }

    /// The page of metrics has this line, in every form of request, once metrics-consumer has counted what was told. It shares its
    /// group with those of other tests, so a run of it may find that it has no partition now.
    async fn shows(&mut self, consumer: &Function, line: &str) {
        let query = self.start("metrics-query", &[]).await;
        let event = |form: usize| Request::get("/metrics").events()[form].clone();
        eventually(line, SHOWN_WITHIN, || async {
            consumer.invoke(json!({})).await.map_err(|error| error.to_string())?;
            for form in 0..3 {
                let page = query.invoke(event(form)).await.map_err(|error| error.to_string())?;
                let body = page["body"].as_str().unwrap_or_default();
                if page["statusCode"] != 200 || !body.contains(line) {
                    return Err(page.to_string());
                }
            }
            Ok(())
        })
        .await;
    }

    async fn keys(&self, bucket: &str) -> usize {
        let listed = S3Server::shared().await.client().list_objects_v2().bucket(bucket).send().await.expect("a list");
        listed.contents().iter().filter(|object| object.key().is_some_and(|key| key.ends_with(".kan"))).count()
    }
}

/// A request to a function behind a URL.
struct Request {
    method: &'static str,
    path: String,
    body: String,
}

impl Request {
    fn get(path: impl Into<String>) -> Request {
        Request { method: "GET", path: path.into(), body: String::new() }
    }

    fn post(path: impl Into<String>, body: &Value) -> Request {
        Request { method: "POST", path: path.into(), body: body.to_string() }
    }

    /// As a function URL and an HTTP API write it, a REST API, and a load balancer.
    fn events(&self) -> [Value; 3] {
        let Request { method, path, body } = self;
        let headers =
            json!({"host": "x", "authorization": format!("Bearer {TOKEN}"), "content-type": "application/json"});
        let http = json!({"method": method, "path": path, "sourceIp": "10.1.2.3"});
        [
            json!({"version": "2.0", "rawPath": path, "rawQueryString": "", "headers": headers, "body": body,
                "requestContext": {"stage": "$default", "http": http}, "isBase64Encoded": false}),
            json!({"version": "1.0", "resource": "/{proxy+}", "httpMethod": method, "path": path, "headers": headers, "body": body,
                "requestContext": {"stage": "prod", "httpMethod": method, "identity": {"sourceIp": "10.1.2.3"}}, "isBase64Encoded": false}),
            json!({"httpMethod": method, "path": path, "queryStringParameters": {}, "headers": headers, "body": body,
                "requestContext": {"elb": {"targetGroupArn": "arn:aws:x"}}, "isBase64Encoded": false}),
        ]
    }
}

/// The functions of the workspace that have a binary for Lambda.
fn functions() -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../functions");
    let folders = fs::read_dir(folder).expect("the functions").map(|entry| entry.expect("a folder").path());
    let is_deployed =
        |folder: &Path| fs::read_to_string(folder.join("src/main.rs")).is_ok_and(|main| main.contains("runtime::run("));
    let deployed = folders.filter(|folder| is_deployed(folder));
    deployed.map(|folder| folder.file_name().expect("a name").to_string_lossy().into_owned()).collect()
}

/// What a verification found, wherever it says so.
fn findings(verified: &Value) -> Vec<Value> {
    let backups = verified["backups"].as_array().into_iter().flatten();
    let chains = backups.clone().flat_map(|backup| backup["chains"].as_array().into_iter().flatten());
    let all = backups.chain(chains).flat_map(|it| it["findings"].as_array().into_iter().flatten());
    all.cloned().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_function_does_its_work_and_those_behind_urls_answer_every_form_of_request() {
    every_function_does_its_work(Deployed::new(Emulation::Own, "every-function").await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_function_does_its_work_under_cargo_lambda() {
    every_function_does_its_work(Deployed::new(Emulation::CargoLambda, "under-cargo-lambda").await).await;
}

async fn every_function_does_its_work(mut deployed: Deployed) {
    let backup = deployed.backup;
    let (topic, bucket, location) = (deployed.topic.clone(), deployed.bucket.clone(), deployed.location.clone());

    let stored = deployed.answer("segment-writer", json!({"backup": backup})).await;
    assert_eq!(deployed.keys(&bucket).await, 2, "{stored}");
    deployed.answer("cluster-archiver", json!({})).await;
    deployed.answer("lag-monitor", json!({})).await;

    let aggregator = deployed.start("metrics-aggregator", &[]).await;
    let endpoint = format!("http://{}", invoke_api("metrics-aggregator", aggregator).await);
    let consumer = deployed.start("metrics-consumer", &[("AWS_ENDPOINT_URL_LAMBDA", &endpoint)]).await;
    // The figures are whole once lag-monitor knows that everything was told.
    consumer.invoke(json!({})).await.expect("what was told is counted");
    deployed.answer("lag-monitor", json!({})).await;
    deployed.shows(&consumer, &format!("backup_sink_records_count{{topic=\"{topic}\"}} {RECORDS}")).await;

    let browsed = Request::get(format!("/_/highwater/segments/{backup}/{topic}/1/0"));
    for body in deployed.bodies("segment-browser", &browsed, 200).await {
        let body: Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(body["segments"].as_array().map(Vec::len), Some(1), "{body}");
    }
    for action in ["pause", "resume"] {
        let asked = Request::post(format!("/_/highwater/api/{action}/{backup}"), &json!({}));
        deployed.bodies("backup-control", &asked, 200).await;
    }
    let push = "/namespaces/default/restores/mine/1/topics/orders/started";
    let pushed = Request::post(push, &json!({"recordsTotal": 7}));
    deployed.bodies("metrics-gateway", &pushed, 200).await;
    let wrong = Request::post(push, &json!({"recordsTotal": "many"}));
    for body in deployed.bodies("metrics-gateway", &wrong, 400).await {
        assert!(body.contains("recordsTotal"), "{body}");
    }

    deployed.answer("object-replicator", json!({"reconcile": true})).await;
    let copied = deployed.answer("object-replicator", json!({})).await;
    assert_eq!(deployed.keys(&location).await, 2, "{copied}");
    let verified = deployed.answer("backup-verifier", json!({"deep": true})).await;
    assert_eq!(findings(&verified), Vec::<Value>::new());
    assert_eq!((&verified["good"], &verified["deep"]), (&json!(true), &json!(true)), "{verified}");
    let copy = format!("{topic}-copy");
    let plan = json!({"plan": {"topics": [{"source": topic, "target": copy}]}});
    let gateway = deployed.start("metrics-gateway", &[]).await;
    let endpoint = format!("http://{}", invoke_api("metrics-gateway", gateway).await);
    let beside = [("HIGHWATER_LAMBDA_ENDPOINT_URL", endpoint.as_str())];
    let restored = deployed.answer_beside(&beside, "segment-restorer", plan).await;
    assert_eq!(restored["outcome"], "done", "{restored}");
    let kafka = Kafka::shared().await;
    let values = |log: &[shared::record::Record]| log.iter().map(|it| it.value.clone()).collect::<Vec<_>>();
    let (source, target) = (kafka.read(&topic).await, kafka.read(&copy).await);
    assert!(source.iter().all(|(partition, log)| values(log) == values(&target[partition])), "{target:?}");
    // The restore pushed its progress to metrics-gateway.
    let line = format!("restore_records_count{{namespace=\"default\",job=\"{backup}\",topic=\"{copy}\"}} {RECORDS}");
    deployed.shows(&consumer, &line).await;
    let expired = deployed.answer("segment-expirer", json!({})).await;
    assert_eq!(deployed.keys(&bucket).await, 2, "nothing is 30 days old: {expired}");

    deployed.answer("schema-archiver", json!({"backup": {}})).await;
    deployed.answer("schema-archiver", json!({"verify": {}})).await;
    assert!(!deployed.registry.url().is_empty());
    assert_eq!(
        deployed.tried.iter().map(ToString::to_string).collect::<BTreeSet<_>>(),
        functions(),
        "a function had no turn"
    );
}
