//! How topics were set up: their partitions, their own settings and the rules about them, a folder of snapshots for each.
//!
//! `<backup>/=topics/<topic>/<topic's id>/<milliseconds since 1970, 20 digits>.json`. In the id every byte but letters, digits,
//! `.`, `_` and `-` is `=` and two hexadecimal digits, as in the names of groups.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    ArchiveError,
    snapshots::{Snapshots, encode},
};
use crate::{
    chain::keys,
    ports::{acls::Acl, objects::Objects, records::TopicSettings},
    record::{Millis, TopicId},
    segment::metadata::FORMAT_VERSION,
};

/// How a topic was set up at some time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicSnapshot {
    /// The version of this format.
    pub format_version: u32,
    /// The topic's name.
    pub topic: Arc<str>,
    /// Its id.
    pub topic_id: TopicId,
    /// When Kafka was asked, by the clock of who asked.
    pub taken_at: Millis,
    /// How many partitions it had, those without a record too.
    pub partitions: i32,
    /// The settings that were its own: those that the cluster's defaults would not have given it.
    pub settings: TopicSettings,
    /// The rules of its cluster's authorizer that held for it, ascending; absent where the cluster never told any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acls: Option<Vec<Acl>>,
}

impl TopicSnapshot {
    /// A snapshot of now.
    #[must_use]
    pub fn new(topic: Arc<str>, topic_id: TopicId, taken_at: Millis, partitions: i32, settings: TopicSettings) -> Self {
        TopicSnapshot { format_version: FORMAT_VERSION, topic, topic_id, taken_at, partitions, settings, acls: None }
    }

    /// The same with the rules that hold for the topic.
    #[must_use]
    pub fn with_acls(self, acls: Option<Vec<Acl>>) -> Self {
        TopicSnapshot { acls, ..self }
    }

    /// Whether an earlier snapshot says all that this one says. Where nobody told of rules, that takes none away.
    #[must_use]
    pub fn adds_nothing_to(&self, before: &TopicSnapshot) -> bool {
        let acls_are_known = self.acls.is_none() || self.acls == before.acls;
        self.partitions == before.partitions && self.settings == before.settings && acls_are_known
    }
}

/// Stores how a topic is set up, where the last snapshot does not say the same. Answers whether it is new.
pub async fn store_topic(
    objects: &dyn Objects,
    backup: &str,
    mut snapshot: TopicSnapshot,
) -> Result<bool, ArchiveError> {
    let snapshots = of_topic(objects, backup, &snapshot.topic, &snapshot.topic_id);
    let before: Option<TopicSnapshot> = snapshots.latest(None).await?;
    if before.as_ref().is_some_and(|before| snapshot.adds_nothing_to(before)) {
        return Ok(false);
    }
    snapshot.acls = snapshot.acls.or_else(|| before.as_ref()?.acls.clone());
    // A clock that was set back puts no snapshot before an earlier one.
    let after = before.map_or(snapshot.taken_at, |before| Millis(before.taken_at.0.saturating_add(1)));
    snapshot.taken_at = snapshot.taken_at.max(after);
    snapshots.store(snapshot.taken_at, &snapshot).await
}

/// How the topic of that id was set up at last.
pub async fn latest_topic(
    objects: &dyn Objects,
    backup: &str,
    topic: &str,
    id: &TopicId,
) -> Result<Option<TopicSnapshot>, ArchiveError> {
    of_topic(objects, backup, topic, id).latest(None).await
}

fn of_topic<'a>(objects: &'a dyn Objects, backup: &str, topic: &str, id: &TopicId) -> Snapshots<'a> {
    Snapshots::new(objects, format!("{}{topic}/{}/", keys::topics_folder(backup), encode(&id.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        adapters::memory::{clock::ManualClock, objects::MemoryObjects},
        ports::acls::{AclOperation, AclPattern, AclPermission},
    };

    #[tokio::test]
    async fn where_nobody_told_of_rules_those_that_are_known_stay() {
        let objects = MemoryObjects::new(Arc::new(ManualClock::at(Millis(1))));
        let of = |at: i64, partitions: i32, acls: Option<Vec<Acl>>| {
            TopicSnapshot::new("orders".into(), "a".into(), Millis(at), partitions, TopicSettings::new())
                .with_acls(acls)
        };
        let rule = Acl {
            pattern: AclPattern::Prefixed,
            name: "ord".to_owned(),
            principal: "User:a".to_owned(),
            host: "*".to_owned(),
            operation: AclOperation::DescribeConfigs,
            permission: AclPermission::Deny,
        };
        let store = async |it: TopicSnapshot| store_topic(&objects, "main", it).await.unwrap();
        assert!(store(of(10, 3, None)).await);
        assert!(store(of(20, 3, Some(vec![rule.clone()]))).await);
        assert!(!store(of(30, 3, None)).await);
        assert!(store(of(40, 4, None)).await);
        let latest = async || latest_topic(&objects, "main", "orders", &"a".into()).await.unwrap().unwrap();
        assert_eq!(latest().await.acls, Some(vec![rule]));
        assert!(store(of(50, 4, Some(vec![]))).await, "all are taken away");
        assert_eq!(latest().await.acls, Some(vec![]));
    }

    #[tokio::test]
    async fn what_is_the_same_is_not_stored_again_and_the_last_counts() {
        let objects = MemoryObjects::new(Arc::new(ManualClock::at(Millis(1))));
        let snapshot = |at: i64, partitions: i32, retention: &str| {
            let settings = [("retention.ms".to_owned(), retention.to_owned())].into();
            TopicSnapshot::new("orders".into(), "a/b".into(), Millis(at), partitions, settings)
        };
        let store = async |it: TopicSnapshot| store_topic(&objects, "main", it).await.unwrap();
        assert!(store(snapshot(10, 3, "1")).await);
        assert!(!store(snapshot(20, 3, "1")).await);
        assert!(store(snapshot(30, 4, "1")).await);
        assert!(store(snapshot(5, 4, "2")).await, "the clock was set back");
        let latest = latest_topic(&objects, "main", "orders", &"a/b".into()).await.unwrap().unwrap();
        assert_eq!((latest.partitions, &*latest.settings["retention.ms"]), (4, "2"));
        assert_eq!(latest_topic(&objects, "main", "orders", &"other".into()).await.unwrap(), None);
    }
}
