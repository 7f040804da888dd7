//! What is known of a restore, as records of the compacted progress topic.
//!
//! | key | value | says |
//! |---|---|---|
//! | `{restore, "record": "started"}` | [`Started`] | what is restored: fixed once |
//! | `{restore, "record": "run"}` | [`Run`] | which run writes, by how many producers |
//! | `{restore, "record": "raised"}` | [`Raised`] | settings of the target that are raised for the run, and what they were before |
//! | `{restore, "record": "position", partition}` | [`Position`] | how far a source partition is |
//! | `{restore, "record": "mapping", partition, from}` | [`MappedRuns`] | where the records from there on lie |
//! | `{restore, "record": "skipped", partition, from}` | [`Missing`] | what could not be restored, and was passed over |
//!
//! Keys and values are JSON. A position is written in the transaction of the records below it, so it is never ahead of them and
//! never behind.

use std::{collections::BTreeMap, fmt, sync::Arc};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{MappingRun, Missing, OffsetRange, OriginHeaders, TimeRange};
use crate::record::{Millis, Offset, Partition, Record, TimestampType, TopicId};

/// The version of these records.
pub const PROGRESS_VERSION: u32 = 1;
/// So many runs are in one record at most: some hundred kilobytes.
const RUNS_MAX: usize = 8_000;

/// Names the restore of a backup into a topic.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RestoreId(Arc<str>);

impl RestoreId {
    /// The restore of a cluster's backup into the topic of that id.
    #[must_use]
    pub fn of(cluster_id: &str, backup: &str, target: &TopicId) -> Self {
        let text = format!("highwater-restore-1\n{cluster_id}\n{backup}\n{target}");
        RestoreId(hex::encode(&Sha256::digest(text)[..12]).into())
    }

    /// Whether the key of a record of the progress topic says something of this restore.
    #[must_use]
    pub fn is_of(&self, key: &[u8]) -> bool {
        serde_json::from_slice::<ProgressKey>(key).is_ok_and(|key| key.restore == *self)
    }

    /// The transactional id that only one run holds: whoever took it last.
    #[must_use]
    pub fn holder_id(&self) -> String {
        format!("highwater-restore-{self}")
    }

    /// The transactional id of a run's producer of that number.
    #[must_use]
    pub fn worker_id(&self, run: u32, number: u16) -> String {
        format!("highwater-restore-{self}-{run}-{number}")
    }
}

impl fmt::Display for RestoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The key of a record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ProgressKey {
    /// Of which restore.
    pub restore: RestoreId,
    /// What it says.
    #[serde(flatten)]
    pub record: KeyRecord,
}

/// What a record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub enum KeyRecord {
    /// What is restored.
    Started,
    /// Which run writes.
    Run,
    /// Settings of the target that are raised for the run.
    Raised,
    /// How far a source partition is.
    Position {
        /// Which.
        partition: Partition,
    },
    /// Where records lie.
    Mapping {
        /// The source partition.
        partition: Partition,
        /// The first source offset.
        from: Offset,
    },
    /// What was passed over.
    Skipped {
        /// The source partition.
        partition: Partition,
        /// The first offset.
        from: Offset,
    },
}

/// What is restored, and how. Resuming with anything else is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fixed {
    /// The source topic.
    pub source: Arc<str>,
    /// Its id.
    pub source_topic_id: TopicId,
    /// Which topic of that name.
    pub incarnation: u32,
    /// Of these timestamps.
    #[serde(default)]
    pub time: TimeRange,
    /// The partitions that are named, and which offsets of them; none: all.
    #[serde(default, with = "by_partition", skip_serializing_if = "BTreeMap::is_empty")]
    pub partitions: BTreeMap<Partition, OffsetRange>,
    /// The records that this keeps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// Whether records go where their keys belong.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rehash: bool,
    /// The headers that tell where they came from.
    #[serde(default, skip_serializing_if = "OriginHeaders::is_none")]
    pub origin_headers: OriginHeaders,
    /// The SHA-256 of the ids that are put into records, and where; absent: none are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema_ids: Option<String>,
    /// The header with the timestamp of records that were dated anew; absent: none are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clamp_timestamps: Option<String>,
}

