//! What fails costs nothing else.

use std::{ops::Range, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use shared::{
    archive,
    ports::{
        objects::{ETag, GetRange, ListPage, ListRequest, Object, Objects, ObjectsError, PutCondition},
        store::{Advance, Applied, Operation, Query, Store, StoreError, Value},
    },
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
async fn without_the_store_log_ends_are_said_all_the_same() {
    let world = World::new();
    create(&world, &["orders"], 0..2);
    let context = world.context_with(Arc::new(world.kafka.clone()), world.objects.clone(), Arc::new(Down));
    let report = refresh(&context).await;
    assert_eq!((report.ends, report.complete, report.failures.len()), (2, false, 1));
    assert!(report.failures[0].error.retry());
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
