//! The function over Kafka and storage in memory. What may go wrong at any moment is the simulation's.

use std::time::Duration;

use shared::{
    adapters::memory::{clock::ManualClock, kafka::MemoryKafka, objects::MemoryObjects},
    archive,
    ports::{objects::Objects as _, records::Groups as _},
    record::{Millis, Offset, Record, TimestampType, TopicPartition},
    rollover::Rollover,
    segment::Compression,
};
use tokio_util::sync::CancellationToken;

use super::*;

struct World {
    kafka: MemoryKafka,
    objects: Arc<MemoryObjects>,
    clock: Arc<ManualClock>,
}

impl World {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::at(Millis(1_700_000_000_000)));
        let kafka = MemoryKafka::new(clock.clone(), 1);
        kafka.create("metrics", 1, &[]);
        World { kafka, objects: Arc::new(MemoryObjects::new(clock.clone())), clock }
    }

    fn append(&self, count: usize) {
        let record = Record {
            offset: Offset(0),
            timestamp: Millis(1),
            timestamp_type: TimestampType::CreateTime,
            key: None,
            value: Some("value".into()),
            headers: vec![],
        };
        for _ in 0..count {
            self.kafka.append(&orders(), record.clone());
        }
    }

    fn context(&self, backups: &[&str]) -> Arc<Context> {
        let backup = |name: &&str| Backup {
            name: (*name).to_owned(),
            topics: shared::config::selection::TopicSelection { include: vec!["*".parse().unwrap()], exclude: vec![] },
            rollover: Rollover { bytes_max: 1 << 20, age_max: Duration::from_millis(100) },
            compression: Compression::None,
        };
        let (kafka, objects) = (Arc::new(self.kafka.clone()), self.objects.clone());
        let backups = backups.iter().map(backup).collect();
        Context::new(kafka, objects, self.clock.clone(), backups, "metrics", "test", Limits::default())
    }

    async fn drain(&self) -> DrainReport {
        let drain = Drain { backup: "main".into(), topics: None, shard: None, deadline: None, one_shot: false };
        match handle(Input::Drain(drain), &self.context(&["main"])).await.unwrap() {
            Output::Drain(report) => report,
            Output::Event(report) => panic!("{report:?}"),
        }
    }
}

fn orders() -> TopicPartition {
    TopicPartition::new("orders", 0)
}

/// A topic that was created again, with 3 records, when the 10 of the one before were stored.
async fn created_again() -> World {
    let world = World::new();
    world.kafka.create("orders", 1, &[]);
    world.append(10);
    assert!(world.drain().await.complete());
    world.kafka.delete("orders");
    world.kafka.create("orders", 1, &[]);
    world.append(3);
    world
}

#[tokio::test(start_paused = true)]
async fn an_offset_that_was_committed_for_the_topic_before_holds_up_nothing() {
    let world = created_again().await;
    world.kafka.commit("highwater.main", &[(orders(), Offset(10))]).await.unwrap();
    let report = world.drain().await;
    assert!(report.complete(), "{report:?}");
    assert_eq!(world.kafka.committed("highwater.main", &[orders()]).await.unwrap(), [Some(Offset(3))]);
}

#[tokio::test(start_paused = true)]
async fn an_offset_that_no_segment_ever_ended_at_says_that_the_tail_of_the_backup_is_missing() {
    let world = created_again().await;
    world.kafka.commit("highwater.main", &[(orders(), Offset(9))]).await.unwrap();
    let report = world.drain().await;
    let error = report.partitions[0].error.as_ref().expect("nothing is written");
    assert!(matches!(error, WriteError::TailMissing { committed: Offset(9), .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_backup_that_belongs_to_another_holds_up_no_other() {
    let world = World::new();
    world.kafka.create("orders", 1, &[]);
    archive::claim_owner(&*world.objects, "theirs", "another cluster").await.unwrap();
    world.append(3);
    let (context, stop) = (world.context(&["theirs", "main"]), CancellationToken::new());
    let following = tokio::spawn({
        let stop = stop.clone();
        async move { follow(&context, &stop).await }
    });
    for appended in [3, 6] {
        let committed = async || world.kafka.committed("highwater.main", &[orders()]).await.unwrap()[0];
        while committed().await != Some(Offset(appended)) {
            world.clock.advance(Millis(50));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        world.append(3);
    }
    stop.cancel();
    following.await.unwrap();
    let theirs = shared::ports::objects::ListRequest::prefix("theirs/");
    assert_eq!(world.objects.list(theirs).await.unwrap().objects.len(), 1, "only its owner is there");
}