/// The first record of a restore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// The version of these records.
    pub format_version: u32,
    /// The backup.
    pub backup: String,
    /// The cluster it is a backup of.
    pub cluster_id: String,
    /// The topic that is written.
    pub target: Arc<str>,
    /// Its id.
    pub target_topic_id: TopicId,
    /// When that began.
    pub started_at: Millis,
    /// What is restored.
    pub fixed: Fixed,
}

/// The run that writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// How many runs there were before, and this one.
    pub number: u32,
    /// How many producers it has: source partition p is written by number p modulo this.
    pub workers: u16,
    /// When it began.
    pub began_at: Millis,
}

/// How far a source partition is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Position {
    /// Everything below is restored, or was not asked for.
    pub next: Offset,
    /// What was restored so far.
    #[serde(flatten)]
    pub counts: Counts,
}

/// Settings of the target that are raised, by name.
pub type Raised = BTreeMap<String, RaisedSetting>;

/// A setting that is raised for a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RaisedSetting {
    /// What the topic had before; `None`: nothing of its own.
    pub before: Option<String>,
    /// What it was raised to.
    pub to: String,
}

/// How much was restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Records.
    pub records: u64,
    /// Their bytes: keys, values, header names and header values.
    pub record_bytes: u64,
    /// Records that the filter left out.
    pub filtered: u64,
    /// Records that were restored because the filter could not judge them.
    pub filter_errors: u64,
    /// Keys and values that were looked at for the id of a schema, by what became of them.
    #[serde(default, skip_serializing_if = "IdCounts::is_none")]
    pub schema_ids: IdCounts,
}

/// What became of keys and values whose topic was said to have ids of schemas in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct IdCounts {
    /// Those with another id now.
    pub rewritten: u64,
    /// Those that have none: null, shorter than 5 bytes, or not beginning with 0.
    pub without: u64,
    /// Those with an id that is in no map, which were kept as they were.
    pub kept: u64,
    /// Records that were left out because of such an id.
    pub dropped: u64,
}

impl IdCounts {
    /// Whether nothing was looked at.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == IdCounts::default()
    }

    fn plus(self, other: IdCounts) -> IdCounts {
        IdCounts {
            rewritten: self.rewritten + other.rewritten,
            without: self.without + other.without,
            kept: self.kept + other.kept,
            dropped: self.dropped + other.dropped,
        }
    }
}

impl Counts {
    /// Both together.
    #[must_use]
    pub fn plus(self, other: Counts) -> Counts {
        Counts {
            records: self.records + other.records,
            record_bytes: self.record_bytes + other.record_bytes,
            filtered: self.filtered + other.filtered,
            filter_errors: self.filter_errors + other.filter_errors,
            schema_ids: self.schema_ids.plus(other.schema_ids),
        }
    }
}

/// Where records lie.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappedRuns {
    /// The target partition.
    pub target_partition: Partition,
    /// The runs.
    pub runs: Vec<MappingRun>,
}

/// All that is known of one restore.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Progress {
    /// What is restored; `None`: nothing was begun.
    pub started: Option<Started>,
    /// The last run.
    pub run: Option<Run>,
    /// Settings of the target that are raised, and what they were before.
    pub raised: Option<Raised>,
    /// How far each source partition is.
    pub positions: BTreeMap<Partition, Position>,
    /// Where the records of each source partition lie, by the first source offset.
    pub mapped: BTreeMap<Partition, BTreeMap<Offset, MappedRuns>>,
    /// What was passed over in each source partition, by its first offset.
    pub skipped: BTreeMap<Partition, BTreeMap<Offset, Missing>>,
}

/// A record of the topic that is ours by its key and cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the record at offset {offset} of topic {topic} cannot be read", topic = super::PROGRESS_TOPIC)]
pub struct Unreadable {
    /// Where it is.
    offset: Offset,
    /// Why.
    #[source]
    source: serde_json::Error,
}

