//! The messages that say how far a backup is: standings, log ends, figures of running programs.
//!
//! They lie on the metrics topic between Backbeat's own, as JSON objects with `"extension":"backup"` and a `type` that is
//! none of Backbeat's. Every message says a whole truth about one point of a chain, never a difference, so that it may
//! come twice, late or out of order ([`super::registers`]). The format cannot move: `fixtures/metrics/*.json` are its
//! golden files. Fields may be added; a reader passes over those it does not know, and refuses wrong types.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{push::Push, reason::Reason, replication::frontiers::LocationFrontier};
use crate::{
    chain::{ChainDigest, Marks, Totals, totals::is_zero},
    job::State,
    ports::{
        objects::{ErrorKind, Operation as Request},
        records,
        records::Retention,
    },
    record::{Millis, Offset, Partition, TopicId},
};

/// The `extension` of these messages.
pub const EXTENSION: &str = "backup";

/// One message of ours on the metrics topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
#[allow(clippy::large_enum_variant, reason = "standings are most of the messages")]
pub enum Message {
    /// Where a chain ends, and who works on it.
    Standing(Standing),
    /// Where a log starts and ends.
    Ends(Ends),
    /// What a running program has done.
    Instance(Instance),
    /// What a running process asks of the world.
    Process(Process),
    /// What a job pushed to the event gateway.
    Push(Push),
    /// How far a chain is complete at a location.
    Location(LocationFrontier),
}

/// Where one partition's backup stands. Sent for every segment, and every refresh.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// When this was said.
    pub timestamp: Millis,
    /// The backup's name.
    pub backup: Arc<str>,
    /// The topic's name.
    pub topic: Arc<str>,
    /// The topic's id.
    pub topic_id: TopicId,
    /// Which topic of that name this is, from 1.
    pub incarnation: u32,
    /// The partition.
    pub partition: Partition,
    /// The floor: the base of the first valid segment.
    pub start: Offset,
    /// The frontier: the base of the segment to come. Everything below is stored.
    pub next: Offset,
    /// What the chain counts up to `next`.
    #[serde(with = "CamelTotals")]
    pub totals: Totals,
    /// What the chain counts below `start`.
    #[serde(with = "CamelTotals")]
    pub totals_before_start: Totals,
    /// The chain digest at `next`.
    pub digest: ChainDigest,
    /// What else the storage tells there.
    #[serde(flatten)]
    pub marks: Marks,
    /// The owner's part; absent in a standing sent by somebody who only read the storage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<Job>,
}

/// What only the one who works on a chain can say about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// What the job does.
    pub state: State,
    /// Which attempt in a row this is; 0 when the last one was well.
    pub attempt: u32,
    /// Since when it is in this state.
    pub since: Millis,
    /// Until when this is true unless said again; absent: for good (the state of a finished job).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Millis>,
    /// The consumed position: everything below was looked at. At least `next`, and beyond it by what is in memory only,
    /// or does not exist.
    pub position: Offset,
    /// From here on the log is another one than what is stored (state 902).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diverged_from: Option<Offset>,
    /// Greater for every new owner of the chain, for example the time at which it took over.
    pub owner_epoch: u64,
    /// Greater for every standing of one owner.
    pub sequence: u64,
}

/// Where a partition's log starts and ends. Sent at every refresh by lag-monitor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ends {
    /// When it was observed.
    pub timestamp: Millis,
    /// The backup's name.
    pub backup: Arc<str>,
    /// The topic's name.
    pub topic: Arc<str>,
    /// The topic's id.
    pub topic_id: TopicId,
    /// The partition.
    pub partition: Partition,
    /// The log start offset.
    pub log_start: Offset,
    /// The log end offset (the high watermark).
    pub log_end: Offset,
    /// Whether more was stored before it was observed than the log holds: then it is not the one that was backed up.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub behind_storage: bool,
    /// The oldest record that was not stored then; absent where nobody looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest: Option<Oldest>,
    /// An observation before this one, for how fast the log grows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earlier: Option<Earlier>,
    /// When Kafka deletes what is in the log; absent where nobody asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<Retention>,
    /// The open transaction that holds the end of what is committed back; absent where none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_transaction: Option<OpenTransaction>,
}

