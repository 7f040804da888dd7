//! `highwater backup` of a topic against a raw drain of it: processes of their own, in turn, median of the rounds.

use std::{process::Command, time::Duration};

use integration_tests::{highwater::highwater, kafka::Kafka, kafka_producer::NewRecord, s3_server};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};
use serde_json::Value;

use crate::{
    measured::{self, Measured, median},
    s3::{Requests, S3},
};

const ROUNDS: usize = 5;
/// So many are handed to the producer at once.
const CHUNK: usize = 20_000;
pub const BUCKET: &str = "bench";
const SEED: u64 = 1;
const COMPRESSIONS: [&str; 2] = ["zstd:1", "none"];
const FORMS: [Form; 4] = [
    Form { record_bytes: 1_000, partitions: 4 },
    Form { record_bytes: 1_000, partitions: 1 },
    Form { record_bytes: 1_000, partitions: 1_000 },
    Form { record_bytes: 100, partitions: 4 },
];

/// What a topic is like.
#[derive(Clone, Copy)]
pub struct Form {
    pub record_bytes: usize,
    pub partitions: usize,
}
const WORDS: [&str; 12] = [
    "order", "created", "customer", "teapot", "kettle", "shipped", "address", "harbour", "amount", "currency", "paid",
    "invoice",
];

/// Measures topics of every form, or of those with so many partitions, each with as many bytes as `records` of 1 KB.
pub async fn run(records: usize, partitions: Option<usize>) {
    for form in FORMS.into_iter().filter(|form| partitions.is_none_or(|only| only == form.partitions)) {
        measure(form, records * FORMS[0].record_bytes / form.record_bytes).await;
    }
}

/// Produces a topic, then measures, and deletes it.
async fn measure(form: Form, records: usize) {
    let (kafka, s3) = (Kafka::shared().await, S3::start(BUCKET).await);
    let Form { record_bytes, partitions } = form;
    let topic = kafka.new_topic("bench", i32::try_from(partitions).expect("a small number"), &[]).await;
    produce(kafka, &topic, form, records).await;
    println!("{records} records of {record_bytes} bytes of text in {partitions} partitions, median of {ROUNDS} rounds");
    let mut drains = vec![];
    let mut backups = COMPRESSIONS.map(|_| vec![]);
    for round in 0..ROUNDS {
        drains.push(drain(kafka, &topic, records));
        for (runs, compression) in backups.iter_mut().zip(COMPRESSIONS) {
            let backup = Backup { kafka, s3: &s3, topic: &topic, compression, round };
            runs.push(backup.measure(records));
        }
    }
    let (drain, gigabytes) = (median(&drains), (records * record_bytes) as f64 / 1e9);
    println!("raw drain:          {drain}");
    for (runs, compression) in backups.iter().zip(COMPRESSIONS) {
        report(compression, runs, &drain, gigabytes);
    }
    kafka.delete_topic(&topic).await;
}

/// One round: the backup, the requests it made, and its verification.
struct Run {
    backup: Measured,
    requests: Requests,
    verify: Measured,
    deep: Measured,
}

fn report(compression: &str, runs: &[Run], drain: &Measured, gigabytes: f64) {
    let seconds = |duration: Duration| duration.as_secs_f64();
    let of = |what: fn(&Run) -> Measured| median(&runs.iter().map(what).collect::<Vec<_>>());
    let (backup, verify, deep) = (of(|run| run.backup), of(|run| run.verify), of(|run| run.deep));
    println!(
        "backup, {compression:<8}:   {backup}; {:.2} of the drain's rate; {:.0} MB/s; {:.2} s of CPU per GB",
        seconds(drain.wall) / seconds(backup.wall),
        gigabytes * 1e3 / seconds(backup.wall),
        seconds(backup.cpu) / gigabytes,
    );
    let requests: Vec<_> = runs.last().into_iter().flat_map(|run| &run.requests).collect();
    let each: Vec<_> =
        requests.iter().map(|(kind, count)| format!("{kind} {:.0}", **count as f64 / gigabytes)).collect();
    println!("  requests per GB:  {}", each.join(", "));
    println!(
        "  verify:           {:.2} s per GB; --deep {:.2} s per GB, {} MB at most",
        seconds(verify.wall) / gigabytes,
        seconds(deep.wall) / gigabytes,
        deep.peak_bytes >> 20,
    );
}

