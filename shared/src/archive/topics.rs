//! How topics were set up: their partitions and their own settings, a folder of snapshots for each.
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
    ports::{objects::Objects, records::TopicSettings},
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
}

impl TopicSnapshot {
    /// A snapshot of now.
    #[must_use]
    pub fn new(topic: Arc<str>, topic_id: TopicId, taken_at: Millis, partitions: i32, settings: TopicSettings) -> Self {
        TopicSnapshot { format_version: FORMAT_VERSION, topic, topic_id, taken_at, partitions, settings }
    }

    fn says_the_same(&self, other: &TopicSnapshot) -> bool {
        self.partitions == other.partitions && self.settings == other.settings
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
    if before.as_ref().is_some_and(|before| before.says_the_same(&snapshot)) {
        return Ok(false);
    }
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
    use crate::adapters::memory::{clock::ManualClock, objects::MemoryObjects};

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
