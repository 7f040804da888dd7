//! `[backups.<name>]`: what is backed up, and how it is cut into segments.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    secret::Secret,
    selection::{TopicPattern, TopicSelection},
    units::{ByteSize, Moment, Span},
};
use crate::{
    chain::{Retention, SealKey, SealRule},
    record::filter::Filter,
    segment::Compression,
};

/// One backup.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BackupSettings {
    /// Which topics it takes.
    pub topics: TopicSelection,
    /// How records become segments.
    #[serde(default)]
    pub segment: SegmentSettings,
    /// Which records are kept. The first filter whose `topics` matches a topic decides; of other topics all are kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub filters: Vec<FilterSettings>,
    /// When segments expire. Absent: they are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention: Option<RetentionSettings>,
    /// The consumer groups whose offsets it keeps: names, globs or /regular expressions/; none: no group's.
    #[serde(default = "all_groups")]
    pub groups: Vec<TopicPattern>,
    /// How often it is verified by itself. Absent: only when somebody asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify: Option<VerifySettings>,
    /// How often it is restored into a scratch topic and compared. Absent: only when somebody asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drill: Option<DrillSettings>,
    /// How it is protected from who can write to the bucket.
    #[serde(default)]
    pub integrity: IntegritySettings,
}

fn all_groups() -> Vec<TopicPattern> {
    "*".parse().into_iter().collect()
}

impl BackupSettings {
    /// A backup of these topics, all else as by default.
    #[must_use]
    pub fn of(topics: TopicPattern) -> Self {
        BackupSettings {
            topics: TopicSelection { include: vec![topics], exclude: vec![] },
            segment: SegmentSettings::default(),
            filters: vec![],
            retention: None,
            groups: all_groups(),
            verify: None,
            drill: None,
            integrity: IntegritySettings::default(),
        }
    }
}

/// How often a backup is verified by itself.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifySettings {
    /// From the end of one run to the start of the next: "1d".
    pub every: Span,
    /// Whether every record is read, which costs as much as reading the whole backup, or the footers only: one GET a segment.
    #[serde(default)]
    pub deep: bool,
}

/// How often a backup is drilled by itself.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DrillSettings {
    /// From the end of one drill to the start of the next: "7d".
    pub every: Span,
    /// Whether some segments of some partitions are drilled, others each time, or everything, which writes the whole backup
    /// into the target cluster, one topic after the other.
    #[serde(default)]
    pub sample: bool,
}

/// The keys that segments and floors are sealed with, so that who can write to the bucket and has no key can change nothing
/// unnoticed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct IntegritySettings {
    /// The key that is sealed with: 32 characters or more that nobody can guess, as `openssl rand -hex 32` makes them. A
    /// backup that has begun to be sealed is not written without one any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hmac_key: Option<Secret>,
    /// The keys before it, with blanks or line ends between them: their seals are taken too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub former_hmac_keys: Option<Secret>,
    /// When the backup got its first key, like "2026-11-22T15:00:00Z": what the store says was written before may be
    /// unsealed. Absent: everything must be sealed, or followed by what is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Moment>,
}

impl IntegritySettings {
    /// The key to seal with.
    #[must_use]
    pub fn seal_key(&self) -> Option<Arc<SealKey>> {
        self.hmac_key.as_ref().map(|key| Arc::new(SealKey::new(key.reveal())))
    }

    /// What seals are checked by.
    #[must_use]
    pub fn rule(&self) -> Option<SealRule> {
        let former = self.former_hmac_keys.as_ref().map_or("", Secret::reveal).split_whitespace();
        let keys = std::iter::once(self.hmac_key.as_ref()?.reveal()).chain(former).map(SealKey::new).collect();
        Some(SealRule { keys, since: self.since.map(|since| since.0) })
    }
}

/// A filter for the records of some topics.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "FilterText", into = "FilterText")]
pub struct FilterSettings {
    /// Which topics.
    pub topics: TopicPattern,
    /// The expression, compiled.
    pub keep: Arc<Filter>,
}

/// A filter as it is written.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct FilterText {
    /// The topics whose records it judges: a plain text is a glob, `/.../` an anchored regular expression.
    topics: TopicPattern,
    /// A CEL expression over `key`, `value`, `headers`, `timestamp`, `size`, `topic`, `partition` and `offset`, as in
    /// "value.json.amount > 10 && headers['kind'] == 'order'". Records for which it is false are left out and counted;
    /// records on which it fails are kept, and counted as such.
    keep: String,
}

impl TryFrom<FilterText> for FilterSettings {
    type Error = String;

    fn try_from(text: FilterText) -> Result<Self, String> {
        let FilterText { topics, keep } = text;
        match Filter::compile(&keep) {
            Ok(filter) => Ok(FilterSettings { topics, keep: Arc::new(filter) }),
            Err(error) => {
                let shown: String = keep.chars().take(200).collect();
                Err(format!("the filter of topics {:?} is no CEL expression: {shown:?}, {error}", topics.to_string()))
            }
        }
    }
}

impl From<FilterSettings> for FilterText {
    fn from(filter: FilterSettings) -> Self {
        FilterText { topics: filter.topics, keep: filter.keep.to_string() }
    }
}

/// When segments expire and are deleted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RetentionSettings {
    /// A segment expires at this age, counted from its latest record's timestamp or from when it was written, whichever is
    /// earlier. The last segment of a partition is always kept.
    pub delete_after: Span,
    /// Expired segments are no part of the backup at once, and deleted so much later, so that who reads them can finish.
    #[serde(default = "default_grace")]
    pub grace: Span,
    /// How often it is looked for what has expired. On Lambda the schedule decides.
    #[serde(default = "default_check_every")]
    pub check_every: Span,
}

fn default_grace() -> Span {
    Span::seconds(3_600)
}

fn default_check_every() -> Span {
    Span::seconds(3_600)
}

impl RetentionSettings {
    /// The rule.
    #[must_use]
    pub fn rule(&self) -> Retention {
        Retention { delete_after: self.delete_after.0, grace: self.grace.0 }
    }
}

/// When a segment is closed, and how it is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SegmentSettings {
    /// A segment is closed when its keys, values and headers reach this size; one larger record is a segment of its own.
    pub bytes_max: ByteSize,
    /// A segment is closed when its first record has waited so long, also on a topic that went idle.
    pub age_max: Span,
    /// The compression of its pages: "none", "lz4", "snappy", "gzip:1" to "gzip:9", or "zstd:1" to "zstd:22".
    pub compression: Compression,
}

impl Default for SegmentSettings {
    fn default() -> Self {
        SegmentSettings {
            bytes_max: ByteSize::mib(64),
            age_max: Span::seconds(60),
            compression: Compression::default(),
        }
    }
}
