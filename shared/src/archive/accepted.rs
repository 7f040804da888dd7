//! Missing tails that somebody has accepted (C5): `=accepted-loss.json` in a chain's folder.
//!
//! ```json
//! { "format_version": 1, "losses": [ { "frontier": 100, "witness": 200, "accepted_at": 1700000000000, "resumed_at": 1700000001000 } ] }
//! ```
//! It lies in the storage, so that everybody who writes obeys it, and changes by compare-and-set only: losses are added at
//! the end and never taken away, and so are the cuts that they make. How many steps they took is part of the order of a chain's figures, since behind a loss the
//! frontier is lower than it was. The first writer that goes on notes it before it writes (`resumed_at`): from then on the
//! acceptance excuses nothing more, also not the same tail going missing again.
//!
//! Accepting is two steps. The loss is noted as `"cut": "proposed"`: since a writer looks at this object behind every PUT and
//! acknowledges nothing where it has changed, what is put from then on was acknowledged by nobody. Then somebody decides,
//! whoever accepts or else the next writer: the floor is written anew, so that nobody moves it to where it would have been;
//! and where nothing begins at the frontier or above that was there before, the chain is cut ([`crate::chain::cuts`]): `"made"`.
//! Where something was there the chain had gone on, and the acceptance is void: `"refused"`. What came in the same moment may
//! have been acknowledged and is cut off all the same: Kafka has it still, and its commit is above what was accepted, so that
//! is asked for again. A loss that is proposed or refused excuses nothing. One without `cut` was accepted by an earlier
//! version: it excuses, and cuts nothing.

use serde::{Deserialize, Serialize};

use super::{
    ArchiveError, StoredFloor,
    control::{self, Stored},
    floor::touch_floor,
    segments::is_any_from,
};
use crate::{
    chain::{ChainIdentity, Cuts, Floor, Seal, SealKey, SealRule, keys, seal::Worth},
    ports::objects::{ETag, Objects},
    record::{Millis, Offset},
    segment::metadata::FORMAT_VERSION,
};

/// A store's dates are of whole seconds: what is no further apart may have been written in either order.
const SAME_MOMENT_MS: i64 = 2_000;

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
    /// Whether the chain is cut at the frontier; absent where an earlier version accepted it: it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut: Option<Cut>,
}

/// How far a chain is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cut {
    /// It is not decided yet.
    Proposed,
    /// It is not: the chain had gone on.
    Refused,
    /// What begins at the frontier or above, of a writer that does not know of it, does not exist.
    Made,
}

impl AcceptedLoss {
    /// A loss as it is noted now.
    #[must_use]
    pub fn new(frontier: Offset, witness: Offset, accepted_at: Millis) -> Self {
        AcceptedLoss { frontier, witness, accepted_at, resumed_at: None, cut: None }
    }

    /// Whether it excuses this loss: of a chain that ends at `frontier`, where everything below `witness` was stored.
    #[must_use]
    pub fn covers(&self, frontier: Offset, witness: Offset) -> bool {
        self.resumed_at.is_none() && self.is_accepted_at(frontier) && witness <= self.witness
    }

    fn is_accepted_at(&self, frontier: Offset) -> bool {
        !matches!(self.cut, Some(Cut::Proposed | Cut::Refused)) && self.frontier == frontier
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
    /// When they were last written, by the store's clock, where they were read.
    pub modified: Option<Millis>,
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
        self.losses.iter().any(|loss| loss.resumed_at.is_none() && loss.is_accepted_at(loss.frontier))
    }

    /// Whether one is proposed, and nobody has decided about it.
    #[must_use]
    pub fn is_proposed(&self) -> bool {
        self.proposed().is_some()
    }

    /// The one that is proposed, where nobody has decided about it.
    #[must_use]
    pub fn proposed(&self) -> Option<&AcceptedLoss> {
        self.losses.iter().find(|loss| loss.cut == Some(Cut::Proposed))
    }

    /// How many steps the chain was taken back in: each of them is noted, and then decided. What was said of the chain
    /// between the two may lie above what it is then, as what was said before.
    #[must_use]
    pub fn steps(&self) -> u32 {
        let decided = self.losses.iter().filter(|loss| matches!(loss.cut, Some(Cut::Refused | Cut::Made)));
        u32::try_from(self.losses.len() + decided.count()).unwrap_or(u32::MAX)
    }

    /// The ranges [frontier, witness) that were accepted, used up or not.
    #[must_use]
    pub fn ranges(&self) -> Vec<(Offset, Offset)> {
        let accepted = self.losses.iter().filter(|loss| loss.is_accepted_at(loss.frontier));
        accepted.map(|loss| (loss.frontier, loss.witness)).collect()
    }

    /// Where they have cut the chain.
    #[must_use]
    pub fn cuts(&self) -> Cuts {
        let made = self.losses.iter().filter(|loss| loss.cut == Some(Cut::Made));
        Cuts::at(made.map(|loss| loss.frontier).collect())
    }

    /// Whether one was accepted of a chain that ends at `frontier`, used up or not.
    #[must_use]
    pub fn has_one_at(&self, frontier: Offset) -> bool {
        self.losses.iter().any(|loss| loss.is_accepted_at(frontier))
    }

