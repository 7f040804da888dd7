//! What is paused stands still, says so, and goes on where it stopped.

use shared::{
    archive::{pause, resume},
    job::State,
    ports::{
        clock::Clock as _,
        records::{Fetched, Log as _},
    },
};

use super::*;

impl World {
    /// The state that the last standing of a topic tells, and since when.
    async fn state(&self, topic: &str) -> (State, Millis) {
        self.states(topic).await.pop().unwrap_or((State::CREATED, Millis(0)))
    }

    /// The states that the standings of a topic tell, in their order.
    pub(super) async fn states(&self, topic: &str) -> Vec<(State, Millis)> {
        let state = |job: serde_json::Value| {
            (serde_json::from_value(job["state"].clone()).unwrap(), Millis(job["since"].as_i64().unwrap()))
        };
        self.jobs(topic).await.into_iter().map(state).collect()
    }

    /// The owner epochs that they tell.
    pub(super) async fn owner_epochs(&self, topic: &str) -> Vec<u64> {
        self.jobs(topic).await.into_iter().map(|job| job["ownerEpoch"].as_u64().unwrap()).collect()
    }

    async fn jobs(&self, topic: &str) -> Vec<serde_json::Value> {
        let starts = [(TopicPartition::new("metrics", 0), Offset(0))];
        let mut fetch = self.kafka.fetch(&starts).await.unwrap();
        let mut jobs = vec![];
        loop {
            for fetched in fetch.next(Duration::from_secs(1)).await.unwrap() {
                let Fetched::Records { records, .. } = fetched else { return jobs };
                for record in records {
                    let message: serde_json::Value = serde_json::from_slice(&record.value.unwrap()).unwrap();
                    if message["type"] == "standing" && message["topic"] == topic {
                        jobs.push(message["job"].clone());
                    }
                }
            }
        }
    }

    pub(super) async fn committed(&self, topic: &str) -> Option<Offset> {
        self.kafka.committed_offsets("highwater.main", &[TopicPartition::new(topic, 0)]).await.unwrap()[0]
    }

    /// Lets time pass until `holds`.
    pub(super) async fn until(&self, what: &str, holds: impl AsyncFn() -> bool) {
        for _ in 0..2_000 {
            if holds().await {
                return;
            }
            self.clock.advance(Millis(50));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("never: {what}");
    }
}

async fn ten_orders() -> World {
    let world = World::new();
    world.kafka.create("orders", 1, &[]);
    world.append(10);
    world
}

#[tokio::test(start_paused = true)]
async fn a_drain_leaves_a_paused_topic_alone_and_says_so() {
    let world = ten_orders().await;
    world.kafka.create("clicks", 1, &[]);
    world.kafka.append(&TopicPartition::new("clicks", 0), record(0));
    pause(&*world.objects, "main", Some("orders"), Millis(1)).await.unwrap();
    let report = world.drain().await;
    let mut paused: Vec<_> = report.partitions.iter().map(|p| (&*p.topic, p.records, p.paused)).collect();
    paused.sort_unstable();
    assert_eq!(paused, [("clicks", 1, false), ("orders", 0, true)]);
    assert!(report.complete());
    assert_eq!(world.state("orders").await, (State::PAUSED, Millis(1_700_000_000_000)));

    resume(&*world.objects, "main", Some("orders")).await.unwrap();
    assert!(world.drain().await.complete());
    assert_eq!(world.stored().await, (0..10).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn an_event_of_a_paused_backup_is_not_acknowledged() {
    let world = ten_orders().await;
    pause(&*world.objects, "main", None, Millis(1)).await.unwrap();
    let event = Event { arrived: vec![arrived(0..10)], ..Event::default() };
    let error = handle(Input::Event(event), &world.context(&["main"])).await.unwrap_err();
    assert!(matches!(&error, WriteError::Paused { .. }) && error.retry(), "{error}");
    resume(&*world.objects, "main", None).await.unwrap();
    assert_eq!(world.event(0..10).await, (0..10).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_follower_stores_what_it_has_stands_still_within_a_refresh_and_goes_on_at_the_frontier() {
    let world = ten_orders().await;
    world.kafka.create("clicks", 1, &[]);
    let (context, stop) = (world.context(&["main"]), CancellationToken::new());
    let following = tokio::spawn({
        let stop = stop.clone();
        async move { follow(&context, &stop).await }
    });
    world.until("all is stored", async || world.committed("orders").await == Some(Offset(10))).await;

    pause(&*world.objects, "main", Some("orders"), Millis(1)).await.unwrap();
    let before = world.clock.now();
    world.until("paused", async || world.state("orders").await.0 == State::PAUSED).await;
    assert!(world.clock.now().0 - before.0 <= 16_000, "within one refresh of 15 s");
    world.append(5);
    world.kafka.append(&TopicPartition::new("clicks", 0), record(0));
    world.until("clicks go on", async || world.committed("clicks").await == Some(Offset(1))).await;
    for _ in 0..10 {
        world.clock.advance(Millis(15_000));
        tokio::time::sleep(Duration::from_secs(15)).await;
    }
    assert_eq!((world.committed("orders").await, world.state("orders").await.0), (Some(Offset(10)), State::PAUSED));

    resume(&*world.objects, "main", Some("orders")).await.unwrap();
    world.until("orders go on", async || world.committed("orders").await == Some(Offset(15))).await;
    assert_eq!(world.stored().await, (0..15).collect::<Vec<_>>());
    stop.cancel();
    following.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_topic_that_was_created_again_during_its_pause_is_a_new_incarnation() {
    let world = ten_orders().await;
    assert!(world.drain().await.complete());
    pause(&*world.objects, "main", Some("orders"), Millis(1)).await.unwrap();
    let (context, stop) = (world.context(&["main"]), CancellationToken::new());
    let following = tokio::spawn({
        let stop = stop.clone();
        async move { follow(&context, &stop).await }
    });
    world.until("paused", async || world.state("orders").await.0 == State::PAUSED).await;
    world.kafka.delete("orders");
    world.kafka.create("orders", 1, &[]);
    world.append(3);
    resume(&*world.objects, "main", Some("orders")).await.unwrap();
    world.until("the new one is stored", async || world.committed("orders").await == Some(Offset(3))).await;
    stop.cancel();
    following.await.unwrap();
    assert_eq!(archive::claims(&*world.objects, "main", "orders").await.unwrap().len(), 2);
    assert_eq!(world.stored().await, (0..10).collect::<Vec<_>>(), "the first incarnation keeps its records");
}

#[test]
fn waits_double_to_their_limit_and_what_only_a_person_can_mend_waits_that_long_at_once() {
    let limits = Limits::default();
    let waits = |remedy| [1, 2, 3, 7, 40].map(|attempt| limits.wait_after(remedy, attempt).as_secs());
    assert_eq!(waits(Remedy::Backoff), [1, 2, 4, 60, 60]);
    assert_eq!(waits(Remedy::Fail), [60; 5]);
}
