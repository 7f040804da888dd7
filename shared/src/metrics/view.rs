//! What the registers of a backup say at a moment, topic by topic.
//!
//! - A topic's **current incarnation** is the one whose log was last observed, of which nothing is stored yet when no claim
//!   has its topic id; the highest claimed one while no log was observed. A claim alone does not make it current: a writer
//!   that is late may claim for a topic that is gone.
//! - Counts run over all incarnations: `totals` since ever, `present` without what lies below the floors.
//! - **Progress of a partition** is consumed position / log end offset, at most 1, and 1 where the log holds nothing.
//!   The position is the owner's while its word holds, and the frontier where that is further (somebody else stored more)
//!   or nobody's word holds: what a dead owner had consumed and not stored is not backed up. Behind the frontier, offsets
//!   that lag-monitor found to hold no record (transaction markers, aborted and compacted records) are consumed whoever
//!   says so, so that a new owner, which begins at the frontier, takes no progress back. Progress of a topic is the unweighted mean over its partitions. Neither is shown while a log end is unknown.
//! - Where the log is another one than what is stored, only what comes before the first difference counts as backed up: the
//!   owner of the chain tells it. A log that is only known to be shorter than what is stored counts as not backed up at all.
//! - A chain whose end cannot be read in the storage has no figures, nor have counts that would leave it out.
//! - **State of a topic** is the worst of its partitions' ([`State::worst`]). A partition's state that its owner has not
//!   said again in time counts as 0, and makes the topic stale; so does stored data without any state.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    lag::{Lag, lag},
    registers::{Chain, LogEnds, Registers, TopicRegisters},
    standing::{Instance, Job},
};
use crate::{
    chain::Totals,
    job::State,
    record::{Millis, Offset, Partition, TopicId},
};

/// A topic at a moment.
#[derive(Debug, Clone, PartialEq)]
pub struct TopicView {
    /// The current incarnation; `None` while nothing of it is stored.
    pub incarnation: Option<u32>,
    /// The current incarnation's partitions.
    pub partitions: BTreeMap<Partition, PartitionView>,
    /// The mean of the partitions' progress, from 0 to 1; `None` while it is unknown.
    pub progress: Option<f64>,
    /// What was ever stored.
    pub totals: Totals,
    /// What the storage holds.
    pub present: Totals,
    /// When the latest gap was declared; `None` where none ever was.
    pub last_gap_at: Option<Millis>,
    /// How many chains cannot be read in the storage: what is counted without them is not true.
    pub unreadable: usize,
    /// Whether the topic is there, as far as is known; of one that is not only what is stored is shown.
    pub live: bool,
    /// The topic's state.
    pub state: State,
    /// Whether somebody who should say how it is has fallen silent.
    pub stale: bool,
    /// What the running programs have done; `None` when none is running.
    pub running: Option<RunningView>,
}

/// A partition at a moment.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct PartitionView {
    /// The last stored offset; `None` when nothing is stored.
    pub last_offset: Option<Offset>,
    /// From 0 to 1; `None` while the log's end is unknown.
    pub progress: Option<f64>,
    /// How far what is stored is behind the log; `None` while the log's end is unknown.
    pub lag: Option<Lag>,
    /// What was ever stored of it.
    pub totals: Totals,
    /// When its last segment was written; `None` where there is none.
    pub last_segment_at: Option<Millis>,
    /// Where its log starts; `None` while nobody observed it.
    pub log_start: Option<Offset>,
    /// Where its log ends; `None` while nobody observed it. What was stored since it was observed was in it too.
    pub log_end: Option<Offset>,
    /// What its owner says; `None` where nobody's word holds.
    pub state: Option<State>,
    /// From where on the log is another one than what is stored; `None` where it is not known to be.
    pub diverged_from: Option<Offset>,
    /// The open transaction that holds its end back; `None` where none does.
    pub open_transaction: Option<OpenTransactionView>,
}

/// An open transaction at a moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OpenTransactionView {
    /// The offset of its first record.
    pub offset: Offset,
    /// For how long it has been seen, in seconds.
    pub seconds: f64,
}

