//! An object store that fails.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use super::{Faults, Injected};
use crate::ports::objects::{ETag, GetRange, ListPage, ListRequest, Object, Objects, ObjectsError, PutCondition};

/// An object store as a process with [`Faults`] meets it.
pub struct FaultyObjects {
    inner: Arc<dyn Objects>,
    faults: Arc<Faults>,
}

impl FaultyObjects {
    /// `inner` behind `faults`.
    #[must_use]
    pub fn new(inner: Arc<dyn Objects>, faults: Arc<Faults>) -> Self {
        FaultyObjects { inner, faults }
    }
}

fn unavailable(operation: &'static str, key: &str) -> impl Fn(Injected) -> ObjectsError {
    move |source| ObjectsError::Unavailable {
        operation,
        key: key.to_owned(),
        endpoint: "memory".to_owned(),
        source: Box::new(source),
    }
}

#[async_trait]
impl Objects for FaultyObjects {
    async fn put(&self, key: &str, body: Bytes, condition: PutCondition) -> Result<ETag, ObjectsError> {
        self.faults.before().await.map_err(unavailable("put", key))?;
        let etag = self.inner.put(key, body, condition).await?;
        self.faults.after().await.map_err(unavailable("put", key))?;
        Ok(etag)
    }

    async fn get(&self, key: &str, range: GetRange) -> Result<Option<Object>, ObjectsError> {
        self.faults.before().await.map_err(unavailable("get", key))?;
        let object = self.inner.get(key, range).await?;
        self.faults.after().await.map_err(unavailable("get", key))?;
        Ok(object)
    }

    async fn list(&self, request: ListRequest<'_>) -> Result<ListPage, ObjectsError> {
        self.faults.before().await.map_err(unavailable("list", request.prefix))?;
        let page = self.inner.list(request).await?;
        self.faults.after().await.map_err(unavailable("list", request.prefix))?;
        Ok(page)
    }

    async fn delete(&self, key: &str) -> Result<(), ObjectsError> {
        self.faults.before().await.map_err(unavailable("delete", key))?;
        self.inner.delete(key).await?;
        self.faults.after().await.map_err(unavailable("delete", key))
    }
}
