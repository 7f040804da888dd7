//! What is not backed up yet, how long Kafka keeps it, and what is said when it did not: on a real Kafka.

use std::{
    collections::BTreeMap,
    process::Output,
    time::{Duration, Instant},
};

use integration_tests::{
    agreement::{assert_exactly_once, assert_series, figures},
    eventually::eventually,
    kafka::Kafka,
    kafka_producer::NewRecord,
    load::{Produced, ProducedRecord},
    redis_server::RedisServer,
    serving::{Served, Serving},
};
use shared::{adapters::system_clock::SystemClock, ports::clock::Clock as _, record::Partition};

const WITHIN: Duration = Duration::from_secs(30);
/// All but the one who stores.
const METER: [&str; 2] = ["--only", "lag-monitor,metrics-consumer,metrics-aggregator,metrics-query"];
/// What Kafka keeps, in seconds.
const RETENTION_S: f64 = 600.0;
/// How old the records are that a test writes.
const AGE_S: i64 = 100;

async fn serving(base: &str, retention_ms: &str) -> (&'static Kafka, Serving) {
    let kafka = Kafka::shared().await;
    let redis = RedisServer::shared().await.new_database().url;
    (kafka, Serving::of_topic_with(&[("retention.ms", retention_ms)], base, kafka, &redis).await)
}

/// Writes so many records of 5 bytes to partition 0, each as old as a test likes it.
async fn produce(kafka: &Kafka, serving: &Serving, count: usize, age_s: i64) {
    let timestamp_ms = SystemClock.now().0 - age_s * 1_000;
    let record = || NewRecord::new("12345").partition(0).timestamp_ms(timestamp_ms);
    kafka.produce(&serving.topic, (0..count).map(|_| record()).collect()).await;
}

/// The series of partition 0, by the end of their names after `highwater_backup_`.
type Series = BTreeMap<String, f64>;

async fn series_when(served: &Served, what: &str, wanted: impl Fn(&Series) -> bool) -> Series {
    let ask = || async {
        let series = served.series().await?;
        let own =
            series.into_iter().filter(|(name, _)| !name.contains("partition=") || name.contains("partition=\"0\""));
        let short = |name: String| {
            name.split('{').next().unwrap_or_default().trim_start_matches("highwater_backup_").to_owned()
        };
        let series: Series = own.map(|(name, value)| (short(name), value)).collect();
        if wanted(&series) { Ok(series) } else { Err(format!("{series:?}")) }
    };
    eventually(what, WITHIN, ask).await
}

