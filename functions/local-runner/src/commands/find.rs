//! Finding the one topic of the one backup that is meant.

use shared::{
    archive::reading::holdings::{self, HeldTopic},
    ports::objects::Objects,
};

use crate::failure::Failure;

/// One incarnation of one topic, the last where none is named, and the name of its backup.
pub(super) async fn topic(
    objects: &dyn Objects,
    name: &str,
    incarnation: Option<u32>,
    backup: Option<&str>,
) -> Result<(String, HeldTopic), Failure> {
    let mut found = vec![];
    for backup in holdings::backups(objects, backup).await? {
        let mut held = holdings::topics(objects, &backup, |topic| topic == name).await?;
        held.retain(|topic| incarnation.is_none_or(|n| topic.claim.incarnation == n));
        found.extend(held.pop().map(|topic| (backup.owner.backup, topic)));
    }
    let names: Vec<_> = found.iter().map(|(backup, _)| backup.as_str()).collect();
    match names[..] {
        [] => Err(no_topic(name)),
        [_] => Ok(found.swap_remove(0)),
        _ => {
            let names = names.join(", ");
            Err(Failure::Usage(format!("topic {name:?} is in the backups {names}: name one with --backup")))
        }
    }
}

/// There is no such topic.
pub(super) fn no_topic(name: &str) -> Failure {
    Failure::Usage(format!("the backup holds no such topic {name:?}: `highwater topics` lists what it holds"))
}
