//! What a job says of itself while something is the matter.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use shared::{
    job::{State, Word},
    ports::objects::{ETag, ListPage, Object, Objects, ObjectsError, PutCondition},
};

use super::*;

/// A storage that takes no segments for a while.
struct Refusing {
    objects: Arc<MemoryObjects>,
    refuses: AtomicBool,
    for_good: bool,
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
}

/// The classes of states that a follower told, each once in a row, when the storage refused for ten minutes.
async fn told(for_good: bool) -> Vec<Word> {
    let mut world = World::new();
    world.kafka.create("orders", 1, &[]);
    world.append(3);
    let refusing = Arc::new(Refusing { objects: world.objects.clone(), refuses: AtomicBool::new(true), for_good });
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
    world
        .until("well again, and at the end of the log", async || states().await.last().unwrap().0 == State::STREAMING)
        .await;
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