/// A transaction that is open: what lies behind its first record cannot be stored before it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenTransaction {
    /// The offset of its first record: the last stable offset.
    pub offset: Offset,
    /// When it was first seen.
    pub since: Millis,
}

/// The oldest record of a log that was not stored when it was looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Oldest {
    /// From where it was looked for: the frontier, or the log's start where that is behind it.
    pub from: Offset,
    /// Where it is: everything below is stored or does not exist. The log's end where there is none.
    pub offset: Offset,
    /// Its timestamp, or an earlier one; when it was first seen, where it has none.
    pub timestamp: Millis,
    /// How large it is; 0 where nobody could read it.
    pub bytes: u64,
}

/// An earlier observation of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Earlier {
    /// When.
    pub timestamp: Millis,
    /// Where it ended.
    pub log_end: Offset,
}

/// What one running program has done for a topic since it started. Sent at every refresh.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Instance {
    /// When this was said.
    pub timestamp: Millis,
    /// The backup's name.
    pub backup: Arc<str>,
    /// The topic's name.
    pub topic: Arc<str>,
    /// The program, by a name that no other run of it has.
    pub instance: Arc<str>,
    /// Records sent to the storage since it started.
    pub jobs_count: u64,
    /// How long it was idle, in microseconds. Whole numbers, because they pass through JSON unchanged.
    pub idle_us: u64,
    /// Out of how long, in microseconds.
    pub elapsed_us: u64,
    /// Until when it counts as running unless it says so again.
    pub expires: Millis,
}

/// What one running process has asked of the storage since it started, and the memory it uses. Sent at every refresh.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Process {
    /// When this was said.
    pub timestamp: Millis,
    /// The process, by a name that no other run of it has.
    pub instance: Arc<str>,
    /// Memory in use for records and unfinished segments.
    pub memory_used_bytes: u64,
    /// How much of it may be in use.
    pub memory_limit_bytes: u64,
    /// How often it could not publish figures since it started.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub publish_failures: u64,
    /// How many messages it gave up meanwhile, because too many waited.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub messages_dropped: u64,
    /// Requests to the storage, by what was asked.
    #[serde(default)]
    pub requests: BTreeMap<Request, u64>,
    /// Those that failed, by what was asked and how.
    #[serde(default)]
    pub errors: BTreeMap<Request, BTreeMap<ErrorKind, u64>>,
    /// Topics that backups name and Kafka does not have, by backup.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub missing_topics: BTreeMap<String, Vec<String>>,
    /// Until when it counts as running unless it says so again.
    pub expires: Millis,
}

/// [`Totals`] as these messages spell it.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Totals", rename_all = "camelCase")]
pub(super) struct CamelTotals {
    records: u64,
    record_bytes: u64,
    filtered: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    filter_errors: u64,
    segments: u64,
    stored_bytes: u64,
    gaps: u64,
    gap_offsets: u64,
}

impl Message {
    /// The message as it is published: its Kafka key keeps what is said of one partition in one partition.
    #[must_use]
    pub fn encode(&self) -> records::Message {
        let value = serde_json::to_vec(&Envelope { extension: EXTENSION, message: self });
        // Derived serialisation of structs with string keys into memory; State and ChainDigest cannot fail.
        let value = value.expect("a message of numbers and texts is valid JSON");
        records::Message { key: Some(self.key().into()), value: Some(Bytes::from(value)), ..Default::default() }
    }

    /// The Kafka key: `<backup>/<topic>/<n>/<partition>` for a standing.
    #[must_use]
    pub fn key(&self) -> String {
        match self {
            Message::Standing(s) => format!("{}/{}/{}/{}", s.backup, s.topic, s.incarnation, s.partition),
            Message::Ends(e) => format!("{}/{}/{}", e.backup, e.topic, e.partition),
            Message::Instance(i) => format!("{}/{}/{}", i.backup, i.topic, i.instance),
            Message::Process(p) => p.instance.to_string(),
            Message::Push(p) => p.key(),
            Message::Location(l) => {
                format!("{}/{}/{}/{}/{}", l.location, l.backup, l.topic, l.incarnation, l.partition)
            }
        }
    }

