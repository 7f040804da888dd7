//! What a job says of itself while something is the matter.

use std::sync::atomic::{AtomicBool, Ordering};

use shared::{
    job::{State, Word},
    ports::objects::ObjectsError,
};

use super::{
    storage::{Storage, is_down},
    *,
};

/// The classes of states that a follower told, each once in a row, when the storage refused for ten minutes.
async fn told(for_good: bool) -> Vec<Word> {
    let mut world = World::new();
    world.kafka.create("orders", 1, &[]);
    world.append(3);
    let refuses = Arc::new(AtomicBool::new(true));
    let refusing = refuses.clone();
    world.met = Some(Storage::of(&world, move |key| {
        let refused =
            |key| ObjectsError::Refused { operation: "put", key, message: "no permission".into(), source: None };
        let answer = match refusing.load(Ordering::SeqCst) {
            true if for_good => Err(refused(key)),
            true => Err(is_down(key)),
            false => Ok(()),
        };
        std::future::ready(answer)
    }));
    let (context, stop) = (world.context(&["main"]), CancellationToken::new());
    let following = tokio::spawn({
        let stop = stop.clone();
        async move { follow(&context, &stop).await }
    });
    for _ in 0..600 {
        world.clock.advance(Millis(1_000));
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    refuses.store(false, Ordering::SeqCst);
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
