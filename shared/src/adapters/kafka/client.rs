//! The one place where a Kafka client's configuration is made.

use std::{path::PathBuf, time::Duration};

use rdkafka::{ClientConfig, config::RDKafkaLogLevel};

use crate::config::{
    kafka::{KafkaSettings, SaslMechanism},
    secret::Secret,
};

/// What clients outside of any group name as theirs: one is asked for, but never joined, and nothing committed for it.
const NO_GROUP: &str = "highwater-no-group";
/// One answer to a fetch is at most so large (or one batch, where that is larger): it bounds memory beside the queue.
const FETCH_ANSWER_BYTES_MAX: u32 = 8 << 20;
/// The same for one partition of the answer.
const FETCH_PARTITION_BYTES_MAX: u32 = 1 << 20;
/// The longest answer that the client takes: the longest that the protocol has. A batch of records may be larger than what
/// was asked for, up to what its topic allows. On an answer above this limit the client drops the connection and asks
/// again, so that one large record would stop every partition of its broker.
const ANSWER_BYTES_MAX: i32 = i32::MAX;
/// The broker holds an answer back so long where there is nothing to read: after that a reader knows that it is at the end.
const FETCH_WAIT_MS_MAX: u32 = 100;
/// The same wait for a drain, which only waits to learn that it is at the end.
const DRAIN_WAIT_MS_MAX: u32 = 10;
/// What one partition may have of an answer where only the first record is wanted.
const PEEK_BYTES_MAX: u32 = 16 << 10;
/// Messages that wait to be sent take at most so much.
const PUBLISH_QUEUE_KIB_MAX: u32 = 65_536;
/// The longest message the client passes on; the topic's own limit decides.
const MESSAGE_BYTES_MAX: u32 = 100_000_000;

/// A transaction that is not committed for so long is aborted by the brokers.
const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(60);
/// Records of a transaction that are on their way take at most so much.
const TRANSACTION_QUEUE_KIB_MAX: u32 = 16_384;
const TRANSACTION_QUEUE_MESSAGES_MAX: u32 = 200_000;

/// The client says so often that it is alive, and hears so soon that its group changes; more often where the session is
/// short.
const HEARTBEAT_INTERVAL_MAX: Duration = Duration::from_secs(1);
/// The reading thread polls several times a second; this is only what the brokers wait for it at a rebalance.
const POLL_INTERVAL_MAX: Duration = Duration::from_secs(300);

/// A member looks that often at most, and at least, whether its topics have more partitions: the client takes no longer time.
const LOOK_EVERY_MIN: Duration = Duration::from_millis(500);
const LOOK_EVERY_MAX: Duration = Duration::from_secs(3_600);

/// What a client is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role<'a> {
    /// Asks about the cluster.
    Admin,
    /// Reads and writes a group's committed offsets, and never joins it.
    Outsider {
        /// Which group.
        group: &'a str,
    },
    /// Publishes: acknowledged by all in-sync replicas.
    Publisher {
        /// Whether a message may come twice or out of order, when the answer to it was lost. Else each comes once and in order,
        /// by a producer id.
        repeats: bool,
    },
    /// Publishes in transactions.
    Transactional {
        /// The transactional id.
        id: &'a str,
        /// No batch is larger, unless a single message is.
        batch_bytes_max: u64,
    },
    /// Reads given partitions.
    Reader,
    /// Reads the first record of given partitions.
    Peeker,
    /// Reads as a member of a group.
    Member {
        /// Which group.
        group: &'a str,
        /// How often it looks whether its topics have more partitions.
        look_every: Duration,
    },
}

