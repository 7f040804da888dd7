//! What consumer groups had committed: a folder of snapshots for each group.
//!
//! `<backup>/=groups/<group>/<milliseconds since 1970, 20 digits>.json`. In `<group>` every byte but letters, digits, `.`, `_`
//! and `-` is `=` and two hexadecimal digits.
//!
//! A snapshot says all that is known by then: what Kafka's answer does not have any more (the topic was deleted, the offset
//! expired, the group is gone) is taken over from the snapshot before it. So an empty or a partial answer takes nothing away.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{
    ArchiveError,
    listing::folders_below,
    snapshots::{Snapshots, encode},
};
use crate::{
    chain::keys,
    ports::objects::Objects,
    record::{Millis, Offset, Partition, TopicId},
    segment::metadata::FORMAT_VERSION,
};

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
    /// When Kafka first answered this offset.
    pub seen_at: Millis,
}

impl GroupSnapshot {
    /// What is known of a group when Kafka answers these offsets after what was known `before`.
    #[must_use]
    pub fn next(before: Option<&GroupSnapshot>, group: &str, taken_at: Millis, answer: Vec<GroupOffset>) -> Self {
        let place = |offset: &GroupOffset| (offset.topic.clone(), offset.partition);
        let known = before.into_iter().flat_map(|before| &before.offsets);
        let mut offsets: BTreeMap<_, _> = known.map(|offset| (place(offset), offset.clone())).collect();
        for offset in answer {
            let known = offsets.get(&place(&offset));
            let is_known = known.is_some_and(|known| known.says_the_same(&offset));
            if !is_known {
                offsets.insert(place(&offset), offset);
            }
        }
        // A clock that was set back puts no snapshot before an earlier one.
        let taken_at = before.map_or(taken_at, |before| taken_at.max(Millis(before.taken_at.0.saturating_add(1))));
        let (group, offsets) = (group.to_owned(), offsets.into_values().collect());
        GroupSnapshot { format_version: FORMAT_VERSION, group, taken_at, offsets }
    }

    /// What it had committed for this topic, of the topics of its name the one with this id.
    pub fn of_topic<'a>(&'a self, topic: &'a str, id: &'a TopicId) -> impl Iterator<Item = &'a GroupOffset> {
        self.offsets.iter().filter(move |offset| *offset.topic == *topic && offset.topic_id == *id)
    }
}

impl GroupOffset {
    fn says_the_same(&self, other: &GroupOffset) -> bool {
        self.topic_id == other.topic_id && self.offset == other.offset
    }
}

/// Stores what Kafka answered of a group, where the last snapshot does not say the same. Answers the snapshot, and whether it
/// is new.
pub async fn store_group(
    objects: &dyn Objects,
    backup: &str,
    group: &str,
    now: Millis,
    answer: Vec<GroupOffset>,
) -> Result<(GroupSnapshot, bool), ArchiveError> {
    let snapshots = of_group(objects, backup, group);
    let moments = snapshots.moments().await?;
    let before: Option<GroupSnapshot> = match moments.last() {
        Some(moment) => snapshots.read(*moment).await?,
        None => None,
    };
    let next = GroupSnapshot::next(before.as_ref(), group, now, answer);
    if let Some(before) = before.filter(|before| before.offsets == next.offsets) {
        return Ok((before, false));
    }
    snapshots.store(next.taken_at, &next).await?;
    if let Err(error) = snapshots.thin(&moments, now).await {
        // A bucket that keeps everything, by an object lock perhaps, only keeps more.
        tracing::warn!(group, backup, error = &error as &dyn std::error::Error, "old snapshots of a group not deleted");
    }
    Ok((next, true))
}

/// The groups that a backup has snapshots of.
pub async fn groups(objects: &dyn Objects, backup: &str) -> Result<Vec<String>, ArchiveError> {
    let prefix = keys::groups_folder(backup);
    let names = folders_below(objects, &prefix).await?;
    Ok(names.iter().filter_map(|name| decode(name)).collect())
}

/// When the snapshots of a group were taken, ascending.
pub async fn group_moments(objects: &dyn Objects, backup: &str, group: &str) -> Result<Vec<Millis>, ArchiveError> {
    of_group(objects, backup, group).moments().await
}