impl Progress {
    /// Takes in a record of the topic, in the topic's order; those of other restores say nothing.
    ///
    /// # Errors
    /// [`Unreadable`]
    pub fn take(&mut self, restore: &RestoreId, record: &Record) -> Result<(), Unreadable> {
        let Some(key) = record.key.as_deref().and_then(|key| serde_json::from_slice::<ProgressKey>(key).ok()) else {
            return Ok(());
        };
        if key.restore != *restore {
            return Ok(());
        }
        let value = record.value.as_deref();
        let unreadable = |source| Unreadable { offset: record.offset, source };
        match key.record {
            KeyRecord::Started => self.started = read(value).map_err(unreadable)?,
            KeyRecord::Run => self.run = read(value).map_err(unreadable)?,
            KeyRecord::Raised => self.raised = read(value).map_err(unreadable)?,
            KeyRecord::Position { partition } => {
                set(&mut self.positions, partition, read(value).map_err(unreadable)?);
            }
            KeyRecord::Mapping { partition, from } => {
                set(self.mapped.entry(partition).or_default(), from, read(value).map_err(unreadable)?);
            }
            KeyRecord::Skipped { partition, from } => {
                set(self.skipped.entry(partition).or_default(), from, read(value).map_err(unreadable)?);
            }
        }
        Ok(())
    }
}

fn read<T: serde::de::DeserializeOwned>(value: Option<&[u8]>) -> Result<Option<T>, serde_json::Error> {
    value.map(serde_json::from_slice).transpose()
}

fn set<K: Ord, V>(map: &mut BTreeMap<K, V>, key: K, value: Option<V>) {
    match value {
        Some(value) => drop(map.insert(key, value)),
        None => drop(map.remove(&key)),
    }
}

/// The record that begins a restore.
///
/// # Errors
/// Never.
pub fn started_record(restore: &RestoreId, started: &Started, now: Millis) -> Result<Record, serde_json::Error> {
    record(restore, KeyRecord::Started, started, now)
}

/// The record that says which run writes.
///
/// # Errors
/// Never.
pub fn run_record(restore: &RestoreId, run: &Run, now: Millis) -> Result<Record, serde_json::Error> {
    record(restore, KeyRecord::Run, run, now)
}

/// The record that says which settings of the target are raised; none: nothing is raised any more, and it has no value.
///
/// # Errors
/// Never.
pub fn raised_record(restore: &RestoreId, raised: &Raised, now: Millis) -> Result<Record, serde_json::Error> {
    let record = record(restore, KeyRecord::Raised, raised, now)?;
    Ok(if raised.is_empty() { Record { value: None, ..record } } else { record })
}

/// The records that say how far a source partition is now, where the records that were just restored lie, and what was passed
/// over.
///
/// # Errors
/// Never.
pub fn progress_records(
    restore: &RestoreId,
    partition: Partition,
    position: &Position,
    mapped: &[MappedRuns],
    skipped: &[Missing],
    now: Millis,
) -> Result<Vec<Record>, serde_json::Error> {
    let mut records = vec![record(restore, KeyRecord::Position { partition }, position, now)?];
    for missing in skipped {
        records.push(record(restore, KeyRecord::Skipped { partition, from: missing.from }, missing, now)?);
    }
    let parts =
        mapped.iter().flat_map(|mapped| mapped.runs.chunks(RUNS_MAX).map(|runs| (mapped.target_partition, runs)));
    for (target_partition, runs) in parts {
        let part = MappedRuns { target_partition, runs: runs.to_vec() };
        records.push(record(restore, KeyRecord::Mapping { partition, from: runs[0].source }, &part, now)?);
    }
    Ok(records)
}

fn record(
    restore: &RestoreId,
    key: KeyRecord,
    value: &impl Serialize,
    now: Millis,
) -> Result<Record, serde_json::Error> {
    let key = ProgressKey { restore: restore.clone(), record: key };
    Ok(Record {
        offset: Offset(-1),
        timestamp: now,
        timestamp_type: TimestampType::CreateTime,
        key: Some(Bytes::from(serde_json::to_vec(&key)?)),
        value: Some(Bytes::from(serde_json::to_vec(value)?)),
        headers: vec![],
    })
}

/// A map by partition as a list of pairs: JSON's keys are texts.
mod by_partition {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serializer};

    use super::{OffsetRange, Partition};

    pub(super) fn serialize<S: Serializer>(
        map: &BTreeMap<Partition, OffsetRange>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<Partition, OffsetRange>, D::Error> {
        Ok(Vec::<(Partition, OffsetRange)>::deserialize(deserializer)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests;