/// The running programs' figures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RunningView {
    /// Records sent to the storage since they started, together.
    pub jobs_count: u64,
    /// The mean of their idle ratios, from 0 to 1.
    pub idle_ratio: f64,
}

/// What the registers say at `now`, by topic.
#[must_use]
pub fn view(registers: &Registers, now: Millis) -> BTreeMap<Arc<str>, TopicView> {
    registers.topics.iter().map(|(name, topic)| (name.clone(), topic_view(topic, now))).collect()
}

fn topic_view(topic: &TopicRegisters, now: Millis) -> TopicView {
    let current = Current::of(topic);
    let partitions = current.partitions(now);
    let (state, stale) = state(current.chains.values().copied(), now);
    TopicView {
        incarnation: current.incarnation,
        progress: mean(partitions.values().map(|partition| partition.progress)),
        partitions,
        totals: sum(topic, head_totals),
        present: sum(topic, present),
        live: topic.is_live(),
        unreadable: topic.chains.values().filter(|chain| chain.damaged).count(),
        last_gap_at: topic.chains.values().filter_map(|chain| chain.head?.marks.last_gap_at).max(),
        state,
        stale,
        running: running(topic.instances.values().filter(|instance| now < instance.expires)),
    }
}

/// What concerns a topic's current incarnation.
struct Current<'a> {
    incarnation: Option<u32>,
    chains: BTreeMap<Partition, &'a Chain>,
    ends: BTreeMap<Partition, &'a LogEnds>,
}

impl<'a> Current<'a> {
    fn of(topic: &'a TopicRegisters) -> Self {
        let observed = topic.ends.values().max_by_key(|ends| ends.observed_at).map(|ends| &ends.topic_id);
        let Some(id) = observed else {
            let claimed = topic.chains.keys().map(|(n, _)| n).chain(topic.incarnations.keys()).max().copied();
            return Current { incarnation: claimed, chains: chains_of(topic, claimed), ends: BTreeMap::new() };
        };
        let claimed = topic.incarnations.iter().find(|(_, claimed_id)| *claimed_id == id).map(|(n, _)| *n);
        Current { incarnation: claimed, chains: chains_of(topic, claimed), ends: ends_of(topic, id) }
    }

    fn partitions(&self, now: Millis) -> BTreeMap<Partition, PartitionView> {
        let numbers: BTreeSet<Partition> = self.chains.keys().chain(self.ends.keys()).copied().collect();
        numbers.into_iter().map(|number| (number, self.partition(number, now))).collect()
    }

    fn partition(&self, number: Partition, now: Millis) -> PartitionView {
        let chain = self.chains.get(&number).copied();
        if chain.is_some_and(|chain| chain.damaged) {
            return PartitionView::default();
        }
        let head = chain.and_then(|chain| chain.head);
        let next = chain.and_then(last_offset).map(Offset::next);
        let totals = head.map(|head| head.totals).unwrap_or_default();
        let ends = self.ends.get(&number);
        let position = chain.zip(ends).map(|(chain, ends)| position(chain, ends, now)).unwrap_or_default();
        let job = chain.and_then(|chain| chain.job.as_ref()).filter(|job| holds(job, now));
        let diverged_from = job.and_then(|job| job.diverged_from);
        let is_shorter = ends.is_some_and(|ends| ends.behind_storage && position > ends.log_end);
        // What is known to be both in the log and stored, where they are not the same any more.
        let shared = diverged_from.or(is_shorter.then_some(Offset(0)));
        let lag_from = shared.map_or(next, |shared| next.map(|next| next.min(shared)));
        PartitionView {
            last_offset: chain.and_then(last_offset),
            progress: ends.map(|ends| match shared {
                Some(shared) => shared.0 as f64 / ends.log_end.max(position).0.max(1) as f64,
                None => progress(position, ends),
            }),
            lag: ends.map(|ends| lag(lag_from, totals, ends, now)),
            totals,
            last_segment_at: head.and_then(|head| head.marks.written_at),
            log_start: ends.map(|ends| ends.log_start),
            log_end: ends
                .map(|ends| if shared.is_none() { ends.log_end.max(next.unwrap_or_default()) } else { ends.log_end }),
            state: job.map(|job| job.state),
            diverged_from,
            open_transaction: ends.and_then(|ends| ends.open_transaction).map(|open| OpenTransactionView {
                offset: open.offset,
                seconds: (now.0.saturating_sub(open.since.0) as f64 / 1_000.0).max(0.0),
            }),
        }
    }
}

