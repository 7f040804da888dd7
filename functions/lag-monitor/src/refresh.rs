//! One refresh, step by step.

use std::sync::Arc;

use serde::Serialize;
use shared::{
    metrics::{
        history,
        registers::{
            self, Epoch, Registers, Scope,
            epoch::{Snapshot, queries, snapshots},
        },
        standing::{Ends, Message},
    },
    ports::{records::Topic, store::Operation},
    record::Millis,
    runs::Failed,
};
use tracing::Instrument as _;

use crate::{
    Backup, Context, Failure, MonitorError, Refresh, backlog, changes,
    compare::{Required, everybody_spoke, everything_is_there, standings},
    epoch::{self, rebuilding_since},
    health,
    history::{note, note_locations},
    locations,
    looks::looks,
    observe::{Observed, observe},
    retire::{There, Times, ended, of_chains, retired},
    stored::{Stored, stored},
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
    /// How many log ends were observed and written.
    pub ends: usize,
    /// How many standings were written, because the store knew less than the storage.
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
    let result = refresh(input, context).await;
    if let Err(error) = &result {
        let failed = Failed::run(error.kind(), error);
        context.runs.note(context.clock.now(), None, &[failed]).await;
    }
    result
}

async fn refresh(input: &Refresh, context: &Context) -> Result<RefreshReport, MonitorError> {
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
        known.push(snapshot(context, &backup.name).await);
    }
    // After what is known was read: a topic that is known and not here has been deleted.
    let topics = match context.kafka.topics(None).await {
        Ok(topics) => topics,
        Err(error) => {
            // The storage is not to blame: it is looked at all the same.
            if let Err(error) = health::look_at_storage(context).await {
                tracing::warn!(error = &error as &dyn std::error::Error, "neither does the storage answer: {error}");
            }
            return Err(error.into());
        }
    };
    let of_backups = async {
        let mut reports = vec![];
        for (backup, known) in wanted.into_iter().zip(known) {
            let span = tracing::info_span!("refresh", backup = &*backup.name);
            reports.push(of_backup(context, backup, known, &topics).instrument(span).await);
        }
        reports
    };
    let (backups, changes) = tokio::join!(of_backups, of_changes(context));
    Ok(RefreshReport { backups, changes })
}

async fn of_changes(context: &Context) -> ChangesReport {
    let (complete, mut failure) = match changes::refresh(context).await {
        Ok(complete) => (complete, None),
        Err(error) => (false, Some(Failure::of_backup(error))),
    };
    if complete && let Err(error) = note_locations(context).await {
        failure = failure.or(Some(Failure::of_backup(error)));
    }
    let ended = ended(context).await.map_err(MonitorError::from);
    for result in [ended, locations::retire(context).await, health::look(context).await] {
        if let Err(error) = result {
            failure = failure.or(Some(Failure::of_backup(error)));
        }
    }
    let failed: Vec<_> = failure.iter().map(Failed::from).collect();
    context.runs.note(context.clock.now(), None, &failed).await;
    ChangesReport { complete, failure }
}

/// What the store holds of a backup now.
async fn snapshot(context: &Context, backup: &Arc<str>) -> Result<Snapshot, MonitorError> {
    let backups = std::slice::from_ref(backup);
    let answers = context.store.read(&queries(backups)).await?;
    Ok(snapshots(backups, answers).remove(0))
}

async fn of_backup(
    context: &Context,
    backup: &Backup,
    known: Result<Snapshot, MonitorError>,
    topics: &[Topic],
) -> BackupReport {
    let selected: Vec<Topic> = topics.iter().filter(|topic| context.selects(backup, &topic.name)).cloned().collect();
    let report = BackupReport { backup: backup.name.clone(), topics: selected.len(), ..BackupReport::default() };
    let mut pass = Pass { context, backup, selected, report };
    if let Err(error) = pass.run(known).await {
        pass.fails(error);
    }
    let failed: Vec<_> = pass.report.failures.iter().map(Failed::from).collect();
    context.runs.note(context.clock.now(), Some(&backup.name), &failed).await;
    pass.report
}

/// A refresh of one backup.
struct Pass<'a> {
    context: &'a Context,
    backup: &'a Backup,
    selected: Vec<Topic>,
    report: BackupReport,
}

