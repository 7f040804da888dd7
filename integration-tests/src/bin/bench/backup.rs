//! `highwater backup` of a topic against a raw drain of it: processes of their own, in turn, median of the rounds.

use std::{process::Command, time::Duration};

use integration_tests::{highwater::highwater, kafka::Kafka, kafka_producer::NewRecord, s3_server};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};
use serde_json::Value;

use crate::{
    measured::{self, Measured, median},
    s3::S3,
};

const ROUNDS: usize = 5;
const PARTITIONS: i32 = 4;
const RECORD_BYTES: usize = 1_000;
/// So many are handed to the producer at once.
const CHUNK: usize = 20_000;
const BUCKET: &str = "bench";
const SEED: u64 = 1;
const COMPRESSIONS: [&str; 2] = ["zstd:1", "none"];
const WORDS: [&str; 12] = [
    "order", "created", "customer", "teapot", "kettle", "shipped", "address", "harbour", "amount", "currency", "paid",
    "invoice",
];

/// Produces the topic, then measures.
pub async fn run(records: usize) {
    let (kafka, s3) = (Kafka::shared().await, S3::start(BUCKET).await);
    let topic = kafka.new_topic("bench", PARTITIONS, &[]).await;
    produce(kafka, &topic, records).await;
    println!("{records} records of {RECORD_BYTES} bytes of text in {PARTITIONS} partitions, median of {ROUNDS} rounds");
    let mut drains = vec![];
    let mut backups = COMPRESSIONS.map(|_| vec![]);
    for round in 0..ROUNDS {
        drains.push(drain(kafka, &topic, records));
        for (runs, compression) in backups.iter_mut().zip(COMPRESSIONS) {
            let backup = Backup { kafka, s3: &s3, topic: &topic, compression, round };
            runs.push(backup.measure(records));
        }
    }
    let drain = median(&drains);
    println!("raw drain:         {drain}");
    for (runs, compression) in backups.iter().zip(COMPRESSIONS) {
        report(compression, &median(runs), &drain, records);
    }
}

fn report(compression: &str, backup: &Measured, drain: &Measured, records: usize) {
    let seconds = |duration: Duration| duration.as_secs_f64();
    let gigabytes = (records * RECORD_BYTES) as f64 / 1e9;
    println!(
        "backup, {compression:<8}:  {backup}; {:.2} of the drain's rate; {:.0} MB/s; {:.2} s of CPU per GB",
        seconds(drain.wall) / seconds(backup.wall),
        gigabytes * 1e3 / seconds(backup.wall),
        seconds(backup.cpu) / gigabytes,
    );
}

async fn produce(kafka: &Kafka, topic: &str, records: usize) {
    let mut random = StdRng::seed_from_u64(SEED);
    for first in (0..records).step_by(CHUNK) {
        let record = |number: usize| {
            let partition = i32::try_from(number % PARTITIONS as usize).expect("a small number");
            NewRecord::new(text(&mut random)).key(format!("key-{number:08}")).partition(partition)
        };
        kafka.produce(topic, (first..records.min(first + CHUNK)).map(record).collect()).await;
    }
}

/// Text that compresses as JSON of a shop does: words, and numbers that no other record has.
fn text(random: &mut StdRng) -> String {
    let mut text = String::with_capacity(RECORD_BYTES + 32);
    while text.len() < RECORD_BYTES {
        let word = WORDS.choose(random).expect("there are words");
        text.push_str(&format!("\"{word}\":\"{:08x}\",", random.random::<u32>()));
    }
    text.truncate(RECORD_BYTES);
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
    fn measure(&self, records: usize) -> Measured {
        let (measured, _) = measured::run(&mut self.command(&["backup"]));
        let (_, verified) = measured::run(&mut self.command(&["verify", "--json"]));
        let verified: Value = serde_json::from_str(&verified).expect("verify prints JSON");
        let chains = verified["backups"][0]["chains"].as_array().expect("a chain for each partition");
        let held: u64 = chains.iter().filter_map(|chain| chain["present"]["records"].as_u64()).sum();
        assert!(verified["good"] == true && held == records as u64, "{verified}");
        measured
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = highwater(arguments.iter().copied());
        // A backup's name is its consumer group's too, so each has its own.
        let name = format!("{}{}", self.compression.replace(':', ""), self.round).to_uppercase();
        command
            .env("KAFKA_BOOTSTRAP_SERVERS", self.kafka.bootstrap_servers())
            .env("STORAGE_URL", format!("s3://{BUCKET}/bench"))
            .env("S3_ENDPOINT_URL", self.s3.endpoint_url())
            .env("AWS_ACCESS_KEY_ID", s3_server::ACCESS_KEY)
            .env("AWS_SECRET_ACCESS_KEY", s3_server::SECRET_KEY)
            .env("AWS_REGION", s3_server::REGION)
            .env(format!("HIGHWATER_BACKUPS_{name}_TOPICS_INCLUDE"), self.topic)
            .env(format!("HIGHWATER_BACKUPS_{name}_SEGMENT_COMPRESSION"), self.compression);
        command
    }
}
