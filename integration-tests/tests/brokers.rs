//! One of three brokers goes away: only what it leads waits, in a backup and in a restore, and nothing is lost or repeated.

use std::{collections::BTreeMap, time::Duration};

use integration_tests::{
    agreement::assert_nothing_lost_and_the_meter_agrees,
    eventually::eventually,
    kafka::Kafka,
    kafka_brokers::Brokers,
    load::Produced,
    process::Process,
    redis_server::RedisServer,
    serving::{PARTITIONS, Serving},
};
use shared::record::Record;

const WITHIN: Duration = Duration::from_secs(90);
const RECORDS: usize = 400;
/// So many, and so slowly, that a restore is under way for ten seconds.
const RESTORED_RECORDS: usize = 30_000;
const RESTORED_PER_S: usize = 3_000;

/// A topic whose partitions different brokers lead.
struct Led<'a> {
    kafka: &'a Kafka,
    serving: Serving,
    produced: Produced,
}

impl Led<'_> {
    /// Produces to these partitions in turn.
    async fn produce(&mut self, count: usize, partitions: &[i32]) {
        let first = self.produced.records.len();
        let record = |n: usize| (partitions[n % partitions.len()], format!("{n}-{}", "x".repeat(n % 200)));
        let records = (first..first + count).map(record).collect();
        self.produced.produce(self.kafka, &self.serving.topic, records).await;
    }

    /// How many records were produced to a partition.
    fn end(&self, partition: i32) -> i64 {
        i64::try_from(self.produced.records.iter().filter(|record| record.partition == partition).count()).unwrap()
    }

    /// Waits until all that was produced to these partitions is stored.
    async fn are_stored(&self, partitions: &[i32]) {
        eventually("partitions to be stored", WITHIN, || async {
            let stored = self.serving.frontiers().await;
            let of = |partition: i32| stored.iter().find(|(it, _)| it.0 == partition).map_or(0, |(_, next)| *next);
            let waits = partitions.iter().any(|partition| of(*partition) < self.end(*partition));
            if waits { Err(format!("{stored:?} of {partitions:?}")) } else { Ok(()) }
        })
        .await;
    }
}

/// The partitions that a broker leads, and the others.
async fn led_by(kafka: &Kafka, topic: &str, broker: i32) -> (Vec<i32>, Vec<i32>) {
    let (its, others): (Vec<_>, Vec<_>) =
        kafka.leaders(topic).await.into_iter().partition(|(_, leader)| *leader == broker);
    let partitions = |all: Vec<(i32, i32)>| all.into_iter().map(|(partition, _)| partition).collect::<Vec<_>>();
    (partitions(its), partitions(others))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_partitions_of_a_broker_that_is_away_wait_in_a_backup_and_in_a_restore() {
    let brokers = Brokers::start().await;
    let kafka = brokers.kafka();
    let redis = RedisServer::shared().await.new_database();
    let serving = Serving::new("brokers", kafka, &redis.url).await;
    let mut led = Led { kafka, serving, produced: Produced::default() };
    let all: Vec<_> = (0..PARTITIONS).collect();

    let served = led.serving.serve().await;
    led.produce(RECORDS, &all).await;
    led.are_stored(&all).await;
    let away = kafka.leaders(&led.serving.topic).await[&0];
    let (_, others) = led_by(kafka, &led.serving.topic, away).await;
    brokers.kill(away).await;
    led.produce(RECORDS, &others).await;
    led.are_stored(&others).await;
    brokers.start_again(away).await;
    led.produce(RESTORED_RECORDS, &all).await;
    assert_nothing_lost_and_the_meter_agrees(&led.serving, &served, &led.produced).await;
    served.end().await;

    restore_while_a_broker_is_away(&brokers, &led.serving).await;
}

async fn restore_while_a_broker_is_away(brokers: &Brokers, serving: &Serving) {
    let kafka = brokers.kafka();
    let target = kafka.new_topic("brokers-target", PARTITIONS, &[]).await;
    let away = kafka.leaders(&target).await[&0];
    let (its, others) = led_by(kafka, &target, away).await;
    let source = values(kafka.read(&serving.topic).await);
    let folder = tempfile::tempdir().expect("a folder");
    let plan = folder.path().join("plan.toml");
    let topics = format!("[[topics]]\nsource = {:?}\ntarget = {target:?}\n", serving.topic);
    std::fs::write(&plan, format!("records_per_s = {RESTORED_PER_S}\n{topics}")).expect("a plan");
    let mut restore = serving.start(&["restore", plan.to_str().expect("text")]);
    eventually("the restore to have begun", WITHIN, || async {
        if kafka.end(&target, its[0]).await > 0 { Ok(()) } else { Err(restore.output().join("\n")) }
    })
    .await;
    brokers.kill(away).await;
    has_restored(kafka, &target, &others, &source, &restore).await;
    assert!(restore.is_running(), "it ended without {its:?}: {}", restore.output().join("\n"));
    brokers.start_again(away).await;
    let status = restore.ended(WITHIN).await;
    assert!(status.success(), "{status}: {}", restore.output().join("\n"));
    assert_eq!(values(kafka.read(&target).await), source);
}

/// Waits until these partitions of the target end where their sources do. A marker stands behind each transaction, too.
async fn has_restored(kafka: &Kafka, target: &str, partitions: &[i32], source: &Values, restore: &Process) {
    eventually("the other partitions to be restored", WITHIN, || async {
        for partition in partitions {
            let (found, wanted) = (kafka.end(target, *partition).await, source[partition].len());
            if found < i64::try_from(wanted).unwrap() {
                let said = restore.output().join("\n");
                return Err(format!("{found} of {wanted} in {partition} of {partitions:?}: {said}"));
            }
        }
        Ok(())
    })
    .await;
}

type Values = BTreeMap<i32, Vec<Option<bytes::Bytes>>>;

fn values(topic: BTreeMap<i32, Vec<Record>>) -> Values {
    let values = |records: Vec<Record>| records.into_iter().map(|record| record.value).collect();
    topic.into_iter().map(|(partition, records)| (partition, values(records))).collect()
}