    /// The same losses when nobody vouches for them, so that they excuse nothing more. Cuts stay, since segments are named
    /// after them.
    #[must_use]
    pub fn disowned(mut self, now: Millis) -> Self {
        for loss in &mut self.losses {
            loss.resumed_at = loss.resumed_at.or(Some(now));
            loss.cut = Some(if loss.cut == Some(Cut::Made) { Cut::Made } else { Cut::Refused });
        }
        self
    }

    /// Whether nothing need lie behind a floor: that it is missing was accepted, and the floor moved there before, as the
    /// store dates both. A floor that came to a cut later had a segment there.
    #[must_use]
    pub fn excuse(&self, floor: &StoredFloor) -> bool {
        let dates = floor.moved_at.zip(self.modified);
        let is_older = dates.is_none_or(|(moved_at, modified)| moved_at.0 <= modified.0.saturating_add(SAME_MOMENT_MS));
        is_older && self.has_one_at(floor.floor.base)
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

/// The same of a chain with this floor, which tells whether there may be any: each that is accepted is noted there too.
pub async fn accepted_losses_behind(
    objects: &dyn Objects,
    chain: &ChainIdentity,
    floor: &Floor,
) -> Result<AcceptedLosses, ArchiveError> {
    match floor.losses {
        0 => Ok(AcceptedLosses::default()),
        _ => read_accepted_losses(objects, chain).await,
    }
}

/// The same of the chain in this folder.
pub async fn accepted_losses_in(objects: &dyn Objects, folder: &str) -> Result<AcceptedLosses, ArchiveError> {
    let read: Option<Stored<Content>> = control::read(objects, &keys::accepted_loss_in(folder)).await?;
    Ok(read.map_or_else(AcceptedLosses::default, |Stored { value: content, etag, modified }| AcceptedLosses {
        losses: content.losses,
        etag: Some(etag),
        seal: content.seal,
        modified: Some(modified),
    }))
}

/// What a seal is over. A field that a later version adds must be left out where it is absent.
fn text_of(losses: &[AcceptedLoss]) -> String {
    serde_json::to_string(losses).unwrap_or_default()
}

/// Accepts a loss beside those that were read, sealed where there is a key, and cuts the chain there; or goes on with the
/// same one, where somebody proposed it and came no further. When somebody else
/// accepted meanwhile nothing changes, and the store's refusal is the answer; where the chain had gone on nothing is cut.
pub async fn accept_loss(
    objects: &dyn Objects,
    chain: &ChainIdentity,
    known: AcceptedLosses,
    loss: AcceptedLoss,
    seal_key: Option<&SealKey>,
) -> Result<(), ArchiveError> {
    let (frontier, witness) = (loss.frontier, loss.witness);
    let is_same = |it: &AcceptedLoss| it.cut == Some(Cut::Proposed) && it.frontier == frontier && it.witness >= witness;
    let (at, noted) = match known.losses.iter().position(is_same) {
        Some(begun) => (begun, known),
        None => {
            let (at, proposed) = (known.losses.len(), AcceptedLoss { cut: Some(Cut::Proposed), ..loss });
            note_loss(objects, chain, known, proposed, seal_key).await?;
            (at, read_accepted_losses(objects, chain).await?)
        }
    };
    let decided = if noted.is_proposed() { decide_losses(objects, chain, noted, seal_key).await? } else { noted };
    match decided.losses.get(at).and_then(|loss| loss.cut) {
        Some(Cut::Made) => Ok(()),
        _ => Err(ArchiveError::WentOn { folder: keys::chain_folder(chain), frontier }),
    }
}

/// Decides about the losses that are proposed, as they were read; answers what is there then. Refused as above.
pub async fn decide_losses(
    objects: &dyn Objects,
    chain: &ChainIdentity,
    known: AcceptedLosses,
    seal_key: Option<&SealKey>,
) -> Result<AcceptedLosses, ArchiveError> {
    touch_floor(objects, chain, known.steps(), seal_key).await?;
    let (cuts, mut losses) = (known.cuts(), known.losses);
    let noted_at = known.modified.map_or(i64::MAX, |modified| modified.0);
    for loss in losses.iter_mut().filter(|loss| loss.cut == Some(Cut::Proposed)) {
        let is_older = |modified: Millis| modified.0.saturating_add(SAME_MOMENT_MS) < noted_at;
        let went_on = is_any_from(objects, chain, loss.frontier, &cuts, is_older).await?;
        loss.cut = Some(if went_on { Cut::Refused } else { Cut::Made });
    }
    put(objects, chain, losses, known.etag, seal_key).await
}

/// Adds a loss as it is, and answers what is there then. Refused as above.
pub async fn note_loss(
    objects: &dyn Objects,
    chain: &ChainIdentity,
    known: AcceptedLosses,
    loss: AcceptedLoss,
    seal_key: Option<&SealKey>,
) -> Result<AcceptedLosses, ArchiveError> {
    let losses = known.losses.into_iter().chain([loss]).collect();
    put(objects, chain, losses, known.etag, seal_key).await
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
    let seal = seal_key.map(|seal_key| seal_key.losses(chain, &text_of(&losses)));
    let content = Content { format_version: FORMAT_VERSION, losses, seal };
    let etag = control::replace(objects, &key, from, &content).await?;
    Ok(AcceptedLosses { losses: content.losses, etag: Some(etag), seal: content.seal, modified: None })
}

#[cfg(test)]
mod tests;
