//! Topics that are named and not there.

use shared::ports::records::{Fetched, Log as _};

use super::*;

#[tokio::test(start_paused = true)]
async fn a_drain_names_the_topics_that_are_named_and_not_in_kafka() {
    let world = World::new();
    world.kafka.create("orders", 1, &[]);
    world.append(3);
    let drain = |topics: Option<&[&str]>| Drain {
        backup: "main".into(),
        topics: topics.map(|names| names.iter().map(ToString::to_string).collect()),
        shard: None,
        deadline: None,
        one_shot: true,
    };
    let report = async |include: &str, topics: Option<&[&str]>| match handle(
        Input::Drain(drain(topics)),
        &world.context_with_topics(include),
    )
    .await
    .unwrap()
    {
        Output::Drain(report) => report,
        Output::Event(report) => panic!("{report:?}"),
    };
    let misspelt = report("ordres", None).await;
    assert!(misspelt.partitions.is_empty() && !misspelt.complete(), "{misspelt:?}");
    assert_eq!(misspelt.missing_topics, ["ordres"]);
    let asked_for = report("*", Some(&["orders", "clicks"])).await;
    assert_eq!(asked_for.missing_topics, ["clicks"]);
    assert_eq!((asked_for.partitions.len(), asked_for.complete()), (1, false));
    assert!(report("orders", None).await.complete() && report("x-*", None).await.complete());
}

#[tokio::test(start_paused = true)]
async fn a_follower_says_which_named_topic_is_missing_until_it_is_there() {
    let world = World::new();
    let (context, stop) = (world.context_with_topics("orders"), CancellationToken::new());
    let following = tokio::spawn({
        let stop = stop.clone();
        async move { follow(&context, &stop).await }
    });
    let told = async || world.missing_topics_told().await.pop().unwrap_or_default();
    world.until("it is told as missing", async || told().await == serde_json::json!({"main": ["orders"]})).await;
    world.kafka.create("orders", 1, &[]);
    world.append(3);
    world.until("it is told no more", async || told().await.is_null()).await;
    world.until("it is stored", async || world.committed("orders").await == Some(Offset(3))).await;
    stop.cancel();
    following.await.unwrap();
}

impl World {
    /// What each process's message said about missing topics, in their order.
    async fn missing_topics_told(&self) -> Vec<serde_json::Value> {
        let mut fetch = self.kafka.fetch(&[(TopicPartition::new("metrics", 0), Offset(0))]).await.unwrap();
        let mut told = vec![];
        loop {
            for fetched in fetch.next(Duration::from_secs(1)).await.unwrap() {
                let Fetched::Records { records, .. } = fetched else { return told };
                let messages = records.into_iter().map(|record| record.value.expect("no tombstone"));
                let messages = messages.map(|it| serde_json::from_slice::<serde_json::Value>(&it).unwrap());
                told.extend(messages.filter(|it| it["type"] == "process").map(|it| it["missingTopics"].clone()));
            }
        }
    }
}
