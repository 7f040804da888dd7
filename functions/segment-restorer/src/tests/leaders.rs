//! Partitions whose leader is away for a while.

use super::*;

#[tokio::test(start_paused = true)]
async fn while_a_leader_is_away_only_its_partitions_wait() {
    let world = World::with(40).await;
    let away = TopicPartition::new("orders", 1);
    world.target.set_led(&away, false);
    let context = world.context();
    let mut run = std::pin::pin!(handle(asked(ORDERS), &context));
    let restored = async || {
        let found = world.contents(&world.target, "orders").await;
        [0, 1, 2].map(|partition| found.get(&partition).map_or(0, Vec::len))
    };
    for _ in 0..5_000 {
        if restored().await == [40, 0, 40] {
            break;
        }
        assert!(futures::poll!(&mut run).is_pending(), "it ended without a leader");
        a_moment().await;
    }
    assert_eq!(restored().await, [40, 0, 40], "the others are restored to their end");
    world.target.set_led(&away, true);
    assert_eq!(run.await.unwrap().outcome, Outcome::Done);
    world.assert_same("orders").await;
}
