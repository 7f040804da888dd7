//! A restore into files through the real binary, which is told of no Kafka.

use std::{path::Path, process::Command, time::Duration};

use integration_tests::{
    backup::{TestBackup, drain},
    highwater::highwater,
    kafka::Kafka,
    kafka_producer::NewRecord,
    process::Process,
    s3_server::{ACCESS_KEY, REGION, S3Server, SECRET_KEY},
};

const ENDS_WITHIN: Duration = Duration::from_secs(60);
const RECORDS: i32 = 400;

/// The files below a folder, with their names within it, in order.
fn files(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return vec![] };
    let mut found = vec![];
    for path in entries.map(|entry| entry.expect("an entry").path()) {
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path.to_string_lossy().into_owned()),
        }
    }
    found.sort();
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_restore_into_files_goes_on_and_cat_prints_the_same_lines() {
    let (kafka, s3) = (Kafka::shared().await, S3Server::shared().await);
    let topic = kafka.new_topic("restore-files", 1, &[]).await;
    let record = |number: i32| NewRecord::new(format!("value {number} {}", "x".repeat(30))).partition(0);
    kafka.produce(&topic, (0..RECORDS).map(record).collect()).await;
    let bucket = s3.new_bucket("restore-files").await;
    assert!(drain(&TestBackup::in_bucket(&bucket, &topic, 2_000).await.function()).await.complete());
    let config = format!(
        "[storage]\nurl = \"s3://{bucket}/prefix\"\nendpoint_url = {:?}\nregion = {REGION:?}\naccess_key_id = {ACCESS_KEY:?}\n\
         secret_access_key = {SECRET_KEY:?}\n",
        s3.endpoint_url()
    );
    let run = |args: &[&str]| {
        let mut command: Command = highwater(args.iter().copied());
        command.env("HIGHWATER_CONFIG", &config);
        command
    };
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().to_string_lossy().into_owned();
    let args = ["restore", "--topic", topic.as_str(), "--into-files", out.as_str()];
    let mut killed = run(&args);
    let mut killed = Process::start(killed.env("HIGHWATER_TEST_CRASH_POINT", "restore-file-written:4"));
    assert!(!killed.ended(ENDS_WITHIN).await.success());
    let (whole, parts): (Vec<_>, Vec<_>) = files(folder.path()).into_iter().partition(|name| name.ends_with(".jsonl"));
    assert!(whole.len() == 3 && parts.iter().any(|name| name.ends_with(".part")), "{whole:?}, {parts:?}");

    let output = run(&args).output().expect("it starts");
    assert!(output.status.success(), "{output:?}");
    let lines: String = files(folder.path())
        .into_iter()
        .filter(|name| name.ends_with(".jsonl"))
        .map(|name| std::fs::read_to_string(name).expect("a file"))
        .collect();
    let printed = run(&["cat", &topic]).output().expect("it starts");
    assert!(lines.lines().count() == RECORDS as usize && lines.as_bytes() == printed.stdout, "{}", lines.len());

    let parquet = tempfile::tempdir().expect("a folder");
    let out = parquet.path().to_string_lossy().into_owned();
    let output = run(&["restore", "--topic", &topic, "--into-files", &out, "--format", "parquet", "--json"]).output();
    let output = output.expect("it starts");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains(r#""schema":"highwater.restore_files.v1""#), "{output:?}");
    let count = |folder: &Path, ending: &str| files(folder).iter().filter(|name| name.ends_with(ending)).count();
    assert_eq!(count(parquet.path(), ".parquet"), count(folder.path(), ".jsonl"));
}
