//! Messages on their way to the metrics topic. The meter never stops what it measures: whoever says something puts it here
//! and goes on, and one publisher sends it as it can.
//!
//! Every message says a whole truth, so a later one with the same key takes the place of the one before. The latest are sent
//! first, and the number of those that wait is bounded: where it is reached, the oldest are dropped. What is never sent is
//! healed from the storage by lag-monitor.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use shared::{
    metrics::standing::Message,
    ports::records::{self, Kafka, RecordsError},
};
use tokio::sync::{Notify, watch};

/// How many messages wait at most: some ten megabytes.
const WAITING_MAX: usize = 10_000;
/// How many are sent at once.
const BATCH_MAX: usize = 1_000;
/// The wait after a failure; it doubles up to the time between two refreshes.
const WAIT_MIN: Duration = Duration::from_millis(500);

/// The messages that wait.
#[derive(Debug)]
pub(crate) struct Outbox {
    waiting: Mutex<Waiting>,
    /// Something was put in.
    wake: Notify,
    /// Somebody waits for the end: what failed is tried again at once.
    retry: Notify,
    /// One publisher sends at a time.
    sending: tokio::sync::Mutex<()>,
    state: watch::Sender<State>,
}

/// What became of what was put in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct State {
    /// How many messages wait.
    pub waiting: usize,
    /// How many attempts to send failed since the program started.
    pub failures: u64,
    /// How many messages were dropped since then, because too many waited.
    pub dropped: u64,
}

/// By when they were put in.
#[derive(Debug, Default)]
struct Waiting {
    messages: BTreeMap<u64, records::Message>,
    by_key: HashMap<Bytes, u64>,
    next: u64,
}

impl Default for Outbox {
    fn default() -> Self {
        Outbox {
            waiting: Mutex::default(),
            wake: Notify::new(),
            retry: Notify::new(),
            sending: tokio::sync::Mutex::default(),
            state: watch::Sender::default(),
        }
    }
}

impl Outbox {
    /// Puts a message in. It is sent soon, unless a later one with its key comes first.
    pub fn put(&self, message: &Message) {
        let mut waiting = self.lock();
        let dropped = waiting.put(message.encode());
        let count = waiting.messages.len();
        drop(waiting);
        self.state.send_modify(|state| {
            state.waiting = count;
            state.dropped += u64::from(dropped);
        });
        self.wake.notify_one();
    }

    /// What became of what was put in.
    pub fn state(&self) -> State {
        *self.state.borrow()
    }

    /// Sends what is put in, until this is dropped. Of several publishers one works and the others stand by.
    pub async fn publish(self: Arc<Self>, kafka: Arc<dyn Kafka>, topic: Arc<str>, wait_max: Duration) {
        let _sending = self.sending.lock().await;
        let mut wait = WAIT_MIN;
        loop {
            let batch = self.lock().latest();
            if batch.is_empty() {
                self.wake.notified().await;
                continue;
            }
            let messages = batch.iter().map(|(_, message)| message.clone()).collect();
            match kafka.publish_repeatable(&topic, messages).await {
                Ok(()) => {
                    self.sent(&batch, &topic, wait > WAIT_MIN);
                    wait = WAIT_MIN;
                }
                Err(error) => {
                    self.failed(&error, &topic, wait == WAIT_MIN);
                    let _ = tokio::time::timeout(wait, self.retry.notified()).await;
                    wait = (wait * 2).min(wait_max.max(WAIT_MIN * 2));
                }
            }
        }
    }

    /// Waits until everything is sent, one more attempt to send it fails, or the time is over.
    pub async fn flush(&self, time_max: Duration) {
        let mut state = self.state.subscribe();
        let failures = state.borrow_and_update().failures;
        self.retry.notify_one();
        let is_over = |state: &State| state.waiting == 0 || state.failures > failures;
        let _ = tokio::time::timeout(time_max, state.wait_for(is_over)).await;
    }

    fn sent(&self, batch: &[(u64, records::Message)], topic: &str, was_in_trouble: bool) {
        let mut waiting = self.lock();
        batch.iter().for_each(|(number, _)| waiting.remove(*number));
        let count = waiting.messages.len();
        drop(waiting);
        self.state.send_modify(|state| state.waiting = count);
        if was_in_trouble {
            let State { failures, dropped, .. } = self.state();
            tracing::info!(topic, failures, dropped, "figures are published again");
        }
    }

    fn failed(&self, error: &RecordsError, topic: &str, is_first: bool) {
        if is_first {
            tracing::warn!(
                topic,
                error = error as &dyn std::error::Error,
                "figures cannot be published: {error}; records are stored all the same, lag-monitor brings the figures \
                 to what is stored, and this is tried again without another word until it succeeds"
            );
        }
        self.state.send_modify(|state| state.failures += 1);
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// Whether another had to be dropped.
    fn put(&mut self, message: records::Message) -> bool {
        let key = message.key.clone().unwrap_or_default();
        if let Some(before) = self.by_key.insert(key, self.next) {
            self.messages.remove(&before);
        }
        self.messages.insert(self.next, message);
        self.next += 1;
        let oldest = self.messages.first_key_value().map(|(number, _)| *number);
        let is_too_many = self.messages.len() > WAITING_MAX;
        if let Some(oldest) = oldest.filter(|_| is_too_many) {
            self.remove(oldest);
        }
        is_too_many
    }

    fn latest(&self) -> Vec<(u64, records::Message)> {
        self.messages.iter().rev().take(BATCH_MAX).map(|(number, message)| (*number, message.clone())).collect()
    }

    fn remove(&mut self, number: u64) {
        let Some(message) = self.messages.remove(&number) else { return };
        self.by_key.remove(&message.key.unwrap_or_default());
    }
}

#[cfg(test)]
mod tests;
