//! What is asked: which topics, under which names, which of their records.

use std::{
    collections::{BTreeMap, BTreeSet},
    str::FromStr,
    sync::Arc,
};

use serde::{Deserialize, Deserializer, Serialize};
use sha2::{Digest as _, Sha256};

use super::{
    Finding, OffsetRange, OriginHeaders, TimeRange,
    preflight::{Kind, Severity},
};
use crate::{
    config::{selection::TopicPattern, topic_name, units::ByteSize},
    record::{Millis, Offset, Partition, filter::Filter},
    schemas::SchemaIds,
};

/// Kafka's limit for one cluster's transactional ids is far above; more producers than this only cost memory.
const WORKERS_MAX: u16 = 64;

/// What is to be restored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Plan {
    /// The backup; not needed where the storage holds one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup: Option<String>,
    /// Put before the names of the topics that have no `target`.
    pub prefix: String,
    /// Put behind them.
    pub suffix: String,
    /// Only records from this moment on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Moment>,
    /// Only records before this moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Moment>,
    /// Only records that this CEL expression keeps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// Writes behind what a target holds already.
    pub append: bool,
    /// Restores around ranges that the backup lacks, or that have expired.
    pub accept_missing: bool,
    /// Goes on over segments that are damaged or gone, and lists what is missing.
    pub skip_damaged: bool,
    /// Creates targets that are not there.
    pub create: bool,
    /// Settings of targets that are created; they hold instead of the source's.
    pub settings: BTreeMap<String, String>,
    /// Gives targets that are created the settings that were the source's own.
    pub source_settings: bool,
    /// Gives targets the rules (ACLs) that held for the source, each for the target's name alone.
    pub acls: bool,
    /// What becomes of a setting that the target cluster refuses.
    pub refused_settings: RefusedSettings,
    /// Raises settings of targets that would refuse or delete what is restored, and puts them back when the run ends.
    pub raise_settings: bool,
    /// Producers for each topic.
    pub workers: u16,
    /// Puts each record where the default partitioner of Kafka's Java client puts its key, instead of into its own partition.
    pub rehash: bool,
    /// Headers that tell where a record came from; absent: records are as they were.
    #[serde(skip_serializing_if = "OriginHeaders::is_none")]
    pub origin_headers: OriginHeaders,
    /// Dates records whose timestamps the target does not take by the nearest that it takes, and puts the one they had into a
    /// header of this name; absent: such records are refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clamp_timestamps: Option<String>,
    /// Puts the ids into records that their schemas have in another registry; absent: records are as they were.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema_ids: Option<SchemaIds>,
    /// Not more records than this in a second, of all topics together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub records_per_s: Option<u64>,
    /// Not more bytes of records than this in a second, of all topics together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_per_s: Option<ByteSize>,
    /// The consumer groups that go on in the target where they stood: names, globs or /regular expressions/.
    pub groups: Vec<TopicPattern>,
    /// Only the groups: the records are there already.
    pub groups_only: bool,
    /// As they stood at this moment; absent: as late as is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups_at: Option<Moment>,
    /// Commits also where a group is further in the target already.
    pub rewind: bool,
    /// Commits also where no offset is exact: the group reads some records again, and misses none.
    pub may_repeat: bool,
    /// A transaction is committed when its records have so many bytes, or are a second old.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transaction_bytes_max: Option<ByteSize>,
    /// The topics.
    pub topics: Vec<TopicRule>,
}

impl Default for Plan {
    fn default() -> Self {
        Plan {
            backup: None,
            prefix: String::new(),
            suffix: String::new(),
            from: None,
            to: None,
            filter: None,
            append: false,
            accept_missing: false,
            skip_damaged: false,
            create: true,
            settings: BTreeMap::new(),
            source_settings: true,
            acls: false,
            refused_settings: RefusedSettings::default(),
            raise_settings: false,
            workers: 4,
            groups: vec![],
            groups_only: false,
            groups_at: None,
            rewind: false,
            may_repeat: false,
            rehash: false,
            origin_headers: OriginHeaders::default(),
            clamp_timestamps: None,
            schema_ids: None,
            records_per_s: None,
            bytes_per_s: None,
            transaction_bytes_max: None,
            topics: vec![],
        }
    }
}

/// What becomes of a setting that the target cluster refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusedSettings {
    /// The restore does not begin.
    #[default]
    Fail,
    /// The target is created without it.
    LeaveOut,
}

