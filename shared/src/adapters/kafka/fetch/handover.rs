//! Where the reading thread leaves what it fetched, and the caller says what to read.
//!
//! Everything fetched carries the generation of the `start` it was read for. A `start` or `stop` begins a new one and
//! drops what lies here, so nothing stale is handed out, however far the thread is behind.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::Notify;

use crate::{
    ports::records::{Fetched, RecordsError},
    record::{Offset, TopicPartition},
};

/// The thread stops fetching when so much lies here.
const BYTES_MAX: usize = 8 << 20;

/// Numbers the starts of a read.
pub(super) type Generation = u64;

/// What the thread shall do about a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Command {
    pub(super) partition: TopicPartition,
    /// Where to read from, for which generation; `None`: stop.
    pub(super) start: Option<(Offset, Generation)>,
    /// The leader epoch of what was read before that offset, which the log must still hold.
    pub(super) behind: Option<i32>,
}

/// Between the thread and the caller.
#[derive(Default)]
pub(super) struct Handover {
    state: Mutex<State>,
    room: Condvar,
    arrived: Notify,
}

#[derive(Default)]
struct State {
    fetched: VecDeque<(Fetched, usize)>,
    fetched_bytes: usize,
    reading: HashMap<TopicPartition, Generation>,
    last_generation: Generation,
    /// What the group gave, for a member of one.
    granted: Option<HashSet<TopicPartition>>,
    commands: Vec<Command>,
    failure: Option<RecordsError>,
    closed: bool,
}

impl Handover {
    /// For a member of a group: only partitions that the group gave are read.
    pub(super) fn of_member() -> Self {
        let handover = Handover::default();
        handover.lock().granted = Some(HashSet::new());
        handover
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The caller's side.
impl Handover {
    pub(super) fn start(&self, partition: &TopicPartition, from: Offset) {
        self.start_behind(partition, from, None);
    }

    pub(super) fn start_behind(&self, partition: &TopicPartition, from: Offset, behind: Option<i32>) {
        let mut state = self.lock();
        if state.granted.as_ref().is_some_and(|granted| !granted.contains(partition)) {
            return;
        }
        state.forget(partition);
        state.last_generation += 1;
        let generation = state.last_generation;
        state.reading.insert(partition.clone(), generation);
        state.commands.push(Command { partition: partition.clone(), start: Some((from, generation)), behind });
        self.room.notify_all();
    }

    pub(super) fn stop(&self, partition: &TopicPartition) {
        let mut state = self.lock();
        state.forget(partition);
        state.commands.push(Command { partition: partition.clone(), start: None, behind: None });
        self.room.notify_all();
    }

    /// Nobody listens any more.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.room.notify_all();
    }

    /// All that lies here, waiting at most `wait` for the first of it.
    pub(super) async fn take(&self, wait: Duration) -> Result<Vec<Fetched>, RecordsError> {
        let asleep = tokio::time::sleep(wait);
        tokio::pin!(asleep);
        loop {
            let arrived = self.arrived.notified();
            if let Some(taken) = self.take_now() {
                return taken;
            }
            tokio::select! {
                biased;
                () = arrived => {}
                () = &mut asleep => return Ok(vec![]),
            }
        }
    }

    fn take_now(&self) -> Option<Result<Vec<Fetched>, RecordsError>> {
        let mut state = self.lock();
        if state.fetched.is_empty() {
            return state.failure.take().map(Err);
        }
        state.fetched_bytes = 0;
        self.room.notify_all();
        Some(Ok(state.fetched.drain(..).map(|(fetched, _)| fetched).collect()))
    }
}

/// The thread's side.
impl Handover {
    pub(super) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// What is to be done. A start of a partition that the group took away meanwhile is left out.
    pub(super) fn commands(&self) -> Vec<Command> {
        let mut state = self.lock();
        let commands = std::mem::take(&mut state.commands);
        let State { reading, .. } = &*state;
        let current = |command: &Command| match command.start {
            Some((_, generation)) => reading.get(&command.partition) == Some(&generation),
            None => true,
        };
        commands.into_iter().filter(current).collect()
    }

    /// Waits until there is room, or something else to do; whether there is room.
    pub(super) fn wait_for_room(&self, wait: Duration) -> bool {
        let state = self.lock();
        let full = |state: &mut State| state.fetched_bytes >= BYTES_MAX && state.commands.is_empty() && !state.closed;
        let waited = self.room.wait_timeout_while(state, wait, full);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.fetched_bytes < BYTES_MAX
    }

