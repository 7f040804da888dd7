//! One memory budget for the whole process.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tokio::sync::Notify;

/// How much of the budget for records and unfinished segments is in use.
#[derive(Debug)]
pub struct Memory {
    limit_bytes: u64,
    held_bytes: AtomicU64,
    freed: Notify,
}

impl Memory {
    /// A budget of so many bytes.
    #[must_use]
    pub fn new(limit_bytes: u64) -> Arc<Self> {
        Arc::new(Memory { limit_bytes, held_bytes: AtomicU64::new(0), freed: Notify::new() })
    }

    /// Counts bytes as used until the answer is dropped. It may go beyond the limit: who fetches asks [`Memory::full`] first.
    pub fn hold(self: &Arc<Self>, bytes: u64) -> Held {
        self.held_bytes.fetch_add(bytes, Ordering::Relaxed);
        Held { memory: self.clone(), bytes }
    }

    /// Whether nothing more should be fetched for now.
    #[must_use]
    pub fn full(&self) -> bool {
        self.held_bytes.load(Ordering::Relaxed) >= self.limit_bytes
    }

    /// Returns when something was given back.
    pub async fn freed(&self) {
        self.freed.notified().await;
    }
}

/// A part of the budget in use.
#[derive(Debug)]
pub struct Held {
    memory: Arc<Memory>,
    bytes: u64,
}

impl Held {
    /// Sets how much is in use.
    pub fn set(&mut self, bytes: u64) {
        if bytes >= self.bytes {
            self.memory.held_bytes.fetch_add(bytes - self.bytes, Ordering::Relaxed);
        } else {
            self.memory.held_bytes.fetch_sub(self.bytes - bytes, Ordering::Relaxed);
            self.memory.freed.notify_one();
        }
        self.bytes = bytes;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_given_back_when_it_is_dropped_or_shrinks() {
        let memory = Memory::new(100);
        let (mut first, second) = (memory.hold(60), memory.hold(40));
        assert!(memory.full());
        first.set(59);
        assert!(!memory.full());
        first.set(60);
        assert!(memory.full());
        drop(second);
        assert!(!memory.full());
    }
}