/// The configuration of a client of `bootstrap_servers`.
pub(super) fn config(settings: &KafkaSettings, bootstrap_servers: &str, role: Role<'_>) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set_log_level(RDKafkaLogLevel::Info);
    connection(&mut config, settings, bootstrap_servers);
    security(&mut config, settings);
    match role {
        Role::Admin => {
            config.set("group.id", NO_GROUP);
        }
        Role::Outsider { group } => outsider(&mut config, settings, group),
        Role::Publisher { repeats } => publisher(&mut config, settings, repeats),
        Role::Transactional { id, batch_bytes_max } => transactional(&mut config, id, batch_bytes_max),
        Role::Reader => {
            reader(&mut config, settings, NO_GROUP);
            config.set("fetch.wait.max.ms", DRAIN_WAIT_MS_MAX.to_string());
        }
        Role::Peeker => {
            reader(&mut config, settings, NO_GROUP);
            config
                .set("fetch.message.max.bytes", PEEK_BYTES_MAX.to_string())
                .set("fetch.max.bytes", FETCH_PARTITION_BYTES_MAX.to_string())
                .set("queued.min.messages", "1")
                .set("queued.max.messages.kbytes", "1024");
        }
        Role::Member { group, look_every } => {
            reader(&mut config, settings, group);
            member(&mut config, settings, look_every);
        }
    }
    config
}

fn connection(config: &mut ClientConfig, settings: &KafkaSettings, bootstrap_servers: &str) {
    let timeout = millis(settings.request_timeout.0.max(Duration::from_secs(1)));
    config
        .set("bootstrap.servers", bootstrap_servers)
        .set("client.id", &settings.client_id)
        .set("socket.connection.setup.timeout.ms", &timeout)
        .set("socket.timeout.ms", &timeout)
        .set("socket.keepalive.enable", "true")
        .set("socket.nagle.disable", "true")
        .set("reconnect.backoff.max.ms", "2000")
        .set("allow.auto.create.topics", "false")
        .set("topic.metadata.propagation.max.ms", "3000");
}

fn security(config: &mut ClientConfig, settings: &KafkaSettings) {
    config.set("security.protocol", settings.security_protocol.name());
    if settings.security_protocol.is_sasl() {
        sasl(config, settings);
    }
    if settings.security_protocol.is_encrypted() {
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.to_string_lossy().into_owned());
        let parts = [
            ("ssl.ca.location", path(&settings.ssl_ca_location).or_else(system_authorities)),
            ("ssl.certificate.location", path(&settings.ssl_certificate_location)),
            ("ssl.key.location", path(&settings.ssl_key_location)),
            ("ssl.key.password", settings.ssl_key_password.as_ref().map(|secret| secret.reveal().to_owned())),
        ];
        set_those_given(config, parts.each_ref().map(|(name, value)| (*name, value.as_deref())));
    }
}

/// An OpenSSL that is compiled in does not know where this system has its certificate authorities: the client then looks in
/// the usual places.
fn system_authorities() -> Option<String> {
    cfg!(feature = "vendored-openssl").then(|| "probe".to_owned())
}

fn sasl(config: &mut ClientConfig, settings: &KafkaSettings) {
    let parts = [
        ("sasl.mechanism", settings.sasl_mechanism.map(SaslMechanism::name)),
        ("sasl.username", settings.sasl_username.as_deref()),
        ("sasl.password", settings.sasl_password.as_ref().map(Secret::reveal)),
    ];
    set_those_given(config, parts);
}

fn set_those_given<const N: usize>(config: &mut ClientConfig, parts: [(&str, Option<&str>); N]) {
    for (name, value) in parts {
        if let Some(value) = value {
            config.set(name, value);
        }
    }
}

fn publisher(config: &mut ClientConfig, settings: &KafkaSettings, repeats: bool) {
    config
        .set("acks", "all")
        .set("enable.idempotence", (!repeats).to_string())
        .set("linger.ms", "5")
        .set("partitioner", "murmur2_random")
        .set("message.max.bytes", MESSAGE_BYTES_MAX.to_string())
        .set("message.timeout.ms", millis(settings.request_timeout.0))
        .set("queue.buffering.max.kbytes", PUBLISH_QUEUE_KIB_MAX.to_string());
}

/// Nothing is given up before the transaction itself is: a broker may be away for as long as that.
fn transactional(config: &mut ClientConfig, id: &str, batch_bytes_max: u64) {
    config
        .set("transactional.id", id)
        .set("transaction.timeout.ms", millis(TRANSACTION_TIMEOUT))
        .set("acks", "all")
        .set("linger.ms", "5")
        .set("message.max.bytes", MESSAGE_BYTES_MAX.to_string())
        .set("batch.size", batch_bytes_max.to_string())
        .set("queue.buffering.max.messages", TRANSACTION_QUEUE_MESSAGES_MAX.to_string())
        .set("queue.buffering.max.kbytes", TRANSACTION_QUEUE_KIB_MAX.to_string());
}

