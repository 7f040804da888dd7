//! `[kafka]`: which cluster, and how to be let in.

use std::{path::PathBuf, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Problem,
    secret::Secret,
    units::{ByteSize, Span},
};

/// The brokers' shortest session by default is longer; the client's heartbeat needs room.
const SESSION_TIMEOUT_MIN: Duration = Duration::from_secs(1);
/// What the client can count to, in KiB.
const FETCH_AHEAD_MAX: ByteSize = ByteSize(2_097_151 << 10);

/// The Kafka cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct KafkaSettings {
    /// The brokers to ask first, as `host:port,host:port`. This or `msk_cluster_arn`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bootstrap_servers: Option<String>,
    /// An Amazon MSK cluster, whose brokers are looked up by `GetBootstrapBrokers`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub msk_cluster_arn: Option<String>,
    /// Whether the connection is encrypted, and whether the client logs in.
    pub security_protocol: SecurityProtocol,
    /// How the client logs in, where `security_protocol` begins with `sasl`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sasl_mechanism: Option<SaslMechanism>,
    /// The user to log in as; the client's id where `sasl_mechanism` is `OAUTHBEARER`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sasl_username: Option<String>,
    /// The user's password; the client's secret where `sasl_mechanism` is `OAUTHBEARER`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sasl_password: Option<Secret>,
    /// Where tokens are had for `OAUTHBEARER`, by the grant `client_credentials`: the OAuth server's token endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sasl_oauth_token_url: Option<String>,
    /// The scope that is asked for there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sasl_oauth_scope: Option<String>,
    /// A PEM file of the certificate authorities to trust; absent: the system's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ssl_ca_location: Option<PathBuf>,
    /// A PEM file of the client's own certificate, where brokers ask for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ssl_certificate_location: Option<PathBuf>,
    /// A PEM file of the key that belongs to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ssl_key_location: Option<PathBuf>,
    /// The key file's password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ssl_key_password: Option<Secret>,
    /// The name under which the brokers' logs and quotas know this client.
    pub client_id: String,
    /// After so long without a sign of life the brokers give a group member's partitions to others.
    pub session_timeout: Span,
    /// How long an answer may take before the cluster counts as not reachable.
    pub request_timeout: Span,
    /// How much one read fetches ahead at most.
    pub fetch_ahead_bytes_max: ByteSize,
    /// A record with more bytes of key, value and headers stops its partition, and no other, instead of being stored. Storing a
    /// record takes some five times its size in memory: set this where a process has less than that.
    pub record_bytes_max: ByteSize,
}

/// The largest record that a segment holds: sizes in a Parquet file have 31 bits, and a page may hold more than the record.
pub const RECORD_BYTES_MAX: ByteSize = ByteSize(1 << 30);

impl Default for KafkaSettings {
    fn default() -> Self {
        KafkaSettings {
            bootstrap_servers: None,
            msk_cluster_arn: None,
            security_protocol: SecurityProtocol::Plaintext,
            sasl_mechanism: None,
            sasl_username: None,
            sasl_password: None,
            sasl_oauth_token_url: None,
            sasl_oauth_scope: None,
            ssl_ca_location: None,
            ssl_certificate_location: None,
            ssl_key_location: None,
            ssl_key_password: None,
            client_id: "highwater".to_owned(),
            session_timeout: Span::seconds(45),
            request_timeout: Span::seconds(8),
            fetch_ahead_bytes_max: ByteSize::mib(8),
            record_bytes_max: RECORD_BYTES_MAX,
        }
    }
}

impl KafkaSettings {
    /// The cluster at these brokers, everything else as by default.
    #[must_use]
    pub fn at(bootstrap_servers: impl Into<String>) -> Self {
        KafkaSettings { bootstrap_servers: Some(bootstrap_servers.into()), ..KafkaSettings::default() }
    }

    /// Values that are right by themselves and wrong together, or mean nothing.
    #[must_use]
    pub fn contradictions(&self) -> Vec<Problem> {
        self.place_problems().into_iter().chain(self.login_problems()).chain(self.limit_problems()).collect()
    }

    fn place_problems(&self) -> Option<Problem> {
        match (&self.bootstrap_servers, &self.msk_cluster_arn) {
            (None, None) => Some(Problem::missing(
                "kafka.bootstrap_servers",
                "write [kafka] bootstrap_servers = \"host:9092\" or msk_cluster_arn, or set KAFKA_BOOTSTRAP_SERVERS",
            )),
            (Some(servers), Some(_)) => Some(Problem::bad(
                "kafka.bootstrap_servers",
                servers,
                "kafka.msk_cluster_arn is set as well: leave one of them out",
            )),
            _ => None,
        }
    }

    fn login_problems(&self) -> Vec<Problem> {
        if !self.security_protocol.is_sasl() {
            return vec![];
        }
        let by_role = self.sasl_mechanism == Some(SaslMechanism::AwsMskIam);
        let by_token = self.sasl_mechanism == Some(SaslMechanism::OauthBearer);
        let set = [
            ("kafka.sasl_mechanism", self.sasl_mechanism.is_some()),
            ("kafka.sasl_username", by_role || self.sasl_username.is_some()),
            ("kafka.sasl_password", by_role || self.sasl_password.is_some()),
            ("kafka.sasl_oauth_token_url", !by_token || self.sasl_oauth_token_url.is_some()),
        ];
        let remedy = format!("kafka.security_protocol = {:?} needs it", self.security_protocol.name());
        set.into_iter().filter(|(_, set)| !set).map(|(setting, _)| Problem::missing(setting, &remedy)).collect()
    }

