//! Incarnations: which topic of a name, among those that were deleted and created again (C4).

use serde::{Deserialize, Serialize};

use super::{ArchiveError, control};
use crate::{
    chain::keys,
    ports::objects::{ListRequest, Objects, ObjectsError},
    record::{Millis, TopicId},
    segment::metadata::FORMAT_VERSION,
};

/// How often a claim is tried when others claim at the same time.
const ATTEMPTS_MAX: u32 = 16;

/// The content of `=incarnations/<n>.json`. Once written it never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The version of this format.
    pub format_version: u32,
    /// The incarnation's number, from 1.
    pub incarnation: u32,
    /// The topic's id.
    pub topic_id: TopicId,
    /// When it was claimed, by the claimer's clock.
    pub claimed_at: Millis,
}

/// All claims of a topic, ascending by number.
pub async fn claims(objects: &dyn Objects, backup: &str, topic: &str) -> Result<Vec<Claim>, ArchiveError> {
    let folder = keys::incarnations_folder(backup, topic);
    let mut after = String::new();
    let mut claims: Vec<Claim> = vec![];
    loop {
        let page = objects.list(ListRequest { after: &after, ..ListRequest::prefix(&folder) }).await?;
        for entry in page.objects.iter().filter(|entry| keys::parse_incarnation(&entry.key).is_some()) {
            let claim = control::read(objects, &entry.key).await?;
            claims.push(claim.ok_or_else(|| ArchiveError::Missing { key: entry.key.clone() })?.value);
        }
        match page.next_after {
            Some(next) => after = next,
            None => break,
        }
    }
    claims.sort_by_key(|claim| claim.incarnation);
    Ok(claims)
}

/// The incarnation that has this topic id; claims the next number for it if none has.
pub async fn incarnation_of(
    objects: &dyn Objects,
    backup: &str,
    topic: &str,
    id: &TopicId,
    now: Millis,
) -> Result<u32, ArchiveError> {
    for _ in 0..ATTEMPTS_MAX {
        let known = claims(objects, backup, topic).await?;
        if let Some(claim) = known.iter().find(|claim| claim.topic_id == *id) {
            return Ok(claim.incarnation);
        }
        let incarnation = known.last().map_or(1, |claim| claim.incarnation + 1);
        let claim = Claim { format_version: FORMAT_VERSION, incarnation, topic_id: id.clone(), claimed_at: now };
        let key = keys::incarnation(backup, topic, incarnation);
        match control::compare_and_set(objects, &key, None, &claim).await {
            Ok(Some(_)) => return Ok(incarnation),
            Ok(None) | Err(ArchiveError::Objects(ObjectsError::Conflict { .. })) => {}
            Err(error) => return Err(error),
        }
    }
    Err(ArchiveError::Contended { topic: topic.to_owned(), id: id.clone() })
}
