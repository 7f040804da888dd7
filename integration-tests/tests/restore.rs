//! A backup is restored through the real binary and real Kafka: record by record the same, whatever kills it.

use std::{collections::BTreeMap, process::Command, time::Duration};

use bytes::Bytes;
use integration_tests::{
    backup::{TestBackup, drain},
    highwater::highwater,
    kafka::Kafka,
    kafka_producer::NewRecord,
    process::Process,
    replay,
    s3_server::{ACCESS_KEY, REGION, S3Server, SECRET_KEY},
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use shared::record::{Header, Millis, Record};

const PARTITIONS: i32 = 4;
const RECORDS: i64 = 3_000;
const ENDS_WITHIN: Duration = Duration::from_secs(120);
const SIGABRT: i32 = 6;
/// Each is passed some times in a restore of the test's topic.
const POINTS: [(&str, u32); 6] = [
    ("restore-created", 1),
    ("restore-taken-over", 1),
    ("restore-acknowledged", 3),
    ("restore-before-commit", 1),
    ("restore-before-commit", 5),
    ("restore-after-commit", 2),
];

/// A topic with every oddity, and its backup.
struct Backed {
    kafka: &'static Kafka,
    topic: String,
    bucket: String,
    s3_url: String,
    backup: TestBackup,
}

/// What a record is, wherever it lies.
type Content = (Millis, Option<Bytes>, Option<Bytes>, Vec<Header>);

impl Backed {
    async fn new(base: &str, records: i64) -> Backed {
        let kafka = Kafka::shared().await;
        let topic = kafka.new_topic(base, PARTITIONS, &[]).await;
        kafka.produce(&topic, (0..records).map(oddity).collect()).await;
        let s3 = S3Server::shared().await;
        let (bucket, s3_url) = (s3.new_bucket(base).await, s3.endpoint_url().to_owned());
        let backup = TestBackup::in_bucket(&bucket, &topic, 20_000).await;
        assert!(drain(&backup.function()).await.complete());
        Backed { kafka, topic, bucket, s3_url, backup }
    }

    /// `highwater restore` with these arguments.
    fn restore(&self, args: &[&str]) -> Command {
        let s3 = &self.s3_url;
        let config = format!(
            "[target]\nbootstrap_servers = {:?}\n[storage]\nurl = \"s3://{}/prefix\"\nendpoint_url = {s3:?}\nregion = {REGION:?}\n\
             access_key_id = {ACCESS_KEY:?}\nsecret_access_key = {SECRET_KEY:?}\n",
            self.kafka.bootstrap_servers(),
            self.bucket,
        );
        let mut command = highwater(["restore"].iter().chain(args).copied());
        command.env("HIGHWATER_CONFIG", config);
        command
    }

    /// Runs it to its end, which must be good.
    async fn restored(&self, args: &[&str]) -> String {
        let mut process = Process::start(&mut self.restore(args));
        let status = process.ended(ENDS_WITHIN).await;
        let output = process.output().join("\n");
        assert!(status.success(), "{status}: {output}");
        output
    }

    async fn contents(&self, topic: &str) -> BTreeMap<i32, Vec<Content>> {
        contents(self.kafka.read(topic).await)
    }

    async fn assert_same(&self, target: &str) {
        let (expected, found) = (self.contents(&self.topic).await, self.contents(target).await);
        let counts = |all: &BTreeMap<i32, Vec<Content>>| all.values().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(counts(&found), counts(&expected), "records by partition");
        for (partition, records) in &expected {
            for (number, (expected, found)) in records.iter().zip(&found[partition]).enumerate() {
                assert_eq!(found, expected, "partition {partition}, record {number}");
            }
        }
    }
}

fn contents(records: BTreeMap<i32, Vec<Record>>) -> BTreeMap<i32, Vec<Content>> {
    let content = |record: Record| (record.timestamp, record.key, record.value, record.headers);
    records.into_iter().map(|(partition, all)| (partition, all.into_iter().map(content).collect())).collect()
}

/// Null, empty, binary and long; headers of any name, twice, null and empty; old and without order in time.
fn oddity(number: i64) -> NewRecord {
    let text = |text: &str| Bytes::from(format!("{text} {number}"));
    let mut record = NewRecord {
        key: [None, Some(Bytes::new()), Some(text("key")), Some(Bytes::from_static(b"\x00\xff"))][number as usize % 4]
            .clone(),
        value: [Some(text("value")), None, Some(Bytes::new()), Some(Bytes::from(vec![number as u8; 700]))]
            [(number / 4) as usize % 4]
            .clone(),
        ..NewRecord::new("")
    }
    .partition((number % i64::from(PARTITIONS)) as i32)
    .timestamp_ms([1, 1_600_000_000_000 - number, 1_700_000_000_000][(number / 16) as usize % 3]);
    if number % 3 == 0 {
        record = record.header(&b"\xff\xfe"[..], None).header("a", Some(Bytes::new())).header("a", Some(text("b")));
    }
    record
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_was_deleted_comes_back_under_its_name_byte_for_byte() {
    let backed = Backed::new("restore-same-name", RECORDS).await;
    let before = backed.contents(&backed.topic).await;
    backed.kafka.delete_topic(&backed.topic).await;

    let output = backed.restored(&["--topic", &backed.topic]).await;

    assert!(output.contains("done: every record"), "{output}");
    assert_eq!(backed.contents(&backed.topic).await, before);
    let again = backed.restored(&["--topic", &backed.topic, "--json"]).await;
    assert!(again.contains(r#""schema":"highwater.restore.v1""#), "{again}");
    assert_eq!(backed.contents(&backed.topic).await, before, "a second run adds nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_topic_itself_and_one_with_records_are_no_targets() {
    let backed = Backed::new("restore-refused", 40).await;
    let other = backed.kafka.new_topic("restore-filled", PARTITIONS, &[]).await;
    backed.kafka.produce(&other, vec![NewRecord::new("x").partition(0)]).await;
    for (args, expected) in [
        (vec!["--topic", &backed.topic], "is the topic that was backed up"),
        (vec!["--topic", &backed.topic, "--target", &other], "is not empty"),
        (vec!["--topic", "nothing"], "holds no topic"),
        (vec!["--topic", &backed.topic, "--from", "5", "--to", "5"], "nothing is from 5"),
    ] {
        let mut process = Process::start(&mut backed.restore(&args));
        let status = process.ended(ENDS_WITHIN).await;
        let output = process.output().join("\n");
        assert_eq!(status.code(), Some(1), "{output}");
        assert!(output.contains(expected) && output.contains("refused: nothing is written"), "{args:?}: {output}");
    }
    assert_eq!(backed.contents(&other).await[&0].len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_says_what_would_be_restored_and_creates_nothing() {
    let backed = Backed::new("restore-dry", 400).await;
    let output = backed.restored(&["--topic", &backed.topic, "--target", "restore-dry-target", "--dry-run"]).await;
    assert!(output.contains("dry run: nothing is written") && output.contains("100"), "{output}");
    let target = backed.restore(&["--topic", &backed.topic, "--target", "restore-dry-target", "--dry-run"]).output();
    assert!(target.unwrap().status.success(), "the target is still not there");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_any_named_step_repeats_and_loses_nothing() {
    let backed = Backed::new("restore-crash", RECORDS).await;
    let folder = tempfile::tempdir().expect("a folder");
    for round in 0..replay::rounds(3) {
        for (point, times) in POINTS {
            let target = format!("{}-{round}-{point}-{times}", backed.topic);
            let plan = folder.path().join(format!("{target}.toml"));
            let text = format!(
                "workers = {}\ntransaction_bytes_max = \"40kB\"\n[[topics]]\nsource = {:?}\ntarget = {target:?}\n",
                1 + round % 4,
                backed.topic
            );
            std::fs::write(&plan, text).expect("the plan");
            let plan = plan.to_str().expect("a path");
            let mut armed = backed.restore(&[plan]);
            let mut armed = Process::start(armed.env("HIGHWATER_TEST_CRASH_POINT", format!("{point}:{times}")));
            let status = armed.ended(ENDS_WITHIN).await;
            let output = armed.output().join("\n");
            assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(SIGABRT), "{point}: {output}");

            backed.restored(&[plan]).await;
            backed.assert_same(&target).await;
            println!("round {round}, {point}:{times}: {RECORDS} records exactly once");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_random_moments_it_repeats_and_loses_nothing() {
    let (backed, seed) = (Backed::new("restore-kill", RECORDS).await, replay::seed());
    let folder = tempfile::tempdir().expect("a folder");
    let mut rng = StdRng::seed_from_u64(seed);
    for round in 0..replay::rounds(3) {
        let target = format!("{}-{round}", backed.topic);
        let plan = folder.path().join(format!("{target}.toml"));
        let text =
            format!("transaction_bytes_max = \"30kB\"\n[[topics]]\nsource = {:?}\ntarget = {target:?}\n", backed.topic);
        std::fs::write(&plan, text).expect("the plan");
        let plan = plan.to_str().expect("a path");
        let mut kills = 0;
        for _ in 0..4 {
            let mut process = Process::start(&mut backed.restore(&[plan]));
            tokio::time::sleep(Duration::from_millis(rng.random_range(200..1_500))).await;
            if process.is_running() {
                process.kill();
                kills += 1;
            }
        }
        backed.restored(&[plan]).await;
        backed.assert_same(&target).await;
        println!("round {round} of seed {seed}: killed {kills} times, {RECORDS} records exactly once");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_runs_at_once_one_wins_and_the_other_says_so() {
    let backed = Backed::new("restore-two", RECORDS).await;
    let target = format!("{}-copy", backed.topic);
    let args = ["--topic", backed.topic.as_str(), "--target", target.as_str()];
    let (mut one, mut other) = (Process::start(&mut backed.restore(&args)), Process::start(&mut backed.restore(&args)));
    let ended = [one.ended(ENDS_WITHIN).await, other.ended(ENDS_WITHIN).await];
    let outputs = [one.output().join("\n"), other.output().join("\n")];
    let won = ended.iter().filter(|status| status.success()).count();
    assert!(won >= 1, "{outputs:?}");
    for (status, output) in ended.iter().zip(&outputs) {
        assert!(status.success() || output.contains("another run of this restore has taken over"), "{output}");
    }
    backed.assert_same(&target).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_target_would_delete_or_refuse_is_told_before_anything_is_written() {
    let backed = Backed::new("restore-preflight", 40).await;
    for (setting, value, expected) in [
        ("retention.ms", "604800000", "retention.ms=604800000"),
        ("message.timestamp.type", "LogAppendTime", "LogAppendTime"),
        ("message.timestamp.before.max.ms", "86400000", "message.timestamp.before.max.ms=86400000"),
        ("max.message.bytes", "100", "max.message.bytes=100"),
    ] {
        let target = backed.kafka.new_topic("restore-preflight-target", PARTITIONS, &[(setting, value)]).await;
        let mut process = Process::start(&mut backed.restore(&["--topic", &backed.topic, "--target", &target]));
        let status = process.ended(ENDS_WITHIN).await;
        let output = process.output().join("\n");
        assert_eq!(status.code(), Some(1), "{output}");
        assert!(output.contains(expected), "{setting}: {output}");
        assert!(backed.contents(&target).await.values().all(Vec::is_empty));
    }
    assert_eq!(backed.backup.incarnations().await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_of_many_partitions_is_written_when_all_of_them_have_a_leader_and_dates_stay_as_they_are() {
    let kafka = Kafka::shared().await;
    let topic = kafka.new_topic("restore-many", 1, &[]).await;
    // Without a date, at the least one, and half an hour ahead of the broker's clock.
    let ahead = i64::try_from(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis());
    let dates = [-1, 1, ahead.unwrap() + 1_800_000];
    kafka.produce(&topic, dates.map(|date| NewRecord::new("dated").partition(0).timestamp_ms(date)).into()).await;
    let s3 = S3Server::shared().await;
    let (bucket, s3_url) = (s3.new_bucket("restore-many").await, s3.endpoint_url().to_owned());
    let backup = TestBackup::in_bucket(&bucket, &topic, 20_000).await;
    assert!(drain(&backup.function()).await.complete());
    let backed = Backed { kafka, topic, bucket, s3_url, backup };
    let (folder, target) = (tempfile::tempdir().expect("a folder"), format!("{}-copy", backed.topic));
    let plan = folder.path().join("plan.toml");
    let topics = format!("[[topics]]\nsource = {:?}\ntarget = {target:?}\ntarget_partitions = 50\n", backed.topic);
    // Kafka 4 knows this setting no more.
    let text = format!("settings = {{ \"message.format.version\" = \"2.8\" }}\n{topics}");
    std::fs::write(&plan, &text).expect("the plan");
    let mut refused = Process::start(&mut backed.restore(&[plan.to_str().expect("a path")]));
    assert_eq!(refused.ended(ENDS_WITHIN).await.code(), Some(1));
    let output = refused.output().join("\n");
    assert!(output.contains("refuses message.format.version=2.8"), "{output}");
    std::fs::write(&plan, format!("refused_settings = \"leave_out\"\n{text}")).expect("the plan");
    let output = backed.restored(&[plan.to_str().expect("a path")]).await;
    assert!(output.contains("created without message.format.version=2.8"), "{output}");
    let found = backed.contents(&target).await;
    let stored = backed.contents(&backed.topic).await;
    assert_eq!(found.len(), 50, "every partition is there");
    assert_eq!((&found[&0], found[&0].iter().map(|it| it.0.0).collect::<Vec<_>>()), (&stored[&0], dates.to_vec()));
}