/// Which topics, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TopicRule {
    /// A name, a glob or a /regular expression/.
    pub source: TopicPattern,
    /// The name to write to; absent: the source's, with prefix and suffix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Of a topic that was deleted and created again: which one; absent: the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incarnation: Option<u32>,
    /// How many partitions the target gets where it is created; absent: as many as the backup holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_partitions: Option<u16>,
    /// Only records that this CEL expression keeps; instead of the plan's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// Only these partitions; none: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partitions: Vec<PartitionRule>,
}

/// A partition, and which offsets of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartitionRule {
    /// Its number.
    pub number: Partition,
    /// The first offset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_offset: Option<Offset>,
    /// The offset after the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_offset: Option<Offset>,
}

impl TopicRule {
    /// The rule of one topic or pattern and nothing else.
    #[must_use]
    pub fn of(source: TopicPattern) -> Self {
        TopicRule { source, target: None, incarnation: None, target_partitions: None, filter: None, partitions: vec![] }
    }
}

/// A moment: milliseconds since 1970, or a date and time with its offset (`2026-11-27T08:00:00Z`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Moment(pub Millis);

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(ms) = text.parse() {
            return Ok(Moment(Millis(ms)));
        }
        let parsed: Result<jiff::Timestamp, _> = text.parse();
        let parsed = parsed.map_err(|_| {
            format!("{text:?} is no moment: write it as in 2026-11-27T08:00:00Z, or as milliseconds since 1970")
        })?;
        Ok(Moment(Millis(parsed.as_millisecond())))
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Ms(i64),
            Date(toml::value::Datetime),
            Text(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Ms(ms) => Ok(Moment(Millis(ms))),
            Written::Date(date) => date.to_string().parse().map_err(serde::de::Error::custom),
            Written::Text(text) => text.parse().map_err(serde::de::Error::custom),
        }
    }
}

impl Plan {
    /// Reads a plan.
    ///
    /// # Errors
    /// What is wrong with the text, and where.
    pub fn parse(text: &str) -> Result<Plan, String> {
        toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())
    }

    /// A name for the plan: two that differ have different ones.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let text = serde_json::to_string(self).unwrap_or_default();
        hex::encode(&Sha256::digest(text)[..12])
    }

    /// The time range.
    #[must_use]
    pub fn time(&self) -> TimeRange {
        TimeRange { from: self.from.map(|moment| moment.0), to: self.to.map(|moment| moment.0) }
    }
}

/// One topic to restore into one other.
#[derive(Debug, Clone, PartialEq)]
pub struct TopicJob {
    /// The source's name.
    pub source: Arc<str>,
    /// Which topic of that name; `None`: the last.
    pub incarnation: Option<u32>,
    /// The target's name.
    pub target: Arc<str>,
    /// Of these timestamps.
    pub time: TimeRange,
    /// Only these partitions; none: all.
    pub partitions: BTreeMap<Partition, OffsetRange>,
    /// Only what it keeps.
    pub filter: Option<Arc<Filter>>,
    /// How many partitions the target gets where it is created.
    pub target_partitions: Option<u16>,
}

/// The topics that a plan means, of those that the backup holds; and everything that is wrong with the plan itself.
#[must_use]
pub fn resolve(plan: &Plan, held: &[Arc<str>]) -> (Vec<TopicJob>, Vec<Finding>) {
    let mut resolving = Resolving { plan, jobs: vec![], findings: vec![] };
    if plan.topics.is_empty() {
        resolving.refuse(Kind::Plan, None, "the plan names no topic: name one as `source` in [[topics]]".to_owned());
    }
    if plan.workers == 0 || plan.workers > WORKERS_MAX {
        let message = format!("workers = {}: write a number from 1 to {WORKERS_MAX}", plan.workers);
        resolving.refuse(Kind::Plan, None, message);
    }
    let time = plan.time();
    if let (Some(from), Some(to)) = (time.from, time.to)
        && from >= to
    {
        let message = format!(
            "nothing is from {from} on and before {to}, in milliseconds since 1970: `from` is included, `to` is not"
        );
        resolving.refuse(Kind::ImpossibleRange, None, message);
    }
    resolving.limits();
    plan.topics.iter().for_each(|rule| resolving.rule(rule, held));
    resolving.overlaps();
    (resolving.jobs, resolving.findings)
}

struct Resolving<'a> {
    plan: &'a Plan,
    jobs: Vec<TopicJob>,
    findings: Vec<Finding>,
}