    fn limit_problems(&self) -> Vec<Problem> {
        let (session, request) = (self.session_timeout, self.request_timeout);
        let (ahead, record) = (self.fetch_ahead_bytes_max, self.record_bytes_max);
        let checks = [
            (session.0 < SESSION_TIMEOUT_MIN, "session_timeout", session.to_string(), "must be a second or more"),
            (request.0.is_zero(), "request_timeout", request.to_string(), "must be more than nothing"),
            (ahead.0 < 1 << 10, "fetch_ahead_bytes_max", ahead.to_string(), "must be 1KiB or more"),
            (ahead > FETCH_AHEAD_MAX, "fetch_ahead_bytes_max", ahead.to_string(), "must be below 2GiB"),
            (record.0 == 0, "record_bytes_max", record.to_string(), "must be more than nothing"),
            (record > RECORD_BYTES_MAX, "record_bytes_max", record.to_string(), "must be 1GiB or less"),
        ];
        checks
            .into_iter()
            .filter(|(wrong, ..)| *wrong)
            .map(|(_, key, value, why)| Problem::bad(&format!("kafka.{key}"), &value, why))
            .collect()
    }
}

/// Encryption and login of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SecurityProtocol {
    /// Neither.
    #[default]
    Plaintext,
    /// Encrypted; a client certificate may be the login.
    Ssl,
    /// A login over an open connection.
    SaslPlaintext,
    /// A login over an encrypted connection.
    SaslSsl,
}

impl SecurityProtocol {
    /// The name Kafka's clients use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            SecurityProtocol::Plaintext => "plaintext",
            SecurityProtocol::Ssl => "ssl",
            SecurityProtocol::SaslPlaintext => "sasl_plaintext",
            SecurityProtocol::SaslSsl => "sasl_ssl",
        }
    }

    /// Whether the connection is encrypted.
    #[must_use]
    pub fn is_encrypted(self) -> bool {
        matches!(self, SecurityProtocol::Ssl | SecurityProtocol::SaslSsl)
    }

    /// Whether the client logs in by SASL.
    #[must_use]
    pub fn is_sasl(self) -> bool {
        matches!(self, SecurityProtocol::SaslPlaintext | SecurityProtocol::SaslSsl)
    }
}

/// A way to log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SaslMechanism {
    /// The password as it is: only over an encrypted connection.
    #[serde(rename = "PLAIN")]
    Plain,
    /// Challenge and response over SHA-256.
    #[serde(rename = "SCRAM-SHA-256")]
    ScramSha256,
    /// Challenge and response over SHA-512, as Amazon MSK asks for.
    #[serde(rename = "SCRAM-SHA-512")]
    ScramSha512,
    /// A token that an OAuth server gives: `sasl_oauth_token_url`.
    #[serde(rename = "OAUTHBEARER")]
    OauthBearer,
    /// Amazon MSK's own: the AWS role or user that this process runs as, whose credentials are found as by the AWS SDK.
    #[serde(rename = "AWS_MSK_IAM")]
    AwsMskIam,
}

impl SaslMechanism {
    /// The name by which brokers know it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            SaslMechanism::OauthBearer | SaslMechanism::AwsMskIam => "OAUTHBEARER",
            SaslMechanism::Plain => "PLAIN",
            SaslMechanism::ScramSha256 => "SCRAM-SHA-256",
            SaslMechanism::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_never_shows() {
        let settings: KafkaSettings =
            toml::from_str("sasl_mechanism = \"PLAIN\"\nsasl_password = \"hunter2\"\nsecurity_protocol = \"sasl_ssl\"")
                .unwrap();
        assert!(!format!("{settings:?}{}", serde_json::to_string(&settings).unwrap()).contains("hunter2"));
    }

    #[test]
    fn a_login_without_its_parts_is_told_by_their_names() {
        let settings = KafkaSettings { security_protocol: SecurityProtocol::SaslSsl, ..KafkaSettings::at("b:9092") };
        let problems: Vec<_> = settings.contradictions().iter().map(ToString::to_string).collect();
        assert_eq!(problems.len(), 3, "{problems:?}");
        assert!(problems[2].contains("kafka.sasl_password is not set"), "{problems:?}");
    }

    #[test]
    fn one_of_two_places_is_needed() {
        assert_eq!(KafkaSettings::at("b:9092").contradictions(), []);
        assert_eq!(KafkaSettings::default().contradictions().len(), 1);
        let both = KafkaSettings { msk_cluster_arn: Some("arn".to_owned()), ..KafkaSettings::at("b:9092") };
        assert_eq!(both.contradictions().len(), 1);
    }

    #[test]
    fn a_limit_that_means_nothing_is_refused() {
        let settings = KafkaSettings {
            session_timeout: Span::seconds(0),
            request_timeout: Span::seconds(0),
            fetch_ahead_bytes_max: ByteSize(2 << 40),
            ..KafkaSettings::at("b:9092")
        };
        assert_eq!(settings.contradictions().len(), 3);
    }
}
