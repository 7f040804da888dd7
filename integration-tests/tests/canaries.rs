//! Everything with a login and over TLS: Kafka with a password, S3 with a certificate of an own authority, Redis with a user of its
//! own. And none of the secrets stands anywhere: in a log, an error, a page or a metric.

use std::{net::SocketAddr, process::Output, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use integration_tests::{
    eventually::eventually,
    highwater::{highwater, listener},
    http,
    kafka_guarded::{GuardedKafka, PASSWORD},
    process::Process,
    redis_server::RedisServer,
    s3_server::{ACCESS_KEY, REGION, S3Server, SECRET_KEY},
};
use shared::{
    adapters::kafka::KafkaCluster,
    config::kafka::SaslMechanism,
    ports::records::{Message, Publisher as _},
};

const WITHIN: Duration = Duration::from_secs(60);
const TOPIC: &str = "canaries";
const RECORDS: usize = 20;
const REDIS_PASSWORD: &str = "canary-of-redis-pw";
const TOKEN: &str = "canary-of-listen-token";
const REGISTRY_PASSWORD: &str = "canary-of-registry";
const WRONG: &str = "canary-that-is-wrong";
const SECRETS: [&str; 6] = [PASSWORD, SECRET_KEY, REDIS_PASSWORD, TOKEN, REGISTRY_PASSWORD, WRONG];

/// The secrets that a configuration names.
struct Secrets<'a> {
    kafka: &'a str,
    storage: &'a str,
    redis: &'a str,
}

struct Servers {
    kafka: &'static GuardedKafka,
    s3: &'static S3Server,
    redis: RedisServer,
    bucket: String,
}

impl Servers {
    async fn start() -> Servers {
        let (kafka, s3) = (GuardedKafka::shared().await, S3Server::secured().await);
        let password = format!(">{REDIS_PASSWORD}");
        let user = ["--user", "canary", "on", &password, "~*", "&*", "+@all"];
        let redis = RedisServer::start_with(&user, &[]).await;
        let cluster =
            KafkaCluster::connect(kafka.login(SaslMechanism::Plain, "plain", PASSWORD)).await.expect("a client");
        cluster.create_topic(TOPIC, 1, &[]).await.expect("a topic is created");
        let message = Message { value: Some("hello".into()), ..Message::default() };
        cluster.publish(TOPIC, vec![message; RECORDS]).await.expect("records are published");
        Servers { kafka, s3, redis, bucket: s3.new_bucket(TOPIC).await }
    }

    fn config(&self, secrets: &Secrets<'_>) -> String {
        let login = self.kafka.login(SaslMechanism::Plain, "plain", PASSWORD);
        let ca = self.s3.storage("s3://b").ca_file.expect("the server has an authority of its own");
        format!(
            "[kafka]\nbootstrap_servers = {:?}\nsecurity_protocol = \"sasl_ssl\"\nsasl_mechanism = \"PLAIN\"\nsasl_username = \"plain\"\n\
             sasl_password = {:?}\nssl_ca_location = {:?}\n\
             [storage]\nurl = \"s3://{}/backups\"\nendpoint_url = {:?}\nregion = {REGION:?}\naccess_key_id = {ACCESS_KEY:?}\n\
             secret_access_key = {:?}\nca_file = {ca:?}\n\
             [redis]\nurl = \"redis://canary:{}@{}/0\"\n\
             [schema_registry]\nurl = \"http://127.0.0.1:1\"\nusername = \"canary\"\npassword = {REGISTRY_PASSWORD:?}\n\
             [backups.main]\ntopics = {{ include = [{TOPIC:?}] }}\nsegment = {{ age_max = \"1s\" }}\n\
             [metrics]\ntopic = \"canaries-metrics\"\nrefresh_s = 1\n[listen]\ntoken = {TOKEN:?}\n",
            login.bootstrap_servers.expect("it has an address"),
            secrets.kafka,
            login.ssl_ca_location.expect("it has an authority"),
            self.bucket,
            self.s3.endpoint_url(),
            secrets.storage,
            secrets.redis,
            self.redis.address(),
        )
    }
}

