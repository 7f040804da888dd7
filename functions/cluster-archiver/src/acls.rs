//! The rules about the backup's topics (ACLs), as far as the cluster tells.

use serde::Serialize;
use shared::{
    ports::acls::{Acl, AclAnswer},
    runs::Failed,
};

use crate::{Backup, ClusterError, Context};

/// What became of the rules about a backup's topics.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AclReport {
    /// The backup.
    pub backup: String,
    /// What became of them.
    pub outcome: AclOutcome,
    /// Why they are not in the backup.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What became of rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AclOutcome {
    /// They are in the backup, beside the topics' settings.
    Kept,
    /// The cluster has none, or no authorizer. Those that it had before stay in the backup.
    Nothing,
    /// The client may not see them. That is a decision of who gave it its rights, and no failure.
    NotAllowed,
    /// They could not be asked for.
    Failed,
}

/// The rules about topics, where the cluster tells them.
pub(crate) async fn ask(context: &Context, backup: &Backup, failed: &mut Vec<Failed>) -> (AclReport, Option<Vec<Acl>>) {
    let report = |outcome, error| AclReport { backup: backup.name.clone(), outcome, error };
    match context.kafka.acls().await {
        Ok(AclAnswer::Listed(acls)) if acls.is_empty() => (report(AclOutcome::Nothing, None), None),
        Ok(AclAnswer::Listed(acls)) => (report(AclOutcome::Kept, None), Some(acls)),
        Ok(AclAnswer::NotAllowed { message }) => {
            context.told_of_acls.call_once(|| tracing::info!("access rules (ACLs) are not kept: {message}"));
            (report(AclOutcome::NotAllowed, Some(message)), None)
        }
        Err(error) => {
            let error = ClusterError::from(error);
            failed.push(Failed::run(error.kind(), &format!("access rules (ACLs) are not kept: {error}")));
            (report(AclOutcome::Failed, Some(error.to_string())), None)
        }
    }
}
