//! What `--json` prints of the real binary: one object on one line, with the name of its schema. docs/json.md has the fields,
//! and unit tests of local-runner compare them.

use integration_tests::{kafka::Kafka, kafka_producer::NewRecord, serving::PARTITIONS};
use serde_json::Value;

use crate::doctor::on_shared_redis;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_command_that_answers_prints_one_object_on_one_line_with_the_name_of_its_schema() {
    let serving = on_shared_redis("json").await;
    let record = |number: i32| NewRecord::new(format!("value {number}")).partition(number % PARTITIONS);
    Kafka::shared().await.produce(&serving.topic, (0..100).map(record).collect()).await;
    let (folder, topic) = (tempfile::tempdir().expect("a folder"), serving.topic.as_str());
    let folder = folder.path().join("out").to_string_lossy().into_owned();
    // Nothing serves, so that nobody is healthy.
    let commands: [(&[&str], i32, &str); 18] = [
        (&["backup"], 0, "backup"),
        (&["topics"], 0, "topics"),
        (&["segments", topic], 0, "segments"),
        (&["sql", topic], 0, "sql"),
        (&["groups"], 0, "groups"),
        (&["verify"], 0, "verify"),
        (&["restore", "--topic", topic, "--suffix=-copy", "--dry-run"], 0, "restore"),
        (&["restore", "--topic", topic, "--suffix=-copy"], 0, "restore"),
        (&["restore", "--topic", topic, "--into-files", &folder], 0, "restore_files"),
        (&["drill"], 0, "drill"),
        (&["replicate", "--existing"], 0, "replicate"),
        (&["accept-loss"], 0, "accept-loss"),
        (&["pause"], 0, "control"),
        (&["resume"], 0, "control"),
        (&["health"], 1, "health"),
        (&["config", "check"], 0, "config"),
        (&["config", "reference"], 0, "config-reference"),
        (&["metrics", "reference"], 0, "metrics-reference"),
    ];
    for (args, code, schema) in commands {
        let args: Vec<&str> = args.iter().chain(&["--json"]).copied().collect();
        let output = serving.run(&args).await;
        assert_eq!(output.status.code(), Some(code), "{args:?}: {output:?}");
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(text.lines().count(), 1, "{args:?}: {text}");
        let answer: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{args:?}: {error}: {text}"));
        assert_eq!(answer["schema"], format!("highwater.{schema}.v1"), "{args:?}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_cannot_do_what_it_was_asked_leaves_standard_output_empty_and_says_why_on_standard_error() {
    let serving = on_shared_redis("json-failure").await;
    let output = serving.run(&["segments", "nothing-of-that-name", "--json"]).await;
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.stdout.is_empty() && told.contains("nothing-of-that-name"), "{output:?}");
}
