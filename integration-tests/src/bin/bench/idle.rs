//! `highwater backup` where there is nothing to do: what every scheduled run costs that finds nothing new.

use integration_tests::{kafka::Kafka, kafka_producer::NewRecord};

use crate::{
    backup::{BUCKET, command},
    measured::{self, median},
    s3::S3,
};

const ROUNDS: usize = 9;
const PARTITIONS: i32 = 4;

/// Measures runs over a topic without records, one that is stored to its end, and one whose last offset is the marker of a
/// transaction.
pub async fn run() {
    let (kafka, s3) = (Kafka::shared().await, S3::start(BUCKET).await);
    let records = || (0..100).map(|n| NewRecord::new(format!("value {n}")).partition(n % PARTITIONS)).collect();
    let new_topic = async |name| kafka.new_topic(name, PARTITIONS, &[]).await;
    let (empty, stored, marked) = (new_topic("empty").await, new_topic("stored").await, new_topic("marked").await);
    kafka.produce(&stored, records()).await;
    let producer = kafka.transactional_producer(&marked).await;
    producer.begin();
    producer.send(&marked, records()).await;
    producer.commit().await;
    let topics =
        [("no records", empty), ("stored to its end", stored), ("stored to its end, a marker behind it", marked)];
    for (number, (what, topic)) in topics.iter().enumerate() {
        let name = format!("idle{number}");
        let backup = || measured::run(&mut command(kafka, &s3, &name, topic, &["backup"])).0;
        let first = backup();
        let runs: Vec<_> = (0..ROUNDS).map(|_| backup()).collect();
        println!("{what}, {PARTITIONS} partitions: {}; the first run {first}", median(&runs));
    }
}
