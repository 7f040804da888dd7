//! Kafka: logs to read, groups to report to, topics to publish on.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::acls::Acls;
use crate::record::{Offset, Partition, Record, TopicId, TopicPartition};

/// What the logs are and hold.
#[async_trait]
pub trait Log: Send + Sync {
    /// The cluster's id.
    async fn cluster_id(&self) -> Result<String, RecordsError>;

    /// All topics, or those of `names` that exist, each with its id as the cluster has it **now** (never from a cache).
    async fn topics(&self, names: Option<&[Arc<str>]>) -> Result<Vec<Topic>, RecordsError>;

    /// Where each partition's log starts and ends now, in the order asked for; one partition's error is in its place.
    async fn bounds(&self, partitions: &[TopicPartition])
    -> Result<Vec<Result<LogBounds, RecordsError>>, RecordsError>;

    /// Reads from the given offsets on, without a consumer group.
    async fn fetch(&self, starts: &[(TopicPartition, Offset)]) -> Result<Box<dyn Fetch>, RecordsError>;

    /// Like `fetch`, for the first record of each partition only: as little as possible is read ahead.
    async fn peek(&self, starts: &[(TopicPartition, Offset)]) -> Result<Box<dyn Fetch>, RecordsError>;

    /// Which brokers have the partitions of each of these topics, as far as the topics exist.
    async fn layout(&self, topics: &[Arc<str>]) -> Result<Vec<TopicLayout>, RecordsError>;

    /// The settings of each of these topics as they hold, in the order asked for; one topic's error is in its place.
    async fn settings(&self, topics: &[Arc<str>]) -> Result<Vec<Result<TopicSettings, RecordsError>>, RecordsError>;

    /// The settings that are each topic's own, beside the cluster's defaults, in the order asked for; one topic's error is in
    /// its place.
    async fn overrides(&self, topics: &[Arc<str>]) -> Result<Vec<Result<TopicSettings, RecordsError>>, RecordsError>;

    /// When Kafka deletes what is in each of these topics, in the order asked for; one topic's error is in its place.
    async fn retention(&self, topics: &[Arc<str>]) -> Result<Vec<Result<Retention, RecordsError>>, RecordsError> {
        let retention = |settings: TopicSettings| Retention::of_settings(|name| settings.get(name).map(String::as_str));
        Ok(self.settings(topics).await?.into_iter().map(|settings| settings.map(retention)).collect())
    }
}

/// Consumer groups.
#[async_trait]
pub trait Groups: Send + Sync {
    /// Joins a group; partitions come and go as [`Fetched::Assigned`] and [`Fetched::Revoked`]. Nothing is read from an
    /// assigned partition before [`Fetch::start`] says from where. Nothing is committed by itself.
    async fn join(&self, group: &str, topics: &[Arc<str>]) -> Result<Box<dyn Fetch>, RecordsError>;

    /// What the group committed, in the order asked for; `None` where it did nothing.
    async fn committed(
        &self,
        group: &str,
        partitions: &[TopicPartition],
    ) -> Result<Vec<Option<Committed>>, RecordsError>;

    /// The committed offsets alone, without what was noted beside them.
    async fn committed_offsets(
        &self,
        group: &str,
        partitions: &[TopicPartition],
    ) -> Result<Vec<Option<Offset>>, RecordsError> {
        let committed = self.committed(group, partitions).await?;
        Ok(committed.into_iter().map(|it| Some(it?.offset)).collect())
    }

    /// The same, for a caller that asks about this group only once: no client stays open for it.
    async fn committed_once(
        &self,
        group: &str,
        partitions: &[TopicPartition],
    ) -> Result<Vec<Option<Offset>>, RecordsError> {
        self.committed_offsets(group, partitions).await
    }

    /// All groups of the cluster. An answer that lacks those of a broker is an error.
    async fn groups(&self) -> Result<Vec<ListedGroup>, RecordsError>;

    /// Commits offsets for a group that has no members; the cluster refuses it where it has, as of the moment of the commit.
    async fn commit_idle(&self, group: &str, offsets: &[(TopicPartition, Committed)]) -> Result<(), RecordsError>;

    /// Commits offsets for a group, without being a member of it.
    async fn commit(&self, group: &str, offsets: &[(TopicPartition, Committed)]) -> Result<(), RecordsError>;
}

/// Topics to write to.
#[async_trait]
pub trait Publisher: Send + Sync {
    /// Publishes messages and returns when **all** are acknowledged by all in-sync replicas.
    async fn publish(&self, topic: &str, messages: Vec<Message>) -> Result<(), RecordsError>;

    /// The same for messages that may come twice or out of order without harm, as standings do: it asks the cluster for no
    /// producer id first, which takes a new client half a second.
    async fn publish_repeatable(&self, topic: &str, messages: Vec<Message>) -> Result<(), RecordsError> {
        self.publish(topic, messages).await
    }

    /// Says whether [`Self::create_topic`] would succeed for a topic that does not exist, and creates none.
    async fn check_topic(&self, name: &str, partitions: i32, configs: &[(&str, String)]) -> Result<(), RecordsError>;