impl Resolving<'_> {
    fn refuse(&mut self, kind: Kind, topic: Option<&str>, message: String) {
        let topic = topic.map(Into::into);
        self.findings.push(Finding { severity: Severity::Refused, kind, topic, partition: None, message });
    }

    fn limits(&mut self) {
        let Plan { records_per_s, bytes_per_s, transaction_bytes_max, origin_headers, .. } = self.plan;
        let bytes = [*bytes_per_s, *transaction_bytes_max].into_iter().flatten();
        if *records_per_s == Some(0) || bytes.into_iter().any(|bytes| bytes.0 == 0) {
            let message = "records_per_s, bytes_per_s and transaction_bytes_max must be more than nothing".to_owned();
            self.refuse(Kind::Plan, None, message);
        }
        if origin_headers.is_ambiguous() {
            self.refuse(Kind::Plan, None, "two origin_headers have the same name: give each its own".to_owned());
        }
        if let Some(name) = &self.plan.clamp_timestamps
            && (name.is_empty() || [&origin_headers.offset, &origin_headers.partition].contains(&&Some(name.clone())))
        {
            let message = format!("clamp_timestamps = {name:?}: name a header that no origin header has");
            self.refuse(Kind::Plan, None, message);
        }
    }

    fn rule(&mut self, rule: &TopicRule, held: &[Arc<str>]) {
        let sources: Vec<_> = held.iter().filter(|topic| rule.source.matches(topic)).cloned().collect();
        let text = rule.source.to_string();
        if sources.is_empty() {
            let message =
                format!("the backup holds no topic that {text:?} matches: `highwater topics` lists what it holds");
            return self.refuse(Kind::UnknownTopic, Some(&text), message);
        }
        if let (Some(target), 2..) = (&rule.target, sources.len()) {
            let message = format!(
                "{text:?} matches {} topics, and target {target:?} is one: use prefix or suffix",
                sources.len()
            );
            return self.refuse(Kind::OverlappingTargets, Some(&text), message);
        }
        let filter =
            match rule.filter.as_ref().or(self.plan.filter.as_ref()).map(|text| Filter::compile(text)).transpose() {
                Ok(filter) => filter.map(Arc::new),
                Err(error) => return self.refuse(Kind::Plan, Some(&text), format!("filter, {error}")),
            };
        let Some(partitions) = self.partitions(rule, &text) else { return };
        for source in sources {
            let target = rule.target.clone();
            let target = target.unwrap_or_else(|| format!("{}{source}{}", self.plan.prefix, self.plan.suffix));
            if let Err(why) = topic_name(&target) {
                self.refuse(Kind::Plan, Some(&source), format!("target {target:?}: {why}"));
                continue;
            }
            self.jobs.push(TopicJob {
                source,
                incarnation: rule.incarnation,
                target: target.into(),
                time: self.plan.time(),
                partitions: partitions.clone(),
                filter: filter.clone(),
                target_partitions: rule.target_partitions,
            });
        }
    }

    fn partitions(&mut self, rule: &TopicRule, text: &str) -> Option<BTreeMap<Partition, OffsetRange>> {
        let mut partitions = BTreeMap::new();
        let mut is_sound = true;
        for PartitionRule { number, from_offset: from, until_offset: until } in &rule.partitions {
            let is_negative = number.0 < 0 || [from, until].iter().any(|it| it.is_some_and(|offset| offset.0 < 0));
            let is_empty = matches!((from, until), (Some(from), Some(until)) if from >= until);
            let problem = match () {
                () if is_negative => Some("partitions and offsets are numbered from 0 on"),
                () if is_empty => Some("from_offset is included and until_offset is not, so this range is empty"),
                () if partitions.contains_key(number) => Some("it is named twice"),
                () => None,
            };
            if let Some(problem) = problem {
                self.refuse(Kind::ImpossibleRange, Some(text), format!("partition {number}: {problem}"));
                is_sound = false;
            }
            partitions.insert(*number, OffsetRange { from: *from, until: *until });
        }
        is_sound.then_some(partitions)
    }

    /// No target is written by two, and none is read as well.
    fn overlaps(&mut self) {
        let mut targets = BTreeSet::new();
        let sources: BTreeSet<_> = self.jobs.iter().map(|job| job.source.clone()).collect();
        for job in self.jobs.clone() {
            if !targets.insert(job.target.clone()) {
                let message = format!("two topics of the plan have the target {:?}: give each its own", job.target);
                self.refuse(Kind::OverlappingTargets, Some(&job.source), message);
            }
            if job.target != job.source && sources.contains(&job.target) {
                let message =
                    format!("the target {:?} is itself a source of the plan: give it another name", job.target);
                self.refuse(Kind::OverlappingTargets, Some(&job.source), message);
            }
        }
    }
}

#[cfg(test)]
mod tests;
