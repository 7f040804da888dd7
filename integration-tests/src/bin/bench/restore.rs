//! `highwater restore` of a topic against a raw produce of the same records with the same acks: processes of their own, in
//! turn, median of the rounds. And the last minute of many segments: what is read of them.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use integration_tests::kafka::Kafka;
use rdkafka::{
    ClientConfig, Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::KafkaError,
    producer::{BaseProducer, BaseRecord, Producer as _},
};

use crate::{
    backup::{BUCKET, Form, command, produce},
    measured::{self, Measured, median},
    s3::S3,
};

const ROUNDS: usize = 5;
const FORM: Form = Form { record_bytes: 1_000, partitions: 4 };
const WAIT: Duration = Duration::from_secs(60);
const BACKUP: &str = "restored";

/// Backs a topic up, then restores it and produces it by hand, in turn.
pub async fn run(records: usize) {
    let (kafka, s3) = (Kafka::shared().await, S3::start(BUCKET).await);
    let partitions = i32::try_from(FORM.partitions).expect("a small number");
    let topic = kafka.new_topic("bench", partitions, &[]).await;
    produce(kafka, &topic, FORM, records).await;
    measured::run(&mut command(kafka, &s3, BACKUP, &topic, &["backup"]));
    let (mut restores, mut produces) = (vec![], vec![]);
    for round in 0..ROUNDS {
        let target = format!("{topic}-restored-{round}");
        restores.push(restore(kafka, &s3, &topic, &target, &[]));
        kafka.delete_topic(&target).await;
        let raw = kafka.new_topic("bench-raw", partitions, &[]).await;
        produces.push(raw_produce(kafka, &topic, &raw, records));
        kafka.delete_topic(&raw).await;
    }
    let (restore_took, gigabytes) = (median(&restores), (records * FORM.record_bytes) as f64 / 1e9);
    produces.sort();
    let raw = produces[produces.len() / 2].as_secs_f64();
    println!("{records} records of {} bytes in {partitions} partitions, median of {ROUNDS} rounds", FORM.record_bytes);
    println!("raw produce:  {raw:.2} s, its start and the reading not included");
    println!(
        "restore:      {restore_took}; {:.2} of the raw rate; {:.0} MB/s; {:.2} s of CPU per GB",
        raw / restore_took.wall.as_secs_f64(),
        gigabytes * 1e3 / restore_took.wall.as_secs_f64(),
        restore_took.cpu.as_secs_f64() / gigabytes,
    );
    the_end(kafka, &s3, &topic).await;
    kafka.delete_topic(&topic).await;
}

/// Restores what is dated in the last second of the topic.
async fn the_end(kafka: &Kafka, s3: &S3, topic: &str) {
    let last = kafka.read(topic).await.into_values().flatten().map(|record| record.timestamp.0).max().expect("records");
    let (before, target) = (s3.requests(), format!("{topic}-end"));
    let took = restore(kafka, s3, topic, &target, &["--from", &(last - 999).to_string()]);
    let mut requests = s3.requests();
    requests.iter_mut().for_each(|(kind, count)| *count -= before.get(kind).copied().unwrap_or(0));
    requests.retain(|_, count| *count > 0);
    println!("its last second: {took}; requests {requests:?}");
    kafka.delete_topic(&target).await;
}

fn restore(kafka: &Kafka, s3: &S3, topic: &str, target: &str, more: &[&str]) -> Measured {
    let arguments = [&["restore", "--backup", BACKUP, "--topic", topic, "--target", target], more].concat();
    measured::run(&mut command(kafka, s3, BACKUP, topic, &arguments)).0
}

fn raw_produce(kafka: &Kafka, from: &str, to: &str, records: usize) -> Duration {
    let program = std::env::current_exe().expect("this program");
    let arguments = ["produce", kafka.bootstrap_servers(), from, to];
    let (_, printed) = measured::run(Command::new(program).args(arguments));
    let (count, ms) = printed.trim().split_once(' ').expect("two numbers");
    assert_eq!(count, records.to_string(), "all are produced");
    Duration::from_millis(ms.parse().expect("milliseconds"))
}

/// The raw produce itself: reads a topic into memory, then writes it to another one, and prints how many records that were
/// and how long the writing took.
pub fn raw(servers: &str, from: &str, to: &str) {
    let records = read(servers, from).expect("the topic can be read");
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", servers)
        .set("acks", "all")
        .set("enable.idempotence", "true")
        .create()
        .expect("a producer");
    let since = Instant::now();
    for (partition, key, value) in &records {
        let mut record = BaseRecord::to(to).partition(*partition).key(key).payload(value);
        while let Err((_, refused)) = producer.send(record) {
            producer.poll(Duration::from_millis(5));
            record = refused;
        }
    }
    producer.flush(WAIT).expect("all are acknowledged");
    println!("{} {}", records.len(), since.elapsed().as_millis());
}

type Raw = (i32, Vec<u8>, Vec<u8>);

fn read(servers: &str, topic: &str) -> Result<Vec<Raw>, KafkaError> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", servers).set("group.id", "bench-read").set("enable.partition.eof", "true");
    let consumer: BaseConsumer = config.set("enable.auto.commit", "false").create()?;
    let mut list = TopicPartitionList::new();
    for partition in consumer.fetch_metadata(Some(topic), WAIT)?.topics()[0].partitions() {
        list.add_partition_offset(topic, partition.id(), Offset::Beginning)?;
    }
    consumer.assign(&list)?;
    let (mut records, mut ends) = (vec![], 0);
    while ends < list.count() {
        match consumer.poll(WAIT) {
            Some(Ok(message)) => {
                let bytes = |bytes: Option<&[u8]>| bytes.unwrap_or_default().to_vec();
                records.push((message.partition(), bytes(message.key()), bytes(message.payload())));
            }
            Some(Err(KafkaError::PartitionEOF(_))) => ends += 1,
            Some(Err(error)) => return Err(error),
            None => panic!("topic {topic} gave nothing for {WAIT:?}"),
        }
    }
    Ok(records)
}
