//! Schemas through the real binary: from one registry into the bucket, and into another. Both are the embedded one, behind
//! Confluent's API; the port's suite runs against it over HTTP and without.

use std::{process::Output, sync::Arc};

use integration_tests::{
    conformance::registry::run,
    highwater::highwater,
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
    run(&HttpRegistry::new(&RegistrySettings::at(embedded.url()))).await;
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
