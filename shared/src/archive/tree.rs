//! Which backups, topics and chains a storage holds.

use super::{ArchiveError, Claim, claims, listing::folders_below, read_owner};
use crate::{
    chain::{
        ChainIdentity, keys,
        place::{Place, classify},
    },
    ports::objects::{ListRequest, Objects},
    record::Partition,
};

/// The names of the backups below the storage's prefix: the folders that have an owner.
pub async fn backups(objects: &dyn Objects) -> Result<Vec<String>, ArchiveError> {
    let mut owned = vec![];
    for name in folders(objects, "").await? {
        if read_owner(objects, &name).await?.is_some() {
            owned.push(name);
        }
    }
    Ok(owned)
}

/// The names of the folders that look like backups and have no owner.
pub async fn ownerless(objects: &dyn Objects) -> Result<Vec<String>, ArchiveError> {
    let mut ownerless = vec![];
    for name in folders(objects, "").await? {
        if read_owner(objects, &name).await?.is_none() && holds_anything_of_ours(objects, &name).await? {
            ownerless.push(name);
        }
    }
    Ok(ownerless)
}

async fn holds_anything_of_ours(objects: &dyn Objects, name: &str) -> Result<bool, ArchiveError> {
    let page = objects.list(ListRequest::prefix(&keys::backup_folder(name))).await?;
    Ok(page.objects.iter().any(|entry| classify(name, &entry.key) != Place::Foreign))
}

/// The names of the topics that a backup holds.
pub async fn topics(objects: &dyn Objects, backup: &str) -> Result<Vec<String>, ArchiveError> {
    folders(objects, &keys::backup_folder(backup)).await
}

/// The chains of a claimed incarnation of a topic, ascending by partition. `cluster_id` is the owner's.
pub async fn chains(
    objects: &dyn Objects,
    cluster_id: &str,
    backup: &str,
    topic: &str,
    claim: &Claim,
) -> Result<Vec<ChainIdentity>, ArchiveError> {
    let names = folders(objects, &keys::incarnation_folder(backup, topic, claim.incarnation)).await?;
    let mut partitions: Vec<i32> = names.iter().filter_map(|name| name.parse().ok()).collect();
    partitions.sort_unstable();
    let chain = |partition| ChainIdentity {
        cluster_id: cluster_id.to_owned(),
        backup: backup.to_owned(),
        topic: topic.into(),
        topic_id: claim.topic_id.clone(),
        incarnation: claim.incarnation,
        partition: Partition(partition),
    };
    Ok(partitions.into_iter().map(chain).collect())
}

/// The chains of all incarnations of a topic. `cluster_id` is the owner's.
pub async fn chains_of_topic(
    objects: &dyn Objects,
    cluster_id: &str,
    backup: &str,
    topic: &str,
) -> Result<Vec<ChainIdentity>, ArchiveError> {
    let mut all = vec![];
    for claim in claims(objects, backup, topic).await? {
        all.extend(chains(objects, cluster_id, backup, topic, &claim).await?);
    }
    Ok(all)
}

/// The names of the folders right below `prefix`, without those of our own (`=...`).
async fn folders(objects: &dyn Objects, prefix: &str) -> Result<Vec<String>, ArchiveError> {
    let mut names = folders_below(objects, prefix).await?;
    names.retain(|name| !name.starts_with('='));
    Ok(names)
}
