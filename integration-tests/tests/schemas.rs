//! Schemas through the real binary: from one registry into the bucket, and into another. Both are the embedded one, behind
//! Confluent's API; the port's suite runs against it over HTTP and without.

use std::{process::Output, sync::Arc};

use bytes::Bytes;
use integration_tests::{
    backup::{TestBackup, drain},
    conformance::registry::run,
    highwater::highwater,
    kafka::Kafka,
    kafka_producer::NewRecord,
    s3_server::{ACCESS_KEY, REGION, S3Server, SECRET_KEY},
};
use local_runner::dev::registry::DevRegistry;
use shared::{
    adapters::{memory::registry::MemoryRegistry, registry::HttpRegistry},
    config::RegistrySettings,
    ports::registry::{Registry as _, Schema, Setting},
};

async fn registry() -> DevRegistry {
    DevRegistry::start(Arc::new(MemoryRegistry::default())).await.expect("a free port")
}

fn client(url: &str) -> HttpRegistry {
    HttpRegistry::new("schema_registry", &RegistrySettings::at(url)).expect("a client")
}

/// `highwater schemas` with these arguments.
async fn schemas(config: &str, args: &[&str]) -> (Output, String) {
    let mut command = highwater(["schemas"].iter().chain(args).copied());
    command.env("HIGHWATER_CONFIG", config);
    let output = tokio::task::spawn_blocking(move || command.output()).await.expect("no panic").expect("it starts");
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output, text)
}

#[tokio::test]
async fn the_registry_in_memory_does_what_every_registry_does() {
    run(&MemoryRegistry::default()).await;
}

