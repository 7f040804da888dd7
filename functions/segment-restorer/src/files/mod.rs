//! A restore into files, without any Kafka: one file for each segment that is read, so that a file is whole or not there, and
//! a second run goes on with those that are not.
//!
//! ```text
//! <folder>/highwater-restore.json                  what is restored: fixed by the first run
//! <folder>/<target>/<partition>/<base>.jsonl       the records of the segment that begins at that offset
//! ```
//! A segment of which no record is taken has no file.

mod report;
mod writing;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde::{Deserialize, Serialize};
use shared::{
    adapters::files,
    archive::{Owner, reading::pinned},
    blocking, crash,
    ports::objects::Objects,
    record::Millis,
    restore::{
        Finding, Missing, OffsetRange, Plan, Selection, Severity, SourcePartition, SourceSegment,
        preflight::Kind,
        progress::{Counts, Fixed, Position},
        resolve,
    },
};

pub use self::report::{FilesReport, PartitionFiles, TopicFiles};
use self::writing::Writing;
use crate::{
    Limits, Outcome,
    error::RestoreError,
    holds, ids,
    meter::{Meter, PartitionMeter},
    prepare::{found, no_such_incarnation},
    prepared::PreparedTopic,
    reading::{ReadFrom, Reading, Start},
    source,
};

/// Says what is restored.
const MANIFEST: &str = "highwater-restore.json";
/// So many partitions are written at the same time.
const PARTITIONS_AT_ONCE: usize = 2;

/// What the files are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileFormat {
    /// A JSON object a line, as `highwater cat` prints them.
    #[default]
    Jsonl,
    /// Parquet, with the columns of a segment.
    Parquet,
}

/// What to restore, and where.
#[derive(Debug, Clone)]
pub struct IntoFiles {
    /// What is asked.
    pub plan: Plan,
    /// Tells what would be done, and writes nothing.
    pub dry_run: bool,
    /// The folder.
    pub folder: PathBuf,
    /// What the files are.
    pub format: FileFormat,
}

/// What is restored into a folder, once and for all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Manifest {
    backup: String,
    cluster_id: String,
    format: FileFormat,
    /// By the name of the folder.
    topics: BTreeMap<Arc<str>, Fixed>,
}

/// Restores into files. `instance` names this run and no other, and `meter` shows how far it is.
///
/// # Errors
/// When the backup cannot be asked, or the folder cannot be used. What stands in the way of the plan is in the answer.
pub async fn into_files(
    input: &IntoFiles,
    objects: Arc<dyn Objects>,
    instance: &str,
    meter: &Meter,
) -> Result<FilesReport, RestoreError> {
    let backup = source::backup(&*objects, input.plan.backup.as_deref()).await?;
    let run = Run { input, backup: &backup, from: ReadFrom::new(objects.clone(), Limits::default()), meter };
    let id = format!("restore-{instance}");
    Box::pin(pinned(&*objects, &backup.backup, holds(&input.plan), &id, run.run())).await?
}

struct Run<'a> {
    input: &'a IntoFiles,
    backup: &'a Owner,
    from: ReadFrom,
    meter: &'a Meter,
}

