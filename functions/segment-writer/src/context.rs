//! What the function has at hand: ports, settings, and what it remembers between calls without relying on it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use shared::{
    archive::ChainHint,
    chain::{ChainIdentity, SealKey},
    config::{
        kafka::RECORD_BYTES_MAX,
        selection::{TopicPattern, TopicSelection},
        writer::WriterSettings,
    },
    ports::{
        clock::Clock,
        objects::{CLOCKS_APART_MS, Objects},
        records::{Committed, Kafka, RecordsError, Topic},
        store::Store,
    },
    pushing::Pushing,
    record::{Millis, Offset, TopicId, TopicPartition, filter::Filter},
    replication::{self, Outgoing},
    restore::PROGRESS_TOPIC,
    rollover::Rollover,
    runs::RunLog,
    segment::Compression,
};

use crate::{
    NAME, WriteError, error::Remedy, memory::Memory, offsets::Offsets, opened::OpenChain, outbox::Outbox,
    permits::Permits, progress::Said, resting::Resting, topics::Topics,
};

/// The wait before the second attempt; it doubles.
const BACKOFF_MIN: Duration = Duration::from_secs(1);
/// The wait before a chain is opened again that others write too.
const REOPEN_WAIT: Duration = Duration::from_millis(20);

/// The function's ports and settings.
pub struct Context {
    /// Kafka.
    pub kafka: Arc<dyn Kafka>,
    /// The object storage.
    pub objects: Arc<dyn Objects>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The configured backups.
    pub backups: Vec<Arc<Backup>>,
    /// The topic that standings go to.
    pub metrics_topic: Arc<str>,
    /// Our own topics: no pattern selects them.
    pub own_topics: Vec<Arc<str>>,
    /// The name of this process, which no other run of it has.
    pub instance: Arc<str>,
    /// How long and how much.
    pub limits: Limits,
    /// Where progress is pushed.
    pub(crate) pushing: Option<Pushing>,
    pub(crate) said: Said,
    /// What is told of the drains.
    pub(crate) runs: RunLog,
    /// Asks for what is stored at the locations, where there are any.
    pub(crate) outgoing: Option<Outgoing>,
    pub(crate) protections: Protections,
    pub(crate) memory: Arc<Memory>,
    pub(crate) started_at: Millis,
    pub(crate) permits: Permits,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) resting: Resting,
    topics: Topics,
    offsets: Offsets,
    hints: Mutex<HashMap<(String, TopicPartition), Remembered>>,
    incarnations: Mutex<HashMap<(String, TopicId), u32>>,
    work: Mutex<HashMap<(String, Arc<str>), Work>>,
    missing_topics: Mutex<BTreeMap<String, Vec<String>>>,
}

/// One configured backup.
#[derive(Debug, Clone)]
pub struct Backup {
    /// Its name.
    pub name: String,
    /// Which topics it takes.
    pub topics: TopicSelection,
    /// When a segment is closed.
    pub rollover: Rollover,
    /// How it is compressed.
    pub compression: Compression,
    /// Which records are kept: the first pattern that matches a topic decides; all of a topic that none matches.
    pub filters: Vec<(TopicPattern, Arc<Filter>)>,
    /// What its segments are sealed with.
    pub seal_key: Option<Arc<SealKey>>,
    /// The keys before it: what they sealed is believed still.
    pub former_seal_keys: Vec<SealKey>,
}

impl Backup {
    /// A backup of these topics, whole and without a key.
    #[must_use]
    pub fn new(name: &str, topics: TopicSelection, rollover: Rollover) -> Self {
        Backup {
            name: name.to_owned(),
            topics,
            rollover,
            compression: Compression::default(),
            filters: vec![],
            seal_key: None,
            former_seal_keys: vec![],
        }
    }

    /// The consumer group that tells others how far it is.
    #[must_use]
    pub fn group(&self) -> String {
        format!("highwater.{}", self.name)
    }

    /// The filter of a topic.
    #[must_use]
    pub fn filter(&self, topic: &str) -> Option<&Arc<Filter>> {
        self.filters.iter().find(|(topics, _)| topics.matches(topic)).map(|(_, filter)| filter)
    }
}

/// How long and how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of records and unfinished segments in memory.
    pub memory_bytes_max: u64,
    /// Bytes of a record's key, value and headers; one with more stops its partition.
    pub record_bytes_max: u64,
    /// How often standings are said again.
    pub refresh: Duration,
    /// The longest wait between two attempts.
    pub backoff_max: Duration,
    /// How many attempts a drain makes for a partition.
    pub attempts_max: u32,
    /// How long before its deadline a drain begins to close its segments.
    pub deadline_margin: Duration,
    /// Whether who sends events takes an answer that names the partitions that failed; else any failure fails the event.
    pub partial_answers: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            memory_bytes_max: WriterSettings::default().memory_bytes_max.0,
            record_bytes_max: RECORD_BYTES_MAX.0,
            refresh: Duration::from_secs(15),
            backoff_max: Duration::from_secs(60),
            attempts_max: 5,
            deadline_margin: Duration::from_secs(10),
            partial_answers: false,
        }
    }
}

