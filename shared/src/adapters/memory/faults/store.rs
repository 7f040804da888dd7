//! A store that fails.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Faults, Injected};
use crate::ports::store::{Advance, Applied, Operation, Query, Store, StoreError, Value};

/// A store as a process with [`Faults`] meets it.
pub struct FaultyStore {
    inner: Arc<dyn Store>,
    faults: Arc<Faults>,
}

impl FaultyStore {
    /// `inner` behind `faults`.
    #[must_use]
    pub fn new(inner: Arc<dyn Store>, faults: Arc<Faults>) -> Self {
        FaultyStore { inner, faults }
    }
}

fn unavailable(operation: &'static str) -> impl Fn(Injected) -> StoreError {
    move |source| StoreError::Unavailable { operation, url: "memory".to_owned(), source: Box::new(source) }
}

#[async_trait]
impl Store for FaultyStore {
    async fn apply(&self, advances: &[Advance], operations: &[Operation]) -> Result<Applied, StoreError> {
        self.faults.before().await.map_err(unavailable("apply"))?;
        let applied = self.inner.apply(advances, operations).await?;
        self.faults.after().await.map_err(unavailable("apply"))?;
        Ok(applied)
    }

    async fn read(&self, queries: &[Query]) -> Result<Vec<Value>, StoreError> {
        self.faults.before().await.map_err(unavailable("read"))?;
        let values = self.inner.read(queries).await?;
        self.faults.after().await.map_err(unavailable("read"))?;
        Ok(values)
    }
}
