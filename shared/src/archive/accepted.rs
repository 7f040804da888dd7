//! Missing tails that somebody has accepted (C5): `=accepted-loss.json` in a chain's folder.
//!
//! ```json
//! { "format_version": 1, "losses": [ { "frontier": 100, "witness": 200, "accepted_at": 1700000000000, "resumed_at": 1700000001000 } ] }
//! ```
//! It lies in the storage, so that everybody who writes obeys it, and changes by compare-and-set only: losses are added at
//! the end and never taken away. How many there are is part of the order of a chain's figures, since behind a loss the
//! frontier is lower than it was. The first writer that goes on notes it before it writes (`resumed_at`): from then on the
//! acceptance excuses nothing more, also not the same tail going missing again.

use serde::{Deserialize, Serialize};

use super::{ArchiveError, json};
use crate::{
    chain::{ChainIdentity, Seal, SealKey, SealRule, keys, seal::Worth},
    ports::objects::{ETag, Objects, PutCondition},
    record::{Millis, Offset},
    segment::metadata::FORMAT_VERSION,
};

/// A tail that is missing from the storage, as it was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcceptedLoss {
    /// Where the storage ended.
    pub frontier: Offset,
    /// What was said to be stored: the greatest of committed offset and last standing.
    pub witness: Offset,
    /// When it was accepted, by the clock of whoever did.
    pub accepted_at: Millis,
    /// When writing went on, by the writer's clock; absent as long as it has not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resumed_at: Option<Millis>,
}

impl AcceptedLoss {
    /// A loss that is accepted now.
    #[must_use]
    pub fn new(frontier: Offset, witness: Offset, accepted_at: Millis) -> Self {
        AcceptedLoss { frontier, witness, accepted_at, resumed_at: None }
    }

    /// Whether it excuses this loss: of a chain that ends at `frontier`, where everything below `witness` was stored.
    #[must_use]
    pub fn covers(&self, frontier: Offset, witness: Offset) -> bool {
        self.resumed_at.is_none() && self.frontier == frontier && witness <= self.witness
    }
}

/// The accepted losses of a chain, in the order in which they were.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AcceptedLosses {
    /// The losses.
    pub losses: Vec<AcceptedLoss>,
    /// Their object's tag; `None` where there is no object.
    pub etag: Option<ETag>,
    /// The seal of whoever accepted the last of them with a key.
    pub seal: Option<Seal>,
}

/// The content of the object.
#[derive(Debug, Serialize, Deserialize)]
struct Content {
    format_version: u32,
    losses: Vec<AcceptedLoss>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seal: Option<Seal>,
}

impl AcceptedLosses {
    /// What the seal on them is worth.
    #[must_use]
    pub fn worth(&self, chain: &ChainIdentity, rule: &SealRule) -> Worth {
        rule.of_losses(chain, &text_of(&self.losses), self.seal.as_ref())
    }

    /// Whether one was accepted and nobody has gone on since.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.losses.iter().any(|loss| loss.resumed_at.is_none())
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u32 {
        u32::try_from(self.losses.len()).unwrap_or(u32::MAX)
    }

    /// Whether one of them is of a chain that ends at `frontier`, where everything below `witness` was stored.
    #[must_use]
    pub fn cover(&self, frontier: Offset, witness: Offset) -> bool {
        self.losses.iter().any(|loss| loss.covers(frontier, witness))
    }
}

/// Reads the accepted losses of a chain.
pub async fn read_accepted_losses(
    objects: &dyn Objects,
    chain: &ChainIdentity,
) -> Result<AcceptedLosses, ArchiveError> {
    accepted_losses_in(objects, &keys::chain_folder(chain)).await
}

/// The same of the chain in this folder.
pub async fn accepted_losses_in(objects: &dyn Objects, folder: &str) -> Result<AcceptedLosses, ArchiveError> {
    let read: Option<(Content, ETag)> = json::read(objects, &keys::accepted_loss_in(folder)).await?;
    Ok(read.map_or_else(AcceptedLosses::default, |(content, etag)| AcceptedLosses {
        losses: content.losses,
        etag: Some(etag),
        seal: content.seal,
    }))
}

/// What a seal is over. A field that a later version adds must be left out where it is absent.
fn text_of(losses: &[AcceptedLoss]) -> String {
    serde_json::to_string(losses).unwrap_or_default()
}

/// Adds a loss to those that were read, sealed where there is a key. When somebody else accepted meanwhile nothing changes, and the store's refusal is
/// the answer.
pub async fn accept_loss(
    objects: &dyn Objects,
    chain: &ChainIdentity,
    known: AcceptedLosses,
    loss: AcceptedLoss,
    seal_key: Option<&SealKey>,
) -> Result<(), ArchiveError> {
    let losses = known.losses.into_iter().chain([loss]).collect();
    put(objects, chain, losses, known.etag, seal_key).await.map(drop)
}

