//! What consumer groups had committed: a snapshot is an object of its own and never replaced, so that an empty or a partial
//! answer of Kafka harms no earlier one.
//!
//! `<backup>/=groups/<group>/<milliseconds since 1970, 20 digits>.json`. In `<group>` every byte but letters, digits, `.`, `_`
//! and `-` is `=` and two hexadecimal digits.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{ArchiveError, control};
use crate::{
    chain::keys::backup_folder,
    ports::objects::{ListRequest, Objects},
    record::{Millis, Offset, Partition, TopicId},
    segment::metadata::FORMAT_VERSION,
};

const FOLDER: &str = "=groups/";
const SUFFIX: &str = ".json";

/// What a group had committed at some time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupSnapshot {
    /// The version of this format.
    pub format_version: u32,
    /// The group's name.
    pub group: String,
    /// When Kafka was asked, by the clock of who asked.
    pub taken_at: Millis,
    /// What it had committed for topics of the backup, by topic and partition.
    pub offsets: Vec<GroupOffset>,
}

/// What a group had committed for a partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupOffset {
    /// The topic.
    pub topic: Arc<str>,
    /// Its id.
    pub topic_id: TopicId,
    /// The partition.
    pub partition: Partition,
    /// The offset of the next record that the group reads.
    pub offset: Offset,
}

impl GroupSnapshot {
    /// A snapshot of these offsets.
    #[must_use]
    pub fn new(group: &str, taken_at: Millis, offsets: Vec<GroupOffset>) -> Self {
        GroupSnapshot { format_version: FORMAT_VERSION, group: group.to_owned(), taken_at, offsets }
    }
}

/// Stores a snapshot; false where there is one of that moment.
///
/// # Errors
/// When the storage fails.
pub async fn store_group(objects: &dyn Objects, backup: &str, snapshot: &GroupSnapshot) -> Result<bool, ArchiveError> {
    let key = key(backup, &snapshot.group, snapshot.taken_at);
    Ok(control::compare_and_set(objects, &key, None, snapshot).await?.is_some())
}

/// The groups that a backup has snapshots of.
///
/// # Errors
/// When the storage fails.
pub async fn groups(objects: &dyn Objects, backup: &str) -> Result<Vec<String>, ArchiveError> {
    let prefix = format!("{}{FOLDER}", backup_folder(backup));
    let (mut found, mut after) = (vec![], String::new());
    loop {
        let page = objects.list(ListRequest { after: &after, folders: true, ..ListRequest::prefix(&prefix) }).await?;
        let names = page.folders.iter().filter_map(|folder| decode(folder.strip_prefix(&prefix)?.strip_suffix('/')?));
        found.extend(names);
        match page.next_after {
            Some(next) => after = next,
            None => return Ok(found),
        }
    }
}

/// When the snapshots of a group were taken, ascending.
///
/// # Errors
/// When the storage fails.
pub async fn group_moments(objects: &dyn Objects, backup: &str, group: &str) -> Result<Vec<Millis>, ArchiveError> {
    let prefix = folder(backup, group);
    let (mut found, mut after) = (vec![], String::new());
    loop {
        let page = objects.list(ListRequest { after: &after, ..ListRequest::prefix(&prefix) }).await?;
        let moment = |key: &str| key.strip_prefix(&prefix)?.strip_suffix(SUFFIX)?.parse().ok().map(Millis);
        found.extend(page.objects.iter().filter_map(|entry| moment(&entry.key)));
        match page.next_after {
            Some(next) => after = next,
            None => return Ok(found),
        }
    }
}

/// The latest snapshot of a group, or the latest that was taken at `until` or before.
///
/// # Errors
/// When the storage fails, or the snapshot cannot be read.
pub async fn latest_group(
    objects: &dyn Objects,
    backup: &str,
    group: &str,
    until: Option<Millis>,
) -> Result<Option<GroupSnapshot>, ArchiveError> {
    let moments = group_moments(objects, backup, group).await?;
    let Some(moment) = moments.into_iter().rfind(|moment| until.is_none_or(|until| *moment <= until)) else {
        return Ok(None);
    };
    Ok(control::read(objects, &key(backup, group, moment)).await?.map(|stored| stored.value))
}

fn folder(backup: &str, group: &str) -> String {
    format!("{}{FOLDER}{}/", backup_folder(backup), encode(group))
}

fn key(backup: &str, group: &str, taken_at: Millis) -> String {
    format!("{}{:020}{SUFFIX}", folder(backup, group), taken_at.0)
}

/// A group's name as part of a key. A leading point is written out too: `.` and `..` mean something to file systems.
fn encode(group: &str) -> String {
    let plain = |at: usize, byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte) || (byte == b'.' && at > 0);
    let sign = |(at, byte): (usize, u8)| {
        if plain(at, byte) { char::from(byte).to_string() } else { format!("={byte:02X}") }
    };
    group.bytes().enumerate().map(sign).collect()
}

fn decode(name: &str) -> Option<String> {
    let mut parts = name.split('=');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(part.get(..2)?, 16).ok()?);
        bytes.extend_from_slice(part[2..].as_bytes());
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::adapters::memory::{clock::ManualClock, objects::MemoryObjects};

    fn snapshot(group: &str, taken_at: i64, offset: i64) -> GroupSnapshot {
        let offset = GroupOffset {
            topic: "orders".into(),
            topic_id: "id".into(),
            partition: Partition(0),
            offset: Offset(offset),
        };
        GroupSnapshot::new(group, Millis(taken_at), vec![offset])
    }

    #[tokio::test]
    async fn a_later_snapshot_leaves_the_earlier_ones_and_each_moment_is_found() {
        let objects = MemoryObjects::new(Arc::new(ManualClock::at(Millis(1))));
        for (moment, offset) in [(10, 1), (20, 2), (30, 3)] {
            assert!(store_group(&objects, "main", &snapshot("shop/ü", moment, offset)).await.unwrap());
        }
        assert!(!store_group(&objects, "main", &snapshot("shop/ü", 30, 9)).await.unwrap());
        assert_eq!(groups(&objects, "main").await.unwrap(), ["shop/ü"]);
        let offset = async |until| {
            let found = latest_group(&objects, "main", "shop/ü", until).await.unwrap();
            found.map(|snapshot| snapshot.offsets[0].offset.0)
        };
        assert_eq!(offset(None).await, Some(3));
        assert_eq!(offset(Some(Millis(29))).await, Some(2));
        assert_eq!(offset(Some(Millis(9))).await, None);
    }

    proptest! {
        #[test]
        fn any_name_is_a_part_of_a_key_and_read_again(name in ".+") {
            let encoded = encode(&name);
            prop_assert!(encoded.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-=".contains(&byte)));
            prop_assert!(!encoded.starts_with('.'));
            prop_assert_eq!(decode(&encoded), Some(name));
        }
    }
}
