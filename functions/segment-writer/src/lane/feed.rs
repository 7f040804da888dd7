//! What a lane is told and asks for, and what it did.

use std::sync::Arc;

use shared::{
    ports::records::RecordsError,
    record::{Offset, Record, TopicPartition},
};

use crate::memory::Held;

/// What the session feeds a lane with. `generation` tells what was asked for last from what came before.
#[derive(Debug)]
pub(crate) struct Feed {
    pub generation: u64,
    pub item: Item,
}

/// What came for the partition.
#[derive(Debug)]
pub(crate) enum Item {
    /// Records, counted in the memory budget.
    Records { records: Vec<Record>, leader_epoch: Option<i32>, held: Held },
    /// The end of the log.
    End(Offset),
    /// The offset asked for is not in the log.
    OutOfRange,
    /// It cannot be read.
    Failed(Arc<RecordsError>),
    /// For a while no broker could be reached.
    Interrupted,
    /// Memory is short: close the segment early.
    Close,
}

/// What a lane asks the session for.
#[derive(Debug)]
pub(crate) enum Command {
    /// Fetch from here on; `behind` is the leader epoch of what was read before, which the log must still hold.
    Start { lane: u64, partition: TopicPartition, from: Offset, behind: Option<i32>, generation: u64 },
    /// Fetch nothing for now.
    Stop { lane: u64, partition: TopicPartition },
}

/// Until when a lane works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// The end of the log, or this offset of it if it comes first. `finished` says that nothing follows: the job is done.
    End { target: Offset, finished: bool },
    /// Stopped from outside.
    Stopped,
}

/// What a lane did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LaneSummary {
    /// Records stored.
    pub records: u64,
    /// Segments stored.
    pub segments: u64,
    /// The frontier at the end.
    pub next: Offset,
    /// The consumed position at the end.
    pub position: Offset,
    /// Whether the topic is paused.
    pub paused: bool,
}
