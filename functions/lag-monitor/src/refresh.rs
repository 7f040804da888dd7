//! One refresh, step by step.

use std::sync::Arc;

use serde::Serialize;
use shared::{
    metrics::{
        history,
        registers::{self, Epoch, Scope, epoch::Snapshot},
        standing::Message,
    },
    ports::records::Topic,
};

use crate::{
    Backup, Context, Failure, MonitorError, Refresh, backlog, changes,
    compare::{Required, standings},
    former::former,
    history::note,
    observe::{Observed, observe},
    rebuild::{self, Wanted},
    retire::{There, Times, ended, of_chains, retired},
    stored::{Stored, stored},
    targets,
};

/// What a refresh saw and did.
#[derive(Debug, Serialize)]
pub struct RefreshReport {
    /// By backup.
    pub backups: Vec<BackupReport>,
    /// Of the counters of Backbeat's changes.
    pub changes: ChangesReport,
}

/// What a refresh saw of the counters of changes.
#[derive(Debug, Default, Serialize)]
pub struct ChangesReport {
    /// Whether the store holds everything: Backbeat's routes answer only then.
    pub complete: bool,
    /// What could not be looked at.
    pub failure: Option<Failure>,
}

/// What a refresh saw and did for one backup.
#[derive(Debug, Default, Serialize)]
pub struct BackupReport {
    /// The backup.
    pub backup: Arc<str>,
    /// How many topics are selected.
    pub topics: usize,
    /// How many log ends were observed and published.
    pub ends: usize,
    /// How many standings were sent again, because the store knew less than the storage.
    pub standings: usize,
    /// The topics whose series ended.
    pub retired: Vec<Arc<str>>,
    /// Whether the store holds everything: `/metrics` answers only then.
    pub complete: bool,
    /// What could not be looked at.
    pub failures: Vec<Failure>,
}

impl RefreshReport {
    /// Whether everything could be looked at.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.changes.failure.is_none() && self.backups.iter().all(|backup| backup.failures.is_empty())
    }
}

pub(crate) async fn run(input: &Refresh, context: &Context) -> Result<RefreshReport, MonitorError> {
    let wanted: Vec<&Backup> = context
        .backups
        .iter()
        .filter(|backup| input.backup.as_deref().is_none_or(|name| *backup.name == *name))
        .collect();
    if let (true, Some(name)) = (wanted.is_empty(), &input.backup) {
        return Err(MonitorError::UnknownBackup(name.clone()));
    }
    let mut known = vec![];
    for backup in &wanted {
        known.push(rebuild::snapshot(context, &backup.name).await);
    }
    // After what is known was read: a topic that is known and not here has been deleted.
    let topics = context.kafka.topics(None).await?;
    let of_backups = async {
        let mut reports = vec![];
        for (backup, known) in wanted.into_iter().zip(known) {
            reports.push(of_backup(context, backup, known, &topics).await);
        }
        reports
    };
    let (backups, mut changes) = tokio::join!(of_backups, of_changes(context));
    if let Err(error) = ended(context).await {
        changes.failure = changes.failure.or(Some(Failure::of_backup(error)));
    }
    Ok(RefreshReport { backups, changes })
}

async fn of_changes(context: &Context) -> ChangesReport {
    match changes::refresh(context).await {
        Ok(complete) => ChangesReport { complete, failure: None },
        Err(error) => ChangesReport { complete: false, failure: Some(Failure::of_backup(error)) },
    }
}

async fn of_backup(
    context: &Context,
    backup: &Backup,
    known: Result<Snapshot, MonitorError>,
    topics: &[Topic],
) -> BackupReport {
    let selected: Vec<Topic> = topics.iter().filter(|topic| context.selects(backup, &topic.name)).cloned().collect();
    let mut report = BackupReport { backup: backup.name.clone(), topics: selected.len(), ..BackupReport::default() };
    let observed = match say_ends(context, backup, &selected, known.as_ref().ok(), &mut report).await {
        Ok(observed) => Some(observed),
        Err(error) => {
            report.failures.push(Failure::of_backup(error));
            None
        }
    };
    let healed = match known {
        Ok(known) => heal(context, backup, &selected, &known, observed.as_ref(), &mut report).await,
        Err(error) => Err(error),
    };
    if let Err(error) = healed {
        report.failures.push(Failure::of_backup(error));
    }
    report
}

