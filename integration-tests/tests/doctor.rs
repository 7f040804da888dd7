//! `highwater doctor` through the real binary, on real Kafka, Redis and S3: what is well, and what to mend where it is not.

use std::process::Output;

use integration_tests::{
    kafka::Kafka,
    kafka_guarded::{GuardedKafka, PASSWORD},
    redis_server::RedisServer,
    s3_server::{ACCESS_KEY, REGION, S3Server, SECRET_KEY},
    serving::Serving,
};
use serde_json::Value;
use shared::{
    adapters::kafka::KafkaCluster,
    config::kafka::SaslMechanism::{Plain, ScramSha512},
    ports::records::Publisher as _,
};

/// Nothing listens there: port 1 is tcpmux.
const NOBODY: &str = "http://127.0.0.1:1";

/// Settings with which everything is well: as many partitions of the metrics topic as it has, and a location that is there.
pub(crate) async fn healthy(base: &str, redis_url: &str) -> Serving {
    let s3 = S3Server::shared().await;
    let mut serving = Serving::new(base, Kafka::shared().await, redis_url).await;
    serving.location = format!(
        "url = \"s3://{}/copy\"\nendpoint_url = {:?}\nregion = {REGION:?}\naccess_key_id = {ACCESS_KEY:?}\nsecret_access_key = {SECRET_KEY:?}",
        s3.new_bucket("doctor-location").await,
        s3.endpoint_url()
    );
    // Locations are looked at where something is replicated.
    serving.replication = format!("topic = {:?}", format!("{}-replication", serving.backup));
    serving.more = "partitions = 2\n".to_owned();
    serving
}

pub(crate) async fn on_shared_redis(base: &str) -> Serving {
    healthy(base, &RedisServer::shared().await.new_database().url).await
}

/// One thing that the doctor looked at.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    what: String,
    outcome: String,
    detail: String,
    remedy: Option<String>,
}

/// The exit code of `highwater doctor --json`, and what it told.
async fn examined(serving: &Serving) -> (Option<i32>, Vec<Told>) {
    of(&serving.run(&["doctor", "--json"]).await)
}

fn of(output: &Output) -> (Option<i32>, Vec<Told>) {
    let said: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    assert_eq!(said["schema"], "highwater.doctor.v1", "{said}");
    let text = |it: &Value| it.as_str().map(str::to_owned);
    let told = |it: &Value| Told {
        what: text(&it["what"]).expect("what was looked at"),
        outcome: text(&it["outcome"]).expect("an outcome"),
        detail: text(&it["detail"]).expect("a detail"),
        remedy: text(&it["remedy"]),
    };
    let findings = said["findings"].as_array().expect("findings").iter().map(told).collect();
    (output.status.code(), findings)
}

