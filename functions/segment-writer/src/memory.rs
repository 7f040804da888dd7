//! One memory budget for the whole process.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use shared::record::Record;
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

    /// How much may be in use.
    #[must_use]
    pub fn limit_bytes(&self) -> u64 {
        self.limit_bytes
    }

    /// How much is in use.
    #[must_use]
    pub fn held_bytes(&self) -> u64 {
        self.held_bytes.load(Ordering::Relaxed)
    }

    /// Whether nothing more should be fetched for now.
    #[must_use]
    pub fn full(&self) -> bool {
        self.held_bytes.load(Ordering::Relaxed) >= self.limit_bytes
    }

    /// Whether it will still be short when so many bytes, which are on their way out, were given back. It is short some
    /// time before it is full, so that segments are encoded and stored while the fetching goes on.
    #[must_use]
    pub fn short_without(&self, leaving_bytes: u64) -> bool {
        self.held_bytes.load(Ordering::Relaxed).saturating_sub(leaving_bytes) >= self.limit_bytes / 4 * 3
    }

    /// Returns when something was given back.
    pub async fn freed(&self) {
        self.freed.notified().await;
    }
}

/// What records take in memory: their bytes, and what describes them.
#[must_use]
pub fn of_records(records: &[Record]) -> u64 {
    records.iter().map(|record| record.size_bytes() + size_of::<Record>() as u64).sum()
}

/// How large a lane's unfinished segment is, and how much of it will be given back because it was asked to close.
#[derive(Debug, Default)]
pub struct LaneSize {
    buffered_bytes: AtomicU64,
    leaving_bytes: AtomicU64,
}

impl LaneSize {
    /// Bytes in memory, none of which are on their way out.
    #[must_use]
    pub fn buffered_bytes(&self) -> u64 {
        self.buffered_bytes.load(Ordering::Relaxed)
    }

    /// Bytes on their way out.
    #[must_use]
    pub fn leaving_bytes(&self) -> u64 {
        self.leaving_bytes.load(Ordering::Relaxed)
    }

    /// The lane says how much it holds, after it did what it was asked for.
    pub fn set(&self, buffered_bytes: u64) {
        self.buffered_bytes.store(buffered_bytes, Ordering::Relaxed);
        self.leaving_bytes.store(0, Ordering::Relaxed);
    }

    /// The lane is asked to close its segment; `false` where there is nothing to close.
    pub fn leave(&self) -> bool {
        let bytes = self.buffered_bytes.swap(0, Ordering::Relaxed);
        self.leaving_bytes.store(bytes, Ordering::Relaxed);
        bytes > 0
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
    fn a_lane_that_was_asked_to_close_is_not_asked_again_before_it_did() {
        let size = LaneSize::default();
        assert!(!size.leave());
        size.set(10);
        assert!(size.leave());
        assert_eq!((size.buffered_bytes(), size.leaving_bytes()), (0, 10));
        assert!(!size.leave());
    }

    #[test]
    fn what_is_held_is_given_back_when_it_is_dropped_or_shrinks() {
        let memory = Memory::new(100);
        let (mut first, second) = (memory.hold(60), memory.hold(40));
        assert!(memory.full());
        first.set(59);
        assert!(!memory.full());
        first.set(60);
        assert!(memory.full() && memory.short_without(25) && !memory.short_without(26));
        drop(second);
        assert!(!memory.full());
    }
}