fn is(name: &'static str, value: f64) -> impl Fn(&Series) -> bool {
    move |series| series.get(name) == Some(&value)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn how_long_until_kafka_deletes_what_is_not_stored_is_told_before_and_the_loss_after() {
    let (kafka, serving) = serving("losses", "600000").await;
    produce(kafka, &serving, 5, AGE_S).await;
    let meter = serving.serve_with(&METER).await;
    let seen = series_when(&meter, "what is at risk", |series| series.contains_key("seconds_to_loss")).await;
    let (left, age) = (seen["seconds_to_loss"], seen["lag_seconds"]);
    assert!((RETENTION_S - AGE_S as f64 - 60.0..=RETENTION_S - AGE_S as f64).contains(&left), "{seen:?}");
    assert!((left + age - RETENTION_S).abs() < 0.001, "{seen:?}");
    assert_eq!((seen["lag_records"], seen["lag_bytes"]), (5.0, 25.0));
    meter.end().await;

    let began_s = SystemClock.now().0 as f64 / 1_000.0;
    let served = serving.serve().await;
    let safe = series_when(&served, "everything to be stored", is("lag_records", 0.0)).await;
    assert_eq!((safe["seconds_to_loss"], safe["lag_seconds"], safe["lag_bytes"]), (f64::INFINITY, 0.0, 0.0));
    assert!(safe["last_segment_timestamp_seconds"] >= began_s, "{safe:?}");
    assert_eq!((safe["gaps_total"], safe.get("last_gap_timestamp_seconds")), (0.0, None));
    served.end().await;

    // Retention goes on while nobody stores.
    produce(kafka, &serving, 10, AGE_S).await;
    kafka.delete_records_before(&serving.topic, 0, 12).await;
    let meter = serving.serve_with(&METER).await;
    series_when(&meter, "that it is losing", is("seconds_to_loss", 0.0)).await;
    meter.end().await;

    let served = serving.serve().await;
    let lost = series_when(&served, "the loss to be told", is("gaps_total", 1.0)).await;
    assert_eq!((lost["gap_offsets_total"], lost["lag_records"], lost["backup_state"]), (7.0, 0.0, 100.0), "{lost:?}");
    assert!(lost["last_gap_timestamp_seconds"] >= began_s, "{lost:?}");
    assert_eq!(lost["backup_sink_records_count"], 8.0);
    // While it runs, too.
    produce(kafka, &serving, 1, 0).await;
    series_when(&served, "what came then", is("backup_sink_records_count", 9.0)).await;
    served.end().await;

    let verified = serving.verify().await;
    let text = String::from_utf8_lossy(&verified.stdout).into_owned();
    assert!(verified.status.success() && text.contains("[5, 12): below_log_start, declared 2"), "{verified:?}");
    let listed = serving.run(&["segments", "--json"]).await;
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).expect("JSON");
    let gaps: Vec<_> = listed["segments"]
        .as_array()
        .expect("segments")
        .iter()
        .flat_map(|it| it["gaps"].as_array().cloned().unwrap_or_default())
        .collect();
    assert_eq!(gaps.len(), 1, "{listed}");
    assert_eq!(
        (&gaps[0]["from"], &gaps[0]["to"], &gaps[0]["cause"]),
        (&5.into(), &12.into(), &"below_log_start".into())
    );
    assert!(gaps[0]["declared_at"].as_f64().is_some_and(|at| at >= began_s * 1_000.0), "{gaps:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kafka_deletes_nothing_before_the_time_that_was_told() {
    let (kafka, serving) = serving("retention", "10000").await;
    produce(kafka, &serving, 5, 0).await;
    let meter = serving.serve_with(&METER).await;
    let told = series_when(&meter, "what is at risk", |series| series.contains_key("seconds_to_loss")).await;
    let told_at = Instant::now();
    assert!((0.0..=10.0).contains(&told["seconds_to_loss"]) && told["lag_records"] == 5.0, "{told:?}");
    let gone = series_when(&meter, "kafka to delete them", is("lag_records", 0.0)).await;
    assert_eq!(gone["seconds_to_loss"], f64::INFINITY, "nothing is left to lose");
    assert!(told_at.elapsed().as_secs_f64() >= told["seconds_to_loss"], "{told:?} after {:?}", told_at.elapsed());
    meter.end().await;
}

fn json(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// The offsets of partition 0 in the backup.
async fn stored_offsets(serving: &Serving) -> Vec<i64> {
    let cat = serving.run(&["cat", &serving.topic, "--partition", "0"]).await;
    let lines = String::from_utf8(cat.stdout).expect("UTF-8");
    let offset = |line: &str| serde_json::from_str::<serde_json::Value>(line).expect("a record")["offset"].as_i64();
    lines.lines().filter_map(offset).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_tail_is_said_everywhere_and_the_backup_goes_on_when_it_is_accepted() {
    let (kafka, serving) = serving("tails", "600000").await;
    let served = serving.serve().await;
    for (count, stored) in [(5, 5.0), (7, 12.0)] {
        produce(kafka, &serving, count, AGE_S).await;
        series_when(&served, "them to be stored", is("backup_sink_records_count", stored)).await;
        series_when(&served, "them to be told", is("lag_records", 0.0)).await;
    }
    served.end().await;
    let last = format!("{}/{}/1/0/00000000000000000005.kan", serving.backup, serving.topic);
    serving.delete_object(&last).await;
    // Of the 7 records Kafka has 4.
    kafka.delete_records_before(&serving.topic, 0, 8).await;

    let served = serving.serve().await;
    series_when(&served, "that it failed", is("backup_state", 901.0)).await;
    let verified = serving.verify().await;
    let text = String::from_utf8_lossy(&verified.stdout).into_owned();
    assert!(verified.status.code() == Some(1) && text.contains("missing_tail") && text.contains("[5, 12)"), "{text}");

    let shown = serving.run(&["accept-loss", "--json"]).await;
    assert_eq!(shown.status.code(), Some(1), "{shown:?}");
    let (shown, expected) = (json(&shown), (5, 12, 8, 4, 3));
    let loss = &shown["losses"][0];
    let number = |name: &str| loss[name].as_i64().expect(name);
    let names = ["frontier", "witness", "log_start", "fetched_again", "lost"];
    assert_eq!(names.map(number), <[i64; 5]>::from(expected));
    assert_eq!((&shown["schema"], &shown["accepted"]), (&"highwater.accept-loss.v1".into(), &false.into()));

    let refused = serving.run(&["accept-loss", "--range", "5..11"]).await;
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("5..12"), "{refused:?}");
    let accepted = serving.run(&["accept-loss", "--range", "5..12", "--json"]).await;
    assert_eq!((accepted.status.code(), &json(&accepted)["accepted"]), (Some(0), &true.into()), "{accepted:?}");

    let well = series_when(&served, "it to go on", is("backup_sink_records_count", 9.0)).await;
    assert_eq!((well["gaps_total"], well["gap_offsets_total"]), (1.0, 3.0), "{well:?}");
    series_when(&served, "that it runs", is("backup_state", 100.0)).await;
    produce(kafka, &serving, 1, 0).await;
    series_when(&served, "what came then", is("backup_sink_records_count", 10.0)).await;
    served.end().await;
    assert_eq!(stored_offsets(&serving).await, [0, 1, 2, 3, 4, 8, 9, 10, 11, 12]);
    let verified = serving.verify().await;
    let text = String::from_utf8_lossy(&verified.stdout).into_owned();
    assert!(verified.status.success() && text.contains("[5, 8): tail_missing_accepted"), "{text}");
    let none = serving.run(&["accept-loss", "--yes"]).await;
    assert!(none.status.success(), "{none:?}");
}

/// Deletes what is ahead of a drain that is in the middle of it: what it had not fetched is a gap, and nothing else is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_kafka_deletes_in_the_middle_of_a_drain_is_one_gap_and_the_rest_is_stored() {
    // More than a drain holds in memory, so that it cannot have fetched everything.
    const RECORDS: usize = 14_000;
    const OTHERS: usize = 100;
    const KEPT: i64 = 100;
    const STEP: Duration = Duration::from_millis(25);
    let (kafka, mut serving) = serving("overtaken", "600000").await;
    serving.segment_bytes_max = "1MiB".to_owned();
    serving.kafka = "fetch_ahead_bytes_max = \"1MiB\"\n".to_owned();
    let value = |n: usize| format!("{n}-{}", "x".repeat(10_000));
    let partition = |n: usize| i32::from(n >= RECORDS);
    let records = (0..RECORDS + OTHERS).map(|n| NewRecord::new(value(n)).partition(partition(n))).collect();
    let placed = kafka.produce(&serving.topic, records).await;
    let end = i64::try_from(RECORDS).expect("a small number");
    let deleted_to = end - KEPT;
    let stored_to = async || serving.frontiers().await.get(&Partition(0)).copied().unwrap_or_default();

    let began_ms = SystemClock.now().0;
    let mut drain = serving.start(&["backup"]);
    // Step by step, so that it does not fetch everything before it is seen to have stored something.
    let stored = eventually("the drain to have stored something", WITHIN, || async {
        drain.go_on();
        tokio::time::sleep(STEP).await;
        drain.hold();
        let stored = stored_to().await;
        if stored > 0 { Ok(stored) } else { Err(stored.to_string()) }
    })
    .await;
    kafka.delete_records_before(&serving.topic, 0, deleted_to).await;
    drain.go_on();
    let status = drain.ended(WITHIN).await;
    assert!(status.success(), "{status}: {}", drain.output().join("\n"));

    let listed = json(&serving.run(&["segments", "--json"]).await);
    let segments = listed["segments"].as_array().expect("segments");
    let gaps: Vec<_> = segments.iter().flat_map(|it| it["gaps"].as_array().cloned().unwrap_or_default()).collect();
    let [gap] = gaps.as_slice() else { panic!("{gaps:?}") };
    let number = |name: &str| gap[name].as_i64().expect("a number");
    let (from, to) = (number("from"), number("to"));
    assert!(stored <= from && from < to && to == deleted_to, "{gap} after {stored} were stored");
    assert_eq!(gap["cause"], "below_log_start");
    assert!((began_ms..=SystemClock.now().0).contains(&number("declared_at")), "{gap}");

    let records = placed.iter().enumerate().map(|(n, placed)| {
        let value = value(n);
        let size_bytes = value.len() as u64;
        ProducedRecord { partition: placed.partition, offset: placed.offset, value, size_bytes }
    });
    let is_kept = |record: &ProducedRecord| record.partition != 0 || !(from..to).contains(&record.offset);
    let produced = Produced { records: records.filter(is_kept).collect(), ..Produced::default() };
    let segments = assert_exactly_once(&serving, &produced).await;
    let served = serving.serve().await;
    let mut expected = figures(&serving, &produced, &segments);
    let of_topic = |name: &str| format!("highwater_backup_{name}{{topic={:?}}}", serving.topic);
    expected.insert(of_topic("gaps_total"), 1.0);
    expected.insert(of_topic("gap_offsets_total"), (to - from) as f64);
    assert_series(&served, &expected).await;
    served.end().await;
    let verified = serving.verify().await;
    let text = String::from_utf8_lossy(&verified.stdout).into_owned();
    assert!(verified.status.success() && text.contains(&format!("[{from}, {to}): below_log_start")), "{text}");
    println!("{stored} were stored when Kafka deleted up to {to}; [{from}, {to}) is the gap");
}
