//! Scratch topics: their names, and how they go.

use std::sync::Arc;

use shared::{
    archive::Owner,
    record::Millis,
    restore::{DRILL_TOPICS, RestoreId},
};

use crate::{context::Context, error::RestoreError, progress_log};

/// `highwater-drill.<backup>.<when the drill began>-<number>`
pub(super) fn name(backup: &str, began: Millis, number: usize) -> Arc<str> {
    format!("{DRILL_TOPICS}{backup}.{}-{number}", began.0).into()
}

/// Whether a topic is a scratch topic of the backup.
fn is_of(backup: &str, topic: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|sign| sign.is_ascii_digit());
    let own = topic.strip_prefix(DRILL_TOPICS).and_then(|rest| rest.strip_prefix(backup)?.strip_prefix('.'));
    own.and_then(|rest| rest.split_once('-')).is_some_and(|(began, number)| digits(began) && digits(number))
}

/// Removes the scratch topics of drills that were killed. Their names.
pub(super) async fn remove_leftovers(backup: &Owner, context: &Context) -> Result<Vec<Arc<str>>, RestoreError> {
    let mut names: Vec<_> = context.target.topics(None).await?.into_iter().map(|topic| topic.name).collect();
    names.retain(|name| is_of(&backup.backup, name));
    for name in &names {
        tracing::warn!(topic = &**name, "a drill was killed and left its scratch topic: it is removed");
        remove(backup, name, context).await?;
    }
    Ok(names)
}

/// Removes a scratch topic with all that is known of the restore into it. One that is not there is none.
pub(super) async fn remove(backup: &Owner, name: &Arc<str>, context: &Context) -> Result<(), RestoreError> {
    let target = &*context.target;
    for topic in target.topics(Some(std::slice::from_ref(name))).await? {
        // Were the topic gone first and this killed then, nobody would know which restore is to be forgotten.
        progress_log::forget(target, &RestoreId::of(&backup.cluster_id, &backup.backup, &topic.id)).await?;
        target.delete_topic(&topic.name).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_knows_its_own_scratch_topics_and_takes_no_other_topic_for_one() {
        assert!(is_of("main", &name("main", Millis(17), 3)));
        assert!(is_of("a.1", &name("a.1", Millis(17), 3)));
        for other in ["highwater-drill.a.1.17-3", "highwater-drill.a.17", "highwater-drill.a.x-3", "a.17-3", "orders"] {
            assert!(!is_of("a", other), "{other}");
        }
    }
}
