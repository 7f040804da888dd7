//! What can be asked on the command line.

mod restoring;
mod values;

pub use self::{
    restoring::{DrillArgs, FileFormat, RestoreArgs, SchemasCommand, SchemasRestoreArgs},
    values::OffsetRange,
};

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use shared::{
    config::selection::TopicPattern,
    record::{Offset, Partition},
};

use self::values::{function_name, offset, offset_range, partition};
use crate::examples;

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
    #[command(after_help = examples::DEV)]
    Dev(DevArgs),
    /// Hosts the functions against the configured services until stopped.
    #[command(after_help = examples::SERVE)]
    Serve(ServeArgs),
    /// Backs up once, to the end of the logs, and exits.
    #[command(after_help = examples::BACKUP)]
    Backup(BackupArgs),
    /// Says that the missing tail of a backup will not come back, so that the backup goes on where it ends. Without --yes or
    /// --range it only shows what is missing.
    #[command(after_help = examples::ACCEPT_LOSS)]
    AcceptLoss(AcceptLossArgs),
    /// Runs one function once, as Lambda would, and prints its answer.
    #[command(after_help = examples::INVOKE)]
    Invoke(InvokeArgs),
    /// Pauses a backup, or a topic of it: every instance obeys within one refresh.
    #[command(after_help = examples::PAUSE)]
    Pause(ControlArgs),
    /// Ends that pause.
    #[command(after_help = examples::RESUME)]
    Resume(ControlArgs),
    /// Replicates what is asked for to the locations, to the end of the topic, and exits. With --existing it first compares the
    /// storage with them and asks for whatever they lack.
    #[command(after_help = examples::REPLICATE)]
    Replicate(ReplicateArgs),
    /// Lists the topics that the backup holds.
    #[command(after_help = examples::TOPICS)]
    Topics(TopicsArgs),
    /// Lists the segments that the backup holds.
    #[command(after_help = examples::SEGMENTS)]
    Segments(SegmentsArgs),
    /// Prints a topic's records as JSON lines.
    #[command(after_help = examples::CAT)]
    Cat(CatArgs),
    /// Restores topics of a backup into a Kafka cluster, each record exactly once.
    #[command(after_help = examples::RESTORE)]
    Restore(RestoreArgs),
    /// Proves that a backup can be restored: into a scratch topic, which is compared with the backup and removed.
    #[command(after_help = examples::DRILL)]
    Drill(DrillArgs),
    /// A schema registry into the storage, and back.
    #[command(subcommand)]
    Schemas(SchemasCommand),
    /// Prints a DuckDB query over a topic's segments: exactly those that count.
    #[command(after_help = examples::SQL)]
    Sql(SqlArgs),
    /// Lists the consumer groups whose offsets the backup holds.
    #[command(after_help = examples::GROUPS)]
    Groups(GroupsArgs),
    /// Checks the backup: chain, sizes, missing tail, foreign objects, and the metrics against it.
    #[command(after_help = examples::VERIFY)]
    Verify(VerifyArgs),
    /// Looks at everything that Highwater needs (Kafka, storage, Redis, clock, permissions), and says what to mend.
    #[command(after_help = examples::DOCTOR)]
    Doctor(OutputArgs),
    /// Asks the `serve` of these settings on this machine whether it answers, as a container engine does.
    #[command(after_help = examples::HEALTH)]
    Health(OutputArgs),
    /// The settings.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// The metrics.
    #[command(subcommand)]
    Metrics(MetricsCommand),
    /// Prints what a shell needs to complete command lines, as in `source <(highwater completions bash)`.
    #[command(after_help = examples::COMPLETIONS)]
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
    /// Prints one JSON object, with the name of its schema: docs/json.md has every field.
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
    /// Runs the functions as AWS Lambda does: packages from this folder, a process each, invoked on schedules and by requests.
    #[arg(long, value_name = "FOLDER")]
    pub emulate: Option<PathBuf>,
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
    #[command(after_help = examples::CONFIG_CHECK)]
    Check(OutputArgs),
    /// Prints every setting with its variable, default and meaning, as Markdown.
    #[command(after_help = examples::CONFIG_REFERENCE)]
    Reference(OutputArgs),
    /// Prints the JSON schema of the settings.
    #[command(after_help = examples::CONFIG_SCHEMA)]
    Schema {
        /// Prints JSON, as it does without this.
        #[arg(long)]
        json: bool,
    },
}

/// Every command that can be run, with its whole name.
#[cfg(test)]
pub(crate) fn every_command() -> Vec<(String, clap::Command)> {
    fn below(command: &clap::Command, name: &str) -> Vec<(String, clap::Command)> {
        let below_it: Vec<_> = command.get_subcommands().filter(|it| it.get_name() != "help").collect();
        match below_it.is_empty() {
            true => vec![(name.to_owned(), command.clone())],
            false => below_it.iter().flat_map(|it| below(it, &format!("{name} {}", it.get_name()))).collect(),
        }
    }
    below(&<Cli as clap::CommandFactory>::command(), "highwater")
}

/// `highwater metrics`
#[derive(Debug, Subcommand)]
pub enum MetricsCommand {
    /// Prints every metric of `/metrics` with its type, labels, unit and meaning, as Markdown.
    #[command(after_help = examples::METRICS_REFERENCE)]
    Reference(OutputArgs),
}