impl Limits {
    /// The wait before attempt number `attempt`, from 1: it doubles up to the limit. What only a person can mend is asked about
    /// as seldom as that from the first time on.
    #[must_use]
    pub fn wait_after(&self, remedy: Remedy, attempt: u32) -> Duration {
        match remedy {
            Remedy::Reopen => REOPEN_WAIT,
            Remedy::Backoff => BACKOFF_MIN.saturating_mul(1 << attempt.saturating_sub(1).min(16)).min(self.backoff_max),
            Remedy::Fail => self.backoff_max,
        }
    }
}

/// The checks that the simulation takes out one at a time. Always [`Protections::ALL`] in a packaged binary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Protections {
    /// A segment is stored only if its topic still has the id under which it was read.
    pub topic_id_check: bool,
    /// Offsets are committed behind durable segments only.
    pub commit_after_durable: bool,
    /// The floor is read again behind a segment: one that was put below it is none.
    pub floor_check: bool,
    /// What was stored without knowing of an accepted loss does not exist, and is not acknowledged.
    pub cuts: bool,
    /// The last stored record is compared with the log before anything is added.
    pub history_check: bool,
}

impl Protections {
    /// Every one.
    pub const ALL: Protections = Protections {
        topic_id_check: true,
        commit_after_durable: true,
        floor_check: true,
        cuts: true,
        history_check: true,
    };
}

/// A chain's hint, and which incarnation it is of.
#[derive(Debug)]
struct Remembered {
    incarnation: u32,
    hint: ChainHint,
}

/// What was done for a topic since the program started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Work {
    /// Records sent to the storage.
    pub records: u64,
    /// Milliseconds spent on it.
    pub busy_ms: u64,
}

impl Context {
    /// A context over these ports.
    #[must_use]
    pub fn new(
        kafka: Arc<dyn Kafka>,
        objects: Arc<dyn Objects>,
        clock: Arc<dyn Clock>,
        backups: Vec<Backup>,
        metrics_topic: &str,
        instance: &str,
        limits: Limits,
    ) -> Arc<Self> {
        let started_at = clock.now();
        Arc::new(Context {
            kafka,
            objects,
            clock,
            backups: backups.into_iter().map(Arc::new).collect(),
            metrics_topic: metrics_topic.into(),
            own_topics: vec![metrics_topic.into(), replication::TOPIC.into(), PROGRESS_TOPIC.into()],
            instance: instance.into(),
            limits,
            pushing: None,
            said: Said::default(),
            runs: RunLog::new(NAME, None),
            outgoing: None,
            protections: Protections::ALL,
            memory: Memory::new(limits.memory_bytes_max),
            started_at,
            permits: Permits::default(),
            outbox: Arc::default(),
            topics: Topics::default(),
            offsets: Offsets::default(),
            resting: Resting::default(),
            hints: Mutex::default(),
            incarnations: Mutex::default(),
            work: Mutex::default(),
            missing_topics: Mutex::default(),
        })
    }

    /// The same context, which asks for what it stores at the locations.
    ///
    /// # Panics
    /// When the context is in use already.
    #[must_use]
    pub fn replicating(mut self: Arc<Self>, outgoing: Option<Outgoing>) -> Arc<Self> {
        let context = Arc::get_mut(&mut self).expect("a context is changed before it is used");
        context.own_topics.extend(outgoing.iter().map(|outgoing| outgoing.queue.topic.clone()));
        context.outgoing = outgoing;
        self
    }

    /// The same context, which pushes its progress.
    ///
    /// # Panics
    /// When the context is in use already.
    #[must_use]
    pub fn pushing(mut self: Arc<Self>, pushing: Option<Pushing>) -> Arc<Self> {
        Arc::get_mut(&mut self).expect("where to push is told before a context is used").pushing = pushing;
        self
    }

    /// The same context, whose drains are counted in this store.
    ///
    /// # Panics
    /// When the context is in use already.
    #[must_use]
    pub fn counted_in(mut self: Arc<Self>, store: Option<Arc<dyn Store>>) -> Arc<Self> {
        Arc::get_mut(&mut self).expect("a context is changed before it is used").runs = RunLog::new(NAME, store);
        self
    }

    /// The same context with protections taken out, for the simulation that shows that each of them is needed.
    ///
    /// # Panics
    /// When the context is in use already.
    #[cfg(debug_assertions)]
    #[must_use]
    pub fn unprotected(mut self: Arc<Self>, protections: Protections) -> Arc<Self> {
        Arc::get_mut(&mut self).expect("a context is stripped before it is used").protections = protections;
        self
    }

    /// The topic of a partition as the cluster has it at some moment after this call.
    ///
    /// # Errors
    /// [`WriteError::Gone`] when the topic is not there, or has no such partition.
    pub(crate) async fn topic_now(&self, partition: &TopicPartition) -> Result<Topic, WriteError> {
        self.topics.topic_now(&*self.kafka, partition).await
    }

