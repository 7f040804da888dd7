//! Chains that a drain left at the ends of their logs. While a log's end is where it was, the same process has nothing to do
//! there, and asks the storage nothing: a function that drains a thousand idle partitions every minute would else pay for two
//! requests each. Four times an hour a chain is looked at all the same. Nothing is stored because of what is remembered here,
//! so being wrong it costs no record: what is missing from the storage is found at the next look, by lag-monitor's, or before
//! anything is stored. Until that look this process may say that all is well where another has just found that it is not.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use shared::record::{Millis, Offset, TopicId, TopicPartition};

use crate::{Context, lane::LaneSummary, report::Voice};

/// A chain is looked at again after so long.
const LOOK_AFTER: Duration = Duration::from_secs(15 * 60);

/// What a drain left behind.
pub(crate) struct Rest {
    /// Who speaks for the chain.
    pub(crate) voice: Voice,
    /// Where it ends.
    pub(crate) next: Offset,
    /// Up to where the log was read.
    pub(crate) position: Offset,
    /// When the chain was opened.
    pub(crate) looked_at: Millis,
    /// What the log's end was before it was read, as the drain saw it.
    pub(crate) end: Option<LogEnd>,
}

/// Where a log ends. A log that goes back and grows to the same offset again has another leader epoch, unless the whole cluster
/// was restored: then the next record tells, before it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogEnd {
    pub(crate) topic_id: TopicId,
    pub(crate) offset: Offset,
    pub(crate) leader_epoch: Option<i32>,
}

/// The chains, by backup and partition.
#[derive(Default)]
pub(crate) struct Resting(Mutex<HashMap<(String, TopicPartition), Rest>>);

impl Resting {
    fn lock(&self) -> MutexGuard<'_, HashMap<(String, TopicPartition), Rest>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A drain came to the end of the log.
    pub(crate) fn put(&self, backup: &str, partition: &TopicPartition, rest: Rest) {
        self.lock().insert((backup.to_owned(), partition.clone()), rest);
    }

    /// What the end of the log was, that a drain has come to.
    pub(crate) fn at(&self, backup: &str, partition: &TopicPartition, end: LogEnd) {
        if let Some(rest) = self.lock().get_mut(&(backup.to_owned(), partition.clone())) {
            rest.end = Some(end);
        }
    }

    /// Somebody works on the chain.
    pub(crate) fn forget(&self, backup: &str, partition: &TopicPartition) {
        self.lock().remove(&(backup.to_owned(), partition.clone()));
    }

    /// Says once more how the chain is, where the log's end is what it was; `None`: somebody must look.
    pub(crate) fn rest(
        &self,
        context: &Context,
        backup: &str,
        partition: &TopicPartition,
        end: &LogEnd,
    ) -> Option<LaneSummary> {
        let mut resting = self.lock();
        let rest = resting.get_mut(&(backup.to_owned(), partition.clone()))?;
        let age_ms = context.clock.now().0.saturating_sub(rest.looked_at.0);
        let is_recent = (0..i64::try_from(LOOK_AFTER.as_millis()).unwrap_or(i64::MAX)).contains(&age_ms);
        if !is_recent || rest.end.as_ref() != Some(end) || rest.position != end.offset {
            return None;
        }
        // Others may have spoken for the chain since, and the last one counts.
        rest.voice.say_anew(context, rest.position);
        let (next, position) = (rest.next, rest.position);
        Some(LaneSummary { records: 0, segments: 0, next, position, paused: false })
    }
}