fn reader(config: &mut ClientConfig, settings: &KafkaSettings, group: &str) {
    config
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("enable.partition.eof", "true")
        .set("auto.offset.reset", "error")
        .set("isolation.level", "read_committed")
        .set("check.crcs", "true")
        .set("fetch.wait.max.ms", FETCH_WAIT_MS_MAX.to_string())
        .set("fetch.max.bytes", FETCH_ANSWER_BYTES_MAX.to_string())
        .set("receive.message.max.bytes", ANSWER_BYTES_MAX.to_string())
        .set("message.max.bytes", FETCH_PARTITION_BYTES_MAX.to_string())
        .set("fetch.message.max.bytes", FETCH_PARTITION_BYTES_MAX.to_string())
        .set("fetch.queue.backoff.ms", "5")
        .set("queued.max.messages.kbytes", (settings.fetch_ahead_bytes_max.0 >> 10).to_string());
}

/// It has no session; a commit that waits for the group's coordinator is given up after this time, when nobody waits for
/// its answer any more.
fn outsider(config: &mut ClientConfig, settings: &KafkaSettings, group: &str) {
    config
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("session.timeout.ms", millis(settings.request_timeout.0.clamp(Duration::from_secs(1), POLL_INTERVAL_MAX)))
        .set("max.poll.interval.ms", millis(POLL_INTERVAL_MAX));
}

/// Cooperative: at a rebalance only the partitions that move are stopped; the others' segments go on.
fn member(config: &mut ClientConfig, settings: &KafkaSettings, look_every: Duration) {
    let session = settings.session_timeout.0;
    config
        .set("topic.metadata.refresh.interval.ms", millis(look_every.clamp(LOOK_EVERY_MIN, LOOK_EVERY_MAX)))
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("session.timeout.ms", millis(session))
        .set("heartbeat.interval.ms", millis((session / 3).min(HEARTBEAT_INTERVAL_MAX)))
        .set("max.poll.interval.ms", millis(session.max(POLL_INTERVAL_MAX)));
}

fn millis(duration: Duration) -> String {
    duration.as_millis().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::kafka::SecurityProtocol;

    fn with_sasl() -> KafkaSettings {
        KafkaSettings {
            security_protocol: SecurityProtocol::SaslSsl,
            sasl_mechanism: Some(SaslMechanism::ScramSha512),
            sasl_username: Some("me".to_owned()),
            sasl_password: Some(Secret::new("hunter2")),
            ssl_ca_location: Some("/etc/ca.pem".into()),
            ..KafkaSettings::default()
        }
    }

    #[test]
    fn a_login_is_passed_on() {
        let config = config(&with_sasl(), "b:9092", Role::Admin);
        let set = |name| config.get(name);
        assert_eq!(set("security.protocol"), Some("sasl_ssl"));
        assert_eq!(set("sasl.mechanism"), Some("SCRAM-SHA-512"));
        assert_eq!(set("sasl.password"), Some("hunter2"));
        assert_eq!(set("ssl.ca.location"), Some("/etc/ca.pem"));
    }

    #[test]
    fn the_client_accepts_what_is_set_for_every_role() {
        let transactional = Role::Transactional { id: "t", batch_bytes_max: 1_000 };
        let member = |secs| Role::Member { group: "g", look_every: Duration::from_secs(secs) };
        let publisher = |repeats| Role::Publisher { repeats };
        for role in [
            Role::Admin,
            publisher(true),
            publisher(false),
            transactional,
            Role::Reader,
            Role::Peeker,
            member(0),
            member(1_000_000),
        ] {
            let config = config(&KafkaSettings::default(), "b:9092", role);
            config.create_native_config().unwrap_or_else(|error| panic!("{role:?}: {error}"));
        }
    }
}
