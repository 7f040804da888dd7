//! What can be asked on the command line.

use std::path::PathBuf;

use clap::{
    Args, Parser, Subcommand,
    builder::{PossibleValue, PossibleValuesParser},
};
use shared::{
    config::selection::TopicPattern,
    record::{Offset, Partition},
    restore::Moment,
};

use crate::host::{function::Row, table::TABLE};

/// Backs Kafka topics up to object storage, restores them, and shows exactly how far that is.
#[derive(Debug, Parser)]
#[command(name = "highwater", version, propagate_version = true, max_term_width = 110)]
pub struct Cli {
    /// The configuration: a file, an s3:// URL, or its text. Without it HIGHWATER_CONFIG, and the environment over either.
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<String>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Runs everything in one process with sample topics; nothing else is needed.
    Dev(DevArgs),
    /// Hosts the functions against the configured services until stopped.
    Serve(ServeArgs),
    /// Backs up once, to the end of the logs, and exits.
    Backup(BackupArgs),
    /// Says that the missing tail of a backup will not come back, so that the backup goes on where it ends. Without --yes or
    /// --range it only shows what is missing.
    AcceptLoss(AcceptLossArgs),
    /// Runs one function once, as Lambda would, and prints its answer.
    Invoke(InvokeArgs),
    /// Pauses a backup, or a topic of it: every instance obeys within one refresh.
    Pause(ControlArgs),
    /// Ends that pause.
    Resume(ControlArgs),
    /// Replicates what is asked for to the locations, to the end of the topic, and exits. With --existing it first compares the
    /// storage with them and asks for whatever they lack.
    Replicate(ReplicateArgs),
    /// Lists the topics that the backup holds.
    Topics(TopicsArgs),
    /// Lists the segments that the backup holds.
    Segments(SegmentsArgs),
    /// Prints a topic's records as JSON lines.
    Cat(CatArgs),
    /// Restores topics of a backup into a Kafka cluster, each record exactly once.
    Restore(RestoreArgs),
    /// Proves that a backup can be restored: into a scratch topic, which is compared with the backup and removed.
    Drill(DrillArgs),
    /// A schema registry into the storage, and back.
    #[command(subcommand)]
    Schemas(SchemasCommand),
    /// Prints a DuckDB query over a topic's segments: exactly those that count.
    Sql(SqlArgs),
    /// Lists the consumer groups whose offsets the backup holds.
    Groups(GroupsArgs),
    /// Checks the backup: chain, sizes, missing tail, foreign objects, and the metrics against it.
    Verify(VerifyArgs),
    /// Looks at everything that Highwater needs (Kafka, storage, Redis, clock, permissions), and says what to mend.
    Doctor(OutputArgs),
    /// Asks the `serve` of these settings on this machine whether it answers, as a container engine does.
    Health(OutputArgs),
    /// The settings.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Prints what a shell needs to complete command lines, as in `source <(highwater completions bash)`.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

impl Command {
    /// How much is logged unless `RUST_LOG` says otherwise.
    #[must_use]
    pub fn log_level(&self) -> &'static str {
        match self {
            Command::Serve(_) => "info",
            _ => "warn",
        }
    }
}

/// How to print.
#[derive(Debug, Clone, Copy, Args)]
pub struct OutputArgs {
    /// Prints one JSON object, with the name of its schema.
    #[arg(long)]
    pub json: bool,
}

/// Which storage, and what of it.
#[derive(Debug, Clone, Args)]
pub struct StorageArgs {
    /// Reads what `highwater dev` keeps in this folder, instead of the configured storage.
    #[arg(long, value_name = "FOLDER")]
    pub data_dir: Option<PathBuf>,
    /// Only this backup.
    #[arg(long, value_name = "NAME")]
    pub backup: Option<String>,
}

