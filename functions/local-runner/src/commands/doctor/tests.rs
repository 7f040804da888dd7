use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use shared::{
    adapters::memory::{
        clock::ManualClock,
        kafka::{MemoryKafka, PublishFault},
        objects::MemoryObjects,
    },
    archive,
    config::{Draft, Settings},
    ports::objects::{ETag, GetRange, ListPage, ListRequest, Object, Objects, ObjectsError, PutCondition},
    record::Millis,
};

use super::*;

fn world() -> (Settings, MemoryKafka, Arc<MemoryObjects>) {
    let text = "[backups.main]\ntopics = { include = [\"orders\", \"missing\", \"p*\"] }";
    let settings = Draft::new(text, &Default::default()).unwrap().settings().unwrap();
    let clock = Arc::new(ManualClock::at(Millis(1_700_000_000_000)));
    let kafka = MemoryKafka::new(clock.clone(), 1);
    kafka.create("orders", 2, &[]);
    kafka.create("backbeat-metrics", 7, &[]);
    (settings, kafka, Arc::new(MemoryObjects::new(clock)))
}

fn told(examined: &Examined) -> Vec<String> {
    let told = |it: &Finding| format!("{:?} {}: {}", it.outcome, it.what, it.detail);
    examined.findings.iter().map(told).collect()
}

#[tokio::test]
async fn topics_that_are_missing_and_a_metrics_topic_of_another_size_are_told() {
    let (settings, kafka, _) = world();
    let mut examined = Examined::default();
    kafka::examine(&settings, &kafka, &mut examined).await;
    assert_eq!(
        told(&examined),
        [
            "Good topics: backup main selects 1 of 2 topics",
            "Warning topics: backup main asks for topic \"missing\", which is not there",
            "Warning metrics topic: backbeat-metrics has 7 partitions, and the settings say 4",
            "Good metrics topic: backbeat-metrics may be written",
            "Good topics: backup main may read orders",
            "Good consumer group: highwater.main can be read",
        ]
    );
    assert!(examined.is_good() && examined.text().contains("set metrics.partitions to that"));
}

#[tokio::test]
async fn of_several_topics_one_is_read_and_that_is_said() {
    let (settings, kafka, _) = world();
    kafka.create("payments", 1, &[]);
    let mut examined = Examined::default();
    kafka::examine(&settings, &kafka, &mut examined).await;
    let wanted =
        "Good topics: backup main may read orders, the first of its 2 topics; the others were not tried".to_owned();
    assert!(told(&examined).contains(&wanted), "{:?}", told(&examined));
}

#[tokio::test]
async fn a_metrics_topic_that_may_not_be_written_is_warned_of() {
    let (settings, kafka, _) = world();
    kafka.fail_publishing("backbeat-metrics", Some(PublishFault::Denied));
    let mut examined = Examined::default();
    kafka::examine(&settings, &kafka, &mut examined).await;
    let wanted = "Warning metrics topic: backbeat-metrics may not be written: then figures come from lag-monitor alone";
    assert!(told(&examined).iter().any(|it| it == wanted), "{:?}", told(&examined));
    assert!(examined.is_good() && examined.text().contains("allow Write on the topic"));
}

#[tokio::test]
async fn a_store_where_one_of_many_creates_and_overwrites_wins_is_good_and_nothing_is_left_in_it() {
    let (_, _, objects) = world();
    let mut examined = Examined::default();
    storage::race(objects.clone(), "conditional writes", &mut examined).await;
    assert_eq!(
        told(&examined),
        ["Good conditional writes: of 16 creates of one object at once one succeeded, and of 16 overwrites"]
    );
    let left = objects.list(ListRequest::prefix("")).await.unwrap();
    assert!(left.objects.is_empty(), "{left:?}");
}

/// A store that forgets one of the conditions of a PUT.
struct Forgetful {
    /// Whether it forgets that of creates, else that of overwrites.
    creates: bool,
    objects: Arc<MemoryObjects>,
}

#[async_trait]
impl Objects for Forgetful {
    async fn put(&self, key: &str, body: Bytes, condition: PutCondition) -> Result<ETag, ObjectsError> {
        if (condition == PutCondition::IfAbsent) != self.creates {
            return self.objects.put(key, body, condition).await;
        }
        self.objects.delete(key).await?;
        self.objects.put(key, body, PutCondition::IfAbsent).await
    }

    async fn get(&self, key: &str, range: GetRange) -> Result<Option<Object>, ObjectsError> {
        self.objects.get(key, range).await
    }

    async fn list(&self, request: ListRequest<'_>) -> Result<ListPage, ObjectsError> {
        self.objects.list(request).await
    }

    async fn delete(&self, key: &str) -> Result<(), ObjectsError> {
        self.objects.delete(key).await
    }
}

#[tokio::test]
async fn a_store_where_many_creates_or_overwrites_at_once_succeed_is_wrong_and_nothing_is_left_in_it() {
    for (creates, what) in [(true, "creates"), (false, "overwrites")] {
        let (_, _, objects) = world();
        let store = Arc::new(Forgetful { creates, objects: objects.clone() });
        let mut examined = Examined::default();
        storage::race(store, "conditional writes", &mut examined).await;
        let wanted = format!("Wrong conditional writes: of 16 {what} of one object at once 16 succeeded");
        assert_eq!(told(&examined), [wanted]);
        assert!(!examined.is_good() && examined.text().contains("choose a store with atomic If-None-Match"));
        assert!(objects.list(ListRequest::prefix("")).await.unwrap().objects.is_empty());
    }
}

#[tokio::test]
async fn a_prefix_of_another_cluster_is_wrong() {
    let (settings, kafka, objects) = world();
    let mut examined = Examined::default();
    storage::owners(&settings, &kafka, &*objects, &mut examined).await;
    archive::claim_owner(&*objects, "main", "another-cluster").await.unwrap();
    storage::owners(&settings, &kafka, &*objects, &mut examined).await;
    assert!(!examined.is_good());
    let told = told(&examined);
    assert_eq!(told[0], "Good owner: backup main has not begun");
    assert!(told[1].starts_with("Wrong owner: backup main is of cluster another-cluster, and this is "), "{told:?}");
}

#[tokio::test]
async fn what_may_be_done_is_tried_and_a_metrics_topic_that_is_compacted_is_wrong() {
    let (settings, kafka, objects) = world();
    kafka.delete("backbeat-metrics");
    kafka.create("backbeat-metrics", 4, &[("cleanup.policy", "compact".to_owned())]);
    let mut examined = Examined::default();
    kafka::examine(&settings, &kafka, &mut examined).await;
    storage::permissions(&*objects, &mut examined).await;
    let told = told(&examined);
    let is_told = |what: &str| told.iter().any(|line| line.starts_with(what));
    assert!(is_told("Wrong metrics topic: backbeat-metrics is compacted"), "{told:?}");
    assert!(is_told("Good topics: backup main may read orders"), "{told:?}");
    assert!(is_told("Good storage permissions: may write, read, list and delete objects"), "{told:?}");
    let left = objects.list(ListRequest::prefix("")).await.unwrap();
    assert!(left.objects.is_empty(), "{left:?}");
}
