//! What the target is like.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use shared::{
    chain::ChainIdentity,
    ports::{records::Topic, transactions::Target},
    restore::{RestoreId, preflight::TargetTopic},
};

use crate::{error::RestoreError, progress_log};

/// How often a new topic's leaders are looked for.
const LEADERS_EVERY: Duration = Duration::from_millis(100);

/// The targets of these names that exist, with what is known of restores of this backup into them.
pub(crate) async fn describe(
    target: &dyn Target,
    cluster_id: &str,
    backup: &str,
    names: &[Arc<str>],
) -> Result<BTreeMap<Arc<str>, TargetTopic>, RestoreError> {
    let topics = target.topics(Some(names)).await?;
    let existing: Vec<_> = topics.iter().map(|topic| topic.name.clone()).collect();
    let ids: Vec<_> = topics.iter().map(|topic| RestoreId::of(cluster_id, backup, &topic.id)).collect();
    // Before the progress is read: what another run has written by then is known to be of a restore.
    let mut empty = vec![];
    for topic in &topics {
        empty.push(is_empty(target, topic).await?);
    }
    let mut known = progress_log::read(target, &ids).await?.progress;
    let settings = target.settings(&existing).await?;
    let mut described = BTreeMap::new();
    for (((topic, settings), id), is_empty) in topics.into_iter().zip(settings).zip(ids).zip(empty) {
        let progress = known.remove(&id).unwrap_or_default();
        let Topic { name, id, partitions } = topic;
        described.insert(name, TargetTopic { id, partitions, is_empty, settings: settings?, progress });
    }
    Ok(described)
}

/// Whether no partition of a topic holds an offset.
async fn is_empty(target: &dyn Target, topic: &Topic) -> Result<bool, RestoreError> {
    let partitions: Vec<_> = topic.each_partition().collect();
    for bounds in target.bounds(&partitions).await? {
        let bounds = bounds?;
        if bounds.start < bounds.high_watermark {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A topic that is there, with all its partitions led.
pub(crate) async fn wait_for_leaders(
    target: &dyn Target,
    name: &Arc<str>,
    partitions: i32,
    within: Duration,
) -> Result<Topic, RestoreError> {
    let found = async {
        loop {
            match led(target, name, partitions).await {
                Ok(Some(topic)) => return Ok(topic),
                Err(error) if !error.retry() => return Err(error),
                // The brokers do not know of the topic yet, or have not elected its leaders.
                Ok(None) | Err(_) => {}
            }
            tokio::time::sleep(LEADERS_EVERY).await;
        }
    };
    let none = || RestoreError::NoLeaders { name: name.clone(), within_s: within.as_secs() };
    tokio::time::timeout(within, found).await.unwrap_or_else(|_| Err(none()))
}

/// The topic, if it has so many partitions and every one answers.
async fn led(target: &dyn Target, name: &Arc<str>, partitions: i32) -> Result<Option<Topic>, RestoreError> {
    let topic = target.topics(Some(std::slice::from_ref(name))).await?.pop();
    let Some(topic) = topic.filter(|topic| topic.partitions >= partitions) else { return Ok(None) };
    let all: Vec<_> = topic.each_partition().collect();
    let answers = target.bounds(&all).await?;
    Ok(answers.iter().all(Result::is_ok).then_some(topic))
}

/// How many partitions the source had at least.
pub(crate) fn partition_count<'a>(chains: impl Iterator<Item = &'a ChainIdentity>) -> i32 {
    chains.map(|chain| chain.partition.0 + 1).max().unwrap_or(1)
}
