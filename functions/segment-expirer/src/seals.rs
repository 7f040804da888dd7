//! What is believed where a backup has a key: what somebody without the key wrote must not make good segments expire, nor get the key's seal by being taken over into a floor. What the store dates before the key
//! (`integrity.since`) may be unsealed: who writes to a bucket cannot choose that date.

use shared::{
    archive::{self, AcceptedLosses, StoredFloor},
    chain::{
        ChainIdentity, keys,
        seal::{SealRule, Worth},
    },
    record::Millis,
    segment::SegmentMetadata,
};

use crate::{ExpireError, listed::Listed, rules::Run};

/// Refuses a floor that nobody with the key can have put there.
pub(crate) fn believe_floor(run: &Run<'_>, chain: &ChainIdentity, stored: &StoredFloor) -> Result<(), ExpireError> {
    let (Some(rule), Some(moved_at)) = (run.seals, stored.moved_at) else { return Ok(()) };
    let floor = &stored.floor;
    let worth = rule.of_floor(chain, floor.base, &floor.before, floor.seal.as_ref());
    believe(keys::floor(chain), &worth, rule, moved_at)
}

/// Reads what a segment says of itself, and refuses what nobody with the key can have said.
pub(crate) async fn read_believed(
    run: &Run<'_>,
    chain: &ChainIdentity,
    listed: &Listed,
) -> Result<SegmentMetadata, ExpireError> {
    let footer = archive::read_footer(&*run.context.objects, chain, &listed.entry).await?;
    if let Some(rule) = run.seals {
        let worth = rule.of_segment(&footer.text, footer.seal.as_ref());
        believe(listed.entry.key.clone(), &worth, rule, listed.modified)?;
    }
    Ok(footer.metadata)
}

/// Reads the accepted losses of a chain, which tell what of it does not exist, and refuses what nobody with the key can
/// have accepted.
pub(crate) async fn read_believed_losses(run: &Run<'_>, chain: &ChainIdentity) -> Result<AcceptedLosses, ExpireError> {
    let accepted = archive::read_accepted_losses(&*run.context.objects, chain).await?;
    if let (Some(rule), Some(modified)) = (run.seals, accepted.modified) {
        believe(keys::accepted_loss(chain), &accepted.worth(chain, rule), rule, modified)?;
    }
    Ok(accepted)
}

fn believe(key: String, worth: &Worth, rule: &SealRule, modified: Millis) -> Result<(), ExpireError> {
    let why = match worth {
        Worth::Valid => return Ok(()),
        Worth::Wrong => "its seal is not what its key makes: somebody without the key wrote it".to_owned(),
        Worth::None | Worth::Unknown(_) if rule.excuses(modified) => return Ok(()),
        Worth::None => "it has no seal: where it is older than the first key, say so in integrity.since".to_owned(),
        Worth::Unknown(id) => {
            format!("it is sealed with the key {id}: where that is a former one, add it to integrity.former_hmac_keys")
        }
    };
    Err(ExpireError::NotBelieved { key, why })
}
