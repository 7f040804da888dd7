//! The two promises, checked on what `serve` left behind: every record is stored exactly once, which DuckDB decides; and
//! the meter, `verify` and the storage agree.

use std::{collections::BTreeMap, fmt::Write as _, path::Path, process::Command, time::Duration};

use serde::Deserialize;

use crate::{
    eventually::eventually,
    load::Produced,
    programs,
    s3_server::S3Server,
    serving::{Served, Serving},
};

const EXACTLY_ONCE: &str = include_str!("../fixtures/exactly_once.py");
/// A dead member's session, the age of a segment and some refreshes, on a busy machine.
const AGREED_WITHIN: Duration = Duration::from_secs(90);

/// Waits until `served` has stored everything, and checks every promise.
pub async fn assert_nothing_lost_and_the_meter_agrees(serving: &Serving, served: &Served, produced: &Produced) {
    everything_is_stored(serving, served, produced).await;
    let segments = assert_exactly_once(serving, produced).await;
    assert_the_meter_agrees(serving, served, produced, &segments).await;
    assert_verified(serving).await;
}

/// What `highwater verify` finds is good.
pub async fn assert_verified(serving: &Serving) {
    let verified = serving.verify().await;
    let said = [verified.stdout, verified.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert_eq!(verified.status.code(), Some(0), "highwater verify: {said}");
}

/// A `.kan` object: its key in the bucket and its size.
pub struct StoredSegment {
    key: String,
    size_bytes: u64,
}

/// Waits until `served` has stored everything.
pub async fn everything_is_stored(serving: &Serving, served: &Served, produced: &Produced) {
    let name = format!("backup_sink_records_count_total{{topic={:?}}}", serving.topic);
    let expected = produced.records.len() as f64;
    eventually(&format!("{name} to be {expected}"), AGREED_WITHIN, || async {
        let found = served.series().await?.get(&name).copied();
        if found == Some(expected) { Ok(()) } else { Err(format!("it is {found:?}")) }
    })
    .await;
}

/// Compares what was acknowledged with what the segments hold, record by record; gives the segments.
pub async fn assert_exactly_once(serving: &Serving, produced: &Produced) -> Vec<StoredSegment> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let segments = download(serving, folder.path()).await;
    let mut lines = String::new();
    for record in &produced.records {
        writeln!(lines, "{},{},{}", record.partition, record.offset, record.value).expect("a text takes any writing");
    }
    std::fs::write(folder.path().join("produced.csv"), lines).expect("what was produced as a file");

    let found = compare(folder.path());
    let records = produced.records.len() as u64;
    assert_eq!(found, Found { stored: records, missing: 0, extra: 0 }, "{records} records were produced");
    segments
}

/// What DuckDB finds.
#[derive(Debug, PartialEq, Eq, Deserialize)]
struct Found {
    /// Records in all segments.
    stored: u64,
    /// Records that were produced and are not stored, or not where they lie in Kafka.
    missing: u64,
    /// Records that were stored twice, or never produced.
    extra: u64,
}

fn compare(folder: &Path) -> Found {
    let mut python = Command::new(programs::python_tool("python"));
    let output = python.args(["-c", EXACTLY_ONCE]).arg(folder).output().expect("python with duckdb");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    serde_json::from_str(&said)
        .unwrap_or_else(|error| panic!("{error}: {said}{}", String::from_utf8_lossy(&output.stderr)))
}

/// The keys of all segments in the bucket, by a client that is not ours.
pub async fn segment_keys(serving: &Serving) -> Vec<String> {
    let client = S3Server::shared().await.client();
    let mut pages = client.list_objects_v2().bucket(&serving.bucket).into_paginator().send();
    let mut keys = vec![];
    while let Some(page) = pages.next().await {
        let page = page.expect("a listing");
        keys.extend(page.contents().iter().filter_map(|object| object.key().map(str::to_owned)));
    }
    keys.retain(|key| Path::new(key).extension().is_some_and(|extension| extension == "kan"));
    keys
}

/// All segments of the backup as files.
async fn download(serving: &Serving, folder: &Path) -> Vec<StoredSegment> {
    let client = S3Server::shared().await.client();
    let mut segments = vec![];
    for key in segment_keys(serving).await {
        let got = client.get_object().bucket(&serving.bucket).key(&key).send().await.expect("a segment");
        let bytes = got.body.collect().await.expect("a whole segment").into_bytes();
        let path = folder.join(&key);
        std::fs::create_dir_all(path.parent().expect("a key has folders")).expect("a folder");
        std::fs::write(path, &bytes).expect("a segment as a file");
        segments.push(StoredSegment { key, size_bytes: bytes.len() as u64 });
    }
    segments
}

/// `/metrics` says of the topic what the storage holds, and `:8900` what the events said.
async fn assert_the_meter_agrees(serving: &Serving, served: &Served, produced: &Produced, segments: &[StoredSegment]) {
    assert_series(served, &figures(serving, produced, segments)).await;
    let expected = (produced.pending_ops, produced.pending_bytes);
    eventually("pending operations to be what the events said", AGREED_WITHIN, || async {
        let found = served.pending().await?;
        if found == expected { Ok(()) } else { Err(format!("{found:?}, not {expected:?}")) }
    })
    .await;
}

/// Waits until `/metrics` has these series.
pub async fn assert_series(served: &Served, expected: &BTreeMap<String, f64>) {
    eventually("the meter to agree with the storage", AGREED_WITHIN, || async {
        let series = served.series().await?;
        let wrong: Vec<_> = expected.iter().filter(|(name, value)| series.get(*name) != Some(*value)).collect();
        let found: Vec<_> = wrong.iter().map(|(name, _)| (name, series.get(*name))).collect();
        if wrong.is_empty() { Ok(()) } else { Err(format!("expected {wrong:?}, found {found:?}")) }
    })
    .await;
}

/// The series of a topic of which everything is stored.
pub fn figures(serving: &Serving, produced: &Produced, segments: &[StoredSegment]) -> BTreeMap<String, f64> {
    let topic = &serving.topic;
    let of_topic = |name: &str, value: u64| (format!("{name}{{topic={topic:?}}}"), value as f64);
    let records = produced.records.len() as u64;
    let record_bytes = produced.records.iter().map(|record| record.size_bytes).sum();
    let stored_bytes = segments.iter().map(|segment| segment.size_bytes).sum();
    assert!(segments.iter().all(|segment| segment.key.contains(topic.as_str())), "one topic is backed up");
    let mut figures = BTreeMap::from([
        of_topic("backup_sink_records_count", records),
        of_topic("backup_sink_records_count_total", records),
        of_topic("backup_sink_records_size", record_bytes),
        of_topic("backup_sink_records_size_total", record_bytes),
        of_topic("backup_sink_bytes_count", stored_bytes),
        of_topic("backup_sink_bytes_count_total", stored_bytes),
        of_topic("backup_sink_segments_count", segments.len() as u64),
        of_topic("backup_sink_segments_count_total", segments.len() as u64),
        of_topic("backup_topic_progress", 1),
        of_topic("backup_state", 100),
        of_topic("highwater_job_stale", 0),
    ]);
    for record in &produced.records {
        let labels = format!("{{topic={topic:?},partition=\"{}\"}}", record.partition);
        let last = figures.entry(format!("backup_sink_offset{labels}")).or_insert(-1.0);
        *last = last.max(record.offset as f64);
        figures.insert(format!("backup_topic_partition_progress{labels}"), 1.0);
    }
    figures
}