    /// Creates a topic when it does not exist. `configs` are Kafka's topic settings.
    async fn create_topic(&self, name: &str, partitions: i32, configs: &[(&str, String)]) -> Result<(), RecordsError>;

    /// Sets settings of a topic that are its own, or (`None`) takes them away, so that the cluster's default holds. All or none;
    /// others stay as they are.
    async fn alter_topic(&self, name: &str, changes: &[(&str, Option<String>)]) -> Result<(), RecordsError>;

    /// Deletes a topic with all its records. One that does not exist is no error.
    async fn delete_topic(&self, name: &str) -> Result<(), RecordsError>;
}

/// Everything of Kafka in one.
pub trait Kafka: Log + Groups + Publisher + Acls {}
impl<T: Log + Groups + Publisher + Acls> Kafka for T {}

/// A running read of some partitions.
#[async_trait]
pub trait Fetch: Send {
    /// What came, waiting at most `wait` for the first of it; empty when nothing did.
    /// Records of one partition come in offset order. Transactional records come only when committed.
    ///
    /// # Errors
    /// When the brokers refuse the reader or do not answer it. It may go on by itself, and may not: where it fails again and
    /// again, another is opened.
    async fn next(&mut self, wait: Duration) -> Result<Vec<Fetched>, RecordsError>;

    /// Starts or moves the reading of a partition: the next record comes from `from` or after it.
    /// What was fetched before and not yet handed out is dropped. In a group, a partition that was taken away meanwhile
    /// is not started; [`Fetched::Revoked`] tells.
    async fn start(&mut self, partition: &TopicPartition, from: Offset) -> Result<(), RecordsError>;

    /// The same behind a record that was written under this leader epoch: where the log does not hold any more what it held
    /// before `from` then, [`Fetched::OutOfRange`] comes instead of a record (KIP-320). Only for a partition that this
    /// reader has read from already.
    async fn start_behind(
        &mut self,
        partition: &TopicPartition,
        from: Offset,
        leader_epoch: i32,
    ) -> Result<(), RecordsError>;

    /// Ends the reading of a partition: nothing of it comes any more.
    async fn stop(&mut self, partition: &TopicPartition) -> Result<(), RecordsError>;

    /// Ends all reading. A member of a group leaves it, so that others have its partitions at once; one that is dropped
    /// leaves it a moment later, where the process lives as long.
    async fn close(self: Box<Self>);
}

/// What a read brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetched {
    /// Records of a partition, ascending by offset, of one leader epoch. Never empty.
    Records {
        /// Whose.
        partition: TopicPartition,
        /// The records.
        records: Vec<Record>,
        /// The leader epoch under which all of them were written; absent where Kafka does not tell.
        leader_epoch: Option<i32>,
    },
    /// The reading has come to the end of the log (the last stable offset). `position` is where the next record will be
    /// at the earliest: it has passed offsets that do not exist. Comes again each time the end is reached.
    End {
        /// Whose.
        partition: TopicPartition,
        /// Where the reading stands.
        position: Offset,
    },
    /// The offset to read from is not in the log: below its start, or above its end; or, where the leader
    /// changed, the log does not hold any more what was read before. The partition is stopped.
    OutOfRange {
        /// Whose.
        partition: TopicPartition,
    },
    /// The partition cannot be read; others can. The partition is stopped.
    Failed {
        /// Whose.
        partition: TopicPartition,
        /// Why.
        error: Arc<RecordsError>,
    },
    /// For a while no broker could be reached; reading goes on by itself. A cluster that was restored from a snapshot meanwhile
    /// may have other logs, of the same leader epochs. Comes before any record that was read after it.
    Interrupted,
    /// The group gave this reader the partition.
    Assigned {
        /// Which.
        partition: TopicPartition,
    },
    /// The group took the partition away; it is stopped already.
    Revoked {
        /// Which.
        partition: TopicPartition,
    },
}

/// An offset that a group committed for a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// Where the group goes on.
    pub offset: Offset,
    /// Of which topic that was said, where it was told. Groups know topics by name alone, so a commit that was on its way
    /// when a topic was created again is kept for the new one.
    pub topic_id: Option<TopicId>,
    /// Up to where records are stored, where the group went further: over offsets that hold none, as the marker of a
    /// transaction does.
    pub stored: Option<Offset>,
}

impl Committed {
    /// Up to where the group says that it stored the topic of this id; nothing where it says nothing of that: another topic of
    /// that name was meant, or no record was met yet.
    #[must_use]
    pub fn in_topic(&self, id: &TopicId) -> Option<Offset> {
        let is_of_another = self.topic_id.as_ref().is_some_and(|of| of != id);
        let has_nothing = self.stored == Some(Offset(0));
        (!is_of_another && !has_nothing).then(|| self.stored.unwrap_or(self.offset))
    }
}

impl From<Offset> for Committed {
    fn from(offset: Offset) -> Self {
        Committed { offset, topic_id: None, stored: None }
    }
}

