//! A storage where something happens before a segment is put.

use std::sync::Mutex;

use bytes::Bytes;
use futures::future::BoxFuture;
use shared::ports::objects::{ETag, GetRange, ListPage, ListRequest, Object, Objects, ObjectsError, PutCondition};

use super::*;

/// What happens, told the segment's key: an error is the answer.
type BeforePut = Box<dyn Fn(String) -> BoxFuture<'static, Result<(), ObjectsError>> + Send + Sync>;

/// An answer that stands in for another, told the segment's key.
type Lost = fn(String) -> ObjectsError;

pub struct Storage {
    objects: Arc<MemoryObjects>,
    before_put: BeforePut,
    /// What is answered in the place of the next answers to segments that were stored.
    lost: Mutex<Vec<Lost>>,
}

impl Storage {
    pub fn of<F: Future<Output = Result<(), ObjectsError>> + Send + 'static>(
        world: &World,
        before_put: impl Fn(String) -> F + Send + Sync + 'static,
    ) -> Arc<Self> {
        let before_put: BeforePut = Box::new(move |key| Box::pin(before_put(key)));
        Arc::new(Storage { objects: world.objects.clone(), before_put, lost: Mutex::default() })
    }

    /// A storage that stores segments and answers these errors, the last first.
    pub fn that_loses(world: &World, lost: &[Lost]) -> Arc<Self> {
        let before_put: BeforePut = Box::new(|_| Box::pin(async { Ok(()) }));
        Arc::new(Storage { objects: world.objects.clone(), before_put, lost: Mutex::new(lost.to_vec()) })
    }
}

pub fn is_down(key: String) -> ObjectsError {
    ObjectsError::Unavailable { operation: "put", key, endpoint: "here".into(), source: "down".into() }
}

pub fn is_there_already(key: String) -> ObjectsError {
    ObjectsError::PreconditionFailed { key }
}

#[async_trait::async_trait]
impl Objects for Storage {
    async fn put(&self, key: &str, body: Bytes, condition: PutCondition) -> Result<ETag, ObjectsError> {
        if key.ends_with(".kan") {
            (self.before_put)(key.to_owned()).await?;
        }
        let answer = self.objects.put(key, body, condition).await?;
        let lost = if key.ends_with(".kan") { self.lost.lock().unwrap().pop() } else { None };
        lost.map_or(Ok(answer), |error| Err(error(key.to_owned())))
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