/// The one thing of this name that is not good.
fn the_trouble<'a>(told: &'a [Told], what: &str) -> &'a Told {
    let trouble: Vec<_> = told.iter().filter(|it| it.outcome != "good").collect();
    match trouble[..] {
        [it] if it.what == what => it,
        _ => panic!("{what} should be the only trouble: {trouble:#?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_everything_is_well_every_check_is_good() {
    let serving = on_shared_redis("doctor-well").await;
    let (code, told) = examined(&serving).await;
    let troubles: Vec<_> = told.iter().filter(|it| it.outcome != "good" || it.remedy.is_some()).collect();
    assert!(troubles.is_empty() && code == Some(0), "{code:?}: {troubles:#?}");
    for what in [
        "versions",
        "configuration",
        "kafka",
        "topics",
        "metrics topic",
        "consumer group",
        "owner",
        "storage",
        "storage permissions",
        "conditional writes",
        "clock",
        "location",
        "redis",
        "redis version",
        "redis eviction",
    ] {
        assert!(told.iter().any(|it| it.what == what), "nothing looked at {what}: {told:#?}");
    }
    let output = serving.run(&["doctor"]).await;
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.lines().skip(1).all(|line| line.starts_with("good ")), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_leaves_nothing_in_the_bucket_but_the_object_of_every_start() {
    let serving = on_shared_redis("doctor-clean").await;
    assert_eq!(examined(&serving).await.0, Some(0));
    let client = S3Server::shared().await.client();
    let listed = client.list_objects_v2().bucket(&serving.bucket).send().await.expect("a listing");
    let keys: Vec<_> = listed.contents().iter().filter_map(|object| object.key()).collect();
    assert_eq!(keys, ["backups/=probe/once"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_evicts_is_warned_of_with_the_policy_to_set() {
    let redis = RedisServer::start_with(&["--maxmemory-policy", "allkeys-lru"], &[]).await;
    let serving = healthy("doctor-evicts", &redis.new_database().url).await;
    let (code, told) = examined(&serving).await;
    let trouble = the_trouble(&told, "redis eviction");
    assert_eq!((code, trouble.outcome.as_str()), (Some(0), "warning"));
    assert!(trouble.detail.contains("allkeys-lru"), "{trouble:?}");
    assert_eq!(trouble.remedy.as_deref(), Some("set maxmemory-policy to noeviction"));
    let text = serving.run(&["doctor"]).await.stdout;
    let text = String::from_utf8_lossy(&text);
    assert!(
        text.contains("warning  redis eviction: ") && text.contains("\n         set maxmemory-policy to noeviction\n"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_metrics_topic_that_is_missing_is_told_with_who_makes_it() {
    let mut serving = on_shared_redis("doctor-no-metrics").await;
    serving.metrics_topic = format!("{}-not-there", serving.backup);
    let (code, told) = examined(&serving).await;
    let trouble = the_trouble(&told, "metrics topic");
    assert_eq!((code, trouble.outcome.as_str()), (Some(0), "warning"));
    assert!(trouble.detail.contains(&serving.metrics_topic) && trouble.detail.contains("not there"), "{trouble:?}");
    assert_eq!(trouble.remedy.as_deref(), Some("highwater serve makes it"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_metrics_topic_that_is_compacted_is_wrong_with_the_setting_to_change() {
    let mut serving = on_shared_redis("doctor-compacted").await;
    let compacted = [("cleanup.policy", "compact")];
    serving.metrics_topic = Kafka::shared().await.new_topic("doctor-compacted", 2, &compacted).await;
    let (code, told) = examined(&serving).await;
    let trouble = the_trouble(&told, "metrics topic");
    assert_eq!((code, trouble.outcome.as_str()), (Some(1), "wrong"));
    assert!(trouble.detail.contains("is compacted"), "{trouble:?}");
    assert_eq!(trouble.remedy.as_deref(), Some("set its cleanup.policy to delete"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storage_that_cannot_be_reached_is_named_with_the_settings_to_look_at_and_all_else_is_examined() {
    let mut serving = on_shared_redis("doctor-no-storage").await;
    serving.s3_url = NOBODY.to_owned();
    let (code, told) = examined(&serving).await;
    let trouble = the_trouble(&told, "storage");
    assert_eq!((code, trouble.outcome.as_str()), (Some(1), "wrong"));
    assert!(trouble.detail.contains(NOBODY), "{trouble:?}");
    let remedy = trouble.remedy.as_deref().unwrap_or_default();
    assert!(remedy.contains("start it") && remedy.contains("storage.endpoint_url"), "{trouble:?}");
    assert!(!trouble.detail.contains(remedy), "the remedy is told once: {trouble:?}");
    assert!(told.iter().any(|it| it.what == "redis eviction"), "{told:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_secret_is_told_with_its_setting_and_not_shown() {
    const WRONG: &str = "hunter2-is-no-secret-of-this-store";
    let serving = on_shared_redis("doctor-secret").await;
    let mut command = serving.command(&["doctor", "--json"]);
    command.env("HIGHWATER_STORAGE_SECRET_ACCESS_KEY", WRONG);
    let output = tokio::task::spawn_blocking(move || command.output()).await.expect("no panic").expect("it starts");
    let (code, told) = of(&output);
    let trouble = the_trouble(&told, "storage");
    assert_eq!((code, trouble.outcome.as_str()), (Some(1), "wrong"));
    assert!(trouble.detail.contains("storage.secret_access_key"), "{trouble:?}");
    assert_eq!(trouble.remedy, None, "the store runs, so there is nothing to start: {trouble:?}");
    assert!(!format!("{output:?}").contains(WRONG));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_of_redis_is_told_with_its_setting_and_not_shown() {
    let redis = RedisServer::start_with(&["--requirepass", PASSWORD], &[]).await;
    let mut serving = on_shared_redis("doctor-redis-password").await;
    serving.redis_url = format!("redis://:hunter2@{}/0", redis.address());
    let (code, told) = examined(&serving).await;
    let trouble = the_trouble(&told, "redis");
    assert_eq!((code, trouble.outcome.as_str()), (Some(1), "wrong"));
    assert!(trouble.detail.contains("check user and password in redis.url"), "{trouble:?}");
    assert_eq!(trouble.remedy, None, "the server runs, so there is nothing to start: {trouble:?}");
    assert!(!format!("{told:?}").contains("hunter2"), "{told:#?}");
}

/// What the doctor tells a user of a Kafka that lets nobody in unasked.
async fn examined_as(user: &str, password: &str, serving: &Serving) -> (Option<i32>, Vec<Told>) {
    let broker = GuardedKafka::shared().await;
    let settings = broker.login(ScramSha512, user, password);
    let mut command = serving.command(&["doctor", "--json"]);
    command
        .env("HIGHWATER_KAFKA_BOOTSTRAP_SERVERS", settings.bootstrap_servers.expect("servers"))
        .env("HIGHWATER_KAFKA_SECURITY_PROTOCOL", "sasl_ssl")
        .env("HIGHWATER_KAFKA_SASL_MECHANISM", "SCRAM-SHA-512")
        .env("HIGHWATER_KAFKA_SASL_USERNAME", user)
        .env("HIGHWATER_KAFKA_SASL_PASSWORD", password)
        .env("HIGHWATER_KAFKA_SSL_CA_LOCATION", broker.file("authority.pem"));
    of(&tokio::task::spawn_blocking(move || command.output()).await.expect("no panic").expect("it starts"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_user_of_kafka_may_not_do_is_told_with_what_to_allow() {
    let broker = GuardedKafka::shared().await;
    broker.add_user("patient", ScramSha512).await;
    let all = KafkaCluster::connect(broker.login(Plain, "plain", PASSWORD)).await.expect("a client");
    all.create_topic("patient-orders", 1, &[]).await.expect("a topic");
    all.create_topic("patient-metrics", 2, &[]).await.expect("the metrics topic");
    broker.allow("patient", &["Describe"], &["--topic", "patient-orders"]).await;
    broker.allow("patient", &["Describe", "DescribeConfigs"], &["--topic", "patient-metrics"]).await;
    let mut serving = on_shared_redis("doctor-rights").await;
    serving.include = "patient-orders".to_owned();
    serving.metrics_topic = "patient-metrics".to_owned();

    let (code, told) = examined_as("patient", PASSWORD, &serving).await;
    let troubles = told.iter().filter(|it| it.outcome != "good");
    let troubles: Vec<_> =
        troubles.map(|it| (&*it.what, &*it.outcome, it.remedy.as_deref().unwrap_or_default())).collect();
    let wanted = [
        ("metrics topic", "warning", "allow Write on the topic"),
        ("topics", "wrong", "allow Read and Describe on the topics that are backed up"),
        ("consumer group", "wrong", "allow Read on the group"),
    ];
    assert_eq!((code, &troubles[..]), (Some(1), &wanted[..]), "{told:#?}");

    let (code, told) = examined_as("patient", "hunter2", &serving).await;
    let trouble = the_trouble(&told, "kafka");
    assert_eq!((code, trouble.outcome.as_str()), (Some(1), "wrong"));
    assert!(trouble.detail.contains("kafka.sasl_password") && trouble.remedy.is_none(), "{trouble:?}");
    assert!(!format!("{told:?}").contains("hunter2"), "{told:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_location_and_a_redis_that_are_away_are_both_told() {
    let mut serving = on_shared_redis("doctor-away").await;
    serving.location = format!(
        "url = \"s3://nowhere/copy\"\nendpoint_url = {NOBODY:?}\nregion = {REGION:?}\naccess_key_id = {ACCESS_KEY:?}\nsecret_access_key = {SECRET_KEY:?}"
    );
    serving.redis_url = "redis://me:hunter2@127.0.0.1:1".to_owned();
    let (code, told) = examined(&serving).await;
    let wrong: Vec<_> = told.iter().filter(|it| it.outcome == "wrong").collect();
    let remedies: Vec<_> =
        wrong.iter().map(|it| (it.what.as_str(), it.remedy.as_deref().unwrap_or_default())).collect();
    assert_eq!((code, wrong.len()), (Some(1), 2), "{wrong:#?}");
    assert!(matches!(remedies[..], [("location", _), ("redis", "start it, or correct redis.url")]), "{remedies:#?}");
    assert!(remedies[0].1.contains("locations.site1"), "{remedies:#?}");
    assert!(!format!("{told:?}").contains("hunter2"), "{told:#?}");
}