#[tokio::test]
async fn the_http_adapter_does_what_every_registry_does_against_the_embedded_one() {
    let embedded = registry().await;
    run(&client(&embedded.url())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn schemas_are_backed_up_checked_and_restored_with_their_ids_or_with_a_map() {
    let (source, target) = (registry().await, registry().await);
    for text in ["\"string\"", "\"bytes\""] {
        source.registry.register("orders-value", &Schema::avro(text, &[]), None).await.expect("an answer");
    }
    source.registry.delete("orders-value", 1).await.expect("an answer");
    source.registry.set(Setting::Compatibility, Some("orders-value"), Some("FULL"), false).await.expect("an answer");
    let s3 = S3Server::shared().await;
    let (bucket, s3_url) = (s3.new_bucket("schemas").await, s3.endpoint_url());
    let config = |target: &DevRegistry| {
        format!(
            "[storage]\nurl = \"s3://{bucket}/prefix\"\nendpoint_url = {s3_url:?}\nregion = {REGION:?}\n\
             access_key_id = {ACCESS_KEY:?}\nsecret_access_key = {SECRET_KEY:?}\n\
             [schema_registry]\nurl = {:?}\n[target_schema_registry]\nurl = {:?}\n",
            source.url(),
            target.url()
        )
    };
    let here = config(&target);
    for (args, said) in [
        (&["backup"][..], "1 subjects with 2 versions, 2 of them new"),
        (&["backup"], "nothing has changed"),
        (&["verify"], "good: 1 snapshots"),
        (&["restore", "--dry-run"], "2 versions would be written, 0 are there"),
        (&["restore"], "2 versions written, 0 were there"),
        (&["restore"], "0 versions written, 2 were there"),
    ] {
        let (output, text) = schemas(&here, args).await;
        assert!(output.status.success() && text.contains(said), "{args:?}: {}: {text}", output.status);
    }
    assert_eq!(target.registry.versions("orders-value", false).await.expect("an answer"), [2]);
    assert_eq!(target.registry.versions("orders-value", true).await.expect("an answer"), [1, 2]);
    let level = target.registry.setting(Setting::Compatibility, Some("orders-value")).await.expect("an answer");
    assert_eq!(level.as_deref(), Some("FULL"));

    let other = registry().await;
    other.registry.register("theirs", &Schema::avro("\"double\"", &[]), None).await.expect("an answer");
    let there = config(&other);
    let (output, text) = schemas(&there, &["restore"]).await;
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("id 1 is another schema in the target, version 1 of theirs"), "{text}");
    let (output, text) = schemas(&there, &["restore", "--map-ids", "copy"]).await;
    assert!(output.status.success() && text.contains("id       2 is 3 there"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_are_restored_with_the_ids_that_their_schemas_have_in_the_other_registry() {
    let (source, target) = (registry().await, registry().await);
    for text in ["\"string\"", "\"bytes\""] {
        source.registry.register("orders-value", &Schema::avro(text, &[]), None).await.expect("an answer");
    }
    target.registry.register("theirs", &Schema::avro("\"double\"", &[]), None).await.expect("an answer");
    let (kafka, s3) = (Kafka::shared().await, S3Server::shared().await);
    let topic = kafka.new_topic("schema-ids", 1, &[]).await;
    let values =
        [Some(framed(1, "a")), None, Some(framed(2, "b")), Some(Bytes::from_static(b"\0\0")), Some(framed(1, ""))];
    let record = |value: &Option<Bytes>| {
        let key = Some(framed(1, "key"));
        NewRecord { key, value: value.clone(), ..NewRecord::new("") }.partition(0)
    };
    kafka.produce(&topic, values.iter().map(record).collect()).await;
    let bucket = s3.new_bucket("schema-ids").await;
    assert!(drain(&TestBackup::in_bucket(&bucket, &topic, 20_000).await.function()).await.complete());
    let config = format!(
        "[target]\nbootstrap_servers = {:?}\n[storage]\nurl = \"s3://{bucket}/prefix\"\nendpoint_url = {:?}\nregion = {REGION:?}\n\
         access_key_id = {ACCESS_KEY:?}\nsecret_access_key = {SECRET_KEY:?}\n\
         [schema_registry]\nurl = {:?}\n[target_schema_registry]\nurl = {:?}\n",
        kafka.bootstrap_servers(),
        s3.endpoint_url(),
        source.url(),
        target.url()
    );
    for args in [&["backup"][..], &["restore", "--map-ids", "copy"]] {
        let (output, text) = schemas(&config, args).await;
        assert!(output.status.success(), "{args:?}: {text}");
    }

    let folder = tempfile::tempdir().expect("a folder");
    let (plan, copy) = (folder.path().join("plan.toml"), format!("{topic}-copy"));
    let text = format!(
        "[schema_ids]\nmap = \"copy\"\ntopics = {{ {topic:?} = [\"value\"] }}\n[[topics]]\nsource = {topic:?}\ntarget = {copy:?}\n"
    );
    std::fs::write(&plan, text).expect("the plan is written");
    let mut command = highwater(["restore", &plan.to_string_lossy(), "--json"]);
    command.env("HIGHWATER_CONFIG", &config);
    let output = tokio::task::spawn_blocking(move || command.output()).await.expect("no panic").expect("it starts");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    assert!(said.contains(r#""schema_ids":{"rewritten":3,"without":2,"kept":0,"dropped":0}"#), "{said}");

    let id = async |version| {
        let found = target.registry.version("orders-value", version).await.expect("an answer").expect("the version");
        found.id
    };
    let (first, second) = (id(1).await, id(2).await);
    assert!(first != 1 && second != 2, "the ids are others there: {first}, {second}");
    let restored = kafka.read(&copy).await.remove(&0).expect("the partition");
    let expected = [
        Some(framed(first, "a")),
        None,
        Some(framed(second, "b")),
        Some(Bytes::from_static(b"\0\0")),
        Some(framed(first, "")),
    ];
    assert_eq!(restored.iter().map(|record| record.value.clone()).collect::<Vec<_>>(), expected);
    assert!(restored.iter().all(|record| record.key == Some(framed(1, "key"))), "keys were not named");
}

/// A value as a serializer of this registry writes it.
fn framed(id: u32, text: &str) -> Bytes {
    [&[0][..], &id.to_be_bytes(), text.as_bytes()].concat().into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs two real registries: ./just apicurio starts them"]
async fn real_registries_are_backed_up_and_restored_with_a_map() {
    let urls = std::env::var("HIGHWATER_TEST_REGISTRIES").expect("the addresses of two empty registries");
    let urls: Vec<_> = urls.split(' ').collect();
    let (source, target) = (client(urls[0]), client(urls[1]));
    let record = |fields: &str| format!(r#"{{"type":"record","name":"O","fields":[{fields}]}}"#);
    let field = r#"{"name":"a","type":"int"}"#;
    let more = format!(r#"{field},{{"name":"b","type":"string","default":"x"}}"#);
    let (one, two) = (Schema::avro(&record(field), &[]), Schema::avro(&record(&more), &[]));
    let named = Schema::avro(r#"{"type":"enum","name":"com.E","symbols":["A"]}"#, &[]);
    let refers = r#"{"type":"record","name":"com.R","fields":[{"name":"f","type":"com.E"}]}"#;
    let refers = Schema::avro(refers, &[("com.E", "named", 1)]);
    for (subject, schema) in [("orders", &one), ("orders", &two), ("named", &named), ("refers", &refers)] {
        source.register(subject, schema, None).await.expect("it is registered");
    }
    target
        .register("theirs", &Schema::avro(r#"{"type":"enum","name":"T","symbols":["Z"]}"#, &[]), None)
        .await
        .expect("it is");
    let s3 = S3Server::shared().await;
    let config = format!(
        "[storage]\nurl = \"s3://{}/prefix\"\nendpoint_url = {:?}\nregion = {REGION:?}\naccess_key_id = {ACCESS_KEY:?}\n\
         secret_access_key = {SECRET_KEY:?}\n[schema_registry]\nurl = {:?}\n[target_schema_registry]\nurl = {:?}\n",
        s3.new_bucket("apicurio").await,
        s3.endpoint_url(),
        urls[0],
        urls[1]
    );
    for (args, said) in [
        (&["backup"][..], "3 subjects with 4 versions, 4 of them new"),
        (&["backup"], "nothing has changed"),
        (&["verify"], "good: 1 snapshots"),
        (&["restore", "--map-ids", "copy"], "4 versions written, 0 were there"),
        (&["restore", "--map-ids", "copy"], "0 versions written, 4 were there"),
    ] {
        let (output, text) = schemas(&config, args).await;
        assert!(output.status.success() && text.contains(said), "{args:?}: {}: {text}", output.status);
    }
    for (subject, version) in [("orders", 1), ("orders", 2), ("named", 1), ("refers", 1)] {
        let of = async |registry: &HttpRegistry| {
            registry.version(subject, version).await.expect("an answer").expect("the version is there")
        };
        let (here, there) = (of(&source).await, of(&target).await);
        assert!(here.schema.is_same(&there.schema) && here.id != there.id, "{here:?}, {there:?}");
    }
    let (output, text) = schemas(&config, &["restore"]).await;
    assert!(output.status.code() == Some(1) && text.contains("knows no modes"), "{text}");
}
