//! One run: every chain of every backup that has a retention.

use futures::{StreamExt as _, stream};
use shared::{
    archive::{self, pins},
    chain::{ChainIdentity, Retention},
    record::Millis,
    runs::Failed,
};
use tracing::Instrument as _;

use crate::{
    Backup, Context, Expire, ExpireError, Failure, expire,
    report::{BackupReport, ExpireReport},
    rules::Run,
};

/// Clocks that are further apart are told of.
const CLOCKS_APART_MS_MAX: u64 = 60_000;

pub(crate) async fn run(input: &Expire, context: &Context) -> Result<ExpireReport, ExpireError> {
    let wanted: Vec<&Backup> =
        context.backups.iter().filter(|it| input.backup.as_ref().is_none_or(|name| *name == it.name)).collect();
    if let (true, Some(name)) = (wanted.is_empty(), &input.backup) {
        return Err(ExpireError::UnknownBackup(name.clone()));
    }
    let mut backups = vec![];
    for backup in wanted {
        if let Some(retention) = backup.retention {
            let span = tracing::info_span!("expiry", backup = backup.name);
            backups.push(of_backup(context, backup, retention, input.deadline).instrument(span).await);
        }
    }
    Ok(ExpireReport { backups })
}

async fn of_backup(context: &Context, backup: &Backup, retention: Retention, deadline: Option<Millis>) -> BackupReport {
    let mut report = BackupReport { backup: backup.name.clone(), ..BackupReport::default() };
    if let Err(error) = expire_backup(context, backup, retention, deadline, &mut report).await {
        report.complete = false;
        report.failures.push(Failure::of_backup(error));
    }
    report.log();
    let failed: Vec<_> = report.failures.iter().map(Failed::from).collect();
    context.runs.note(context.clock.now(), Some(&backup.name.as_str().into()), &failed).await;
    report
}

async fn expire_backup(
    context: &Context,
    settings: &Backup,
    retention: Retention,
    deadline: Option<Millis>,
    report: &mut BackupReport,
) -> Result<(), ExpireError> {
    let (objects, backup) = (&*context.objects, settings.name.as_str());
    report.complete = true;
    let Some(owner) = archive::read_owner(objects, backup).await? else { return Ok(()) };
    if owner.backup != backup {
        return Err(ExpireError::OtherOwner { backup: backup.to_owned(), owner: owner.backup });
    }
    // In this order: a floor that lay where it is for the grace period before `now` did so before the pins were looked at.
    let now = now(context, backup).await?;
    let pins = pins::in_force(objects, backup, now).await?;
    (report.now, report.pins) = (Some(now), pins.who().map(str::to_owned).collect());
    let run = Run { context, retention, seals: settings.seals.as_ref(), now, pins, deadline };
    let chains = chains(&run, &owner, report).await?;
    report.chains = chains.len();
    // The futures are made before the stream: a closure in it would keep whoever spawns this from being `Send`.
    let span = |it: &ChainIdentity| tracing::info_span!("chain", topic = &*it.topic, partition = it.partition.0);
    let of_chains: Vec<_> = chains.iter().map(|chain| of_chain(&run, chain).instrument(span(chain))).collect();
    let mut of_chains = stream::iter(of_chains).buffer_unordered(context.limits.chains_max.max(1));
    while let Some(done) = of_chains.next().await {
        match done {
            Ok(done) => {
                report.complete &= done.complete;
                report.changed.extend(done.changed);
            }
            Err(failure) => report.failures.push(failure),
        }
    }
    report.complete &= report.failures.is_empty();
    Ok(())
}

/// The earlier of two clocks: one that is ahead expires nothing.
async fn now(context: &Context, backup: &str) -> Result<Millis, ExpireError> {
    let (stores, own) = (archive::store_time(&*context.objects, backup).await?, context.clock.now());
    if stores.0.abs_diff(own.0) > CLOCKS_APART_MS_MAX {
        tracing::warn!(
            backup,
            store_ms = stores.0,
            own_ms = own.0,
            "the store's clock and this machine's are apart: the earlier counts"
        );
    }
    Ok(stores.min(own))
}

/// Every chain of every incarnation of every topic that the backup holds, whether it is selected or in Kafka still or not.
async fn chains(
    run: &Run<'_>,
    owner: &archive::Owner,
    report: &mut BackupReport,
) -> Result<Vec<ChainIdentity>, ExpireError> {
    let objects = &*run.context.objects;
    let mut all = vec![];
    for topic in archive::topics(objects, &owner.backup).await? {
        match archive::chains_of_topic(objects, &owner.cluster_id, &owner.backup, &topic).await {
            Ok(chains) => all.extend(chains),
            Err(error) => report.failures.push(Failure::of_topic(&topic, error)),
        }
    }
    Ok(all)
}

async fn of_chain(run: &Run<'_>, chain: &ChainIdentity) -> Result<expire::Done, Failure> {
    if run.is_over() {
        return Ok(expire::Done { complete: false, changed: None });
    }
    expire::expire(run, chain).await.map_err(|error| Failure::of_chain(chain, error))
}