/// Notes that writing goes on behind all losses that were read; answers what is there then. Refused as above.
pub async fn resume_writing(
    objects: &dyn Objects,
    chain: &ChainIdentity,
    known: AcceptedLosses,
    now: Millis,
    seal_key: Option<&SealKey>,
) -> Result<AcceptedLosses, ArchiveError> {
    let resumed = |loss: AcceptedLoss| AcceptedLoss { resumed_at: loss.resumed_at.or(Some(now)), ..loss };
    let losses = known.losses.into_iter().map(resumed).collect();
    put(objects, chain, losses, known.etag, seal_key).await
}

async fn put(
    objects: &dyn Objects,
    chain: &ChainIdentity,
    losses: Vec<AcceptedLoss>,
    from: Option<ETag>,
    seal_key: Option<&SealKey>,
) -> Result<AcceptedLosses, ArchiveError> {
    let key = keys::accepted_loss(chain);
    let condition = from.map_or(PutCondition::IfAbsent, PutCondition::IfMatch);
    let seal = seal_key.map(|seal_key| seal_key.losses(chain, &text_of(&losses)));
    let content = Content { format_version: FORMAT_VERSION, losses, seal };
    let etag = objects.put(&key, json::bytes(&key, &content)?, condition).await?;
    Ok(AcceptedLosses { losses: content.losses, etag: Some(etag), seal: content.seal })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        adapters::memory::{clock::ManualClock, objects::MemoryObjects},
        ports::objects::{GetRange, ObjectsError},
    };

    const GOLDEN: &str = "{\n  \"format_version\": 1,\n  \"losses\": [\n    {\n      \"frontier\": 100,\n      \"witness\": 200,\n      \
                          \"accepted_at\": 1700000000000\n    }\n  ]\n}\n";

    fn loss() -> AcceptedLoss {
        AcceptedLoss::new(Offset(100), Offset(200), Millis(1_700_000_000_000))
    }

    #[tokio::test]
    async fn the_object_is_the_golden_one_and_fields_that_a_later_version_adds_are_passed_over() {
        let (objects, chain) = (MemoryObjects::new(Arc::new(ManualClock::at(Millis(0)))), ChainIdentity::example());
        assert_eq!(read_accepted_losses(&objects, &chain).await.unwrap(), AcceptedLosses::default());
        accept_loss(&objects, &chain, AcceptedLosses::default(), loss(), None).await.unwrap();
        let key = "main/orders/1/0/=accepted-loss.json";
        let object = objects.get(key, GetRange::Whole).await.unwrap().unwrap();
        assert_eq!(std::str::from_utf8(&object.body).unwrap(), GOLDEN);

        let later = GOLDEN.replace("\"witness\"", "\"by\": \"me\", \"witness\"").replacen('{', "{\"more\": 1,", 1);
        objects.put(key, later.into(), PutCondition::IfMatch(object.etag)).await.unwrap();
        assert_eq!(read_accepted_losses(&objects, &chain).await.unwrap().losses, [loss()]);
    }

    #[tokio::test]
    async fn of_two_who_accept_at_once_one_is_refused() {
        let (objects, chain) = (MemoryObjects::new(Arc::new(ManualClock::at(Millis(0)))), ChainIdentity::example());
        for before in 0..2 {
            let known = read_accepted_losses(&objects, &chain).await.unwrap();
            assert_eq!(known.losses.len(), before);
            accept_loss(&objects, &chain, known.clone(), loss(), None).await.unwrap();
            let refused = accept_loss(&objects, &chain, known, loss(), None).await.unwrap_err();
            assert!(matches!(refused, ArchiveError::Objects(ObjectsError::PreconditionFailed { .. })), "{refused}");
        }
    }

    #[tokio::test]
    async fn an_acceptance_is_used_up_when_writing_goes_on() {
        let (objects, chain) = (MemoryObjects::new(Arc::new(ManualClock::at(Millis(0)))), ChainIdentity::example());
        accept_loss(&objects, &chain, AcceptedLosses::default(), loss(), None).await.unwrap();
        let known = read_accepted_losses(&objects, &chain).await.unwrap();
        assert!(known.is_pending() && known.cover(Offset(100), Offset(200)));
        let resumed = resume_writing(&objects, &chain, known.clone(), Millis(7), None).await.unwrap();
        assert_eq!(read_accepted_losses(&objects, &chain).await.unwrap(), resumed);
        assert!(!resumed.is_pending() && !resumed.cover(Offset(100), Offset(200)));
        let refused = resume_writing(&objects, &chain, known, Millis(8), None).await.unwrap_err();
        assert!(matches!(refused, ArchiveError::Objects(ObjectsError::PreconditionFailed { .. })), "{refused}");
    }

    #[test]
    fn a_loss_covers_that_frontier_and_witnesses_up_to_its_own() {
        let covers = |frontier, witness| loss().covers(Offset(frontier), Offset(witness));
        assert!(covers(100, 200) && covers(100, 150));
        assert!(!covers(100, 201) && !covers(99, 200) && !covers(150, 180));
    }
}
