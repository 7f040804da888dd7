//! The whole system of programs as they are packaged, each in a process of its own that is kept as AWS Lambda keeps it.

use std::{fs, path::Path, time::Duration};

use integration_tests::{
    agreement::assert_nothing_lost_and_the_meter_agrees, eventually::eventually, kafka::Kafka,
    kafka_guarded::GuardedKafka, load::Load, programs::binary, redis_server::RedisServer, serving::Serving,
};
use shared::config::kafka::SaslMechanism;

const WITHIN: Duration = Duration::from_secs(60);
const WRITER: &str = "segment-writer";

/// Over TLS, by a password, with the access rules that docs/permissions.md has for a backup and its figures.
async fn log_in_by_the_documented_acls(broker: &GuardedKafka, serving: &mut Serving) {
    let user = "functions";
    broker.add_user(user, SaslMechanism::ScramSha512).await;
    broker.allow(user, &["Describe", "DescribeConfigs", "Read"], &["--topic", &serving.topic]).await;
    broker.allow(user, &["Describe", "Read", "Write"], &["--topic", &serving.metrics_topic]).await;
    for group in [&*format!("highwater.{}", serving.backup), "backbeat-metrics-group"] {
        broker.allow(user, &["Read"], &["--group", group]).await;
    }
    serving.kafka = broker.section(user);
}

/// The processes of that name that a process has started.
fn children(parent: u32, name: &str) -> Vec<u32> {
    let processes = fs::read_dir("/proc").expect("the processes").flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let is_child = |pid: &u32| {
        let stat = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")).unwrap_or_default();
        let Some((begin, rest)) = stat.rsplit_once(')') else { return false };
        begin.ends_with(&format!("({name}")) && rest.split_whitespace().nth(1) == Some(&parent.to_string())
    };
    numbers.filter(is_child).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn packaged_functions_carry_a_topic_from_kafka_to_the_metrics_and_one_that_is_killed_is_started_again() {
    let (broker, redis) = (GuardedKafka::shared().await, RedisServer::shared().await);
    let kafka = &broker.kafka();
    let mut serving = Serving::new("emulated", kafka, &redis.new_database().url).await;
    log_in_by_the_documented_acls(broker, &mut serving).await;
    let programs = binary(WRITER);
    let folder = programs.parent().expect("programs are in a folder").to_str().expect("a path that is text");
    let load = Load::start(kafka, &serving, 5).await;
    let served = serving.serve_with(&["--emulate", folder]).await;
    let stored = async || serving.frontiers().await.values().sum::<i64>();
    eventually("records to be stored", WITHIN, || async {
        if stored().await > 0 { Ok(()) } else { Err("none so far".to_owned()) }
    })
    .await;

    let [writer] = children(served.process.id(), WRITER)[..] else { panic!("it has one segment-writer") };
    std::process::Command::new("kill").args(["-KILL", &writer.to_string()]).status().expect("kill runs");
    let before = stored().await;
    eventually("another process to go on", WITHIN, || async {
        let goes_on = stored().await > before && children(served.process.id(), WRITER).iter().any(|it| *it != writer);
        if goes_on { Ok(()) } else { Err(format!("{before} records are stored")) }
    })
    .await;

    let paused = served.post(&format!("/_/highwater/api/pause/{}", serving.backup)).await.expect("an answer");
    assert_eq!(paused.status, 200, "{}", paused.body);
    let resumed = served.post(&format!("/_/highwater/api/resume/{}", serving.backup)).await.expect("an answer");
    assert_eq!(resumed.status, 200, "{}", resumed.body);

    let produced = load.end().await;
    assert_nothing_lost_and_the_meter_agrees(&serving, &served, &produced).await;
    println!("{} records exactly once", produced.records.len());
    served.end().await;
}

#[tokio::test]
async fn a_folder_without_a_package_is_refused_with_its_name() {
    let (kafka, redis) = (Kafka::shared().await, RedisServer::shared().await);
    let serving = Serving::new("unpackaged", kafka, &redis.new_database().url).await;
    let folder = tempfile::tempdir().expect("a folder");
    let refused = serving.run(&["serve", "--emulate", folder.path().to_str().expect("text")]).await;
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("no package of ") && said.contains("./just package"), "{said}");
}
