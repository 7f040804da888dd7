//! A filter under `serve`: what it leaves out is counted once, whatever crashes; what it keeps is there exactly once.

use std::{collections::BTreeMap, os::unix::process::ExitStatusExt as _, time::Duration};

use integration_tests::{
    agreement::assert_exactly_once, eventually::eventually, highwater::highwater, kafka::Kafka, load::Load,
    redis_server::RedisServer, serving::Serving,
};

const SIGABRT: i32 = 6;
const WITHIN: Duration = Duration::from_secs(90);
/// A load's values are `<number>-<padding>`, and no JSON.
const KEEP: &str = "!value.matches('^[0-9]*[05]-') && headers['n'] == 'header'";

fn keeps(value: &str) -> bool {
    let number = value.split('-').next().unwrap_or_default();
    !number.ends_with(['0', '5'])
}

async fn serving(base: &str, kafka: &Kafka, topics: &str, keep: &str) -> Serving {
    let mut serving = Serving::new(base, kafka, &RedisServer::shared().await.new_database().url).await;
    serving.more = format!("[[backups.{}.filters]]\ntopics = {topics:?}\nkeep = {keep:?}\n", serving.backup);
    serving
}

async fn wait_for(served: &integration_tests::serving::Served, expected: BTreeMap<String, f64>) {
    eventually(&format!("{expected:?}"), WITHIN, || async {
        let series = served.series().await?;
        let found: Vec<_> = expected.keys().map(|name| series.get(name)).collect();
        if expected.values().map(Some).eq(found.iter().copied()) { Ok(()) } else { Err(format!("{found:?}")) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_filter_leaves_out_is_counted_once_whatever_crashes() {
    let kafka = Kafka::start().await;
    let serving = serving("filtered", &kafka, "*", KEEP).await;
    let load = Load::start(&kafka, &serving, 1).await;
    let mut armed = serving.serve_until("after-put", 5);
    assert_eq!(armed.ended(WITHIN).await.signal(), Some(SIGABRT), "{}", armed.output().join("\n"));

    let served = serving.serve().await;
    let mut produced = load.end().await;
    let all = produced.records.len();
    produced.records.retain(|record| keeps(&record.value));
    let of_topic = |name: &str, value: usize| (format!("{name}{{topic={:?}}}", serving.topic), value as f64);
    let kept = produced.records.len();
    let expected = BTreeMap::from([
        of_topic("backup_sink_records_count", kept),
        of_topic("backup_sink_records_filtered_count", all - kept),
        of_topic("highwater_filter_errors_total", 0),
        of_topic("backup_topic_progress", 1),
    ]);
    assert!(kept > 0 && kept < all, "{kept} of {all}");
    wait_for(&served, expected).await;
    assert_exactly_once(&serving, &produced).await;
    assert_eq!(serving.verify().await.status.code(), Some(0));
    served.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_filter_cannot_judge_is_kept_and_a_topic_may_keep_nothing_else() {
    let kafka = Kafka::shared().await;
    let serving = serving("undecided", kafka, "undecided-*", "offset % 2 == 1 && value.json.amount > 10").await;
    let load = Load::start(kafka, &serving, 2).await;
    let served = serving.serve().await;
    let mut produced = load.end().await;
    let all = produced.records.len();
    produced.records.retain(|record| record.offset % 2 == 1);
    let of_topic = |name: &str, value: usize| (format!("{name}{{topic={:?}}}", serving.topic), value as f64);
    let kept = produced.records.len();
    wait_for(
        &served,
        BTreeMap::from([
            of_topic("highwater_filter_errors_total", kept),
            of_topic("backup_sink_records_count", kept),
            of_topic("backup_sink_records_filtered_count", all - kept),
        ]),
    )
    .await;
    assert_exactly_once(&serving, &produced).await;
    served.end().await;
}

#[test]
fn a_filter_that_does_not_compile_is_an_error_of_the_configuration() {
    let config = "[kafka]\nbootstrap_servers = \"127.0.0.1:1\"\n[storage]\nurl = \"s3://none\"\n[redis]\nurl = \"redis://127.0.0.1:1\"\n\
        [backups.main]\ntopics = { include = [\"*\"] }\n[[backups.main.filters]]\ntopics = \"orders-*\"\nkeep = \"value.amount > 1\"\n";
    for (command, code) in [("serve", 2), ("backup", 2), ("config", 1)] {
        let args: &[&str] = if command == "config" { &["config", "check"] } else { &[command] };
        let output =
            highwater(args.iter().copied()).env("HIGHWATER_CONFIG", config).output().expect("highwater starts");
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        assert_eq!(output.status.code(), Some(code), "{command}: {said}");
        for part in ["backups.main.filters[0]", "orders-*", "value.amount > 1", "line 1, column 6", "value.json.amount"]
        {
            assert!(said.contains(part), "{command} does not say {part}: {said}");
        }
    }
}
