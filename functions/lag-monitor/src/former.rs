//! Topics that are no longer selected, or deleted: what is stored of them is counted still.
//!
//! Nothing is written to them, so they are looked at seldom: all of them while the store is filled again, else one in a
//! refresh.

use std::{collections::BTreeSet, sync::Arc};

use shared::{
    archive,
    metrics::registers::{Epoch, epoch::Snapshot},
    ports::records::Topic,
};

use crate::{Backup, Context, MonitorError};

/// The former topics to look at in this refresh, as topics without a partition.
pub(crate) async fn former(
    context: &Context,
    backup: &Backup,
    selected: &[Topic],
    known: &Snapshot,
    begun: Epoch,
) -> Result<Vec<Topic>, MonitorError> {
    let is_former = |name: &Arc<str>| selected.iter().all(|topic| topic.name != *name);
    let mut names: BTreeSet<Arc<str>> = known.registers.topics.keys().filter(|name| is_former(name)).cloned().collect();
    if matches!(begun, Epoch::Rebuilding(_)) {
        let stored = archive::topics(&*context.objects, &backup.name).await?;
        names.extend(stored.iter().map(|name| Arc::from(name.as_str())).filter(is_former));
    } else {
        let turn = context.clock.now().0 / context.refresh_ms().max(1);
        let turn = usize::try_from(turn).unwrap_or(0).checked_rem(names.len());
        names = turn.and_then(|turn| names.into_iter().nth(turn)).into_iter().collect();
    }
    // No topic has this id.
    Ok(names.into_iter().map(|name| Topic { name, id: "".into(), partitions: 0 }).collect())
}
