//! What can be asked of restores, drills and schemas.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use shared::{config::selection::TopicPattern, restore::Moment};

use super::{OutputArgs, StorageArgs, values::setting};
use crate::examples;

/// What `highwater restore --into-files` writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum FileFormat {
    /// A JSON object a line, as `highwater cat` prints them.
    Jsonl,
    /// Parquet, with the columns of a segment.
    Parquet,
}

/// `highwater drill`
#[derive(Debug, Args)]
pub struct DrillArgs {
    /// Some segments of some partitions, others each time, instead of the whole backup.
    #[arg(long)]
    pub sample: bool,
    /// Only these topics: a name, a glob or a /regular expression/.
    #[arg(long, value_name = "PATTERN", value_delimiter = ',')]
    pub topic: Vec<TopicPattern>,
    #[command(flatten)]
    /// Which storage.
    pub storage: StorageArgs,
    #[command(flatten)]
    /// How to print.
    pub output: OutputArgs,
}

/// `highwater restore`
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// A plan in TOML: docs/restore.md has every setting. What is given beside it holds instead of what it says.
    pub plan: Option<PathBuf>,
    /// These topics: a name, a glob or a /regular expression/.
    #[arg(long, value_name = "PATTERN", value_delimiter = ',')]
    pub topic: Vec<TopicPattern>,
    /// The name to write the one topic to.
    #[arg(long, value_name = "NAME")]
    pub target: Option<String>,
    /// Put before the names of the topics.
    #[arg(long, value_name = "TEXT")]
    pub prefix: Option<String>,
    /// Put behind the names of the topics.
    #[arg(long, value_name = "TEXT")]
    pub suffix: Option<String>,
    /// Only records from this moment on: 2026-11-27T08:00:00Z, or milliseconds since 1970.
    #[arg(long, value_name = "MOMENT")]
    pub from: Option<Moment>,
    /// Only records before this moment.
    #[arg(long, value_name = "MOMENT")]
    pub to: Option<Moment>,
    /// Only records that this CEL expression keeps.
    #[arg(long, value_name = "EXPRESSION")]
    pub filter: Option<String>,
    /// Which incarnation of topics that were deleted and created again. Without it the last one.
    #[arg(long, value_name = "NUMBER")]
    pub incarnation: Option<u32>,
    /// These consumer groups go on in the targets where they stood: names, globs or /regular expressions/.
    #[arg(long, value_name = "PATTERN", value_delimiter = ',')]
    pub groups: Vec<TopicPattern>,
    /// Only the groups: the records are there already.
    #[arg(long)]
    pub groups_only: bool,
    /// Commits also where a group is further in the target already.
    #[arg(long)]
    pub rewind: bool,
    /// As the groups stood at this moment. Without it the last that is known.
    #[arg(long, value_name = "MOMENT")]
    pub groups_at: Option<Moment>,
    /// Commits also where no offset is exact: the groups read some records again, and miss none.
    #[arg(long)]
    pub may_repeat: bool,
    /// A setting of targets that are created, instead of the source's: name=value. Several times for several.
    #[arg(long, value_name = "NAME=VALUE", value_parser = setting)]
    pub setting: Vec<(String, String)>,
    /// Gives the targets the access rules (ACLs) that held for the topics.
    #[arg(long)]
    pub acls: bool,
    /// Raises settings of targets that would refuse or delete what is restored, and puts them back when the run ends.
    #[arg(long)]
    pub raise_settings: bool,
    /// Dates records whose timestamps the targets do not take by the nearest that they take; this header tells the one they had.
    #[arg(long, value_name = "HEADER")]
    pub clamp_timestamps: Option<String>,
    /// Goes on over segments that are damaged or gone, and lists what is missing.
    #[arg(long)]
    pub skip_damaged: bool,
    /// Writes behind what the targets hold already.
    #[arg(long)]
    pub append: bool,
    /// Restores around ranges that the backup lacks, or that have expired.
    #[arg(long)]
    pub accept_missing: bool,
    /// Writes files into this folder instead of topics into a cluster; Kafka is not needed.
    #[arg(long, value_name = "FOLDER")]
    pub into_files: Option<PathBuf>,
    /// What the files are.
    #[arg(long, value_enum, requires = "into_files", default_value = "jsonl")]
    pub format: FileFormat,
    /// Tells everything that stands in the way and what would be done, and writes nothing.
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    /// Which storage.
    pub storage: StorageArgs,
    #[command(flatten)]
    /// How to print.
    pub output: OutputArgs,
}

/// `highwater schemas`
#[derive(Debug, Subcommand)]
pub enum SchemasCommand {
    /// Backs the registry of section schema_registry up: subjects, versions, ids, references, settings, soft-deleted ones.
    #[command(after_help = examples::SCHEMAS_BACKUP)]
    Backup(OutputArgs),
    /// Restores a snapshot into the registry of section target_schema_registry, or else of schema_registry.
    #[command(after_help = examples::SCHEMAS_RESTORE)]
    Restore(SchemasRestoreArgs),
    /// Checks every byte of every snapshot.
    #[command(after_help = examples::SCHEMAS_VERIFY)]
    Verify(OutputArgs),
}

/// `highwater schemas restore`
#[derive(Debug, Args)]
pub struct SchemasRestoreArgs {
    /// The last snapshot that was taken by this moment: 2026-11-27T08:00:00Z, or milliseconds since 1970. Without it the last.
    #[arg(long, value_name = "MOMENT")]
    pub at: Option<Moment>,
    /// Only these subjects.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub subject: Vec<String>,
    /// Lets the registry choose ids, and keeps under this name which became which.
    #[arg(long, value_name = "NAME")]
    pub map_ids: Option<String>,
    /// Sets subjects to import mode that hold other versions.
    #[arg(long)]
    pub force: bool,
    /// Tells everything that stands in the way and what would be done, and writes no schema.
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    /// How to print.
    pub output: OutputArgs,
}
