//! The ids of schemas that are put into records, as `highwater schemas restore --map-ids` kept them.

use std::sync::Arc;

use shared::{
    archive::control,
    ports::objects::Objects,
    restore::{Finding, Plan, Severity, preflight::Kind},
    schemas::{IdMap, TopicIds, snapshot::ids_key},
};

use crate::{error::RestoreError, prepared::PreparedTopic};

/// Gives each topic that has ids the map; answers what stands in the way.
pub(crate) async fn put(
    plan: &Plan,
    topics: &mut [PreparedTopic],
    objects: &dyn Objects,
) -> Result<Vec<Finding>, RestoreError> {
    let Some(asked) = &plan.schema_ids else { return Ok(vec![]) };
    let refused =
        |message| Finding { severity: Severity::Refused, kind: Kind::Plan, topic: None, partition: None, message };
    let (map, registry) = (&asked.map, &asked.registry);
    let Some(kept) = control::read::<IdMap>(objects, &ids_key(registry, map)).await? else {
        let what = format!(
            "there is no map of schema ids {map:?} of registry {registry:?}: `highwater schemas restore --map-ids {map}` makes it"
        );
        return Ok(vec![refused(what)]);
    };
    let mut findings = vec![];
    for (name, sides) in &asked.topics {
        let mut found = topics.iter_mut().filter(|topic| *topic.fixed.source == **name).peekable();
        if found.peek().is_none() {
            findings.push(refused(format!("schema_ids names topic {name:?}, which is not restored")));
        }
        let ids = Arc::new(TopicIds { ids: kept.value.ids.clone(), sides: sides.clone(), unknown: asked.unknown });
        for topic in found {
            topic.fixed.schema_ids = Some(ids.fingerprint());
            topic.selections.values_mut().for_each(|selection| selection.ids = Some(ids.clone()));
        }
    }
    Ok(findings)
}
