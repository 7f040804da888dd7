//! Following: the drain that does not end, for a server. Any number of instances share the backup's consumer group.
#![allow(clippy::disallowed_methods, reason = "a follower measures the time between two looks")]

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    Backup, Context, WriteError,
    error::Remedy,
    report,
    session::{FLUSH_TIMEOUT, Session},
};

/// Writes all configured backups until `stop`, whatever happens on the way; then closes what is unfinished. A backup that
/// cannot be written holds up no other: each tries again by itself.
pub async fn follow(context: &Arc<Context>, stop: &CancellationToken) {
    let backups = context.backups.iter().map(|backup| follow_backup(context, backup, stop));
    futures::future::join_all(backups).await;
}

async fn follow_backup(context: &Arc<Context>, backup: &Arc<Backup>, stop: &CancellationToken) {
    let mut attempt = 0_u32;
    while !stop.is_cancelled() {
        let Err(error) = follow_once(context, backup, stop, &mut attempt).await else { continue };
        attempt += 1;
        let wait = context.limits.wait_after(error.remedy(), attempt);
        log(backup, &error, attempt, wait);
        pause(wait, stop).await;
    }
}

fn log(backup: &Backup, error: &WriteError, attempt: u32, wait: Duration) {
    let (name, cause) = (&backup.name, error as &dyn std::error::Error);
    match error.remedy() {
        Remedy::Fail => tracing::error!(backup = name, attempt, error = cause, "{error}; trying again in {wait:?}"),
        _ => tracing::warn!(backup = name, attempt, error = cause, "{error}; trying again in {wait:?}"),
    }
}

/// Works as one member of the group until the selected topics change, or `stop`.
async fn follow_once(
    context: &Arc<Context>,
    backup: &Arc<Backup>,
    stop: &CancellationToken,
    attempt: &mut u32,
) -> Result<(), WriteError> {
    shared::archive::claim_owner(&*context.objects, &backup.name, &context.kafka.cluster_id().await?).await?;
    let topics = selected(context, backup).await?;
    if topics.is_empty() {
        say_process(context, backup).await;
        pause(context.limits.refresh, stop).await;
        return Ok(());
    }
    let pauses = shared::archive::read_pauses(&*context.objects, &backup.name).await?;
    let fetch = context.kafka.join(&backup.group(), &topics).await?;
    let mut session = Session::of_member(context, backup, fetch, pauses);
    let result = rounds(context, backup, &topics, &mut session, stop, attempt).await;
    for end in session.finish().await {
        if let Some(error) = end.error {
            tracing::warn!(partition = %end.partition, error = &error as &dyn std::error::Error, "{error}");
        }
    }
    result
}

async fn rounds(
    context: &Arc<Context>,
    backup: &Arc<Backup>,
    topics: &[Arc<str>],
    session: &mut Session,
    stop: &CancellationToken,
    attempt: &mut u32,
) -> Result<(), WriteError> {
    let mut looked_at = Instant::now();
    while !stop.is_cancelled() {
        for end in session.round().await? {
            if let Some(error) = end.error {
                tracing::error!(partition = %end.partition, error = &error as &dyn std::error::Error, "{error}");
            }
        }
        if looked_at.elapsed() >= context.limits.refresh {
            looked_at = Instant::now();
            *attempt = 0;
            if selected(context, backup).await? != topics {
                tracing::info!(backup = backup.name, "the selected topics changed");
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The selected topics as the cluster has them now, by name.
async fn selected(context: &Context, backup: &Backup) -> Result<Vec<Arc<str>>, WriteError> {
    let topics = context.kafka.topics(None).await?;
    context.note_missing_topics(backup, &topics);
    let mut names: Vec<_> =
        topics.into_iter().map(|topic| topic.name).filter(|name| context.selects(backup, name)).collect();
    names.sort();
    Ok(names)
}

/// Without a topic there is nothing to work on, but something to say: which topics are missing.
async fn say_process(context: &Context, backup: &Backup) {
    report::instance(context, &backup.name, &[]);
    let (kafka, topic, outbox) = (context.kafka.clone(), context.metrics_topic.clone(), context.outbox.clone());
    tokio::select! {
        () = outbox.publish(kafka, topic, context.limits.refresh) => {}
        () = context.outbox.flush(FLUSH_TIMEOUT) => {}
    }
}

async fn pause(wait: Duration, stop: &CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = tokio::time::sleep(wait) => {}
    }
}
