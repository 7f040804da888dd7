//! An object store that counts what is asked of it.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use bytes::Bytes;

use crate::ports::objects::{
    ETag, ErrorKind, GetRange, ListPage, ListRequest, Object, Objects, ObjectsError, Operation, PutCondition,
    RequestCounts,
};

/// Counts the calls of a store, and those that failed, by kind. What its client tries again by itself is one call.
pub struct CountingObjects {
    inner: Arc<dyn Objects>,
    requests: [AtomicU64; Operation::ALL.len()],
    errors: [[AtomicU64; ErrorKind::ALL.len()]; Operation::ALL.len()],
}

impl CountingObjects {
    /// Counts from now on.
    #[must_use]
    pub fn new(inner: Arc<dyn Objects>) -> Self {
        CountingObjects { inner, requests: Default::default(), errors: Default::default() }
    }

    fn count<T>(&self, operation: Operation, outcome: Result<T, ObjectsError>) -> Result<T, ObjectsError> {
        self.requests[operation as usize].fetch_add(1, Ordering::Relaxed);
        if let Err(error) = &outcome {
            self.errors[operation as usize][error.kind() as usize].fetch_add(1, Ordering::Relaxed);
        }
        outcome
    }
}

#[async_trait]
impl Objects for CountingObjects {
    async fn put(&self, key: &str, body: Bytes, condition: PutCondition) -> Result<ETag, ObjectsError> {
        self.count(Operation::Put, self.inner.put(key, body, condition).await)
    }

    async fn get(&self, key: &str, range: GetRange) -> Result<Option<Object>, ObjectsError> {
        self.count(Operation::Get, self.inner.get(key, range).await)
    }

    async fn list(&self, request: ListRequest<'_>) -> Result<ListPage, ObjectsError> {
        self.count(Operation::List, self.inner.list(request).await)
    }

    async fn delete(&self, key: &str) -> Result<(), ObjectsError> {
        self.count(Operation::Delete, self.inner.delete(key).await)
    }

    async fn delete_all(&self, keys: &[String]) -> Result<(), ObjectsError> {
        self.count(Operation::Delete, self.inner.delete_all(keys).await)
    }

    fn counts(&self) -> Option<RequestCounts> {
        let number = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let requests = Operation::ALL.iter().zip(&self.requests).map(|(it, counter)| (*it, number(counter)));
        let errors = Operation::ALL.iter().zip(&self.errors).flat_map(|(operation, counters)| {
            let kinds = ErrorKind::ALL.iter().zip(counters);
            kinds.map(move |(kind, counter)| ((*operation, *kind), number(counter)))
        });
        Some(RequestCounts { requests: requests.collect(), errors: errors.filter(|(_, count)| *count > 0).collect() })
    }

    fn clock_ahead_ms(&self) -> Option<i64> {
        self.inner.clock_ahead_ms()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        adapters::memory::{clock::ManualClock, objects::MemoryObjects},
        record::Millis,
    };

    #[tokio::test]
    async fn calls_and_their_failures_are_counted_by_kind() {
        let clock = Arc::new(ManualClock::at(Millis(0)));
        let objects = CountingObjects::new(Arc::new(MemoryObjects::new(clock)));
        for _ in 0..3 {
            let _ = objects.put("a", "x".into(), PutCondition::IfAbsent).await;
        }
        objects.get("a", GetRange::Whole).await.unwrap();
        objects.get("b", GetRange::Whole).await.unwrap();
        let counts = objects.counts().unwrap();
        let requests: Vec<_> = counts.requests.into_iter().collect();
        let expected = [(Operation::Put, 3), (Operation::Get, 2), (Operation::List, 0), (Operation::Delete, 0)];
        assert_eq!(requests, expected);
        let errors: Vec<_> = counts.errors.into_iter().collect();
        assert_eq!(errors, [((Operation::Put, ErrorKind::PreconditionFailed), 2)]);
    }
}
