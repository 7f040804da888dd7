//! Whose a backup is.

use serde::{Deserialize, Serialize};

use super::{ArchiveError, control};
use crate::{chain::keys, ports::objects::Objects, segment::metadata::FORMAT_VERSION};

/// The content of `=owner.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The version of the layout.
    pub format_version: u32,
    /// The backup's name.
    pub backup: String,
    /// The id of the Kafka cluster it is a backup of.
    pub cluster_id: String,
}

/// Claims the backup for a cluster, or checks that it is claimed for it already.
pub async fn claim_owner(objects: &dyn Objects, backup: &str, cluster_id: &str) -> Result<(), ArchiveError> {
    let key = keys::owner(backup);
    if check_owner(objects, backup, cluster_id).await? {
        return Ok(());
    }
    let wanted = owned(backup, cluster_id);
    if control::compare_and_set(objects, &key, None, &wanted).await?.is_some() {
        return Ok(());
    }
    let found = read_owner(objects, backup).await?;
    compare(key.clone(), found.ok_or(ArchiveError::Missing { key })?, wanted)
}

/// Checks that the backup is claimed for this cluster and for no other; `false` where nobody claimed it.
pub async fn check_owner(objects: &dyn Objects, backup: &str, cluster_id: &str) -> Result<bool, ArchiveError> {
    let Some(found) = read_owner(objects, backup).await? else { return Ok(false) };
    compare(keys::owner(backup), found, owned(backup, cluster_id)).map(|()| true)
}

fn owned(backup: &str, cluster_id: &str) -> Owner {
    Owner { format_version: FORMAT_VERSION, backup: backup.to_owned(), cluster_id: cluster_id.to_owned() }
}

/// Whose the backup is; `None` where nobody claimed it.
pub async fn read_owner(objects: &dyn Objects, backup: &str) -> Result<Option<Owner>, ArchiveError> {
    Ok(control::read(objects, &keys::owner(backup)).await?.map(|stored| stored.value))
}

fn compare(key: String, found: Owner, wanted: Owner) -> Result<(), ArchiveError> {
    if found == wanted {
        return Ok(());
    }
    Err(ArchiveError::OtherOwner {
        key,
        owner_backup: found.backup,
        owner_cluster: found.cluster_id,
        backup: wanted.backup,
        cluster: wanted.cluster_id,
    })
}
