//! Who may do what with a topic, as a cluster's authorizer has it.

use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::records::RecordsError;

/// A cluster's rules about topics (access control lists).
#[async_trait]
pub trait Acls: Send + Sync {
    /// All rules about topics.
    async fn acls(&self) -> Result<AclAnswer, RecordsError>;

    /// What this client may do with a topic; `None` where the cluster does not say, or has no such topic.
    async fn allowed(&self, topic: &str) -> Result<Option<Vec<AclOperation>>, RecordsError>;

    /// Adds rules. One that is there already stays as it is.
    async fn add_acls(&self, acls: &[Acl]) -> Result<(), RecordsError>;
}

/// What a cluster says of its rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AclAnswer {
    /// All of them. There are none where no authorizer is configured, too: the client cannot tell the two apart.
    Listed(Vec<Acl>),
    /// This client may not see them.
    NotAllowed {
        /// What the cluster said, with the remedy.
        message: String,
    },
}

impl Default for AclAnswer {
    fn default() -> Self {
        AclAnswer::Listed(vec![])
    }
}

/// A rule about topics.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Acl {
    /// How `name` is meant.
    pub pattern: AclPattern,
    /// A topic's name, the beginning of names, or `*`: every topic.
    pub name: String,
    /// Whom it concerns: `User:alice`; `User:*`: everybody.
    pub principal: String,
    /// From which host; `*`: from every one.
    pub host: String,
    /// What they do.
    pub operation: AclOperation,
    /// Whether they may.
    pub permission: AclPermission,
}

/// How a rule names topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AclPattern {
    /// One topic, or with `*` every topic.
    Literal,
    /// Every topic whose name begins so.
    Prefixed,
}

/// What is done with a topic, by Kafka's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs, reason = "they are Kafka's names, documented there")]
pub enum AclOperation {
    All,
    Read,
    Write,
    Create,
    Delete,
    Alter,
    Describe,
    ClusterAction,
    DescribeConfigs,
    AlterConfigs,
    IdempotentWrite,
}

/// Whether a rule allows or forbids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AclPermission {
    /// It forbids, whatever else allows it.
    Deny,
    /// It allows.
    Allow,
}

impl fmt::Display for AclOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

impl fmt::Display for AclPermission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

impl fmt::Display for Acl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Acl { principal, host, operation, permission, .. } = self;
        write!(f, "{permission} {operation} to {principal}")?;
        if host == EVERY { Ok(()) } else { write!(f, " from {host}") }
    }
}

/// Every topic as a literal name, and every host.
const EVERY: &str = "*";

impl Acl {
    /// Whether the rule holds for a topic.
    #[must_use]
    pub fn concerns(&self, topic: &str) -> bool {
        match self.pattern {
            AclPattern::Literal => self.name == topic || self.name == EVERY,
            AclPattern::Prefixed => topic.starts_with(&self.name),
        }
    }
}

/// The rules that hold for a topic, ascending, each once.
#[must_use]
pub fn concerning(acls: &[Acl], topic: &str) -> Vec<Acl> {
    let mut found: Vec<_> = acls.iter().filter(|acl| acl.concerns(topic)).cloned().collect();
    found.sort();
    found.dedup();
    found
}

/// The same rules for one topic by its name: what held for it through a prefix or for every topic holds for it alone, so
/// that no other topic is opened or closed.
#[must_use]
pub fn for_topic(acls: &[Acl], topic: &str) -> Vec<Acl> {
    let own = |acl: &Acl| Acl { pattern: AclPattern::Literal, name: topic.to_owned(), ..acl.clone() };
    concerning(&acls.iter().map(own).collect::<Vec<_>>(), topic)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acl(pattern: AclPattern, name: &str, principal: &str) -> Acl {
        let (name, principal, host) = (name.to_owned(), principal.to_owned(), "*".to_owned());
        Acl { pattern, name, principal, host, operation: AclOperation::Read, permission: AclPermission::Allow }
    }

    #[test]
    fn a_rule_holds_for_its_topic_for_what_begins_like_it_or_for_every_topic() {
        let rules = [
            acl(AclPattern::Literal, "orders", "User:a"),
            acl(AclPattern::Prefixed, "ord", "User:b"),
            acl(AclPattern::Literal, "*", "User:c"),
            acl(AclPattern::Literal, "ord", "User:d"),
            acl(AclPattern::Prefixed, "orders-", "User:e"),
        ];
        let principals = |topic: &str| concerning(&rules, topic).into_iter().map(|it| it.principal).collect::<Vec<_>>();
        assert_eq!(principals("orders"), ["User:c", "User:a", "User:b"]);
        assert_eq!(principals("payments"), ["User:c"]);
    }

    #[test]
    fn rules_for_another_topic_name_it_alone_and_come_once() {
        let rules = [
            acl(AclPattern::Literal, "orders", "User:a"),
            acl(AclPattern::Prefixed, "ord", "User:a"),
            acl(AclPattern::Literal, "*", "User:b"),
        ];
        let expected = [acl(AclPattern::Literal, "copy", "User:a"), acl(AclPattern::Literal, "copy", "User:b")];
        assert_eq!(for_topic(&rules, "copy"), expected);
    }
}
