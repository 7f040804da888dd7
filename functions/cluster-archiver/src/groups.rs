//! The offsets that consumer groups have committed.
//!
//! A snapshot is written when it differs from the one before. What an answer of Kafka does not have is taken over from there
//! (`archive/groups.rs`), so no answer takes anything away.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use futures::{StreamExt as _, stream};
use serde::Serialize;
use shared::{
    archive::{self, GroupOffset},
    ports::records::Topic,
    record::{Offset, Partition, TopicId, TopicPartition},
    runs::Failed,
};

use crate::{Backup, ClusterError, Context};

/// Highwater's own groups: they are of no use to anybody else.
const OWN_GROUPS: &str = "highwater.";
/// So many groups are asked about at the same time; each has a client of its own for that time.
const GROUPS_AT_ONCE: usize = 4;

/// What became of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GroupReport {
    /// The backup.
    pub backup: String,
    /// The group.
    pub group: String,
    /// What became of it.
    pub outcome: GroupOutcome,
    /// For how many partitions its offsets are known.
    pub partitions: usize,
    /// Why it is not in the backup.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What became of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupOutcome {
    /// A snapshot was written.
    Stored,
    /// The last snapshot says the same.
    Unchanged,
    /// It has committed nothing for the backup's topics.
    Nothing,
    /// It could not be asked, or not be stored.
    Failed,
}

/// An answer, without what tells when it came.
type Answer = BTreeMap<(Arc<str>, Partition), (TopicId, Offset)>;

/// What was answered and stored last, by backup and group: who asks every minute needs no look at the storage as long as
/// nothing changes.
#[derive(Default)]
pub(crate) struct Known(Mutex<BTreeMap<(String, String), (Answer, usize)>>);

impl Known {
    fn partitions(&self, backup: &str, group: &str, answer: &Answer) -> Option<usize> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (known, partitions) = known.get(&(backup.to_owned(), group.to_owned()))?;
        (known == answer).then_some(*partitions)
    }

    fn set(&self, backup: &str, group: &str, answer: Answer, partitions: usize) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert((backup.to_owned(), group.to_owned()), (answer, partitions));
    }
}

/// Keeps what the backup's groups have committed for its topics.
pub(crate) async fn keep(
    context: &Context,
    backup: &Backup,
    topics: &[Topic],
    failed: &mut Vec<Failed>,
) -> Result<Vec<GroupReport>, ClusterError> {
    if backup.groups.is_empty() || topics.is_empty() {
        return Ok(vec![]);
    }
    let is_kept = |name: &str| !name.starts_with(OWN_GROUPS) && backup.groups.iter().any(|it| it.matches(name));
    let listed = context.kafka.groups().await?;
    let names = listed.into_iter().map(|group| group.name).filter(|name| is_kept(name));
    let looks = names.map(async |group| {
        let kept = keep_one(context, backup, &group, topics).await;
        (group, kept)
    });
    let looks: Vec<_> = stream::iter(looks).buffered(GROUPS_AT_ONCE).collect().await;
    Ok(looks.into_iter().map(|(group, kept)| report(backup, group, kept, failed)).collect())
}

fn report(
    backup: &Backup,
    group: String,
    kept: Result<(GroupOutcome, usize), ClusterError>,
    failed: &mut Vec<Failed>,
) -> GroupReport {
    let (outcome, partitions, error) = match kept {
        Ok((outcome, partitions)) => (outcome, partitions, None),
        Err(error) => {
            failed.push(Failed::run(error.kind(), &format!("group {group} is not kept: {error}")));
            (GroupOutcome::Failed, 0, Some(error.to_string()))
        }
    };
    GroupReport { backup: backup.name.clone(), group, outcome, partitions, error }
}

async fn keep_one(
    context: &Context,
    backup: &Backup,
    group: &str,
    topics: &[Topic],
) -> Result<(GroupOutcome, usize), ClusterError> {
    let answer = ask(context, group, topics).await?;
    if answer.is_empty() {
        return Ok((GroupOutcome::Nothing, 0));
    }
    if let Some(partitions) = context.known_groups.partitions(&backup.name, group, &answer) {
        return Ok((GroupOutcome::Unchanged, partitions));
    }
    let now = context.clock.now();
    let offset = |((topic, partition), (topic_id, offset)): (&(Arc<str>, Partition), &(TopicId, Offset))| GroupOffset {
        topic: topic.clone(),
        topic_id: topic_id.clone(),
        partition: *partition,
        offset: *offset,
        seen_at: now,
    };
    let offsets = answer.iter().map(offset).collect();
    let (snapshot, is_new) = archive::store_group(&*context.objects, &backup.name, group, now, offsets).await?;
    let partitions = snapshot.offsets.len();
    context.known_groups.set(&backup.name, group, answer, partitions);
    Ok((if is_new { GroupOutcome::Stored } else { GroupOutcome::Unchanged }, partitions))
}

/// What the group has committed for these topics. Of a topic that was created again meanwhile nobody knows to which of the two
/// an offset belongs: it is left out until the next look.
async fn ask(context: &Context, group: &str, topics: &[Topic]) -> Result<Answer, ClusterError> {
    let partitions: Vec<TopicPartition> = topics.iter().flat_map(Topic::each_partition).collect();
    let committed = context.kafka.committed_once(group, &partitions).await?;
    let found = partitions.into_iter().zip(committed).filter_map(|(partition, offset)| Some((partition, offset?)));
    let found: Vec<_> = found.collect();
    if found.is_empty() {
        return Ok(Answer::new());
    }
    let names: std::collections::BTreeSet<_> = found.iter().map(|(partition, _)| partition.topic.clone()).collect();
    let after = context.kafka.topics(Some(&names.into_iter().collect::<Vec<_>>())).await?;
    let id = |name: &str| {
        let before = topics.iter().find(|topic| *topic.name == *name)?;
        after.iter().any(|topic| topic.id == before.id).then(|| before.id.clone())
    };
    let of = |(partition, offset): (TopicPartition, Offset)| {
        let id = id(&partition.topic)?;
        Some(((partition.topic, partition.partition), (id, offset)))
    };
    Ok(found.into_iter().filter_map(of).collect())
}
