//! A metrics topic that takes nothing: records are stored and committed all the same.
#![allow(clippy::disallowed_methods, reason = "tests measure paused time")]

use shared::adapters::memory::kafka::PublishFault;
use tokio::time::Instant;

use super::*;

const FAULTS: [PublishFault; 3] = [PublishFault::Denied, PublishFault::Unavailable, PublishFault::Hangs];

#[tokio::test(start_paused = true)]
async fn a_drain_stores_and_commits_everything_and_ends_in_time() {
    for fault in FAULTS {
        let world = World::new();
        world.kafka.create("orders", 1, &[]);
        world.append(30);
        world.kafka.fail_publishing("metrics", Some(fault));
        let since = Instant::now();
        let report = world.drain().await;
        assert!(report.complete(), "{fault:?}: {report:?}");
        assert_eq!(world.stored().await, (0..30).collect::<Vec<_>>());
        assert_eq!(world.committed("orders").await, Some(Offset(30)));
        assert!(since.elapsed() < Duration::from_secs(4), "{fault:?}: {:?}", since.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_metrics_topic_that_is_not_there_stops_nobody_either() {
    let world = World::new();
    world.kafka.delete("metrics");
    world.kafka.create("orders", 1, &[]);
    world.append(3);
    assert!(world.drain().await.complete());
    assert_eq!(world.committed("orders").await, Some(Offset(3)));
}

#[tokio::test(start_paused = true)]
async fn a_follower_goes_on_and_says_the_latest_when_it_is_heard_again() {
    for fault in FAULTS {
        let world = World::new();
        world.kafka.create("orders", 1, &[]);
        world.kafka.fail_publishing("metrics", Some(fault));
        let (context, stop) = (world.context(&["main"]), CancellationToken::new());
        let following = tokio::spawn({
            let (context, stop) = (context.clone(), stop.clone());
            async move { follow(&context, &stop).await }
        });
        for count in 1..=20 {
            world.append(1);
            world.until("it is stored", async || world.committed("orders").await == Some(Offset(count))).await;
        }
        if fault == PublishFault::Hangs {
            // A client gives up some time; here nothing does, so the process starts again.
            stop.cancel();
            following.await.unwrap();
            continue;
        }
        assert!(context.outbox.state().failures > 0);
        world.kafka.fail_publishing("metrics", None);
        world.until("all is said", async || context.outbox.state().waiting == 0).await;
        assert!(!world.states("orders").await.is_empty());
        stop.cancel();
        following.await.unwrap();
    }
}
