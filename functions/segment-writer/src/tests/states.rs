//! What a job says of itself while something is the matter.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use shared::{
    job::Word,
    ports::objects::{ETag, ListPage, Object, Objects, ObjectsError, PutCondition},
};

use super::*;

/// A storage that takes no segments for a while.
struct Refusing {
    objects: Arc<MemoryObjects>,
    refuses: AtomicBool,
    for_good: bool,
    ahead_ms: Option<i64>,
}

#[async_trait]
impl Objects for Refusing {
    async fn put(&self, key: &str, body: Bytes, condition: PutCondition) -> Result<ETag, ObjectsError> {
        if !self.refuses.load(Ordering::SeqCst) || !key.ends_with(".kan") {
            return self.objects.put(key, body, condition).await;
        }
        let (operation, key) = ("put", key.to_owned());
        Err(match self.for_good {
            true => ObjectsError::Refused { operation, key, message: "no permission".into(), source: None },
            false => ObjectsError::Unavailable { operation, key, endpoint: "here".into(), source: "down".into() },
        })
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

    fn clock_ahead_ms(&self) -> Option<i64> {
        self.ahead_ms
    }
}

/// The classes of states that a follower told, each once in a row, when the storage refused for ten minutes.
async fn told(for_good: bool) -> Vec<Word> {
    let mut world = World::new();
    world.kafka.create("orders", 1, &[]);
    world.append(3);
    let refusing =
        Arc::new(Refusing { objects: world.objects.clone(), refuses: AtomicBool::new(true), for_good, ahead_ms: None });
    world.met = Some(refusing.clone());
    let (context, stop) = (world.context(&["main"]), CancellationToken::new());
    let following = tokio::spawn({
        let stop = stop.clone();
        async move { follow(&context, &stop).await }
    });
    for _ in 0..600 {
        world.clock.advance(Millis(1_000));
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    refusing.refuses.store(false, Ordering::SeqCst);
    world.until("all is stored", async || world.committed("orders").await == Some(Offset(3))).await;
    let states = async || world.states("orders").await;
    world.until("well again", async || states().await.last().unwrap().0.word() == Word::Running).await;
    stop.cancel();
    following.await.unwrap();
    let mut words: Vec<_> = states().await.into_iter().map(|(state, _)| state.word()).collect();
    words.dedup();
    words
}

#[tokio::test(start_paused = true)]
async fn failed_is_left_when_the_cause_is_gone_and_not_because_it_is_tried_again() {
    assert_eq!(told(true).await, [Word::Running, Word::Failed, Word::Running]);
}

#[tokio::test(start_paused = true)]
async fn backoff_is_left_when_something_could_be_stored_again() {
    assert_eq!(told(false).await, [Word::Running, Word::Backoff, Word::Running]);
}

#[tokio::test]
async fn an_owner_is_told_from_the_one_before_it_by_the_stores_clock_where_its_own_is_off() {
    let epoch = |ahead_ms| {
        let mut world = World::new();
        let (objects, refuses) = (world.objects.clone(), AtomicBool::new(false));
        world.met = Some(Arc::new(Refusing { objects, refuses, for_good: false, ahead_ms }));
        world.context(&["main"]).owner_epoch(Millis(1_700_000_000_000))
    };
    assert_eq!(epoch(None), 1_700_000_000_000);
    assert_eq!(epoch(Some(3_600_000)), 1_699_996_400_000);
    assert_eq!(epoch(Some(-3_600_000)), 1_700_003_600_000);
    assert_eq!(epoch(Some(900)), 1_700_000_000_000, "a store's dates are of whole seconds");
}