fn chains_of(topic: &TopicRegisters, n: Option<u32>) -> BTreeMap<Partition, &Chain> {
    topic
        .chains
        .iter()
        .filter(|((of, _), _)| Some(*of) == n)
        .map(|((_, partition), chain)| (*partition, chain))
        .collect()
}

fn ends_of<'a>(topic: &'a TopicRegisters, id: &TopicId) -> BTreeMap<Partition, &'a LogEnds> {
    topic.ends.iter().filter(|(_, ends)| ends.topic_id == *id).map(|(partition, ends)| (*partition, ends)).collect()
}

/// Up to where a partition of the topic of this id is stored; `None` where nothing of it is.
#[must_use]
pub fn stored_to(topic: &TopicRegisters, id: &TopicId, partition: Partition) -> Option<Offset> {
    let n = topic.incarnations.iter().find(|(_, claimed_id)| *claimed_id == id).map(|(n, _)| *n)?;
    topic.chains.get(&(n, partition)).and_then(last_offset).map(Offset::next)
}

/// A chain that has counted nothing has stored nothing, wherever its frontier is.
fn last_offset(chain: &Chain) -> Option<Offset> {
    chain.head.filter(|head| head.totals != Totals::default()).map(|head| Offset(head.next.0 - 1))
}

fn position(chain: &Chain, ends: &LogEnds, now: Millis) -> Offset {
    let next = chain.head.map(|head| head.next).unwrap_or_default();
    // What was looked for behind the frontier of now says nothing about what is before it.
    let passed = ends.oldest.filter(|oldest| oldest.from <= next).map_or(next, |oldest| oldest.offset.max(next));
    chain.job.as_ref().filter(|job| holds(job, now)).map_or(passed, |job| job.position.max(passed))
}

fn progress(position: Offset, ends: &LogEnds) -> f64 {
    if ends.log_start >= ends.log_end || position >= ends.log_end {
        return 1.0;
    }
    position.0 as f64 / ends.log_end.0 as f64
}

/// The unweighted mean; `None` of nothing, or when one is unknown. Added up in the order of the partitions: the last
/// digit depends on it.
fn mean(values: impl ExactSizeIterator<Item = Option<f64>>) -> Option<f64> {
    let count = values.len();
    let sum = values.sum::<Option<f64>>()?;
    (count > 0).then(|| sum / count as f64)
}

fn head_totals(chain: &Chain) -> Totals {
    chain.head.map(|head| head.totals).unwrap_or_default()
}

fn present(chain: &Chain) -> Totals {
    head_totals(chain).minus(chain.floor.map(|floor| floor.totals).unwrap_or_default())
}

fn sum(topic: &TopicRegisters, of: impl Fn(&Chain) -> Totals) -> Totals {
    topic.chains.values().map(of).fold(Totals::default(), Totals::plus)
}

/// The worst of the states that are still true, and whether one is missing that should be there.
fn state<'a>(chains: impl Iterator<Item = &'a Chain>, now: Millis) -> (State, bool) {
    let (mut worst, mut stale) = (State::CREATED, false);
    for chain in chains {
        match chain.job.as_ref().filter(|job| holds(job, now)) {
            Some(job) => worst = worst.worst(job.state),
            None => stale = true,
        }
    }
    (worst, stale)
}

fn holds(job: &Job, now: Millis) -> bool {
    job.expires.is_none_or(|expires| now < expires)
}

fn running<'a>(live: impl Iterator<Item = &'a Instance>) -> Option<RunningView> {
    let (mut count, mut jobs_count, mut ratios) = (0_u32, 0_u64, 0.0);
    for instance in live {
        count += 1;
        jobs_count = jobs_count.saturating_add(instance.jobs_count);
        ratios += instance.idle_us as f64 / instance.elapsed_us.max(1) as f64;
    }
    (count > 0).then(|| RunningView { jobs_count, idle_ratio: ratios / f64::from(count) })
}

#[cfg(test)]
mod tests;