async fn say_ends(
    context: &Context,
    backup: &Backup,
    selected: &[Topic],
    known: Option<&Snapshot>,
    report: &mut BackupReport,
) -> Result<Observed, MonitorError> {
    let mut observed = observe(context, backup, selected).await?;
    // A store that does not hold everything would make all look as if nothing were stored.
    if let Some(known) = known.filter(|known| matches!(known.seen.epoch, Epoch::Complete(_))) {
        report.failures.append(&mut backlog::add(context, &mut observed.ends, &known.registers).await);
    }
    report.failures.append(&mut observed.failures);
    publish(context, observed.ends.iter().cloned().map(Message::Ends)).await?;
    report.ends = observed.ends.len();
    Ok(observed)
}

/// Brings the store to what the storage holds.
async fn heal(
    context: &Context,
    backup: &Backup,
    selected: &[Topic],
    known: &Snapshot,
    observed: Option<&Observed>,
    report: &mut BackupReport,
) -> Result<(), MonitorError> {
    let begun = rebuild::begin(context, Scope::Backup(&backup.name), &known.seen).await?;
    retire(context, selected, known, begun, observed, report).await?;
    let mut looked_into = selected.to_vec();
    looked_into.extend(former(context, backup, selected, known, begun).await?);
    let stored = stored(context, backup, &looked_into, &known.registers).await?;
    let all_read = stored.is_all();
    tell_damage(context, backup, &looked_into, known, &stored).await?;
    let Stored { chains, mut failures, .. } = stored;
    report.failures.append(&mut failures);

    let behind = standings(&chains, &known.registers, context.clock.now());
    report.standings = behind.len();
    publish(context, behind.into_iter().map(Message::Standing)).await?;

    report.complete = matches!(begun, Epoch::Complete(_));
    if report.complete {
        note(context, known).await?;
    }
    if let (Epoch::Rebuilding(since), true, Some(observed)) = (begun, all_read, observed) {
        let found = chains.iter().map(|chain| Required::of(chain, &known.registers)).collect();
        let targets = targets::of_epoch(context, &backup.name, since, found).await?;
        let wanted = Wanted::Backup { name: &backup.name, targets: &targets, ends: &observed.ends };
        report.complete = rebuild::complete(context, begun, &wanted).await?;
    }
    Ok(())
}

async fn retire(
    context: &Context,
    selected: &[Topic],
    known: &Snapshot,
    begun: Epoch,
    observed: Option<&Observed>,
    report: &mut BackupReport,
) -> Result<(), MonitorError> {
    let unobserved = observed.map_or(&[][..], |observed| &observed.unobserved);
    let since = if let Epoch::Rebuilding(since) = begun { Some(since) } else { None };
    let there = There { selected, unobserved, since, times: Times::of(context) };
    let mut gone = retired(&known.backup, &known.registers, &there);
    gone.operations.extend(gone.topics.iter().map(|topic| history::removal(&known.backup, topic)));
    if !gone.operations.is_empty() {
        context.store.apply(&[], &gone.operations).await?;
    }
    report.retired = gone.topics;
    Ok(())
}

/// Says in the store which chains cannot be read and which can again, and takes out what is no more.
async fn tell_damage(
    context: &Context,
    backup: &Backup,
    selected: &[Topic],
    known: &Snapshot,
    stored: &Stored,
) -> Result<(), MonitorError> {
    let now = context.clock.now();
    let mut operations: Vec<_> =
        stored.damaged.iter().map(|(chain, why)| registers::damaged(chain, now, why)).collect();
    if stored.is_all() {
        operations.extend(of_chains(&backup.name, &known.registers, selected, stored));
    }
    if !operations.is_empty() {
        context.store.apply(&[], &operations).await?;
    }
    Ok(())
}

/// Publishes messages, a bounded number at a time.
async fn publish(context: &Context, messages: impl Iterator<Item = Message>) -> Result<(), MonitorError> {
    let encoded: Vec<_> = messages.map(|message| message.encode()).collect();
    for part in encoded.chunks(context.limits.messages_max.max(1)) {
        context.kafka.publish(&context.metrics_topic, part.to_vec()).await?;
    }
    Ok(())
}
