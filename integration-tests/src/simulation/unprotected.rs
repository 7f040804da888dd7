//! Ports without a protection, to show that it is needed.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use bytes::Bytes;
use shared::ports::{
    objects::{ETag, GetRange, ListPage, ListRequest, Object, Objects, ObjectsError, PutCondition},
    store::{Advance, Applied, Operation, Query, Store, StoreError, Value},
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
