//! Every way in which a real broker lets a client in: passwords, tokens, certificates; and what ACLs allow.

use std::{
    process::Output,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use axum::{Router, extract::State, http::StatusCode, routing::post};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use integration_tests::{
    conformance::records::access_rules_are_told_as_they_were_added,
    eventually::eventually,
    highwater::highwater,
    kafka_guarded::{GuardedKafka, PASSWORD},
    s3_server::S3Server,
};
use serde_json::json;
use shared::{
    adapters::{kafka::KafkaCluster, system_clock::SystemClock},
    config::kafka::{KafkaSettings, SaslMechanism},
    ports::{
        acls::{self, AclAnswer, AclOperation, AclPattern, Acls as _},
        clock::Clock as _,
        records::{Committed, Fetched, Groups as _, Log as _, Message, Publisher as _},
        transactions::{ProducerLimits, Transactions as _},
    },
    record::{Offset, TopicPartition},
};
use tokio::net::TcpListener;

const WITHIN: Duration = Duration::from_secs(30);
const TOKEN_LASTS_S: i64 = 5;
const CLIENT_ID: &str = "highwater-client";
const CLIENT_SECRET: &str = "hunter2/+";

/// Creates a topic, publishes to it, reads it back, commits, and takes a transactional id over: each of these has a client of its own.
async fn everything_works(settings: KafkaSettings, topic: &str) {
    let kafka = KafkaCluster::connect(settings).await.expect("the settings make a client");
    kafka.create_topic(topic, 1, &[]).await.expect("a topic is created");
    let message = Message { key: None, value: Some("hello".into()), ..Message::default() };
    kafka.publish(topic, vec![message]).await.expect("a message is published");
    let partition = TopicPartition::new(topic, 0);
    let bounds = kafka.bounds(std::slice::from_ref(&partition)).await.expect("bounds");
    assert_eq!(bounds[0].as_ref().expect("bounds").high_watermark, Offset(1));
    let mut fetch = kafka.fetch(&[(partition.clone(), Offset(0))]).await.expect("a fetch");
    let fetched = fetch.next(WITHIN).await.expect("a record");
    assert!(matches!(fetched[..], [Fetched::Records { .. }, ..]), "{fetched:?}");
    let committed = Committed { offset: Offset(1), topic_id: None, stored: None };
    kafka.commit(topic, &[(partition.clone(), committed)]).await.expect("an offset is committed");
    assert_eq!(kafka.committed_offsets(topic, &[partition]).await.expect("offsets"), [Some(Offset(1))]);
    kafka.take_over(topic, ProducerLimits::default()).await.map(drop).expect("a transactional id is taken over");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passwords_and_certificates_let_a_client_in() {
    let broker = GuardedKafka::shared().await;
    everything_works(broker.login(SaslMechanism::Plain, "plain", PASSWORD), "login-plain").await;
    for mechanism in [SaslMechanism::ScramSha256, SaslMechanism::ScramSha512] {
        broker.add_user("scram", mechanism).await;
        everything_works(broker.login(mechanism, "scram", PASSWORD), mechanism.name()).await;
    }
    everything_works(broker.certificate(), "login-certificate").await;
    let wrong =
        KafkaCluster::connect(broker.login(SaslMechanism::ScramSha512, "scram", "wrong")).await.expect("a client");
    let refused = wrong.cluster_id().await.expect_err("the password is wrong");
    let text = refused.to_string();
    assert!(!refused.retry() && text.contains("kafka.sasl_password") && !text.contains("wrong"), "{text}");
}

/// An OAuth server that gives tokens to one client: how many it gave, and where it is.
async fn token_server() -> (Arc<AtomicU32>, String) {
    async fn give(
        State(given): State<Arc<AtomicU32>>,
        headers: axum::http::HeaderMap,
        body: String,
    ) -> (StatusCode, String) {
        // RFC 6749, section 2.3.1: both are form encoded first. This is highwater-client:hunter2/+.
        let basic = "Basic aGlnaHdhdGVyJTJEY2xpZW50Omh1bnRlcjIlMkYlMkI=";
        if headers.get("authorization").is_none_or(|value| value != basic) {
            return (StatusCode::UNAUTHORIZED, json!({"error": "invalid_client"}).to_string());
        }
        assert_eq!(body, "grant_type=client_credentials&scope=kafka%2Eall");
        given.fetch_add(1, Ordering::Relaxed);
        let now = SystemClock.now().0 / 1_000;
        let part = |value: serde_json::Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let claims = json!({"sub": "token", "iat": now, "exp": now + TOKEN_LASTS_S});
        let token = format!("{}.{}.", part(json!({"alg": "none"})), part(claims));
        (
            StatusCode::OK,
            json!({"access_token": token, "token_type": "bearer", "expires_in": TOKEN_LASTS_S}).to_string(),
        )
    }
    let given = Arc::new(AtomicU32::new(0));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/token", listener.local_addr().expect("an address"));
    let app = Router::new().route("/token", post(give)).with_state(given.clone());
    tokio::spawn(async move { axum::serve(listener, app).await.expect("the server runs") });
    (given, url)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_of_an_oauth_server_let_a_client_in_and_are_renewed() {
    let broker = GuardedKafka::shared().await;
    let (given, url) = token_server().await;
    let mut settings = broker.login(SaslMechanism::OauthBearer, CLIENT_ID, CLIENT_SECRET);
    settings.sasl_oauth_token_url = Some(url.clone());
    settings.sasl_oauth_scope = Some("kafka.all".to_owned());
    everything_works(settings.clone(), "login-token").await;
    assert!(given.load(Ordering::Relaxed) > 0);

    let kafka = KafkaCluster::connect(settings.clone()).await.expect("a client");
    let publish =
        async || kafka.publish("login-token", vec![Message::default()]).await.map_err(|error| error.to_string());
    publish().await.expect("a message is published");
    let before = given.load(Ordering::Relaxed);
    eventually("the token to be renewed twice", WITHIN, || async {
        publish().await?;
        let now = given.load(Ordering::Relaxed);
        if now >= before + 2 { Ok(()) } else { Err(format!("{} tokens since", now - before)) }
    })
    .await;

    let wrong = broker.login(SaslMechanism::OauthBearer, CLIENT_ID, "wrong-secret");
    let wrong = KafkaSettings { sasl_oauth_token_url: Some(url.clone()), ..wrong };
    let refused =
        KafkaCluster::connect(wrong).await.expect("a client").cluster_id().await.expect_err("no token is given");
    let text = refused.to_string();
    assert!(text.contains(&url) && text.contains("401") && !text.contains("wrong-secret"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_authorizer_tells_access_rules_as_they_were_added() {
    let broker = GuardedKafka::shared().await;
    let all = KafkaCluster::connect(broker.login(SaslMechanism::Plain, "plain", PASSWORD)).await.expect("a client");
    access_rules_are_told_as_they_were_added(&all).await;
}

/// `highwater` as the user `keeper`, in a bucket.
async fn as_keeper(broker: &GuardedKafka, bucket: &str, args: &[&str]) -> Output {
    let s3 = S3Server::shared().await;
    let settings = broker.login(SaslMechanism::ScramSha512, "keeper", PASSWORD);
    let mut command = highwater(args.iter().copied());
    command
        .envs(s3.environment())
        .env("S3_ENDPOINT_URL", s3.endpoint_url())
        .env("STORAGE_URL", format!("s3://{bucket}/backups"))
        .env("KAFKA_BOOTSTRAP_SERVERS", settings.bootstrap_servers.expect("servers"))
        .env("HIGHWATER_KAFKA_SECURITY_PROTOCOL", "sasl_ssl")
        .env("HIGHWATER_KAFKA_SASL_MECHANISM", "SCRAM-SHA-512")
        .env("HIGHWATER_KAFKA_SASL_USERNAME", "keeper")
        .env("HIGHWATER_KAFKA_SASL_PASSWORD", PASSWORD)
        .env("HIGHWATER_KAFKA_SSL_CA_LOCATION", broker.file("authority.pem"));
    tokio::task::spawn_blocking(move || command.output()).await.expect("no panic").expect("highwater runs")
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// docs/permissions.md: what segment-writer and segment-restorer need, over TLS, and no more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_documented_acls_are_enough_for_a_backup_and_a_restore_and_without_them_the_topic_is_named() {
    let broker = GuardedKafka::shared().await;
    broker.add_user("keeper", SaslMechanism::ScramSha512).await;
    let bucket = S3Server::shared().await.new_bucket("guarded").await;
    let all = KafkaCluster::connect(broker.login(SaslMechanism::Plain, "plain", PASSWORD)).await.expect("a client");
    all.create_topic("guarded", 2, &[]).await.expect("a topic");
    all.create_topic("backbeat-metrics", 1, &[]).await.expect("the metrics topic");
    let message = |n: u32| Message { value: Some(n.to_string().into()), ..Message::default() };
    all.publish("guarded", (0..100).map(message).collect()).await.expect("messages are published");

    let refused = as_keeper(broker, &bucket, &["backup", "--topic", "guarded"]).await;
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
    assert!(said(&refused).contains("guarded"), "{}", said(&refused));

    broker.allow("keeper", &["Describe", "DescribeConfigs", "Read"], &["--topic", "guarded"]).await;
    broker.allow("keeper", &["Describe", "Write"], &["--topic", "backbeat-metrics"]).await;
    broker.allow("keeper", &["Read"], &["--group", "highwater.main"]).await;
    let stored = as_keeper(broker, &bucket, &["backup", "--topic", "guarded"]).await;
    assert_eq!(stored.status.code(), Some(0), "{}", said(&stored));
    assert!(!said(&stored).contains("WARN"), "{}", said(&stored));
    assert!(said(&stored).contains("access rules (ACLs) in main: not kept"), "{}", said(&stored));
    broker.allow("keeper", &["Describe", "Alter"], &["--cluster"]).await;
    broker.allow("keeper", &["Describe"], &["--group", "*"]).await;
    broker.allow("bob", &["Read"], &["--topic", "guard", "--resource-pattern-type", "prefixed"]).await;
    let stored = as_keeper(broker, &bucket, &["backup", "--topic", "guarded"]).await;
    assert_eq!(stored.status.code(), Some(0), "{}", said(&stored));
    assert!(!said(&stored).contains("not kept"), "{}", said(&stored));

    let restore = ["restore", "--topic", "guarded", "--prefix", "again-", "--acls"];
    let refused = as_keeper(broker, &bucket, &restore).await;
    assert_ne!(refused.status.code(), Some(0), "{}", said(&refused));
    broker.allow("keeper", &["Create", "Write", "DescribeConfigs"], &["--topic", "again-guarded"]).await;
    broker.allow("keeper", &["Create", "Write", "Read"], &["--topic", "highwater-restores"]).await;
    let own = ["--transactional-id", "highwater", "--resource-pattern-type", "prefixed"];
    broker.allow("keeper", &["Write"], &own).await;
    let restored = as_keeper(broker, &bucket, &restore).await;
    assert_eq!(restored.status.code(), Some(0), "{}", said(&restored));
    let partitions = [TopicPartition::new("again-guarded", 0), TopicPartition::new("again-guarded", 1)];
    let bounds = all.bounds(&partitions).await.expect("bounds");
    let filled = bounds
        .into_iter()
        .filter(|bounds| bounds.as_ref().is_ok_and(|bounds| bounds.high_watermark > Offset(0)))
        .count();
    assert!(filled > 0, "no record came back");
    let AclAnswer::Listed(acls) = all.acls().await.expect("the rules") else { panic!("no rules") };
    let of_bob = acls::concerning(&acls, "again-guarded").into_iter().filter(|acl| acl.principal == "User:bob");
    let of_bob: Vec<_> = of_bob.map(|acl| (acl.pattern, acl.name, acl.operation)).collect();
    assert_eq!(of_bob, [(AclPattern::Literal, "again-guarded".to_owned(), AclOperation::Read)]);
}
