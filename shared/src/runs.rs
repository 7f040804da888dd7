//! What a scheduled function tells of its runs: each failure once in the log, all of them counted in the store.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

pub use crate::metrics::runs::FailureKind;
use crate::{
    archive::ArchiveError,
    metrics::runs,
    ports::store::Store,
    record::{Millis, Partition},
    replication::QueueError,
};

/// A store that does not answer holds a run up no longer than this: on Lambda it must end before its deadline.
const COUNT_TIMEOUT: Duration = Duration::from_secs(2);

/// Something that a run could not do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// The topic, where it concerns one.
    pub topic: Option<Arc<str>>,
    /// The partition, where it concerns one.
    pub partition: Option<Partition>,
    /// What is to blame.
    pub kind: FailureKind,
    /// What happened.
    pub error: String,
}

impl Failed {
    /// A run failed as a whole.
    #[must_use]
    pub fn run(kind: FailureKind, error: &impl ToString) -> Self {
        Failed { topic: None, partition: None, kind, error: error.to_string() }
    }
}

impl From<&ArchiveError> for FailureKind {
    fn from(error: &ArchiveError) -> Self {
        match error {
            ArchiveError::Log(_) => FailureKind::Kafka,
            ArchiveError::OtherOwner { .. } | ArchiveError::NoBackup { .. } => FailureKind::Settings,
            ArchiveError::Objects(_)
            | ArchiveError::Contended { .. }
            | ArchiveError::PinLost { .. }
            | ArchiveError::WentOn { .. } => FailureKind::Storage,
            ArchiveError::Damaged { .. }
            | ArchiveError::Newer { .. }
            | ArchiveError::Foreign { .. }
            | ArchiveError::Missing { .. }
            | ArchiveError::Hole { .. }
            | ArchiveError::Overlap { .. } => FailureKind::Damaged,
        }
    }
}

impl From<&QueueError> for FailureKind {
    fn from(error: &QueueError) -> Self {
        match error {
            QueueError::Archive(error) => error.into(),
            QueueError::Records(_) => FailureKind::Kafka,
        }
    }
}

/// Where a failure is, and of which kind: the same again is not logged again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Trouble {
    backup: Option<Arc<str>>,
    topic: Option<Arc<str>>,
    partition: Option<Partition>,
    kind: FailureKind,
}

/// What is told of the runs of one function.
pub struct RunLog {
    function: &'static str,
    store: Option<Arc<dyn Store>>,
    troubles: Mutex<BTreeSet<Trouble>>,
}

impl RunLog {
    /// The runs of this function, which are counted in `store` where there is one.
    #[must_use]
    pub fn new(function: &'static str, store: Option<Arc<dyn Store>>) -> Self {
        RunLog { function, store, troubles: Mutex::default() }
    }

    /// Notes what a run for a backup, or for what concerns none, came to at `now`. That it cannot be counted changes nothing.
    pub async fn note(&self, now: Millis, backup: Option<&Arc<str>>, failed: &[Failed]) {
        self.log(backup, failed);
        self.count(now, backup, failed).await;
    }

    /// The same, and logs nothing: for who has logged each failure already.
    pub async fn count(&self, now: Millis, backup: Option<&Arc<str>>, failed: &[Failed]) {
        let Some(store) = &self.store else { return };
        let count = |kind| failed.iter().filter(|it| it.kind == kind).count();
        let counts = FailureKind::ALL.into_iter().map(|kind| (kind, u32::try_from(count(kind)).unwrap_or(u32::MAX)));
        let counts = counts.filter(|(_, count)| *count > 0);
        let mut operations: Vec<_> = counts.map(|(kind, count)| runs::failed(self.function, kind, count)).collect();
        let backup = backup.map_or("", |backup| backup);
        operations.push(match failed.first() {
            Some(first) => runs::last_failed(self.function, backup, first.kind, now),
            None => runs::succeeded(self.function, backup, now),
        });
        let function = self.function;
        match tokio::time::timeout(COUNT_TIMEOUT, store.apply(&[], &operations)).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                tracing::debug!(function, error = &error as &dyn std::error::Error, "a run was not counted");
            }
            Err(_) => tracing::debug!(function, "a run was not counted: the store does not answer"),
        }
    }

    fn log(&self, backup: Option<&Arc<str>>, failed: &[Failed]) {
        let trouble = |it: &Failed| Trouble {
            backup: backup.cloned(),
            topic: it.topic.clone(),
            partition: it.partition,
            kind: it.kind,
        };
        let mut known = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        let before = known.clone();
        for it in failed {
            let trouble = trouble(it);
            known.insert(trouble.clone());
            if !before.contains(&trouble) {
                tracing::warn!(
                    function = self.function, kind = it.kind.name(), at = %trouble,
                    "{}; this is not logged again while it lasts", it.error
                );
            }
        }
        let now: BTreeSet<Trouble> = failed.iter().map(trouble).collect();
        known.retain(|trouble| {
            let lasts = trouble.backup.as_ref() != backup || now.contains(trouble);
            if !lasts {
                tracing::info!(function = self.function, kind = trouble.kind.name(), at = %trouble, "works again");
            }
            lasts
        });
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |name: &Option<Arc<str>>| name.clone().unwrap_or_else(|| "-".into());
        write!(f, "backup {}, topic {}", name(&self.backup), name(&self.topic))?;
        self.partition.map_or(Ok(()), |partition| write!(f, ", partition {partition}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::memory::{clock::ManualClock, store::MemoryStore};

    fn failed(topic: &str, kind: FailureKind) -> Failed {
        Failed { topic: Some(topic.into()), partition: Some(Partition(1)), kind, error: "no answer".into() }
    }

    #[tokio::test]
    async fn failures_are_counted_each_time_and_remembered_until_they_end() {
        let store = Arc::new(MemoryStore::new(Arc::new(ManualClock::default())));
        let log = RunLog::new("lag-monitor", Some(store.clone()));
        let (main, other) = (Arc::from("main"), Arc::from("other"));
        let troubles = || log.troubles.lock().unwrap().len();
        let storage = failed("orders", FailureKind::Storage);
        let both = [storage.clone(), failed("orders", FailureKind::Damaged)];
        for (backup, failures, remembered) in
            [(&main, &both[..], 2), (&main, &both[..1], 1), (&other, &both[..1], 2), (&main, &[], 1)]
        {
            log.note(Millis(7), Some(backup), failures).await;
            assert_eq!(troubles(), remembered);
        }
        log.note(Millis(8), None, &both).await;
        log.note(Millis(9), None, &[]).await;
        let told = runs::read(&store.read(&runs::queries()).await.unwrap());
        assert_eq!(told.failures, [("lag-monitor", FailureKind::Damaged, 2), ("lag-monitor", FailureKind::Storage, 4)]);
        let [of_none, of_main] = &told.successes[..] else { panic!("{told:?}") };
        assert_eq!((&*of_none.backup, of_none.at), ("", Millis(9)));
        assert_eq!((&*of_main.function, &*of_main.backup, of_main.at), ("lag-monitor", "main", Millis(7)));
        // What succeeded within the same millisecond as it failed may have failed last.
        let failing: Vec<_> = told.failing().map(|(end, kind)| (&*end.backup, end.at, &**kind)).collect();
        assert_eq!(failing, [("main", Millis(7), "storage"), ("other", Millis(7), "storage")]);
    }
}