    /// Leaves what was fetched for a generation, unless there is a newer one. `ends` says that the partition is stopped.
    pub(super) fn push(&self, fetched: Fetched, partition: &TopicPartition, generation: Generation, size_bytes: usize) {
        let mut state = self.lock();
        if state.reading.get(partition) != Some(&generation) {
            return;
        }
        if matches!(fetched, Fetched::OutOfRange { .. } | Fetched::Failed { .. }) {
            state.reading.remove(partition);
        }
        state.fetched_bytes += size_bytes;
        state.fetched.push_back((fetched, size_bytes));
        self.arrived.notify_one();
    }

    /// No broker could be reached for a while.
    pub(super) fn interrupt(&self) {
        self.lock().fetched.push_back((Fetched::Interrupted, 0));
        self.arrived.notify_one();
    }

    /// The group gave partitions.
    pub(super) fn grant(&self, partitions: Vec<TopicPartition>) {
        let mut state = self.lock();
        for partition in partitions {
            state.granted.get_or_insert_default().insert(partition.clone());
            state.fetched.push_back((Fetched::Assigned { partition }, 0));
        }
        self.arrived.notify_one();
    }

    /// The group took partitions away.
    pub(super) fn revoke(&self, partitions: Vec<TopicPartition>) {
        let mut state = self.lock();
        for partition in partitions {
            state.forget(&partition);
            state.granted.get_or_insert_default().remove(&partition);
            state.fetched.push_back((Fetched::Revoked { partition }, 0));
        }
        self.arrived.notify_one();
    }

    /// The cluster cannot be reached, or refuses the client.
    pub(super) fn fail(&self, error: RecordsError) {
        self.lock().failure = Some(error);
        self.arrived.notify_one();
    }
}

impl State {
    /// Ends a partition's generation and drops what was fetched for it.
    fn forget(&mut self, partition: &TopicPartition) {
        self.reading.remove(partition);
        self.fetched.retain(|(fetched, _)| read_of(fetched) != Some(partition));
        self.fetched_bytes = self.fetched.iter().map(|(_, size_bytes)| size_bytes).sum();
    }
}

/// The partition that was read; `None` for what the group said.
fn read_of(fetched: &Fetched) -> Option<&TopicPartition> {
    match fetched {
        Fetched::Records { partition, .. }
        | Fetched::End { partition, .. }
        | Fetched::OutOfRange { partition }
        | Fetched::Failed { partition, .. } => Some(partition),
        Fetched::Interrupted | Fetched::Assigned { .. } | Fetched::Revoked { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn p0() -> TopicPartition {
        TopicPartition::new("t", 0)
    }

    fn end(position: i64) -> Fetched {
        Fetched::End { partition: p0(), position: Offset(position) }
    }

    fn generation(handover: &Handover) -> Generation {
        handover.commands().last().and_then(|command| command.start).expect("it was started").1
    }

    #[tokio::test]
    async fn what_was_fetched_before_a_start_is_dropped_and_what_comes_late_for_it_too() {
        let handover = Handover::default();
        handover.start(&p0(), Offset(0));
        let first = generation(&handover);
        handover.push(end(1), &p0(), first, 10);
        handover.start(&p0(), Offset(5));
        handover.push(end(2), &p0(), first, 10);
        assert_eq!(handover.take(Duration::ZERO).await.unwrap(), []);
        handover.push(end(5), &p0(), generation(&handover), 10);
        assert_eq!(handover.take(Duration::ZERO).await.unwrap(), [end(5)]);
    }

    #[tokio::test]
    async fn a_partition_that_failed_gives_nothing_more() {
        let handover = Handover::default();
        handover.start(&p0(), Offset(0));
        let generation = generation(&handover);
        handover.push(Fetched::OutOfRange { partition: p0() }, &p0(), generation, 0);
        handover.push(end(1), &p0(), generation, 0);
        assert_eq!(handover.take(Duration::ZERO).await.unwrap(), [Fetched::OutOfRange { partition: p0() }]);
    }

    #[test]
    fn a_member_starts_only_what_the_group_gave() {
        let handover = Handover::of_member();
        handover.start(&p0(), Offset(0));
        assert_eq!(handover.commands(), []);
        handover.grant(vec![p0()]);
        handover.start(&p0(), Offset(0));
        handover.revoke(vec![p0()]);
        assert_eq!(handover.commands(), []);
    }

    #[test]
    fn there_is_room_again_when_it_was_taken_away() {
        let handover = Handover::default();
        handover.start(&p0(), Offset(0));
        let generation = generation(&handover);
        handover.push(end(1), &p0(), generation, BYTES_MAX);
        assert!(!handover.wait_for_room(Duration::ZERO));
        handover.take_now().unwrap().unwrap();
        assert!(handover.wait_for_room(Duration::ZERO));
    }
}
