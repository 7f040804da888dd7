//! The rules that held for a source topic (ACLs), for its target: only where the plan asks for them.

use shared::{
    archive::TopicSnapshot,
    ports::{
        acls::{self, Acl, AclAnswer},
        transactions::Target,
    },
    restore::{Finding, Plan, Severity, preflight::Kind},
};

use crate::{error::RestoreError, prepared::PreparedTopic};

/// The rules that a target gets; `None`: the backup does not know any of the source's.
pub(crate) fn of(plan: &Plan, setup: Option<&TopicSnapshot>, target: &str) -> Option<Vec<Acl>> {
    match plan.acls {
        true => setup?.acls.as_ref().map(|acls| acls::for_topic(acls, target)),
        false => Some(vec![]),
    }
}

/// Whether the rules can be restored, and which.
pub(crate) async fn check(
    plan: &Plan,
    topics: &[PreparedTopic],
    target: &dyn Target,
) -> Result<Vec<Finding>, RestoreError> {
    if !plan.acls || plan.groups_only || topics.is_empty() {
        return Ok(vec![]);
    }
    match target.acls().await? {
        AclAnswer::Listed(_) => Ok(topics.iter().map(found).collect()),
        AclAnswer::NotAllowed { message } => {
            Ok(vec![Finding { severity: Severity::Refused, kind: Kind::Acls, topic: None, partition: None, message }])
        }
    }
}

fn found(topic: &PreparedTopic) -> Finding {
    let (severity, message) = match &topic.acls {
        None => (
            Severity::Refused,
            "the backup holds no access rules of this topic: its cluster had none, cluster-archiver was not allowed \
             to see them, or it never ran; leave `acls` out"
                .to_owned(),
        ),
        Some(acls) if acls.is_empty() => (Severity::Note, "no access rule held for it, so none is added".to_owned()),
        Some(acls) => {
            let each: Vec<_> = acls.iter().map(ToString::to_string).collect();
            (Severity::Note, format!("access rules added to {}: {}", topic.target_name, each.join("; ")))
        }
    };
    Finding { severity, kind: Kind::Acls, topic: Some(topic.fixed.source.clone()), partition: None, message }
}
