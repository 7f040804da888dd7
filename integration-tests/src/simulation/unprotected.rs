//! Ports without a protection, to show that it is needed.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use bytes::Bytes;
use shared::{
    archive::SegmentEntry,
    chain::Floor,
    ports::{
        objects::{ETag, GetRange, ListPage, ListRequest, Object, Objects, ObjectsError, PutCondition},
        store::{Advance, Applied, Operation, Query, Register, Store, StoreError, Value},
    },
};

/// An object store that ignores If-None-Match, as one without conditional PUT does.
pub struct OverwritingObjects(pub Arc<dyn Objects>);

#[async_trait]
impl Objects for OverwritingObjects {
    async fn put(&self, key: &str, body: Bytes, condition: PutCondition) -> Result<ETag, ObjectsError> {
        if condition == PutCondition::IfAbsent && key.ends_with(".kan") {
            self.0.delete(key).await?;
        }
        self.0.put(key, body, condition).await
    }

    async fn get(&self, key: &str, range: GetRange) -> Result<Option<Object>, ObjectsError> {
        self.0.get(key, range).await
    }

    async fn list(&self, request: ListRequest<'_>) -> Result<ListPage, ObjectsError> {
        self.0.list(request).await
    }

    async fn delete(&self, key: &str) -> Result<(), ObjectsError> {
        self.0.delete(key).await
    }
}

/// An object store in which nobody sees a pin.
pub struct PinlessObjects(pub Arc<dyn Objects>);

#[async_trait]
impl Objects for PinlessObjects {
    async fn put(&self, key: &str, body: Bytes, condition: PutCondition) -> Result<ETag, ObjectsError> {
        self.0.put(key, body, condition).await
    }

    async fn get(&self, key: &str, range: GetRange) -> Result<Option<Object>, ObjectsError> {
        self.0.get(key, range).await
    }

    async fn list(&self, request: ListRequest<'_>) -> Result<ListPage, ObjectsError> {
        if request.prefix.ends_with("/=pins/") { Ok(ListPage::default()) } else { self.0.list(request).await }
    }

    async fn delete(&self, key: &str) -> Result<(), ObjectsError> {
        self.0.delete(key).await
    }
}

/// An object store that deletes what will lie below a floor before the floor is there.
pub struct FloorLastObjects(pub Arc<dyn Objects>);

#[async_trait]
impl Objects for FloorLastObjects {
    async fn put(&self, key: &str, body: Bytes, condition: PutCondition) -> Result<ETag, ObjectsError> {
        if let Some(folder) = key.strip_suffix("=floor.json") {
            let floor: Floor = serde_json::from_slice(&body).expect("a floor");
            let page = self.0.list(ListRequest::prefix(folder)).await?;
            let segments = page.objects.iter().filter_map(|entry| SegmentEntry::of(folder, entry));
            for segment in segments.filter(|segment| segment.base < floor.base) {
                self.0.delete(&segment.key).await?;
            }
        }
        self.0.put(key, body, condition).await
    }

    async fn get(&self, key: &str, range: GetRange) -> Result<Option<Object>, ObjectsError> {
        self.0.get(key, range).await
    }

    async fn list(&self, request: ListRequest<'_>) -> Result<ListPage, ObjectsError> {
        self.0.list(request).await
    }

    async fn delete(&self, key: &str) -> Result<(), ObjectsError> {
        self.0.delete(key).await
    }
}

/// A store whose registers take whatever comes last.
pub struct ForgetfulStore {
    inner: Arc<dyn Store>,
    writes: AtomicU64,
}

impl ForgetfulStore {
    pub fn new(inner: Arc<dyn Store>) -> Self {
        ForgetfulStore { inner, writes: AtomicU64::new(0) }
    }
}

#[async_trait]
impl Store for ForgetfulStore {
    async fn apply(&self, advances: &[Advance], operations: &[Operation]) -> Result<Applied, StoreError> {
        let mut overwriting = vec![];
        for operation in operations {
            if let Operation::Max { key, field, .. } = operation {
                overwriting.push(Operation::Remove { key: key.clone(), fields: vec![field.clone()] });
            }
            overwriting.push(operation.clone());
            self.writes.fetch_add(1, Ordering::Relaxed);
        }
        self.inner.apply(advances, &overwriting).await
    }

    async fn read(&self, queries: &[Query]) -> Result<Vec<Value>, StoreError> {
        self.inner.read(queries).await
    }
}

/// A store that applies a part of the metrics topic wherever the partition stands.
pub struct UncheckedStore(pub Arc<dyn Store>);

#[async_trait]
impl Store for UncheckedStore {
    async fn apply(&self, advances: &[Advance], operations: &[Operation]) -> Result<Applied, StoreError> {
        let mut advances = advances.to_vec();
        for advance in advances.iter_mut().filter(|it| it.key.starts_with("hw1:position:") && it.from != Some(it.to)) {
            let stored = self.0.read(&[Query::Text(advance.key.clone())]).await?;
            let Some(Value::Text(text)) = stored.first() else { continue };
            advance.from = text.as_deref().and_then(|text| text.parse().ok());
        }
        self.0.apply(&advances, operations).await
    }

    async fn read(&self, queries: &[Query]) -> Result<Vec<Value>, StoreError> {
        self.0.read(queries).await
    }
}

/// A store that tells no run from another.
pub struct RunlessStore(pub Arc<dyn Store>);

#[async_trait]
impl Store for RunlessStore {
    async fn apply(&self, advances: &[Advance], operations: &[Operation]) -> Result<Applied, StoreError> {
        self.0.apply(advances, operations).await
    }

    async fn read(&self, queries: &[Query]) -> Result<Vec<Value>, StoreError> {
        let mut values = self.0.read(queries).await?;
        let runs = queries.iter().zip(&mut values).filter(|(query, _)| **query == Query::Run);
        runs.for_each(|(_, value)| *value = Value::Text(None));
        Ok(values)
    }
}

/// A store whose every epoch looks complete.
pub struct AlwaysWholeStore(pub Arc<dyn Store>);

#[async_trait]
impl Store for AlwaysWholeStore {
    async fn apply(&self, advances: &[Advance], operations: &[Operation]) -> Result<Applied, StoreError> {
        self.0.apply(advances, operations).await
    }

    async fn read(&self, queries: &[Query]) -> Result<Vec<Value>, StoreError> {
        let mut values = self.0.read(queries).await?;
        for at in (0..queries.len()).filter(|at| queries[*at] == Query::Run) {
            // The epoch, the run of its completion and the run of now are asked for together.
            let register = Register { field: "run".to_owned(), order: vec![1], value: String::new() };
            let whole = [Value::Text(Some("1".to_owned())), Value::Registers(vec![register]), Value::Text(None)];
            values[at - 2..=at].clone_from_slice(&whole);
        }
        Ok(values)
    }
}
