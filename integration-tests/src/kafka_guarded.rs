//! A real broker that lets in only who proves who they are: TLS with logins by password or token, TLS with certificates, and ACLs.

use std::path::PathBuf;

use shared::config::{
    kafka::{KafkaSettings, SaslMechanism, SecurityProtocol},
    secret::Secret,
};
use tempfile::TempDir;
use testcontainers::{
    ContainerAsync, GenericImage, ImageExt as _,
    core::{ContainerPort, WaitFor},
};

use crate::{
    backend::{self, Shared},
    certificates::Certificates,
    kafka::Kafka,
};

/// Who is let in everywhere: what PLAIN and SCRAM ask for.
pub const PASSWORD: &str = "correct horse";
const BY_LOGIN: ContainerPort = ContainerPort::Tcp(9095);
const BY_CERTIFICATE: ContainerPort = ContainerPort::Tcp(9096);
const OPEN: &str = "localhost:9093";
const SERVER_PEM: &str = "/tmp/server.pem";
const AUTHORITY_PEM: &str = "/tmp/authority.pem";
const MODULES: &str = "org.apache.kafka.common.security";

/// The broker, and the files that its clients need.
pub struct GuardedKafka {
    container: ContainerAsync<GenericImage>,
    login_port: u16,
    certificate_port: u16,
    folder: TempDir,
}

impl GuardedKafka {
    /// The broker that all tests share.
    pub async fn shared() -> &'static GuardedKafka {
        static SHARED: Shared<GuardedKafka> = Shared::const_new();
        SHARED.get_or_init(GuardedKafka::start).await
    }

    async fn start() -> GuardedKafka {
        let Certificates { folder, server, server_key, authority } = Certificates::new();
        let (login_port, certificate_port) = (backend::lasting_port(), backend::lasting_port());
        let (name, tag) = backend::image("kafka");
        let mut request = GenericImage::new(name, tag)
            .with_wait_for(WaitFor::message_on_stdout("Kafka Server started"))
            .with_mapped_port(login_port, BY_LOGIN)
            .with_mapped_port(certificate_port, BY_CERTIFICATE)
            .with_copy_to(SERVER_PEM, format!("{server_key}{server}").into_bytes())
            .with_copy_to(AUTHORITY_PEM, authority.into_bytes());
        for (name, value) in environment(login_port, certificate_port) {
            request = request.with_env_var(name, value);
        }
        let container = backend::start(request).await;
        GuardedKafka { container, login_port, certificate_port, folder }
    }

    /// Settings of a client that logs in as `user` by `mechanism`.
    pub fn login(&self, mechanism: SaslMechanism, user: &str, password: &str) -> KafkaSettings {
        KafkaSettings {
            security_protocol: SecurityProtocol::SaslSsl,
            sasl_mechanism: Some(mechanism),
            sasl_username: Some(user.to_owned()),
            sasl_password: Some(Secret::new(password)),
            ssl_ca_location: Some(self.file("authority.pem")),
            ..KafkaSettings::at(format!("127.0.0.1:{}", self.login_port))
        }
    }

    /// The broker for tests, which may do everything.
    pub fn kafka(&self) -> Kafka {
        Kafka::that_lets_in(self.login(SaslMechanism::Plain, "plain", PASSWORD))
    }

    /// The lines of section `kafka` for a user who logs in by SCRAM, over TLS.
    pub fn section(&self, user: &str) -> String {
        format!(
            "security_protocol = \"sasl_ssl\"\nsasl_mechanism = {:?}\nsasl_username = {user:?}\nsasl_password = {PASSWORD:?}\nssl_ca_location = {:?}\n",
            SaslMechanism::ScramSha512.name(),
            self.file("authority.pem"),
        )
    }

    /// Settings of a client that proves by a certificate that it is `CN=client`.
    pub fn certificate(&self) -> KafkaSettings {
        KafkaSettings {
            security_protocol: SecurityProtocol::Ssl,
            ssl_ca_location: Some(self.file("authority.pem")),
            ssl_certificate_location: Some(self.file("client.pem")),
            ssl_key_location: Some(self.file("client.key")),
            ..KafkaSettings::at(format!("127.0.0.1:{}", self.certificate_port))
        }
    }

    /// A file of the clients.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Makes a user who may log in with [`PASSWORD`] by a mechanism of SCRAM.
    pub async fn add_user(&self, name: &str, mechanism: SaslMechanism) {
        let secrets = format!("{}=[password={PASSWORD}]", mechanism.name());
        let arguments = ["--alter", "--entity-type", "users", "--entity-name", name, "--add-config", &secrets];
        self.run("kafka.admin.ConfigCommand", &arguments).await;
    }

    /// Allows `who` these operations, as `["Read", "Describe"]`, on a resource, as `["--topic", "orders"]`.
    pub async fn allow(&self, who: &str, operations: &[&str], resource: &[&str]) {
        let principal = format!("User:{who}");
        let mut arguments = vec!["--add", "--allow-principal", &principal];
        arguments.extend(operations.iter().flat_map(|operation| ["--operation", operation]));
        arguments.extend(resource);
        self.run("org.apache.kafka.tools.AclCommand", &arguments).await;
    }

    /// Runs one of Kafka's own tools beside the broker.
    async fn run(&self, class: &str, arguments: &[&str]) {
        let tool = ["exec", self.container.id(), "java", "-XX:TieredStopAtLevel=1", "-cp", "/opt/kafka/libs/*", class];
        let all = [&tool[..], &["--bootstrap-server", OPEN], arguments].concat();
        tokio::task::block_in_place(|| backend::docker(&all))
            .unwrap_or_else(|error| panic!("{class} {arguments:?}: {error}"));
    }
}