/// `highwater dev`
#[derive(Debug, Args)]
pub struct DevArgs {
    /// Where the embedded S3 keeps its objects. A second start goes on with what is there.
    #[arg(long, value_name = "FOLDER", default_value = ".highwater")]
    pub data_dir: PathBuf,
    /// Decides the content of the sample topics.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,
}

/// `highwater serve`
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Hosts only these functions: only their ports open and only their sections of the configuration are needed.
    #[arg(long, value_name = "FUNCTION", value_delimiter = ',', value_parser = function_name())]
    pub only: Vec<String>,
}

/// `highwater backup`
#[derive(Debug, Args)]
pub struct BackupArgs {
    /// Only those of the configured topics: a name, a glob or a /regular expression/.
    #[arg(long, value_name = "PATTERN")]
    pub topic: Option<TopicPattern>,
    /// Accepts first that the tails of these topics' backups are missing, where they are.
    #[arg(long)]
    pub accept_loss: bool,
    #[command(flatten)]
    /// How to print.
    pub output: OutputArgs,
}

/// `highwater accept-loss`
#[derive(Debug, Args)]
pub struct AcceptLossArgs {
    /// Only of these topics: a name, a glob or a /regular expression/.
    pub topic: Option<TopicPattern>,
    /// Only of this partition.
    #[arg(long, value_name = "NUMBER", value_parser = partition)]
    pub partition: Option<Partition>,
    /// Only of this backup.
    #[arg(long, value_name = "NAME")]
    pub backup: Option<String>,
    /// Accepts the loss of exactly this range of offsets, as this command shows it, in one partition.
    #[arg(long, value_name = "FROM..TO", value_parser = offset_range)]
    pub range: Option<OffsetRange>,
    /// Accepts everything that is missing.
    #[arg(long, conflicts_with = "range")]
    pub yes: bool,
    #[command(flatten)]
    /// How to print.
    pub output: OutputArgs,
}

/// The offsets from one on to before another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OffsetRange {
    /// The first.
    pub from: Offset,
    /// The one after the last.
    pub to: Offset,
}

/// `highwater invoke`
#[derive(Debug, Args)]
pub struct InvokeArgs {
    /// The function's name.
    #[arg(value_parser = function_name())]
    pub function: String,
    /// Its payload: JSON, or @FILE.
    #[arg(default_value = "{}")]
    pub payload: String,
    /// Prints JSON, as it does without this.
    #[arg(long)]
    pub json: bool,
}

/// `highwater pause`, `highwater resume`
#[derive(Debug, Args)]
pub struct ControlArgs {
    /// The backup's name; not needed where one is configured.
    pub backup: Option<String>,
    /// Only this topic.
    #[arg(long, value_name = "NAME")]
    pub topic: Option<String>,
    #[command(flatten)]
    /// How to print.
    pub output: OutputArgs,
}

/// `highwater replicate`
#[derive(Debug, Args)]
pub struct ReplicateArgs {
    /// Only to this location.
    pub location: Option<String>,
    /// Compares first, so that what was stored before the location was configured comes along.
    #[arg(long)]
    pub existing: bool,
    #[command(flatten)]
    /// How to print.
    pub output: OutputArgs,
}

/// `highwater topics`
#[derive(Debug, Args)]
pub struct TopicsArgs {
    #[command(flatten)]
    /// Which storage.
    pub storage: StorageArgs,
    #[command(flatten)]
    /// How to print.
    pub output: OutputArgs,
}

/// `highwater segments`
#[derive(Debug, Args)]
pub struct SegmentsArgs {
    /// Only of these topics: a name, a glob or a /regular expression/.
    pub topic: Option<TopicPattern>,
    #[command(flatten)]
    /// Which storage.
    pub storage: StorageArgs,
    #[command(flatten)]
    /// How to print.
    pub output: OutputArgs,
}

