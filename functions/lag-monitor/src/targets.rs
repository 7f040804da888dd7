//! How far each chain must be in the store before an epoch of its backup is complete: decided once for an epoch.
//!
//! Whatever was shown before the loss lies at or below the frontier at **any** moment after the epoch began, so the first
//! frontier that was read since will do. Without it, a store that is filled more slowly than segments appear would be
//! asked for a newer one at every refresh. So it is kept in the store, where a wipe takes it away with the epoch.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use shared::{
    metrics::keys,
    ports::store::{Operation, Query, Register, Value},
    record::{Offset, TopicId},
};

use crate::{Context, MonitorError, compare::Required};

/// What a register of a chain's target holds; its order is the epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Target {
    /// The id of the topic that the chain is of.
    pub topic_id: TopicId,
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
    let key = keys::targets(backup);
    let held = held(context.store.read(&[Query::Registers(key.clone())]).await?);
    let order = vec![u64::try_from(since).unwrap_or(0)];
    let known = known(&held, &order);

    let new = found.iter().filter(|it| !known.contains_key(&*it.field()));
    let kept: Vec<Operation> = new.map(|it| keep(&key, &order, it)).collect();
    for part in kept.chunks(context.limits.messages_max.max(1)) {
        context.store.apply(&[], part).await?;
    }

    let fields: BTreeSet<String> =
        found.iter().map(Required::field).chain(held.iter().map(|it| it.field.clone())).collect();
    let obsolete = (!fields.is_empty()).then(|| Operation::Remove { key, fields: fields.into_iter().collect() });
    let required = found.into_iter().map(|it| {
        let target = known.get(&*it.field());
        it.at_most(target)
    });
    Ok(Targets { required: required.collect(), obsolete })
}

/// The targets of the epoch of this order, by field; one that cannot be read is none.
fn known<'a>(held: &'a [Register], order: &[u64]) -> BTreeMap<&'a str, Target> {
    let target = |register: &'a Register| Some((&*register.field, serde_json::from_str(&register.value).ok()?));
    held.iter().filter(|register| register.order == order).filter_map(target).collect()
}

fn held(answers: Vec<Value>) -> Vec<Register> {
    let hashes = answers.into_iter().map(|answer| match answer {
        Value::Registers(registers) => registers,
        Value::Text(_) => vec![],
    });
    hashes.flatten().collect()
}

fn keep(key: &str, order: &[u64], required: &Required) -> Operation {
    let value = serde_json::to_string(&required.target()).expect("a struct of numbers and texts is valid JSON");
    Operation::Max { key: key.to_owned(), field: required.field(), order: order.to_vec(), value }
}
