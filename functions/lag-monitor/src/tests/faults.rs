//! What fails costs nothing else.

use std::{ops::Range, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use shared::{
    adapters::memory::{
        faults::{Faults, FaultyKafka, Odds},
        kafka::MemoryKafka,
    },
    archive,
    metrics::{health, registers::Epoch, runs},
    ports::{
        acls::{Acl, AclAnswer, AclOperation, Acls},
        objects::{ETag, GetRange, ListPage, ListRequest, Object, Objects, ObjectsError, PutCondition},
        records::{
            Committed, Fetch, Groups, ListedGroup, Log, LogBounds, Message, Publisher, RecordsError, Topic,
            TopicLayout, TopicSettings,
        },
        store::{Advance, Applied, Operation, Query, Store, StoreError, Value},
    },
    record::{Millis, Offset, TopicPartition},
    runs::FailureKind,
};

use super::world::{World, refresh};
use crate::{MonitorError, Refresh};

/// A storage that does not answer for keys that contain a text.
struct Deaf(Arc<dyn Objects>, &'static str);

impl Deaf {
    fn hear(&self, operation: &'static str, key: &str) -> Result<(), ObjectsError> {
        if !key.contains(self.1) {
            return Ok(());
        }
        let (key, endpoint) = (key.to_owned(), "memory".to_owned());
        Err(ObjectsError::Unavailable { operation, key, endpoint, source: "deaf".into() })
    }
}

#[async_trait]
impl Objects for Deaf {
    async fn put(&self, key: &str, body: Bytes, condition: PutCondition) -> Result<ETag, ObjectsError> {
        self.0.put(key, body, condition).await
    }

    async fn get(&self, key: &str, range: GetRange) -> Result<Option<Object>, ObjectsError> {
        self.hear("get", key)?;
        self.0.get(key, range).await
    }

    async fn list(&self, request: ListRequest<'_>) -> Result<ListPage, ObjectsError> {
        self.hear("list", request.prefix)?;
        self.0.list(request).await
    }

    async fn delete(&self, key: &str) -> Result<(), ObjectsError> {
        self.0.delete(key).await
    }
}

/// A store that is down.
struct Down;

fn down(operation: &'static str) -> StoreError {
    StoreError::Unavailable { operation, url: "redis://nowhere".into(), source: "down".into() }
}

#[async_trait]
impl Store for Down {
    async fn apply(&self, _: &[Advance], _: &[Operation]) -> Result<Applied, StoreError> {
        Err(down("apply"))
    }

    async fn read(&self, _: &[Query]) -> Result<Vec<Value>, StoreError> {
        Err(down("read"))
    }
}

fn create(world: &World, topics: &[&str], partitions: Range<i32>) {
    for topic in topics {
        world.kafka.create(topic, partitions.end, &[]);
        partitions.clone().for_each(|partition| world.append(topic, partition, 4));
    }
}

#[tokio::test]
async fn a_topic_that_cannot_be_read_costs_the_others_nothing_and_the_store_is_not_called_whole() {
    let mut world = World::new();
    create(&world, &["orders", "clicks"], 0..2);
    world.drain().await;
    let objects = Arc::new(Deaf(world.objects.clone(), "main/orders/1/1/"));

    let report = refresh(&world.context_with(Arc::new(world.kafka.clone()), objects, world.store.clone())).await;

    assert_eq!((report.ends, report.standings, report.complete), (4, 3, false));
    let [failure] = &report.failures[..] else { panic!("{report:?}") };
    assert_eq!(failure.topic.as_deref(), Some("orders"));
    assert!(failure.error.retry());
    assert!(failure.to_string().starts_with("orders-1: "), "{failure}");

    world.later_refresh().await;
    assert!(world.later_refresh().await.complete, "once it can be read again, everything is well");
}

#[tokio::test]
async fn without_the_store_nothing_can_be_said_and_the_report_says_why() {
    let world = World::new();
    create(&world, &["orders"], 0..2);
    let context = world.context_with(Arc::new(world.kafka.clone()), world.objects.clone(), Arc::new(Down));
    let report = refresh(&context).await;
    assert_eq!((report.ends, report.complete, report.failures.len()), (0, false, 1));
    assert!(report.failures[0].error.retry());
}

#[tokio::test]
async fn failures_are_counted_by_kind_and_the_last_success_has_a_time() {
    let world = World::new();
    create(&world, &["orders"], 0..2);
    world.drain().await;
    let objects = Arc::new(Deaf(world.objects.clone(), "main/orders/1/1/"));
    let context = world.context_with(Arc::new(world.kafka.clone()), objects, world.store.clone());
    for _ in 0..3 {
        refresh(&context).await;
    }
    let runs = async || runs::read(&world.store.read(&runs::queries()).await.unwrap());
    let failed = runs().await;
    assert_eq!(failed.failures, [("lag-monitor", FailureKind::Storage, 3)]);
    let successes = |runs: &runs::Runs| runs.successes.iter().map(|it| it.backup.clone()).collect::<Vec<_>>();
    assert_eq!(successes(&failed), [""], "the changes were looked at, the backup was not");

    refresh(&world.context()).await;
    let well = runs().await;
    assert_eq!(successes(&well), ["", "main"]);
    assert!(well.successes.iter().all(|success| success.at == world.now()), "{well:?}");
}

#[tokio::test]
async fn without_the_storage_log_ends_are_said_all_the_same() {
    let world = World::new();
    create(&world, &["orders"], 0..2);
    let objects = Arc::new(Deaf(world.objects.clone(), ""));
    let report = refresh(&world.context_with(Arc::new(world.kafka.clone()), objects, world.store.clone())).await;
    assert_eq!((report.ends, report.complete, report.failures.len()), (2, false, 1));
}

#[tokio::test]
async fn while_kafka_is_down_the_storage_is_not_blamed() {
    let world = World::new();
    create(&world, &["orders"], 0..2);
    let down = Arc::new(Faults::new(1, Odds { fail_before: 1.0, ..Odds::NONE }, None));
    let kafka = Arc::new(FaultyKafka::new(Arc::new(world.kafka.clone()), down));
    let context = world.context_with(kafka, world.objects.clone(), world.store.clone());
    let error = crate::handle(Refresh::default(), &context).await.unwrap_err();
    assert!(error.retry(), "{error}");
    let held = world.store.read(&[Query::Registers(health::KEY.to_owned())]).await.unwrap().remove(0);
    let Value::Registers(held) = held else { panic!("{held:?}") };
    let fields: Vec<_> = held.iter().map(|register| register.field.as_str()).collect();
    assert_eq!(fields, ["storage"]);
}

#[tokio::test]
async fn a_storage_of_another_cluster_is_refused_by_name() {
    let world = World::new();
    archive::claim_owner(&*world.objects, "main", "another-cluster").await.unwrap();
    let report = refresh(&world.context()).await;
    let error = report.failures[0].to_string();
    assert!(error.contains("another-cluster") && error.contains("memory") && error.contains("storage.url"), "{error}");
    assert!(!report.failures[0].error.retry());
    assert!(!report.complete);
}

#[tokio::test]
async fn an_unknown_backup_is_an_error_that_names_it() {
    let world = World::new();
    let asked = Refresh { backup: Some("mian".into()) };
    let error = crate::handle(asked, &world.context()).await.unwrap_err();
    assert!(matches!(&error, MonitorError::UnknownBackup(name) if name == "mian"), "{error}");
}

/// A Kafka whose partition has no leader.
struct Leaderless(MemoryKafka, TopicPartition);

#[async_trait]
impl Log for Leaderless {
    async fn cluster_id(&self) -> Result<String, RecordsError> {
        self.0.cluster_id().await
    }

    async fn topics(&self, names: Option<&[Arc<str>]>) -> Result<Vec<Topic>, RecordsError> {
        self.0.topics(names).await
    }

    async fn bounds(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<Vec<Result<LogBounds, RecordsError>>, RecordsError> {
        let none = |_| RecordsError::Unavailable {
            operation: "bounds",
            bootstrap_servers: "memory".into(),
            message: "no leader".into(),
        };
        let bounds = self.0.bounds(partitions).await?.into_iter().zip(partitions);
        Ok(bounds
            .map(|(bounds, of)| if *of == self.1 { bounds.and_then(|it| Err(none(it))) } else { bounds })
            .collect())
    }

    async fn fetch(&self, starts: &[(TopicPartition, Offset)]) -> Result<Box<dyn Fetch>, RecordsError> {
        self.0.fetch(starts).await
    }

    async fn peek(&self, starts: &[(TopicPartition, Offset)]) -> Result<Box<dyn Fetch>, RecordsError> {
        self.0.peek(starts).await
    }

    async fn layout(&self, topics: &[Arc<str>]) -> Result<Vec<TopicLayout>, RecordsError> {
        self.0.layout(topics).await
    }

    async fn overrides(&self, topics: &[Arc<str>]) -> Result<Vec<Result<TopicSettings, RecordsError>>, RecordsError> {
        self.0.overrides(topics).await
    }

    async fn settings(&self, topics: &[Arc<str>]) -> Result<Vec<Result<TopicSettings, RecordsError>>, RecordsError> {
        self.0.settings(topics).await
    }
}

#[async_trait]
impl Groups for Leaderless {
    async fn join(&self, group: &str, topics: &[Arc<str>]) -> Result<Box<dyn Fetch>, RecordsError> {
        self.0.join(group, topics).await
    }

    async fn committed(
        &self,
        group: &str,
        partitions: &[TopicPartition],
    ) -> Result<Vec<Option<Committed>>, RecordsError> {
        self.0.committed(group, partitions).await
    }

    async fn groups(&self) -> Result<Vec<ListedGroup>, RecordsError> {
        self.0.groups().await
    }

    async fn commit_idle(&self, group: &str, offsets: &[(TopicPartition, Committed)]) -> Result<(), RecordsError> {
        self.0.commit_idle(group, offsets).await
    }

    async fn commit(&self, group: &str, offsets: &[(TopicPartition, Committed)]) -> Result<(), RecordsError> {
        self.0.commit(group, offsets).await
    }
}

#[async_trait]
impl Acls for Leaderless {
    async fn acls(&self) -> Result<AclAnswer, RecordsError> {
        self.0.acls().await
    }

    async fn allowed(&self, topic: &str) -> Result<Option<Vec<AclOperation>>, RecordsError> {
        self.0.allowed(topic).await
    }

    async fn add_acls(&self, acls: &[Acl]) -> Result<(), RecordsError> {
        self.0.add_acls(acls).await
    }
}

#[async_trait]
impl Publisher for Leaderless {
    async fn publish(&self, topic: &str, messages: Vec<Message>) -> Result<(), RecordsError> {
        self.0.publish(topic, messages).await
    }

    async fn check_topic(&self, name: &str, partitions: i32, configs: &[(&str, String)]) -> Result<(), RecordsError> {
        self.0.check_topic(name, partitions, configs).await
    }

    async fn create_topic(&self, name: &str, partitions: i32, configs: &[(&str, String)]) -> Result<(), RecordsError> {
        self.0.create_topic(name, partitions, configs).await
    }

    async fn alter_topic(&self, name: &str, changes: &[(&str, Option<String>)]) -> Result<(), RecordsError> {
        self.0.alter_topic(name, changes).await
    }

    async fn delete_topic(&self, name: &str) -> Result<(), RecordsError> {
        self.0.delete_topic(name).await
    }
}

#[tokio::test]
async fn after_a_put_back_the_end_of_a_log_that_nobody_can_observe_is_unknown_and_not_the_old_one() {
    let mut world = World::new();
    create(&world, &["orders"], 0..2);
    world.drain().await;
    world.later_refresh().await;
    world.later_refresh().await;
    let before = world.store.snapshot();
    (0..2).for_each(|partition| world.append("orders", partition, 4));
    world.later_refresh().await;

    world.store.restore(before);
    let one = TopicPartition::new("orders", 1);
    let kafka = Arc::new(Leaderless(world.kafka.clone(), one));
    let context = world.context_with(kafka, world.objects.clone(), world.store.clone());
    for _ in 0..3 {
        world.clock.advance(Millis(15_000));
        refresh(&context).await;
        world.carry().await;
    }
    assert!(matches!(world.epoch().await, Epoch::Complete(_)));
    let view = world.view_of("orders").await.unwrap();
    let progress: Vec<_> = view.partitions.values().map(|partition| partition.progress).collect();
    assert_eq!((progress, view.progress), (vec![Some(0.5), None], None));
}

#[tokio::test]
async fn a_last_segment_that_cannot_be_read_costs_its_partition_the_figures_and_no_other() {
    let mut world = World::new();
    create(&world, &["orders", "clicks"], 0..2);
    world.drain().await;
    let key = "main/orders/1/1/00000000000000000000.kan";
    let whole = world.objects.get(key, GetRange::Whole).await.unwrap().unwrap();
    world.objects.delete(key).await.unwrap();
    world.objects.put(key, "no segment".into(), PutCondition::IfAbsent).await.unwrap();
    world.carry().await;
    world.wipe();

    for _ in 0..3 {
        world.later_refresh().await;
    }
    assert!(matches!(world.epoch().await, Epoch::Complete(_)));
    let orders = world.view_of("orders").await.unwrap();
    let progress: Vec<_> = orders.partitions.values().map(|partition| partition.progress).collect();
    assert_eq!((orders.unreadable, progress), (1, vec![Some(1.0), None]));
    let clicks = world.view_of("clicks").await.unwrap();
    assert_eq!((clicks.unreadable, clicks.progress, clicks.totals.records), (0, Some(1.0), 8));

    // It is brought back.
    world.objects.delete(key).await.unwrap();
    world.objects.put(key, whole.body, PutCondition::IfAbsent).await.unwrap();
    world.later_refresh().await;
    let orders = world.view_of("orders").await.unwrap();
    assert_eq!((orders.unreadable, orders.progress, orders.totals.records), (0, Some(1.0), 8));
}