/// A consumer group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedGroup {
    /// Its name.
    pub name: String,
    /// Whether it has members.
    pub state: GroupState,
}

/// Whether a group has members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupState {
    /// It has, or is just getting or losing some.
    Active,
    /// It has none, and its offsets are kept.
    Empty,
    /// It is gone.
    Dead,
}

/// A topic as the cluster has it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// Its name.
    pub name: Arc<str>,
    /// Its id. A cluster that gives topics none is refused (see C4 in ARCHITECTURE.md).
    pub id: TopicId,
    /// How many partitions it has, numbered from 0.
    pub partitions: i32,
}

impl Topic {
    /// Each of its partitions, ascending.
    pub fn each_partition(&self) -> impl Iterator<Item = TopicPartition> + '_ {
        (0..self.partitions).map(|partition| TopicPartition::new(self.name.clone(), partition))
    }
}

/// Which brokers have a topic's partitions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicLayout {
    /// Its name.
    pub name: String,
    /// Its partitions, ascending.
    pub partitions: Vec<PartitionLayout>,
}

/// Which brokers have a partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionLayout {
    /// Its number.
    pub id: i32,
    /// The broker that leads it; -1 where none does.
    pub leader: i32,
    /// The brokers that have it.
    pub replicas: Vec<i32>,
    /// Those of them that are in sync.
    pub isrs: Vec<i32>,
}

/// Where a partition's log starts and ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogBounds {
    /// The log start offset: the first one the broker still has.
    pub start: Offset,
    /// The last stable offset: the end of what is committed. Equals the high watermark where no transaction is open.
    pub stable_end: Offset,
    /// The high watermark: the end of what is replicated.
    pub high_watermark: Offset,
    /// Under which leader epoch the log goes on: with every change of the leader it grows. Absent where Kafka does not tell.
    pub leader_epoch: Option<i32>,
}

/// A topic's settings by their names.
pub type TopicSettings = BTreeMap<String, String>;

/// When Kafka deletes what is in a partition, apart from compaction, which keeps the last record of each key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Retention {
    /// Milliseconds after a record's timestamp (`retention.ms`); `None`: never by time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ms: Option<u64>,
    /// When so many bytes are behind it (`retention.bytes`); `None`: never by size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

impl Retention {
    /// What a topic's settings say, each asked for by its name. A setting that is not there is Kafka's own.
    #[must_use]
    pub fn of_settings<'a>(setting: impl Fn(&str) -> Option<&'a str>) -> Self {
        // A policy of compaction alone deletes nothing by age or size.
        if setting("cleanup.policy").is_some_and(|policy| !policy.split(',').any(|it| it.trim() == "delete")) {
            return Retention::default();
        }
        let limit = |name, default| setting(name).map_or(default, |text| text.trim().parse().ok());
        Retention { ms: limit("retention.ms", Some(604_800_000)), bytes: limit("retention.bytes", None) }
    }
}

/// A message to publish.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Message {
    /// The partition, or `None`: chosen by the key's hash.
    pub partition: Option<Partition>,
    /// The key.
    pub key: Option<Bytes>,
    /// The value; `None` is a tombstone.
    pub value: Option<Bytes>,
    /// The headers.
    pub headers: Vec<crate::record::Header>,
}

/// Why a call to Kafka failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordsError {
    /// The cluster could not be reached or did not answer in time; the same call may succeed later.
    #[error("{operation}: kafka at {bootstrap_servers} does not answer: {message}")]
    Unavailable {
        /// What was tried.
        operation: &'static str,
        /// The brokers asked.
        bootstrap_servers: String,
        /// What the client said.
        message: String,
    },
    /// The topic or partition does not exist (any more).
    #[error("{operation}: no topic or partition {name}: it was deleted, or never existed")]
    Unknown {
        /// What was tried.
        operation: &'static str,
        /// Its name.
        name: String,
    },
    /// The cluster answered and refuses: not authorised, a wrong setting. Trying again does not help.
    #[error("{operation}: {message}")]
    Refused {
        /// What was tried.
        operation: &'static str,
        /// What is wrong, with the setting and the remedy.
        message: String,
    },
}

impl RecordsError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub fn retry(&self) -> bool {
        matches!(self, RecordsError::Unavailable { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_says_what_is_stored_and_not_how_far_the_group_went_over_nothing() {
        let of = |offset, topic_id: Option<&str>, stored: Option<i64>| Committed {
            offset: Offset(offset),
            topic_id: topic_id.map(TopicId::from),
            stored: stored.map(Offset),
        };
        let said = |committed: Committed| committed.in_topic(&"this".into());
        assert_eq!(said(of(6, None, None)), Some(Offset(6)));
        assert_eq!(said(of(6, Some("this"), None)), Some(Offset(6)));
        assert_eq!(said(of(6, Some("this"), Some(5))), Some(Offset(5)));
        assert_eq!(said(of(6, Some("this"), Some(0))), None);
        assert_eq!(said(of(6, Some("another"), Some(5))), None);
    }
}
