//! Access rules.

use shared::ports::acls::{Acl, AclAnswer, AclOperation, AclPattern, AclPermission};

use super::{Cluster, Kafka, PATIENCE};
use crate::eventually::eventually;

/// A cluster that keeps no rules has none, and adding none is nothing to do.
pub async fn a_cluster_without_access_rules_has_none(cluster: &dyn Cluster) {
    assert_eq!(cluster.kafka().acls().await.expect("the cluster answers"), AclAnswer::Listed(vec![]));
    cluster.kafka().add_acls(&[]).await.expect("nothing to do");
}

/// Where there is an authorizer, rules are told as they were added, each once.
pub async fn access_rules_are_told_as_they_were_added(kafka: &dyn Kafka) {
    let rules = [
        rule("conformance-one", AclPattern::Literal),
        Acl {
            permission: AclPermission::Deny,
            operation: AclOperation::DescribeConfigs,
            host: "10.0.0.1".to_owned(),
            ..rule("conformance-", AclPattern::Prefixed)
        },
    ];
    for _ in 0..2 {
        kafka.add_acls(&rules).await.expect("they are added");
    }
    // Brokers learn of them a moment later.
    eventually("the rules that were added", PATIENCE, async || {
        let AclAnswer::Listed(told) = kafka.acls().await.expect("the cluster answers") else { panic!("no rules") };
        let mut own: Vec<_> = told.into_iter().filter(|acl| acl.name.starts_with("conformance-")).collect();
        own.sort();
        if own == rules { Ok(()) } else { Err(format!("{own:?}")) }
    })
    .await;
}

fn rule(name: &str, pattern: AclPattern) -> Acl {
    let (name, principal, host) = (name.to_owned(), "User:conformance".to_owned(), "*".to_owned());
    Acl { pattern, name, principal, host, operation: AclOperation::All, permission: AclPermission::Allow }
}
