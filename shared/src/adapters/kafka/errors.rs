//! The C client's error codes as the port's errors.

use std::{sync::Arc, time::Duration};

use rdkafka::error::RDKafkaErrorCode as Code;

use crate::ports::records::RecordsError;

/// Whose errors they are: for messages that say which brokers, and which settings to look at.
#[derive(Debug, Clone)]
pub(super) struct Errors {
    /// The brokers as configured.
    pub(super) bootstrap_servers: Arc<str>,
    /// How long an answer may take, for messages.
    pub(super) request_timeout: Duration,
}

impl Errors {
    /// The error behind a code. `name` is the topic, partition or group concerned, `detail` what the client said.
    pub(super) fn of(&self, operation: &'static str, name: &str, code: Code, detail: &str) -> RecordsError {
        if is_unknown(code) {
            return RecordsError::Unknown { operation, name: name.to_owned() };
        }
        if is_refusal(code) {
            return self.refused(operation, name, code, detail);
        }
        let message = format!("{name}: {}", said(code, detail));
        if is_passing(code) { self.later(operation, &message) } else { self.unavailable(operation, &message) }
    }

    /// The cluster does not answer.
    pub(super) fn unavailable(&self, operation: &'static str, message: &str) -> RecordsError {
        let remedy = "a broker that is being replaced answers later; else check that it runs, and settings \
                      kafka.bootstrap_servers and kafka.security_protocol";
        self.silent(operation, format!("{message}; {remedy}"))
    }

    /// The cluster runs and is busy with itself.
    fn later(&self, operation: &'static str, message: &str) -> RecordsError {
        self.silent(operation, format!("{message}; the group or the topic settles, and answers later"))
    }

    fn silent(&self, operation: &'static str, message: String) -> RecordsError {
        RecordsError::Unavailable { operation, bootstrap_servers: self.bootstrap_servers.to_string(), message }
    }

    /// The cluster did not answer in time; `reason` is the last trouble with a connection.
    pub(super) fn no_answer(&self, operation: &'static str, reason: Option<String>) -> RecordsError {
        let silent = || format!("no answer within {:?} (kafka.request_timeout)", self.request_timeout);
        self.unavailable(operation, &reason.unwrap_or_else(silent))
    }

    fn refused(&self, operation: &'static str, name: &str, code: Code, detail: &str) -> RecordsError {
        let (servers, said) = (&self.bootstrap_servers, said(code, detail));
        let message = format!("kafka at {servers} refuses {name}: {said}; {}", remedy(code));
        RecordsError::Refused { operation, message }
    }
}

fn said(code: Code, detail: &str) -> String {
    if detail.is_empty() { code.to_string() } else { detail.to_owned() }
}

fn remedy(code: Code) -> &'static str {
    match code {
        Code::Authentication | Code::SaslAuthenticationFailed | Code::UnsupportedSASLMechanism => {
            "check kafka.security_protocol, kafka.sasl_mechanism, kafka.sasl_username and kafka.sasl_password"
        }
        Code::SSL => "check kafka.security_protocol, kafka.ssl_ca_location and the client's certificate and key",
        Code::TopicAuthorizationFailed => {
            "let the principal Describe, Read or Write the topic, or DescribeConfigs where its settings are asked for"
        }
        Code::GroupAuthorizationFailed => "let the principal Read and Describe the group",
        Code::ClusterAuthorizationFailed => {
            "let the principal Describe, Create, Alter or IdempotentWrite on the cluster"
        }
        Code::SecurityDisabled => "the cluster has no authorizer: leave `acls` out",
        Code::InconsistentGroupProtocol => "stop the members that use another assignment strategy, or change the group",
        Code::UnknownMemberId | Code::NonEmptyGroup => {
            "the group has members in another process, and only they commit for it: stop them, or wait for them to leave"
        }
        Code::BadMessage | Code::BadCompression | Code::InvalidMessage => "the broker's log is damaged there",
        Code::MessageSizeTooLarge => "raise max.message.bytes of the topic",
        Code::InvalidReplicationFactor => "the cluster has fewer brokers than the topic needs replicas",
        _ => "see the brokers' log",
    }
}

/// Whether a topic or partition is not there.
pub(super) fn is_unknown(code: Code) -> bool {
    matches!(code, Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition | Code::UnknownTopicId)
}

/// Whether it is over soon: a group finds its coordinator or changes its members, a topic its leaders.
pub(super) fn is_passing(code: Code) -> bool {
    matches!(
        code,
        Code::NotCoordinator
            | Code::CoordinatorNotAvailable
            | Code::CoordinatorLoadInProgress
            | Code::WaitingForCoordinator
            | Code::RebalanceInProgress
            | Code::LeaderNotAvailable
    )
}

/// Whether the brokers do not let this client in. An answer that cannot be read is none of that: it ends a connection, and
/// the client makes another one.
pub(super) fn refuses_client(code: Code) -> bool {
    is_refusal(code) && !matches!(code, Code::BadMessage | Code::BadCompression | Code::InvalidMessage)
}

/// Whether trying again cannot help.
pub(super) fn is_refusal(code: Code) -> bool {
    matches!(
        code,
        Code::Authentication
            | Code::SaslAuthenticationFailed
            | Code::UnsupportedSASLMechanism
            | Code::SSL
            | Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::SecurityDisabled
            | Code::InconsistentGroupProtocol
            | Code::InvalidSessionTimeout
            | Code::InvalidGroupId
            | Code::UnknownMemberId
            | Code::NonEmptyGroup
            | Code::BadMessage
            | Code::BadCompression
            | Code::InvalidMessage
            | Code::MessageSizeTooLarge
            | Code::InvalidTopic
            | Code::InvalidPartitions
            | Code::InvalidReplicationFactor
            | Code::InvalidConfig
            | Code::InvalidRequest
            | Code::InvalidArgument
            | Code::PolicyViolation
            | Code::UnsupportedFeature
            | Code::UnsupportedVersion
            | Code::Fatal
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_settles_is_waited_for_and_who_is_silent_is_looked_at() {
        let errors = Errors { bootstrap_servers: "b:9092".into(), request_timeout: Duration::from_secs(1) };
        let settles = errors.of("commit", "group g", Code::RebalanceInProgress, "").to_string();
        assert!(settles.ends_with("; the group or the topic settles, and answers later"), "{settles}");
        let silent = errors.of("commit", "group g", Code::BrokerTransportFailure, "").to_string();
        assert!(silent.contains("replaced answers later; else check that it runs"), "{silent}");
    }

    #[test]
    fn an_answer_that_cannot_be_read_stops_no_client_and_a_login_that_is_refused_does() {
        assert!(refuses_client(Code::SaslAuthenticationFailed) && refuses_client(Code::TopicAuthorizationFailed));
        assert!(!refuses_client(Code::BadMessage) && is_refusal(Code::BadMessage));
    }
}