/// The latest snapshot of a group, or the latest that was taken at `until` or before.
pub async fn latest_group(
    objects: &dyn Objects,
    backup: &str,
    group: &str,
    until: Option<Millis>,
) -> Result<Option<GroupSnapshot>, ArchiveError> {
    of_group(objects, backup, group).latest(until).await
}

fn of_group<'a>(objects: &'a dyn Objects, backup: &str, group: &str) -> Snapshots<'a> {
    Snapshots::new(objects, format!("{}{}/", keys::groups_folder(backup), encode(group)))
}

fn decode(name: &str) -> Option<String> {
    let mut parts = name.split('=');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(part.get(..2)?, 16).ok()?);
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::adapters::memory::{clock::ManualClock, objects::MemoryObjects};

    fn offset(topic_id: &str, partition: i32, offset: i64, seen_at: i64) -> GroupOffset {
        GroupOffset {
            topic: "orders".into(),
            topic_id: topic_id.into(),
            partition: Partition(partition),
            offset: Offset(offset),
            seen_at: Millis(seen_at),
        }
    }

    fn memory() -> MemoryObjects {
        MemoryObjects::new(Arc::new(ManualClock::at(Millis(1))))
    }

    async fn store(objects: &MemoryObjects, at: i64, answer: Vec<GroupOffset>) -> (GroupSnapshot, bool) {
        store_group(objects, "main", "shop/ü", Millis(at), answer).await.unwrap()
    }

    #[tokio::test]
    async fn a_later_snapshot_leaves_the_earlier_ones_and_each_moment_is_found() {
        let objects = memory();
        for (moment, at) in [(10, 1), (20, 2), (30, 3)] {
            assert!(store(&objects, moment, vec![offset("id", 0, at, moment)]).await.1);
        }
        assert!(!store(&objects, 40, vec![offset("id", 0, 3, 40)]).await.1, "the same is not stored again");
        assert_eq!(groups(&objects, "main").await.unwrap(), ["shop/ü"]);
        let at = async |until| {
            let found = latest_group(&objects, "main", "shop/ü", until).await.unwrap();
            found.map(|snapshot| snapshot.offsets[0].offset.0)
        };
        assert_eq!(at(None).await, Some(3));
        assert_eq!(at(Some(Millis(29))).await, Some(2));
        assert_eq!(at(Some(Millis(9))).await, None);
    }

    #[tokio::test]
    async fn an_empty_or_a_partial_answer_takes_nothing_away() {
        let objects = memory();
        let both = vec![offset("id", 0, 5, 10), offset("id", 1, 7, 10)];
        store(&objects, 10, both.clone()).await;
        assert_eq!(store(&objects, 20, vec![]).await.0.offsets, both);
        let (snapshot, is_new) = store(&objects, 30, vec![offset("id", 1, 8, 30)]).await;
        assert_eq!((snapshot.offsets, is_new), (vec![offset("id", 0, 5, 10), offset("id", 1, 8, 30)], true));
    }

    #[tokio::test]
    async fn a_topic_that_was_created_again_has_offsets_of_its_own() {
        let objects = memory();
        store(&objects, 10, vec![offset("old", 0, 5, 10), offset("old", 1, 5, 10)]).await;
        let (snapshot, _) = store(&objects, 20, vec![offset("new", 0, 5, 20)]).await;
        let of = |id: &str| snapshot.of_topic("orders", &id.into()).map(|it| it.partition.0).collect::<Vec<_>>();
        assert_eq!((of("new"), of("old")), (vec![0], vec![1]));
    }

    #[tokio::test]
    async fn a_clock_that_was_set_back_hides_no_later_snapshot() {
        let objects = memory();
        store(&objects, 50, vec![offset("id", 0, 5, 50)]).await;
        store(&objects, 20, vec![offset("id", 0, 6, 20)]).await;
        let latest = latest_group(&objects, "main", "shop/ü", None).await.unwrap().unwrap();
        assert_eq!((latest.offsets[0].offset, latest.taken_at), (Offset(6), Millis(51)));
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
