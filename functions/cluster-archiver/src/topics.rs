//! How the backup's topics are set up: partitions, settings of their own and rules, so that a restore makes them as they were.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use serde::Serialize;
use shared::{
    archive::{self, TopicSnapshot},
    ports::{
        acls::{self, Acl},
        records::{RecordsError, Topic, TopicSettings},
    },
    record::TopicId,
    runs::Failed,
};

use crate::{Backup, ClusterError, Context};

/// What became of a topic's setup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TopicReport {
    /// The backup.
    pub backup: String,
    /// The topic.
    pub topic: Arc<str>,
    /// Whether a snapshot was written: it was the first, or something had changed.
    pub is_new: bool,
    /// Why it is not in the backup.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What was stored last, by backup and topic id.
#[derive(Default)]
pub(crate) struct Known(Mutex<BTreeMap<(String, TopicId), TopicSnapshot>>);

impl Known {
    fn has(&self, backup: &str, snapshot: &TopicSnapshot) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.get(&(backup.to_owned(), snapshot.topic_id.clone()));
        known.is_some_and(|known| snapshot.adds_nothing_to(known))
    }

    fn set(&self, backup: &str, snapshot: TopicSnapshot) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert((backup.to_owned(), snapshot.topic_id.clone()), snapshot);
    }
}

/// Keeps how the backup's topics are set up, with those of the cluster's rules that hold for them.
pub(crate) async fn keep(
    context: &Context,
    backup: &Backup,
    topics: &[Topic],
    rules: Option<&[Acl]>,
    failed: &mut Vec<Failed>,
) -> Result<Vec<TopicReport>, ClusterError> {
    if topics.is_empty() {
        return Ok(vec![]);
    }
    let names: Vec<_> = topics.iter().map(|topic| topic.name.clone()).collect();
    let overrides = context.kafka.overrides(&names).await?;
    // A topic that was created again meanwhile has the settings of one and the id of the other: it has its turn next time.
    let after = context.kafka.topics(Some(&names)).await?;
    let mut reports = vec![];
    for (topic, settings) in topics.iter().zip(overrides) {
        if !after.iter().any(|after| after.id == topic.id) {
            continue;
        }
        let kept = keep_one(context, backup, topic, settings, rules).await;
        let (is_new, error) = kept.map_or_else(|error| (false, Some(error)), |is_new| (is_new, None));
        failed.extend(error.as_ref().map(|error| Failed {
            topic: Some(topic.name.clone()),
            ..Failed::run(error.kind(), &format!("how the topic is set up is not kept: {error}"))
        }));
        let error = error.map(|error| error.to_string());
        reports.push(TopicReport { backup: backup.name.clone(), topic: topic.name.clone(), is_new, error });
    }
    Ok(reports)
}

async fn keep_one(
    context: &Context,
    backup: &Backup,
    topic: &Topic,
    settings: Result<TopicSettings, RecordsError>,
    rules: Option<&[Acl]>,
) -> Result<bool, ClusterError> {
    let (name, id, now) = (topic.name.clone(), topic.id.clone(), context.clock.now());
    let rules = rules.map(|rules| acls::concerning(rules, &name));
    let snapshot = TopicSnapshot::new(name, id, now, topic.partitions, settings?).with_acls(rules);
    if context.known_topics.has(&backup.name, &snapshot) {
        return Ok(false);
    }
    let is_new = archive::store_topic(&*context.objects, &backup.name, snapshot.clone()).await?;
    context.known_topics.set(&backup.name, snapshot);
    Ok(is_new)
}
