//! One memory budget for the whole process.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use shared::record::Record;
use tokio::sync::Notify;

/// How much of the budget for records and unfinished segments is in use.
#[derive(Debug)]
pub struct Memory {
    limit_bytes: u64,
    held_bytes: AtomicU64,
    /// Of these, in segments that nobody closes yet: what closing early gives back.
    unfinished_bytes: AtomicU64,
    freed: Notify,
}

impl Memory {
    /// A budget of so many bytes.
    #[must_use]
    pub fn new(limit_bytes: u64) -> Arc<Self> {
        let (held_bytes, unfinished_bytes) = (AtomicU64::new(0), AtomicU64::new(0));
        Arc::new(Memory { limit_bytes, held_bytes, unfinished_bytes, freed: Notify::new() })
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

    /// Whether segments should be closed early: at half of the budget, so that as much can be filled while they are
    /// stored. Records that were fetched and are in no segment yet do not count: closing frees none of them.
    #[must_use]
    pub fn short(&self) -> bool {
        self.unfinished_bytes.load(Ordering::Relaxed) >= self.limit_bytes / 2
    }

    /// Returns when something was given back.
    pub async fn freed(&self) {
        self.freed.notified().await;
    }
}

/// What records take in memory: their bytes, and what describes them.
#[must_use]
pub fn of_records(records: &[Record]) -> u64 {
    of_count(records.len(), records.iter().map(Record::size_bytes).sum())
}

/// The same of so many records with so many bytes.
#[must_use]
pub fn of_count(records: usize, size_bytes: u64) -> u64 {
    size_bytes + (records * size_of::<Record>()) as u64
}

/// How large a lane's unfinished segment is, as whoever must choose one to close sees it.
#[derive(Debug)]
pub struct LaneSize {
    memory: Arc<Memory>,
    size: Mutex<Size>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Size {
    bytes: u64,
    /// Whether the lane was asked to close it, and did not yet.
    leaving: bool,
}

impl Size {
    fn unfinished_bytes(self) -> u64 {
        if self.leaving { 0 } else { self.bytes }
    }
}

impl LaneSize {
    /// The size of a lane that has no segment.
    #[must_use]
    pub fn new(memory: &Arc<Memory>) -> Self {
        LaneSize { memory: memory.clone(), size: Mutex::default() }
    }

    /// Bytes of a segment that nobody closes yet.
    #[must_use]
    pub fn unfinished_bytes(&self) -> u64 {
        self.size.lock().unwrap_or_else(PoisonError::into_inner).unfinished_bytes()
    }

    /// Whether the lane was asked to close it, and did not yet.
    #[must_use]
    pub fn is_leaving(&self) -> bool {
        self.size.lock().unwrap_or_else(PoisonError::into_inner).leaving
    }

    /// The lane says how much it holds. Less than before means that it closed what it had.
    pub fn set(&self, bytes: u64) {
        self.change(|size| Size { bytes, leaving: size.leaving && bytes >= size.bytes });
    }

    /// The lane is asked to close its segment; `false` where there is nothing to close.
    pub fn leave(&self) -> bool {
        self.change(|size| Size { leaving: size.bytes > 0, ..size }).unfinished_bytes() > 0
    }

    /// Makes a change and gives what was before.
    fn change(&self, change: impl FnOnce(Size) -> Size) -> Size {
        let mut size = self.size.lock().unwrap_or_else(PoisonError::into_inner);
        let before = *size;
        *size = change(before);
        // Added first, so that the sum is never below zero.
        self.memory.unfinished_bytes.fetch_add(size.unfinished_bytes(), Ordering::Relaxed);
        self.memory.unfinished_bytes.fetch_sub(before.unfinished_bytes(), Ordering::Relaxed);
        before
    }
}

impl Drop for LaneSize {
    fn drop(&mut self) {
        self.set(0);
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
        let size = LaneSize::new(&Memory::new(100));
        assert!(!size.leave());
        size.set(10);
        assert!(size.leave());
        size.set(12); // it takes what came before the question
        assert!(!size.leave());
        assert!(size.is_leaving() && size.unfinished_bytes() == 0);
        size.set(3);
        assert!(!size.is_leaving());
        assert!(size.leave());
    }

    #[test]
    fn memory_is_short_by_the_segments_of_all_lanes_that_are_not_being_closed() {
        let memory = Memory::new(100);
        let _fetched = memory.hold(100);
        let (first, second) = (LaneSize::new(&memory), LaneSize::new(&memory));
        first.set(30);
        second.set(19);
        assert!(memory.full() && !memory.short());
        second.set(20);
        assert!(memory.short());
        assert!(first.leave());
        assert!(!memory.short());
        first.set(40);
        assert!(!memory.short());
        first.set(30);
        assert!(memory.short());
        drop(first);
        assert!(!memory.short());
    }

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