/// `highwater cat`
#[derive(Debug, Args)]
pub struct CatArgs {
    /// The topic's name.
    pub topic: String,
    /// Only this partition.
    #[arg(long, value_name = "NUMBER", value_parser = partition)]
    pub partition: Option<Partition>,
    /// From this offset on.
    #[arg(long, value_name = "OFFSET", value_parser = offset, default_value = "0")]
    pub from: Offset,
    /// Up to this offset, which is not printed any more.
    #[arg(long, value_name = "OFFSET", value_parser = offset)]
    pub to: Option<Offset>,
    /// Which incarnation of a topic that was deleted and created again. Without it the last one.
    #[arg(long, value_name = "NUMBER")]
    pub incarnation: Option<u32>,
    /// Prints JSON lines, as it does without this.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    /// Which storage.
    pub storage: StorageArgs,
}

/// `highwater sql`
#[derive(Debug, Args)]
pub struct SqlArgs {
    /// The topic's name.
    pub topic: String,
    /// Which incarnation of a topic that was deleted and created again. Without it the last one.
    #[arg(long, value_name = "NUMBER")]
    pub incarnation: Option<u32>,
    #[command(flatten)]
    /// Which storage.
    pub storage: StorageArgs,
    #[command(flatten)]
    /// How to print.
    pub output: OutputArgs,
}

/// `highwater groups`
#[derive(Debug, Args)]
pub struct GroupsArgs {
    #[command(flatten)]
    /// Which storage.
    pub storage: StorageArgs,
    #[command(flatten)]
    /// How to print.
    pub output: OutputArgs,
}

/// `name=value`
fn setting(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("{text:?} has no '=': write name=value"))?;
    Ok((name.to_owned(), value.to_owned()))
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
    /// Goes on over segments that are damaged or gone, and lists what is missing.
    #[arg(long)]
    pub skip_damaged: bool,
    /// Writes behind what the targets hold already.
    #[arg(long)]
    pub append: bool,
    /// Restores around ranges that the backup lacks, or that have expired.
    #[arg(long)]
    pub accept_missing: bool,
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
    Backup(OutputArgs),
    /// Restores a snapshot into the registry of section target_schema_registry, or else of schema_registry.
    Restore(SchemasRestoreArgs),
    /// Checks every byte of every snapshot.
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

/// `highwater verify`
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Reads every record too, and counts everything anew: as many bytes as the backup has.
    #[arg(long)]
    pub deep: bool,
    /// Puts the metrics in Redis right where they are not what the storage says. Never touches the storage.
    #[arg(long)]
    pub repair: bool,
    /// Checks what this replication location holds, from it alone: as if the storage, Kafka and Redis were lost.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["repair", "data_dir"])]
    pub location: Option<String>,
    #[command(flatten)]
    /// Which storage.
    pub storage: StorageArgs,
    #[command(flatten)]
    /// How to print.
    pub output: OutputArgs,
}

/// `highwater config`
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Checks the settings and prints them as they hold, defaults included and secrets hidden.
    Check(OutputArgs),
    /// Prints the JSON schema of the settings.
    Schema,
}

fn function_name() -> PossibleValuesParser {
    let name = |row: &'static Row| PossibleValue::new(row.name).help(row.about);
    PossibleValuesParser::new(TABLE.iter().map(name))
}

fn partition(text: &str) -> Result<Partition, String> {
    number(text, "partition").map(Partition)
}

fn offset(text: &str) -> Result<Offset, String> {
    number(text, "offset").map(Offset)
}

fn offset_range(text: &str) -> Result<OffsetRange, String> {
    let (from, to) = text.split_once("..").ok_or_else(|| format!("{text:?} is no range: write FROM..TO"))?;
    Ok(OffsetRange { from: offset(from)?, to: offset(to)? })
}

fn number<T: std::str::FromStr + Default + PartialOrd>(text: &str, what: &str) -> Result<T, String> {
    text.parse()
        .ok()
        .filter(|n| *n >= T::default())
        .ok_or_else(|| format!("{text:?} is no {what}: write a whole number from 0 on"))
}