fn environment(login_port: u16, certificate_port: u16) -> Vec<(String, String)> {
    let plain = format!("{MODULES}.plain.PlainLoginModule required user_plain=\"{PASSWORD}\";");
    let scram = format!("{MODULES}.scram.ScramLoginModule required;");
    let bearer =
        format!("{MODULES}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub=\"broker\";");
    let login = "LISTENER_NAME_LOGIN";
    [
        ("PROCESS_ROLES", "broker,controller"),
        ("BROKER_ID", "1"),
        ("CONTROLLER_QUORUM_VOTERS", "1@localhost:9094"),
        ("CONTROLLER_LISTENER_NAMES", "CONTROLLER"),
        ("INTER_BROKER_LISTENER_NAME", "BROKER"),
        (
            "LISTENERS",
            "BROKER://0.0.0.0:9093,CONTROLLER://0.0.0.0:9094,LOGIN://0.0.0.0:9095,CERTIFICATE://0.0.0.0:9096",
        ),
        ("LISTENER_SECURITY_PROTOCOL_MAP", "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT,LOGIN:SASL_SSL,CERTIFICATE:SSL"),
        (
            "ADVERTISED_LISTENERS",
            &format!("BROKER://{OPEN},LOGIN://127.0.0.1:{login_port},CERTIFICATE://127.0.0.1:{certificate_port}"),
        ),
        ("SSL_KEYSTORE_TYPE", "PEM"),
        ("SSL_KEYSTORE_LOCATION", SERVER_PEM),
        ("SSL_TRUSTSTORE_TYPE", "PEM"),
        ("SSL_TRUSTSTORE_LOCATION", AUTHORITY_PEM),
        ("LISTENER_NAME_CERTIFICATE_SSL_CLIENT_AUTH", "required"),
        (&format!("{login}_SASL_ENABLED_MECHANISMS"), "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER"),
        (&format!("{login}_PLAIN_SASL_JAAS_CONFIG"), &plain),
        (&format!("{login}_SCRAM___SHA___256_SASL_JAAS_CONFIG"), &scram),
        (&format!("{login}_SCRAM___SHA___512_SASL_JAAS_CONFIG"), &scram),
        (&format!("{login}_OAUTHBEARER_SASL_JAAS_CONFIG"), &bearer),
        ("AUTHORIZER_CLASS_NAME", "org.apache.kafka.metadata.authorizer.StandardAuthorizer"),
        ("SUPER_USERS", "User:ANONYMOUS;User:plain;User:scram;User:token;User:CN=client"),
        ("AUTO_CREATE_TOPICS_ENABLE", "false"),
        ("GROUP_INITIAL_REBALANCE_DELAY_MS", "0"),
        ("OFFSETS_TOPIC_NUM_PARTITIONS", "4"),
        ("OFFSETS_TOPIC_REPLICATION_FACTOR", "1"),
        ("TRANSACTION_STATE_LOG_MIN_ISR", "1"),
        ("TRANSACTION_STATE_LOG_NUM_PARTITIONS", "4"),
        ("TRANSACTION_STATE_LOG_REPLICATION_FACTOR", "1"),
    ]
    .map(|(name, value): (&str, &str)| (format!("KAFKA_{name}"), value.to_owned()))
    .into_iter()
    .collect()
}
