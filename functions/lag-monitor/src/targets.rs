//! How far each chain must be in the store before an epoch of its backup is complete: decided once for an epoch.
//!
//! Whatever was shown before the loss lies at or below the frontier at **any** moment after the epoch began, so the first
//! frontier that was read since will do. Without it, a store that is filled more slowly than segments appear would be
//! asked for a newer one at every refresh. So it is kept in the store, where a wipe takes it away with the epoch.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};
use shared::{
    metrics::keys,
    ports::store::Operation,
    record::{Offset, TopicId},
};

use crate::{Context, MonitorError, compare::Required, kept::Kept};

/// What a register of a chain's target holds; its order is the epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Target {
    /// The id of the topic that the chain is of.
    pub topic_id: TopicId,
    /// How many losses of its tail were accepted.
    #[serde(default)]
    pub losses: u32,
    /// The frontier.
    pub next: Offset,
    /// Where the chain begins.
    pub start: Offset,
}

/// What an epoch waits for.
pub(crate) struct Targets {
    /// Of each chain that is there now.
    pub required: Vec<Required>,
    /// What to take out when the epoch is complete.
    pub obsolete: Option<Operation>,
}

/// What the epoch that began at `since` waits for: `found`, which was read in the storage since then, or less where an
/// earlier refresh found less. Chains that are no longer found are not waited for.
pub(crate) async fn of_epoch(
    context: &Context,
    backup: &Arc<str>,
    since: i64,
    found: Vec<Required>,
) -> Result<Targets, MonitorError> {
    let kept = Kept::read(context, keys::targets(backup), since).await?;
    let known: BTreeMap<String, Target> = kept.values(|value| serde_json::from_str(value).ok());
    let new = found.iter().filter(|it| !known.contains_key(&it.field()));
    kept.keep(context, new.map(|it| (it.field(), text(&it.target())))).await?;
    let obsolete = kept.removal(found.iter().map(Required::field));
    let required = found.into_iter().map(|it| {
        let target = known.get(&it.field());
        it.at_most(target)
    });
    Ok(Targets { required: required.collect(), obsolete })
}

fn text(target: &Target) -> String {
    serde_json::to_string(target).expect("a struct of numbers and texts is valid JSON")
}
