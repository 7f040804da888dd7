//! `highwater accept-loss`: the tail of a backup is missing from the storage; whoever knows that it will not come back says so,
//! and the backup goes on from where it ends.

use std::sync::Arc;

use segment_writer::{Backup, Context, MissingTail, accept, missing_tails};
use serde::Serialize;
use shared::{
    adapters::settings,
    config::Settings,
    metrics::registers::{Scope, Seen},
    ports::{clock::Clock, records::Topic, store::Store},
    record::{Offset, Partition, TopicPartition},
};

use super::writer::Writer;
use crate::{
    cli::{AcceptLossArgs, OffsetRange},
    connect,
    failure::{Failure, Verdict},
    output::{self, Report, table},
};

/// What is missing, and whether that is accepted now.
#[derive(Debug, Serialize)]
pub(super) struct Losses {
    pub(super) accepted: bool,
    pub(super) losses: Vec<Loss>,
}

/// One partition's missing tail.
#[derive(Debug, Serialize)]
pub(super) struct Loss {
    pub(super) topic: Arc<str>,
    pub(super) partition: Partition,
    pub(super) backup: String,
    pub(super) incarnation: u32,
    /// Where the storage ends, and the backup goes on.
    pub(super) frontier: Offset,
    /// What was stored once ended here: [frontier, witness) is missing.
    pub(super) witness: Offset,
    /// Where Kafka's log begins.
    pub(super) log_start: Offset,
    /// So many of the missing offsets Kafka has still: they are fetched again.
    pub(super) fetched_again: i64,
    /// So many it has no more: they will be a declared gap.
    pub(super) lost: i64,
}

pub(super) async fn run(config: Option<&str>, args: AcceptLossArgs) -> Result<Verdict, Failure> {
    let settings = settings::load(config).await?;
    let writer = Writer::connect(&settings).await?;
    let Writer { context, clock, .. } = &writer;
    let mut tails = vec![];
    for backup in Backup::all(&settings) {
        if args.backup.as_ref().is_none_or(|name| *name == backup.name) {
            let topics = writer.topics(&settings, &backup, args.topic.as_ref()).await?;
            tails.extend(missing(context, &backup, &topics, args.partition).await?);
        }
    }
    if let Some(range) = args.range {
        tails = vec![the_one(tails, range)?];
    }
    let accepted = args.yes || args.range.is_some();
    let losses = Losses { accepted, losses: tails.iter().map(Loss::from).collect() };
    if accepted {
        accept_all(context, &settings, &**clock, &tails).await?;
    }
    output::print(&losses, args.output.json)?;
    Ok(if accepted || losses.losses.is_empty() { Verdict::Good } else { Verdict::Wrong })
}

/// The missing tails of these topics, or of one partition of each.
pub(super) async fn missing(
    context: &Context,
    backup: &Backup,
    topics: &[Topic],
    only: Option<Partition>,
) -> Result<Vec<MissingTail>, Failure> {
    let wanted = |it: &TopicPartition| only.is_none_or(|only| only == it.partition);
    let partitions: Vec<_> = topics.iter().flat_map(Topic::each_partition).filter(wanted).collect();
    Ok(missing_tails(context, backup, &partitions).await?)
}

/// The tail that is missing in exactly this range.
fn the_one(tails: Vec<MissingTail>, range: OffsetRange) -> Result<MissingTail, Failure> {
    let found: Vec<String> = tails.iter().map(|tail| format!("{}..{}", tail.frontier, tail.witness)).collect();
    let mut wanted = tails.into_iter().filter(|tail| (tail.frontier, tail.witness) == (range.from, range.to));
    match (wanted.next(), wanted.next()) {
        (Some(tail), None) => Ok(tail),
        (Some(_), Some(_)) => {
            Err(Failure::Usage("that range is missing in several partitions: name one with TOPIC --partition N".into()))
        }
        (None, _) => Err(Failure::Usage(format!(
            "{}..{} is not what is missing, that is: {}",
            range.from,
            range.to,
            if found.is_empty() { "nothing".to_owned() } else { found.join(", ") }
        ))),
    }
}

/// Accepts these losses. The figures of before are no longer true then: they are not answered until lag-monitor has
/// looked.
pub(super) async fn accept_all(
    context: &Context,
    settings: &Settings,
    clock: &dyn Clock,
    tails: &[MissingTail],
) -> Result<(), Failure> {
    for tail in tails {
        accept(context, tail).await?;
    }
    let Some(redis) = settings.redis.as_ref().filter(|_| !tails.is_empty()) else { return Ok(()) };
    let store = connect::redis(redis)?;
    let mut backups: Vec<&str> = tails.iter().map(|tail| tail.chain.backup.as_str()).collect();
    backups.dedup();
    for backup in backups {
        if let Err(error) = doubt(&*store, backup, clock).await {
            tracing::warn!(
                "{error}; the figures of backup {backup} are those of before until lag-monitor's next refresh"
            );
        }
    }
    Ok(())
}

/// Begins a new epoch of a backup's figures.
async fn doubt(store: &dyn Store, backup: &str, clock: &dyn Clock) -> Result<(), Failure> {
    let scope = Scope::Backup(backup);
    let seen = Seen::read(&mut store.read(&scope.queries()).await?.into_iter());
    if let Some((step, run)) = seen.begin_again(scope, clock.now()) {
        // Where somebody else moved it meanwhile, it was begun after the loss was accepted as well.
        store.apply(&[step], &run).await?;
    }
    Ok(())
}

impl From<&MissingTail> for Loss {
    fn from(tail: &MissingTail) -> Self {
        Loss {
            backup: tail.chain.backup.clone(),
            topic: tail.chain.topic.clone(),
            incarnation: tail.chain.incarnation,
            partition: tail.chain.partition,
            frontier: tail.frontier,
            witness: tail.witness,
            log_start: tail.log_start,
            fetched_again: tail.witness.0 - tail.lost_to().0,
            lost: tail.lost_to().0 - tail.frontier.0,
        }
    }
}

impl Report for Losses {
    const SCHEMA: &'static str = "highwater.accept-loss.v1";

    fn text(&self) -> String {
        if self.losses.is_empty() {
            return "no backup's tail is missing\n".to_owned();
        }
        let row = |loss: &Loss| {
            [
                loss.backup.clone(),
                loss.topic.to_string(),
                loss.partition.to_string(),
                format!("{}..{}", loss.frontier, loss.witness),
                loss.fetched_again.to_string(),
                loss.lost.to_string(),
            ]
        };
        let heads = ["BACKUP", "TOPIC", "PARTITION", "MISSING", "IN KAFKA", "LOST"];
        let table = table::layout(heads, &self.losses.iter().map(row).collect::<Vec<_>>());
        let nothing_there = !self.accepted && self.losses.iter().any(|loss| loss.frontier == Offset(0));
        let hint = if nothing_there {
            "of what begins at 0 the storage has nothing: perhaps storage.url or the name of the backup is not that of before\n"
        } else {
            ""
        };
        let end = if self.accepted {
            "accepted: each backup goes on where it ends; what is in kafka is fetched again, the rest becomes a declared gap\n"
        } else {
            "nothing is accepted yet: repeat this with --yes, or with --range for one of them\n"
        };
        format!("{table}{hint}{end}")
    }
}
