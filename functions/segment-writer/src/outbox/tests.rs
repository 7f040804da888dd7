//! What waits, what is dropped, and what is sent first.
#![allow(clippy::disallowed_methods, reason = "tests measure paused time")]

use shared::{
    adapters::memory::{
        clock::ManualClock,
        kafka::{MemoryKafka, PublishFault},
    },
    metrics::standing::Instance,
    ports::records::{Fetched, Log as _},
    record::{Millis, Offset, TopicPartition},
};
use tokio_util::task::AbortOnDropHandle;

use super::*;

const TOPIC: &str = "metrics";

fn message(instance: usize, jobs_count: u64) -> Message {
    Message::Instance(Instance {
        timestamp: Millis(0),
        backup: "main".into(),
        topic: "orders".into(),
        instance: instance.to_string().into(),
        jobs_count,
        idle_us: 0,
        elapsed_us: 0,
        expires: Millis(0),
    })
}

/// An outbox whose messages are published on a topic where that fails at first.
fn outbox(fault: Option<PublishFault>) -> (Arc<Outbox>, MemoryKafka, AbortOnDropHandle<()>) {
    let kafka = MemoryKafka::new(Arc::new(ManualClock::default()), 1);
    kafka.create(TOPIC, 1, &[]);
    kafka.fail_publishing(TOPIC, fault);
    let outbox = Arc::new(Outbox::default());
    let publisher = outbox.clone().publish(Arc::new(kafka.clone()), TOPIC.into(), Duration::from_secs(15));
    (outbox, kafka, AbortOnDropHandle::new(tokio::spawn(publisher)))
}

/// What was published: instance and count.
async fn published(kafka: &MemoryKafka) -> Vec<(usize, u64)> {
    let partition = TopicPartition::new(TOPIC, 0);
    let mut fetch = kafka.fetch(&[(partition, Offset(0))]).await.unwrap();
    let mut published = vec![];
    loop {
        for fetched in fetch.next(Duration::from_secs(1)).await.unwrap() {
            match fetched {
                Fetched::Records { records, .. } => published.extend(records.into_iter().map(|record| {
                    let value = serde_json::from_slice(&record.value.unwrap()).unwrap();
                    let Ok(Message::Instance(instance)) = Message::decode(&value) else { panic!("{value}") };
                    (instance.instance.parse::<usize>().unwrap(), instance.jobs_count)
                })),
                Fetched::End { .. } => return published,
                other => panic!("{other:?}"),
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_put_in_is_published_the_latest_first_and_what_was_replaced_is_not() {
    let (outbox, kafka, _publisher) = outbox(None);
    for (instance, count) in [(1, 1), (2, 1), (1, 2)] {
        outbox.put(&message(instance, count));
    }
    outbox.flush(Duration::from_secs(1)).await;
    assert_eq!(published(&kafka).await, [(1, 2), (2, 1)]);
    assert_eq!(outbox.state(), State::default());
}

#[tokio::test(start_paused = true)]
async fn no_more_than_a_bounded_number_waits_and_the_oldest_are_dropped() {
    let (outbox, kafka, _publisher) = outbox(Some(PublishFault::Denied));
    for instance in 0..WAITING_MAX + 5 {
        outbox.put(&message(instance, 1));
    }
    assert_eq!((outbox.state().waiting, outbox.state().dropped), (WAITING_MAX, 5));
    kafka.fail_publishing(TOPIC, None);
    while outbox.state().waiting > 0 {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let published = published(&kafka).await;
    assert_eq!((published.len(), published[0].0, published.last().unwrap().0), (WAITING_MAX, WAITING_MAX + 4, 5));
}

#[tokio::test(start_paused = true)]
async fn waiting_for_the_end_ends_at_the_next_failure_or_when_the_time_is_over() {
    for (fault, within) in [
        (PublishFault::Denied, Duration::from_millis(1)),
        (PublishFault::Unavailable, Duration::from_millis(1)),
        (PublishFault::Hangs, Duration::from_secs(3)),
    ] {
        let (outbox, _kafka, _publisher) = outbox(Some(fault));
        outbox.put(&message(1, 1));
        // Some failures later the next attempt is seconds away.
        tokio::time::sleep(Duration::from_secs(20)).await;
        let since = tokio::time::Instant::now();
        outbox.flush(Duration::from_secs(3)).await;
        assert!(since.elapsed() <= within, "{fault:?}: {:?}", since.elapsed());
        assert_eq!(outbox.state().waiting, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn when_one_publisher_ends_another_takes_over() {
    let (outbox, kafka, publisher) = outbox(Some(PublishFault::Hangs));
    let other = outbox.clone().publish(Arc::new(kafka.clone()), TOPIC.into(), Duration::from_secs(15));
    let _other = AbortOnDropHandle::new(tokio::spawn(other));
    outbox.put(&message(1, 1));
    tokio::time::sleep(Duration::from_secs(1)).await;
    kafka.fail_publishing(TOPIC, None);
    drop(publisher);
    outbox.flush(Duration::from_secs(1)).await;
    assert_eq!(published(&kafka).await, [(1, 1)]);
}