impl Run<'_> {
    async fn run(&self) -> Result<FilesReport, RestoreError> {
        let folder = &self.input.folder;
        let (topics, mut findings) = self.prepare().await?;
        let is_refused = findings.iter().any(Finding::is_refusal);
        let _held = match self.input.dry_run || is_refused {
            true => None,
            false => Some(files::lock(folder).map_err(of(folder))?.ok_or_else(|| busy(folder))?),
        };
        findings.extend(self.claim(&topics, is_refused)?);
        let outcome = match (findings.iter().any(Finding::is_refusal), self.input.dry_run) {
            (true, _) => Outcome::Refused,
            (false, true) => Outcome::Planned,
            (false, false) => Outcome::Done,
        };
        let mut report = FilesReport { backup: self.backup.backup.clone(), outcome, findings, topics: vec![] };
        for topic in &topics {
            let files = match outcome {
                Outcome::Done => self.topic(topic).await?,
                _ => TopicFiles::planned(topic),
            };
            if files.error.is_some() {
                report.outcome = Outcome::Failed;
            }
            report.topics.push(files);
        }
        Ok(report)
    }

    /// What the plan means, what the backup holds of it, and what stands in the way.
    async fn prepare(&self) -> Result<(Vec<PreparedTopic>, Vec<Finding>), RestoreError> {
        let (plan, objects) = (&self.input.plan, &*self.from.objects);
        let held = source::topics(objects, self.backup).await?;
        let (jobs, mut findings) = resolve(plan, &held);
        findings.extend(meaningless(plan));
        let mut topics = vec![];
        for job in jobs {
            match source::topic(objects, self.backup, &job).await? {
                Some(source) => topics.push(found(plan, &job, source, None)),
                None => findings.push(no_such_incarnation(&job)),
            }
        }
        findings.extend(ids::put(plan, &mut topics, objects).await?);
        findings.extend(of_one_folder(&topics));
        let plan = Plan { create: true, ..plan.clone() };
        let of_source = topics.iter().flat_map(|topic| topic.findings(&plan, Millis(0)));
        findings.extend(of_source.filter(|finding| is_of_source(finding.kind)));
        Ok((topics, findings))
    }

    /// Takes the folder for this restore, or says why another one has it.
    fn claim(&self, topics: &[PreparedTopic], is_refused: bool) -> Result<Option<Finding>, RestoreError> {
        let folder = &self.input.folder;
        let manifest = Manifest {
            backup: self.backup.backup.clone(),
            cluster_id: self.backup.cluster_id.clone(),
            format: self.input.format,
            topics: topics.iter().map(|topic| (topic.target_name.clone(), topic.fixed.clone())).collect(),
        };
        let path = folder.join(MANIFEST);
        match files::read(&path).map_err(of(&path))? {
            Some(known) if serde_json::from_slice(&known).ok().as_ref() == Some(&manifest) => Ok(None),
            Some(_) => Ok(Some(refused(format!(
                "{} holds a restore of something else, as {MANIFEST} there says: go on with that plan and format, or take another folder",
                folder.display()
            )))),
            None if files::holds_something(folder).map_err(of(folder))? => Ok(Some(refused(format!(
                "{} is not empty, and holds no restore: take another folder",
                folder.display()
            )))),
            None if is_refused || self.input.dry_run => Ok(None),
            None => {
                let text = serde_json::to_vec_pretty(&manifest)?;
                files::write(&path, &text).map_err(of(&path))?;
                Ok(None)
            }
        }
    }

    /// Writes the files of a topic. An error ends it where it is; what is written stays.
    async fn topic(&self, topic: &PreparedTopic) -> Result<TopicFiles, RestoreError> {
        let begun = |(source, selection): (&SourcePartition, &Selection)| {
            (source.chain.partition, PartitionMeter::new(source, selection, None))
        };
        self.meter.expect(&topic.target_name, topic.restored().map(begun).collect());
        let mut restores = vec![];
        for (source, selection) in topic.restored() {
            restores.push(self.partition(topic, source, selection));
        }
        let written: Result<Vec<_>, _> = stream::iter(restores).buffered(PARTITIONS_AT_ONCE).try_collect().await;
        Ok(TopicFiles::of(topic, written))
    }

    async fn partition(
        &self,
        topic: &PreparedTopic,
        source: &SourcePartition,
        selection: &Selection,
    ) -> Result<PartitionFiles, RestoreError> {
        let mut report = PartitionFiles::begin(source, selection);
        let shared = Arc::new(source.clone());
        for segment in source.needed(selection) {
            self.check_given_up(topic, segment)?;
            let path = self.path(topic, segment, segment.entry.cuts);
            if path.try_exists().map_err(of(&path))? {
                report.files_there += 1;
            } else {
                let start = start(shared.clone(), segment, selection, self.input.plan.skip_damaged);
                report.add(self.segment(topic, path, start).await?);
            }
            let position = Position { next: segment.metadata.next, counts: report.counts };
            self.meter.committed(&topic.target_name, &BTreeMap::from([(report.partition, position)]));
        }
        Ok(report)
    }

    /// A loss that was accepted gives a segment's place to another one. What an earlier run wrote of the former one would be
    /// repeated or missed.
    fn check_given_up(&self, topic: &PreparedTopic, segment: &SourceSegment) -> Result<(), RestoreError> {
        for cuts in 0..segment.entry.cuts {
            let path = self.path(topic, segment, cuts);
            if path.try_exists().map_err(of(&path))? {
                let why = "it is of a segment that was given up when a loss was accepted: take another folder";
                return Err(of(&path)(std::io::Error::other(why)));
            }
        }
        Ok(())
    }

    /// The file of a segment, by its base and, as in the backup, how many accepted losses its writer knew of.
    fn path(&self, topic: &PreparedTopic, segment: &SourceSegment, cuts: u32) -> PathBuf {
        let ending = match self.input.format {
            FileFormat::Jsonl => "jsonl",
            FileFormat::Parquet => "parquet",
        };
        let SourceSegment { metadata, .. } = segment;
        let folder = self.input.folder.join(&*topic.target_name).join(metadata.chain.partition.to_string());
        let behind = if cuts == 0 { String::new() } else { format!("-{cuts}") };
        folder.join(format!("{:020}{behind}.{ending}", metadata.base.0))
    }

    /// Writes the file of a segment. One that is damaged has none, so that each run sees it again.
    async fn segment(&self, topic: &PreparedTopic, path: PathBuf, start: Start) -> Result<Written, RestoreError> {
        let partition = start.source.chain.partition;
        let mut written = Written { counts: Counts::default(), missing: vec![], is_file: false };
        let mut writing = Writing::new(path.clone(), self.input.format, topic.fixed.clone(), partition);
        let mut reading = Reading::start(self.from.clone(), vec![start]);
        while let Some(slice) = reading.next().await {
            let mut slice = slice?;
            written.counts = written.counts.plus(slice.counts);
            written.missing.append(&mut slice.missing);
            slice.records.iter_mut().for_each(|record| topic.fixed.origin_headers.put(record, partition));
            writing =
                blocking::run(move || writing.append(&slice.records).map(|()| writing)).await.map_err(of(&path))?;
        }
        if !written.missing.is_empty() {
            return Ok(Written { counts: Counts::default(), ..written });
        }
        crash::point("restore-file-written");
        written.is_file = blocking::run(move || writing.finish()).await.map_err(of(&path))?;
        Ok(written)
    }
}

