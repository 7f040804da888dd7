//! Which backups, topics and chains there are.

use crate::{
    archive::{self, ArchiveError, Claim, Owner},
    chain::ChainIdentity,
    ports::objects::Objects,
};

/// A backup of the storage.
#[derive(Debug, Clone)]
pub struct HeldBackup {
    /// Whose it is.
    pub owner: Owner,
}

/// An incarnation of a topic in a backup.
#[derive(Debug, Clone)]
pub struct HeldTopic {
    /// The topic's name.
    pub topic: String,
    /// Which one it is, and when it was first seen.
    pub claim: Claim,
    /// Its partitions' chains.
    pub chains: Vec<ChainIdentity>,
}

/// The backups of a storage, or the one of that name.
///
/// # Errors
/// [`ArchiveError::NoBackup`] when the storage holds none of that name.
pub async fn backups(objects: &dyn Objects, only: Option<&str>) -> Result<Vec<HeldBackup>, ArchiveError> {
    let names = match only {
        Some(name) => vec![name.to_owned()],
        None => archive::backups(objects).await?,
    };
    let mut held = vec![];
    for name in names {
        let owner = archive::read_owner(objects, &name).await?;
        held.push(HeldBackup { owner: owner.ok_or(ArchiveError::NoBackup { backup: name })? });
    }
    Ok(held)
}

/// The topics of a backup that `wanted` says yes to, every incarnation of them.
pub async fn topics(
    objects: &dyn Objects,
    backup: &HeldBackup,
    wanted: impl Fn(&str) -> bool,
) -> Result<Vec<HeldTopic>, ArchiveError> {
    let mut held = vec![];
    let mut topics = archive::topics(objects, &backup.owner.backup).await?;
    topics.retain(|topic| wanted(topic));
    for topic in topics {
        held.extend(incarnations(objects, backup, &topic).await?);
    }
    Ok(held)
}

/// Every incarnation of a topic.
pub async fn incarnations(
    objects: &dyn Objects,
    backup: &HeldBackup,
    topic: &str,
) -> Result<Vec<HeldTopic>, ArchiveError> {
    let Owner { backup, cluster_id, .. } = &backup.owner;
    let mut held = vec![];
    for claim in archive::claims(objects, backup, topic).await? {
        let chains = archive::chains(objects, cluster_id, backup, topic, &claim).await?;
        held.push(HeldTopic { topic: topic.to_owned(), claim, chains });
    }
    Ok(held)
}