    /// What a backup's group has committed for a partition at some moment after this call.
    pub(crate) async fn committed(
        &self,
        backup: &Backup,
        partition: &TopicPartition,
    ) -> Result<Option<Committed>, RecordsError> {
        self.offsets.committed(&*self.kafka, &backup.group(), partition).await
    }

    /// Commits for a backup's group where a chain ends, and of which topic that is.
    pub(crate) async fn commit(
        &self,
        backup: &Backup,
        chain: &ChainIdentity,
        next: Offset,
    ) -> Result<(), RecordsError> {
        self.commit_passed(backup, chain, next, next).await
    }

    /// The same where the reading went further than the chain: offsets from `next` to `position` hold no record. So others see
    /// that nothing is left to do, and what is stored is told beside it.
    pub(crate) async fn commit_passed(
        &self,
        backup: &Backup,
        chain: &ChainIdentity,
        next: Offset,
        position: Offset,
    ) -> Result<(), RecordsError> {
        let stored = (position > next).then_some(next);
        let committed = Committed { offset: position.max(next), topic_id: Some(chain.topic_id.clone()), stored };
        self.offsets.commit(&*self.kafka, &backup.group(), chain.topic_partition(), committed).await
    }

    /// Where a chain's end was last seen. A hint: a wrong one costs requests only.
    pub(crate) fn hint(&self, chain: &ChainIdentity) -> Option<ChainHint> {
        let hints = self.hints.lock().unwrap_or_else(PoisonError::into_inner);
        let remembered = hints.get(&(chain.backup.clone(), chain.topic_partition()))?;
        (remembered.incarnation == chain.incarnation).then(|| remembered.hint.clone())
    }

    pub(crate) fn remember(&self, open: &OpenChain) {
        let Some(base) = open.frontier.last_base else { return };
        let hint = ChainHint { base, known: Some((open.floor.clone(), open.accepted.clone())) };
        let mut hints = self.hints.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (open.chain.backup.clone(), open.chain.topic_partition());
        hints.insert(key, Remembered { incarnation: open.chain.incarnation, hint });
    }

    /// The incarnation that was found, or claimed, for a topic of this id.
    pub(crate) fn incarnation(&self, backup: &str, topic: &Topic) -> Option<u32> {
        let known = self.incarnations.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&(backup.to_owned(), topic.id.clone())).copied()
    }

    pub(crate) fn remember_incarnation(&self, backup: &str, topic: &Topic, incarnation: u32) {
        let mut known = self.incarnations.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert((backup.to_owned(), topic.id.clone()), incarnation);
    }

    /// Adds to what was done for a topic, and answers the sum.
    pub(crate) fn worked(&self, backup: &str, topic: &Arc<str>, more: Work) -> Work {
        let mut work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        let sum = work.entry((backup.to_owned(), topic.clone())).or_default();
        sum.records += more.records;
        sum.busy_ms += more.busy_ms;
        *sum
    }

    /// Takes note of the topics that a backup names and Kafka does not have, and answers them. They are logged when they change.
    pub(crate) fn note_missing_topics(&self, backup: &Backup, topics: &[Topic]) -> Vec<String> {
        let is_missing = |name: &&str| !topics.iter().any(|topic| *topic.name == **name);
        let missing: Vec<String> = backup.topics.literal_names().filter(is_missing).map(str::to_owned).collect();
        let mut known = self.missing_topics.lock().unwrap_or_else(PoisonError::into_inner);
        let before = known.insert(backup.name.clone(), missing.clone()).unwrap_or_default();
        for topic in missing.iter().filter(|topic| !before.contains(topic)) {
            let backup = &backup.name;
            tracing::warn!(
                backup,
                topic,
                "backups.{backup}.topics names topic {topic:?}, which is not in kafka: create it, or correct the name"
            );
        }
        missing
    }

    /// The topics that backups name and Kafka did not have when it was last asked, by backup; of backups that miss none, nothing.
    pub(crate) fn missing_topics(&self) -> BTreeMap<String, Vec<String>> {
        let known = self.missing_topics.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().filter(|(_, topics)| !topics.is_empty()).map(|(backup, it)| (backup.clone(), it.clone())).collect()
    }

    /// The epoch of an owner that begins now. The next owner's word must count more, on whatever machine, so that a clock that
    /// is off is put right by the store's.
    pub(crate) fn owner_epoch(&self, now: Millis) -> u64 {
        let ahead = self.objects.clock_ahead_ms().filter(|ahead| ahead.abs() > CLOCKS_APART_MS);
        u64::try_from(now.0.saturating_sub(ahead.unwrap_or(0))).unwrap_or(0)
    }

    pub(crate) fn backup(&self, name: &str) -> Option<&Arc<Backup>> {
        self.backups.iter().find(|backup| backup.name == name)
    }

    pub(crate) fn selects(&self, backup: &Backup, topic: &str) -> bool {
        let own: Vec<&str> = self.own_topics.iter().map(|topic| &**topic).collect();
        backup.topics.selects(topic, &own)
    }
}