const RIGHT: Secrets<'static> = Secrets { kafka: PASSWORD, storage: SECRET_KEY, redis: REDIS_PASSWORD };

async fn run(config: &str, args: &[&str]) -> Output {
    let mut command = highwater(args.iter().copied());
    command.env("HIGHWATER_CONFIG", config).env("RUST_LOG", "debug");
    tokio::task::spawn_blocking(move || command.output()).await.expect("no panic").expect("highwater starts")
}

/// Each as it is, as base64 has it, and as an URL has it.
fn assert_no_secret(place: &str, text: &str) {
    for secret in SECRETS {
        let basic = BASE64_STANDARD.encode(secret);
        for form in [secret, &basic, &secret.replace(' ', "%20"), &secret.replace(' ', "+")] {
            assert!(!text.contains(form), "{place} tells the secret {secret:?}: {text}");
        }
    }
}

/// Every page that a person or program may ask for, and answers to requests that are refused.
async fn pages(process: &Process) -> Vec<(String, String)> {
    let mut pages = vec![];
    let mut all = vec![];
    for name in ["metrics", "query", "console", "gateway", "invoke"] {
        all.push((name, listener(process, name).await));
    }
    let paths = [
        "/metrics",
        "/healthz",
        "/readyz",
        "/",
        "/openapi.json",
        "/schema.json",
        "/_/highwater/figures/overview",
        "/_/highwater/figures/backups/main/topics/canaries",
        "/_/highwater/segments/main/canaries",
        "/_/highwater/api/status",
        "/_/backbeat/api/crr/failed",
        "/_/backbeat/api/monitoring/metrics",
        "/nowhere",
    ];
    for (name, address) in all {
        for path in paths {
            let answer = http::get(address, path).await.expect("an answer");
            pages.push((format!("{name} {path}"), format!("{}{}", answer.head, answer.body)));
        }
        pages.push((format!("{name}, refused"), refused(address).await));
    }
    pages
}

async fn refused(address: SocketAddr) -> String {
    let request = format!(
        "POST /_/highwater/api/pause/main HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {WRONG}\r\n\
         content-length: 0\r\nconnection: close\r\n\r\n"
    );
    let answer = http::send(address, &request).await.expect("an answer");
    assert!(matches!(answer.status, 401 | 404 | 405), "{} {}", answer.status, answer.body);
    format!("{}{}", answer.head, answer.body)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_works_with_logins_over_tls_and_no_log_error_page_or_metric_tells_a_secret() {
    let servers = Servers::start().await;
    let config = servers.config(&RIGHT);
    let mut command = highwater(["serve"]);
    let mut process = Process::start(command.env("HIGHWATER_CONFIG", &config).env("RUST_LOG", "debug"));
    let metrics = listener(&process, "metrics").await;
    let expected = format!("backup_sink_records_count{{topic=\"{TOPIC}\"}} {RECORDS}");
    eventually("the records to be stored and counted", WITHIN, || async {
        let page = http::get(metrics, "/metrics").await?.body;
        if page.contains(&expected) { Ok(()) } else { Err(page) }
    })
    .await;
    for (place, text) in pages(&process).await {
        assert_no_secret(&place, &text);
    }
    process.interrupt();
    process.ended(WITHIN).await;
    let lines = process.output();
    assert!(lines.len() > 100, "it logs what it does: {lines:?}");
    assert_no_secret("the log of serve", &lines.join("\n"));

    let verified = run(&config, &["verify"]).await;
    assert!(verified.status.success(), "{verified:?}");
    let wrong = [
        Secrets { kafka: WRONG, ..RIGHT },
        Secrets { storage: WRONG, ..RIGHT },
        Secrets { redis: WRONG, ..RIGHT },
        RIGHT,
    ];
    for secrets in wrong {
        let config = servers.config(&secrets);
        for args in [
            &["config", "check"][..],
            &["doctor"],
            &["backup"],
            &["verify", "--json"],
            &["schemas", "backup"],
            &["restore", "--topic", TOPIC, "--dry-run"],
        ] {
            let output = run(&config, args).await;
            for text in [&output.stdout, &output.stderr] {
                assert_no_secret(&args.join(" "), &String::from_utf8_lossy(text));
            }
        }
    }
}
