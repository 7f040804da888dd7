//! A small backup in memory, made by the shipping function: what commands are tested on.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use segment_writer::{Backup, Context, Drain, Input, Limits};
use shared::{
    adapters::memory::{clock::ManualClock, kafka::MemoryKafka, objects::MemoryObjects},
    chain::SealKey,
    ports::{
        clock::Clock,
        records::{Fetched, Log, Publisher},
    },
    record::{Header, Millis, Offset, Record, TimestampType, TopicPartition},
    rollover::Rollover,
    segment::Compression,
};

pub const NOW: Millis = Millis(1_800_000_000_000);

/// Backup `main` of topic orders: partition 0 has ten records in two segments, partition 1 has three in one.
pub struct TestBackup {
    pub kafka: Arc<MemoryKafka>,
    pub objects: Arc<MemoryObjects>,
}

impl TestBackup {
    pub async fn make() -> Self {
        let (test, clock) = TestBackup::empty(&["orders"]).await;
        let context = test.context(clock, &["orders"], None);
        test.append("orders", 0, 0..6);
        test.append("orders", 1, 0..3);
        test.drain(&context).await;
        test.append("orders", 0, 6..10);
        test.drain(&context).await;
        test
    }

    /// Topics orders and payments: partition 0 of either in segments of five records, three of orders and two of payments;
    /// partition 1 of orders in one. What is written in each of three rounds is sealed with its key.
    pub async fn sealed_with(keys: [Option<&str>; 3]) -> Self {
        let topics = ["orders", "payments"];
        let (test, clock) = TestBackup::empty(&topics).await;
        test.append("orders", 1, 0..3);
        for (round, key) in (0..).zip(keys) {
            let context = test.context(clock.clone(), &topics, key);
            test.append("orders", 0, 5 * round..5 * round + 5);
            if round < 2 {
                test.append("payments", 0, 5 * round..5 * round + 5);
            }
            test.drain(&context).await;
        }
        test
    }

    async fn empty(topics: &[&str]) -> (Self, Arc<dyn Clock>) {
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(NOW));
        let kafka = Arc::new(MemoryKafka::new(clock.clone(), 1));
        let objects = Arc::new(MemoryObjects::new(clock.clone()));
        topics.iter().for_each(|topic| kafka.create(topic, 2, &[]));
        kafka.create_topic("backbeat-metrics", 1, &[]).await.unwrap();
        let test = TestBackup { kafka, objects };
        (test, clock)
    }

    /// The values on the metrics topic, in their order.
    pub async fn metrics_messages(&self) -> Vec<Bytes> {
        let partition = TopicPartition::new("backbeat-metrics", 0);
        let mut fetch = self.kafka.fetch(&[(partition, Offset(0))]).await.unwrap();
        let mut values = vec![];
        loop {
            for fetched in fetch.next(Duration::from_secs(1)).await.unwrap() {
                match fetched {
                    Fetched::Records { records, .. } => {
                        values.extend(records.into_iter().filter_map(|record| record.value))
                    }
                    Fetched::End { .. } => return values,
                    other => panic!("{other:?}"),
                }
            }
        }
    }

    fn context(&self, clock: Arc<dyn Clock>, topics: &[&str], key: Option<&str>) -> Arc<Context> {
        let backup = Backup {
            compression: Compression::None,
            seal_key: key.map(|secret| Arc::new(SealKey::new(secret))),
            ..Backup::new(
                "main",
                serde_json::from_value(serde_json::json!({ "include": topics })).unwrap(),
                Rollover { bytes_max: 1 << 20, age_max: Duration::from_secs(60) },
            )
        };
        let (kafka, objects) = (self.kafka.clone(), self.objects.clone());
        Context::new(kafka, objects, clock, vec![backup], "backbeat-metrics", "test", Limits::default())
    }

    fn append(&self, topic: &str, partition: i32, numbers: std::ops::Range<i64>) {
        for number in numbers {
            self.kafka.append(&TopicPartition::new(topic, partition), record(number));
        }
    }

    /// Deletes topic orders, creates it again, with three records, and backs these up.
    pub async fn create_again(&self) {
        self.kafka.delete("orders");
        self.kafka.create("orders", 2, &[]);
        self.append("orders", 0, 0..3);
        let clock = Arc::new(ManualClock::at(NOW));
        self.drain(&self.context(clock, &["orders"], None)).await;
    }

    async fn drain(&self, context: &Arc<Context>) {
        let drain = Drain::of("main");
        let answer = segment_writer::handle(Input::Drain(drain), context).await.unwrap();
        assert!(matches!(&answer, segment_writer::Output::Drain(report) if report.complete()), "{answer:?}");
    }
}

fn record(number: i64) -> Record {
    Record {
        offset: Offset(number),
        timestamp: Millis(NOW.0 + number * 1_000),
        timestamp_type: TimestampType::CreateTime,
        key: Some(Bytes::from(format!("order-{number}"))),
        value: (number % 5 != 4).then(|| Bytes::from(format!("state of {number}"))),
        headers: vec![Header { name: Bytes::from_static(b"h"), value: None }],
    }
}