impl Pass<'_> {
    async fn run(&mut self, known: Result<Snapshot, MonitorError>) -> Result<(), MonitorError> {
        let known = known?;
        let begun = epoch::begin(self.context, Scope::Backup(&self.backup.name), &known.seen).await?;
        self.report.complete = matches!(begun, Epoch::Complete(_));
        // Kafka may be down, and the storage not, and the other way round.
        let observed = observe(self.context, self.backup, &self.selected).await;
        let observed = self.or_fails(observed);
        self.retire(&known, begun, observed.as_ref()).await?;
        let healed = self.heal(&known, begun).await;
        let stored = self.or_fails(healed).flatten();
        if self.report.complete {
            note(self.context, &known).await?;
        }
        let Some(observed) = observed else { return Ok(()) };
        let ends = self.say_ends(&known, stored.is_some(), observed).await?;
        match (rebuilding_since(begun), stored) {
            (Some(since), Some(stored)) => self.complete(begun, since, &stored, &known.registers, &ends).await,
            _ => Ok(()),
        }
    }

    fn or_fails<T>(&mut self, result: Result<T, MonitorError>) -> Option<T> {
        result.map_err(|error| self.fails(error)).ok()
    }

    fn fails(&mut self, error: impl Into<MonitorError>) {
        self.report.failures.push(Failure::of_backup(error));
    }

    /// Brings the store to what the storage holds. Answers what that is, if everything was read that can be.
    async fn heal(&mut self, known: &Snapshot, begun: Epoch) -> Result<Option<Stored>, MonitorError> {
        let (context, registers) = (self.context, &known.registers);
        let looks = looks(context, self.backup, &self.selected, known, begun).await?;
        let mut stored = stored(context, self.backup, &looks, registers).await?;
        let is_all = stored.is_all();
        self.report.failures.append(&mut stored.failures);
        let now = context.clock.now();
        let damaged = stored.damaged.iter().map(|(chain, why)| registers::damaged(chain, now, why));
        let behind = standings(&stored.chains, registers, now);
        self.report.standings = behind.len();
        let mut operations: Vec<_> = damaged.chain(said(behind.into_iter().map(Message::Standing))).collect();
        if is_all {
            operations.extend(of_chains(&self.backup.name, registers, &looks.topics, &stored));
        }
        context.apply(&operations).await?;
        Ok(is_all.then_some(stored))
    }

    /// Takes out what is gone.
    async fn retire(
        &mut self,
        known: &Snapshot,
        begun: Epoch,
        observed: Option<&Observed>,
    ) -> Result<(), MonitorError> {
        let unobserved = observed.map_or(&[][..], |observed| &observed.unobserved);
        let (since, times) = (rebuilding_since(begun), Times::of(self.context));
        let there = There { selected: &self.selected, unobserved, since, times };
        let mut gone = retired(&known.backup, &known.registers, &there);
        let registers = |topic: &Arc<str>| known.registers.topics.get(topic);
        let histories = gone.topics.iter().flat_map(|it| history::removal(&known.backup, it, registers(it)));
        gone.operations.extend(histories);
        self.context.apply(&gone.operations).await?;
        self.report.retired = gone.topics;
        Ok(())
    }

    /// Says where the logs end, and what is not stored of them where the store tells that.
    async fn say_ends(
        &mut self,
        known: &Snapshot,
        all_stored: bool,
        mut observed: Observed,
    ) -> Result<Vec<Ends>, MonitorError> {
        self.report.failures.append(&mut observed.failures);
        // A store that does not hold everything would make all look as if nothing were stored.
        if all_stored || matches!(known.seen.epoch, Epoch::Complete(_)) {
            let told = match self.report.standings {
                0 => None,
                _ => Some(snapshot(self.context, &self.backup.name).await?.registers),
            };
            let registers: &Registers = told.as_ref().unwrap_or(&known.registers);
            let mut failures = backlog::add(self.context, &mut observed.ends, registers).await;
            self.report.failures.append(&mut failures);
        }
        self.context.apply(&said(observed.ends.iter().cloned().map(Message::Ends)).collect::<Vec<_>>()).await?;
        self.report.ends = observed.ends.len();
        Ok(observed.ends)
    }

    /// Completes the epoch when everything is there, and every owner has said how its work is, which they do at every
    /// refresh; those that have not within one are dead.
    async fn complete(
        &mut self,
        begun: Epoch,
        since: i64,
        stored: &Stored,
        known: &Registers,
        ends: &[Ends],
    ) -> Result<(), MonitorError> {
        let (context, name) = (self.context, &self.backup.name);
        let required: Vec<_> = stored.chains.iter().map(|chain| Required::of(chain, known)).collect();
        let required = required.as_slice();
        let look = move || async move {
            let Snapshot { seen, registers, .. } = snapshot(context, name).await?;
            let now = context.clock.now();
            let waited = now >= Millis(since.saturating_add(context.refresh_ms()));
            let whole = everything_is_there(required, ends, Millis(since), &registers)
                && (waited || everybody_spoke(required, &registers, now));
            Ok((seen, whole))
        };
        self.report.complete = epoch::complete(context, Scope::Backup(name), begun, look).await?;
        Ok(())
    }
}

/// What messages change in the store.
fn said(messages: impl Iterator<Item = Message>) -> impl Iterator<Item = Operation> {
    messages.flat_map(|message| registers::operations(&message))
}