    /// Reads a message.
    ///
    /// # Errors
    /// Why it is none of ours.
    pub fn decode(value: &Value) -> Result<Message, Reason> {
        let object = value.as_object().ok_or(Reason::NotAnObject)?;
        if object.get("extension").and_then(Value::as_str) != Some(EXTENSION) {
            return Err(Reason::OtherExtension);
        }
        let message = match object.get("type").and_then(Value::as_str) {
            Some("standing") => Message::Standing(fields(value)?),
            Some("ends") => Message::Ends(fields(value)?),
            Some("instance") => Message::Instance(fields(value)?),
            Some("process") => Message::Process(fields(value)?),
            Some("push") => Message::Push(fields(value)?),
            Some("location") => Message::Location(fields(value)?),
            _ => return Err(Reason::UnknownType),
        };
        message.check()?;
        Ok(message)
    }

    fn check(&self) -> Result<(), Reason> {
        match self {
            Message::Standing(s) => s.check(),
            Message::Ends(e) => e.check(),
            Message::Instance(i) => i.check(),
            Message::Process(p) => p.check(),
            Message::Push(p) => p.check(),
            Message::Location(l) => location(l),
        }
    }
}

#[derive(Serialize)]
struct Envelope<'a> {
    extension: &'static str,
    #[serde(flatten)]
    message: &'a Message,
}

fn fields<'a, T: Deserialize<'a>>(value: &'a Value) -> Result<T, Reason> {
    T::deserialize(value).map_err(|error| Reason::malformed(&error))
}

impl Standing {
    fn check(&self) -> Result<(), Reason> {
        names(&[("backup", &self.backup), ("topic", &self.topic), ("topicId", &self.topic_id.0)])?;
        numbers(&[("timestamp", self.timestamp.0), ("partition", self.partition.0.into()), ("start", self.start.0)])?;
        let position = self.job.as_ref().map_or(self.next, |job| job.position);
        consistent(self.incarnation >= 1, "incarnations are numbered from 1")?;
        consistent(self.start <= self.next, "start is at most next")?;
        consistent(self.next <= position, "position is at least next")?;
        consistent(self.totals_before_start.records <= self.totals.records, "totals only grow along a chain")
    }
}

fn location(it: &LocationFrontier) -> Result<(), Reason> {
    names(&[("location", &it.location), ("backup", &it.backup), ("topic", &it.topic)])?;
    numbers(&[("timestamp", it.timestamp.0), ("partition", it.partition.0.into()), ("next", it.next.0)])?;
    consistent(it.incarnation >= 1, "incarnations are numbered from 1")
}

impl Ends {
    fn check(&self) -> Result<(), Reason> {
        names(&[("backup", &self.backup), ("topic", &self.topic), ("topicId", &self.topic_id.0)])?;
        numbers(&[
            ("timestamp", self.timestamp.0),
            ("partition", self.partition.0.into()),
            ("logStart", self.log_start.0),
        ])?;
        consistent(self.log_start <= self.log_end, "logStart is at most logEnd")
    }
}

impl Instance {
    fn check(&self) -> Result<(), Reason> {
        names(&[("backup", &self.backup), ("topic", &self.topic), ("instance", &self.instance)])?;
        numbers(&[("timestamp", self.timestamp.0), ("expires", self.expires.0)])?;
        consistent(self.idle_us <= self.elapsed_us, "idleUs is at most elapsedUs")
    }
}

impl Process {
    fn check(&self) -> Result<(), Reason> {
        names(&[("instance", &self.instance)])?;
        numbers(&[("timestamp", self.timestamp.0), ("expires", self.expires.0)])
    }
}

/// Kafka allows 249 characters in a topic's name; nothing of ours is longer.
const NAME_BYTES_MAX: usize = 255;

fn names(names: &[(&'static str, &Arc<str>)]) -> Result<(), Reason> {
    let wrong = names.iter().find(|(_, name)| name.is_empty() || name.len() > NAME_BYTES_MAX);
    wrong.map_or(Ok(()), |(field, _)| Err(Reason::Name { field }))
}

fn numbers(numbers: &[(&'static str, i64)]) -> Result<(), Reason> {
    let wrong = numbers.iter().find(|(_, number)| *number < 0);
    wrong.map_or(Ok(()), |(field, _)| Err(Reason::Negative { field }))
}

fn consistent(holds: bool, rule: &'static str) -> Result<(), Reason> {
    if holds { Ok(()) } else { Err(Reason::Inconsistent { rule }) }
}

#[cfg(test)]
mod tests;
