//! What is paused: a backup, or topics of it.
//!
//! ```text
//! <backup>/=pause/=backup.json     the whole backup
//! <backup>/=pause/<topic>.json     a topic of it
//! ```
//! An object that is there is a pause, whatever it says, of a newer version too; it is created if absent, so that pausing twice is pausing once, and
//! deleted by resuming. One listing shows all. A backup's pause and a topic's are independent: a topic runs when neither is there.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{ArchiveError, control, listing::objects_below};
use crate::{chain::keys, ports::objects::Objects, record::Millis, segment::metadata::FORMAT_VERSION};

/// The content of a pause, for people: what counts is that it is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Pause {
    format_version: u32,
    /// When it was asked for, by the clock of whoever asked.
    paused_at: Millis,
}

/// What is paused of a backup, and since when by the storage's clock.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pauses {
    /// The whole backup.
    pub backup: Option<Millis>,
    /// Topics of it.
    pub topics: BTreeMap<Arc<str>, Millis>,
}

impl Pauses {
    /// Since when a topic is paused, by itself or with its backup; `None`: it is not.
    #[must_use]
    pub fn since(&self, topic: &str) -> Option<Millis> {
        self.backup.into_iter().chain(self.topics.get(topic).copied()).min()
    }
}

/// Reads what is paused of a backup.
pub async fn read_pauses(objects: &dyn Objects, backup: &str) -> Result<Pauses, ArchiveError> {
    let folder = keys::pause_folder(backup);
    let mut pauses = Pauses::default();
    for object in objects_below(objects, &folder).await? {
        match keys::parse_pause(&folder, &object.key) {
            Some(keys::Paused::Backup) => pauses.backup = Some(object.modified),
            Some(keys::Paused::Topic(topic)) => drop(pauses.topics.insert(topic.into(), object.modified)),
            None => {}
        }
    }
    Ok(pauses)
}

/// Pauses a backup, or a topic of it. What is paused already stays so, since then.
pub async fn pause(objects: &dyn Objects, backup: &str, topic: Option<&str>, now: Millis) -> Result<(), ArchiveError> {
    let key = keys::pause(backup, topic);
    control::compare_and_set(objects, &key, None, &Pause { format_version: FORMAT_VERSION, paused_at: now }).await?;
    Ok(())
}

/// Ends the pause of a backup, or of a topic of it; that there is none is well.
pub async fn resume(objects: &dyn Objects, backup: &str, topic: Option<&str>) -> Result<(), ArchiveError> {
    control::remove(objects, &keys::pause(backup, topic)).await
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        adapters::memory::{clock::ManualClock, objects::MemoryObjects},
        ports::objects::{GetRange, PutCondition},
    };

    fn world() -> (Arc<ManualClock>, MemoryObjects) {
        let clock = Arc::new(ManualClock::at(Millis(1_000)));
        (clock.clone(), MemoryObjects::new(clock))
    }

    #[tokio::test]
    async fn a_pause_is_this_object_and_cannot_move() {
        let (_, objects) = world();
        pause(&objects, "main", None, Millis(7)).await.unwrap();
        pause(&objects, "main", Some("orders.json"), Millis(8)).await.unwrap();
        for (key, at) in [("main/=pause/=backup.json", 7), ("main/=pause/orders.json.json", 8)] {
            let object = objects.get(key, GetRange::Whole).await.unwrap().unwrap();
            assert_eq!(object.body, format!("{{\n  \"format_version\": 1,\n  \"paused_at\": {at}\n}}\n"));
            assert!(keys::is_control("main", key), "{key}");
        }
    }

    #[tokio::test]
    async fn pausing_twice_is_pausing_once_and_so_is_resuming() {
        let (clock, objects) = world();
        for at in [1_000, 5_000] {
            clock.set(Millis(at));
            pause(&objects, "main", Some("orders"), Millis(at)).await.unwrap();
        }
        let pauses = read_pauses(&objects, "main").await.unwrap();
        assert_eq!((pauses.since("orders"), pauses.since("other")), (Some(Millis(1_000)), None));
        for _ in 0..2 {
            resume(&objects, "main", Some("orders")).await.unwrap();
            assert_eq!(read_pauses(&objects, "main").await.unwrap(), Pauses::default());
        }
    }

    #[tokio::test]
    async fn a_backups_pause_and_a_topics_are_independent() {
        let (_, objects) = world();
        pause(&objects, "main", Some("orders"), Millis(1)).await.unwrap();
        pause(&objects, "main", None, Millis(1)).await.unwrap();
        pause(&objects, "other", None, Millis(1)).await.unwrap();
        assert!(read_pauses(&objects, "main").await.unwrap().since("clicks").is_some());
        resume(&objects, "main", None).await.unwrap();
        let pauses = read_pauses(&objects, "main").await.unwrap();
        assert_eq!((pauses.since("clicks"), pauses.since("orders")), (None, Some(Millis(1_000))));
    }

    #[tokio::test]
    async fn what_else_lies_there_pauses_nothing_and_a_damaged_pause_still_does() {
        let (_, objects) = world();
        for key in ["main/=pause/orders", "main/=pause/a/b.json", "main/=pause/=other.json", "main/=pause/.json"] {
            objects.put(key, "x".into(), PutCondition::IfAbsent).await.unwrap();
        }
        assert_eq!(read_pauses(&objects, "main").await.unwrap(), Pauses::default());
        objects.put("main/=pause/orders.json", "{".into(), PutCondition::IfAbsent).await.unwrap();
        assert!(read_pauses(&objects, "main").await.unwrap().since("orders").is_some());
    }
}