/// Fills a topic.
pub async fn produce(kafka: &Kafka, topic: &str, form: Form, records: usize) {
    let mut random = StdRng::seed_from_u64(SEED);
    for first in (0..records).step_by(CHUNK) {
        let record = |number: usize| {
            let partition = i32::try_from(number % form.partitions).expect("a small number");
            NewRecord::new(text(&mut random, form.record_bytes)).key(format!("key-{number:08}")).partition(partition)
        };
        kafka.produce(topic, (first..records.min(first + CHUNK)).map(record).collect()).await;
    }
}

/// Text that compresses as JSON of a shop does: words, and numbers that no other record has.
fn text(random: &mut StdRng, bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 32);
    while text.len() < bytes {
        let word = WORDS.choose(random).expect("there are words");
        text.push_str(&format!("\"{word}\":\"{:08x}\",", random.random::<u32>()));
    }
    text.truncate(bytes);
    text
}

fn drain(kafka: &Kafka, topic: &str, records: usize) -> Measured {
    let program = std::env::current_exe().expect("this program");
    let (measured, printed) = measured::run(Command::new(program).args(["drain", kafka.bootstrap_servers(), topic]));
    assert!(printed.starts_with(&format!("{records} ")), "the drain read {printed}");
    measured
}

/// One backup into a prefix of its own.
struct Backup<'a> {
    kafka: &'a Kafka,
    s3: &'a S3,
    topic: &'a str,
    compression: &'a str,
    round: usize,
}

impl Backup<'_> {
    fn measure(&self, records: usize) -> Run {
        let before = self.s3.requests();
        let (backup, _) = measured::run(&mut self.command(&["backup"]));
        let mut requests = self.s3.requests();
        requests.iter_mut().for_each(|(kind, count)| *count -= before.get(kind).copied().unwrap_or(0));
        requests.retain(|_, count| *count > 0);
        // Not the other rounds' backups beside it.
        let of_this = ["--json", "--backup", &self.name()];
        let verify = self.verify(&[&["verify"], &of_this[..]].concat(), records);
        let deep = self.verify(&[&["verify", "--deep"], &of_this[..]].concat(), records);
        Run { backup, requests, verify, deep }
    }

    fn verify(&self, arguments: &[&str], records: usize) -> Measured {
        let (verify, verified) = measured::run(&mut self.command(arguments));
        let verified: Value = serde_json::from_str(&verified).expect("verify prints JSON");
        let chains = verified["backups"][0]["chains"].as_array().expect("a chain for each partition");
        let held: u64 = chains.iter().filter_map(|chain| chain["present"]["records"].as_u64()).sum();
        assert!(verified["good"] == true && held == records as u64, "{verified}");
        verify
    }

    /// A backup's name is its consumer group's too, so each has its own.
    fn name(&self) -> String {
        format!("{}{}", self.compression.replace(':', ""), self.round)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let name = self.name();
        let mut command = command(self.kafka, self.s3, &name, self.topic, arguments);
        let setting = format!("HIGHWATER_BACKUPS_{}_SEGMENT_COMPRESSION", name.to_uppercase());
        command.env(setting, self.compression);
        command
    }
}

/// `highwater` with one backup of one topic.
pub fn command(kafka: &Kafka, s3: &S3, backup: &str, topic: &str, arguments: &[&str]) -> Command {
    let mut command = highwater(arguments.iter().copied());
    command
        .env("KAFKA_BOOTSTRAP_SERVERS", kafka.bootstrap_servers())
        .env("STORAGE_URL", format!("s3://{BUCKET}/bench"))
        .env("S3_ENDPOINT_URL", s3.endpoint_url())
        .env("AWS_ACCESS_KEY_ID", s3_server::ACCESS_KEY)
        .env("AWS_SECRET_ACCESS_KEY", s3_server::SECRET_KEY)
        .env("AWS_REGION", s3_server::REGION)
        .env(format!("HIGHWATER_BACKUPS_{}_TOPICS_INCLUDE", backup.to_uppercase()), topic);
    command
}