/// Topics whose folders some file systems take for one.
fn of_one_folder(topics: &[PreparedTopic]) -> Vec<Finding> {
    let mut folders = BTreeSet::new();
    let is_taken = |topic: &&PreparedTopic| !folders.insert(topic.target_name.to_lowercase());
    let told = |topic: &PreparedTopic| {
        let name = &topic.target_name;
        refused(format!("the folder {name:?} differs from that of another topic by case alone: give it another name"))
    };
    topics.iter().filter(is_taken).map(told).collect()
}

/// What became of a segment.
struct Written {
    counts: Counts,
    missing: Vec<Missing>,
    is_file: bool,
}

/// The reading of one segment, as far as it is asked for.
fn start(source: Arc<SourcePartition>, segment: &SourceSegment, selection: &Selection, skip_damaged: bool) -> Start {
    let (base, next) = (segment.metadata.base, segment.metadata.next);
    let from = selection.offsets.from.map_or(base, |from| from.max(base));
    let until = selection.offsets.until.map_or(next, |until| until.min(next));
    let offsets = OffsetRange { from: Some(from), until: Some(until) };
    let selection = Arc::new(Selection { offsets, ..selection.clone() });
    Start { source, selection, from, skip_damaged }
}

/// Whether a finding is about the backup or the plan, and not about a target in Kafka.
fn is_of_source(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::UnknownPartition | Kind::NothingThere | Kind::Expired | Kind::Gap | Kind::Damaged | Kind::ImpossibleRange
    )
}

/// What a plan asks for that files cannot have.
fn meaningless(plan: &Plan) -> Option<Finding> {
    let asked = [
        ("groups", !plan.groups.is_empty() || plan.groups_only),
        ("rehash", plan.rehash),
        ("append", plan.append),
        ("acls", plan.acls),
        ("clamp_timestamps", plan.clamp_timestamps.is_some()),
        ("records_per_s or bytes_per_s", plan.records_per_s.is_some() || plan.bytes_per_s.is_some()),
    ];
    let names: Vec<_> = asked.into_iter().filter(|(_, is_asked)| *is_asked).map(|(name, _)| name).collect();
    (!names.is_empty()).then(|| refused(format!("a restore into files knows no {}: leave that out", names.join(", "))))
}

fn refused(message: String) -> Finding {
    Finding { severity: Severity::Refused, kind: Kind::Plan, topic: None, partition: None, message }
}

fn of(path: &Path) -> impl FnOnce(std::io::Error) -> RestoreError {
    let path = path.to_owned();
    move |source| RestoreError::File { path, source }
}

fn busy(folder: &Path) -> RestoreError {
    RestoreError::FolderBusy { folder: folder.to_owned() }
}
