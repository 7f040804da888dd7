//! A real Apache Kafka broker.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer as _},
};
use shared::config::kafka::KafkaSettings;
use testcontainers::{ContainerAsync, ImageExt as _, core::Mount};
use testcontainers_modules::kafka::apache;

use crate::{
    backend::{self, Shared},
    eventually::eventually,
};

/// What the first answer after a pause may take.
const ANSWERS_WITHIN: Duration = Duration::from_secs(60);
/// What the first answer after a start may take.
const STARTS_WITHIN: Duration = Duration::from_secs(120);

/// Where the image has a folder for data that the broker may write to.
const VOLUME: &str = "/var/lib/kafka/data";

/// A broker in a container.
pub struct Kafka {
    /// None where its brokers are somebody else's.
    container: Option<ContainerAsync<apache::Kafka>>,
    bootstrap_servers: String,
    /// How its clients log in, where they must.
    login: Option<Box<KafkaSettings>>,
    /// Where its data lies, if that can be copied and brought back.
    volume: Option<String>,
}

/// What a broker of one node needs for transactions, and short waits. Records may be as old as a test likes: a topic that is
/// to forget says so itself; and as large as their topic allows.
const SETTINGS: [(&str, &str); 11] = [
    ("KAFKA_AUTO_CREATE_TOPICS_ENABLE", "false"),
    ("KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS", "0"),
    ("KAFKA_LOG_CLEANER_BACKOFF_MS", "500"),
    ("KAFKA_LOG_RETENTION_CHECK_INTERVAL_MS", "1000"),
    ("KAFKA_LOG_RETENTION_MS", "-1"),
    ("KAFKA_LOG_SEGMENT_DELETE_DELAY_MS", "0"),
    ("KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS", "4"),
    ("KAFKA_SOCKET_REQUEST_MAX_BYTES", "300000000"),
    ("KAFKA_TRANSACTION_STATE_LOG_MIN_ISR", "1"),
    ("KAFKA_TRANSACTION_STATE_LOG_NUM_PARTITIONS", "4"),
    ("KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR", "1"),
];

impl Kafka {
    /// The broker that all tests share.
    pub async fn shared() -> &'static Kafka {
        static SHARED: Shared<Kafka> = Shared::const_new();
        SHARED.get_or_init(Kafka::start).await
    }

    /// A broker of one's own, for a test that pauses it; it goes when dropped.
    pub async fn start() -> Kafka {
        Kafka::published(None, None).await
    }

    /// A broker of one's own that may be restarted: it keeps its address.
    pub async fn start_restartable() -> Kafka {
        Kafka::published(Some(backend::lasting_port()), None).await
    }

    /// A broker of one's own whose data folder can be copied and restored; it keeps its address.
    pub async fn start_restorable() -> Kafka {
        Kafka::published(Some(backend::lasting_port()), Some(backend::volume())).await
    }

    async fn published(port: Option<u16>, volume: Option<String>) -> Kafka {
        let (_, tag) = backend::image("kafka");
        let mut request = apache::Kafka::default().with_jvm_image().with_tag(tag);
        for (name, value) in SETTINGS {
            request = request.with_env_var(name, value);
        }
        if let Some(port) = port {
            request = request.with_mapped_port(port, apache::KAFKA_PORT);
        }
        if let Some(volume) = &volume {
            let mount = Mount::volume_mount(volume, VOLUME);
            request = request.with_mount(mount).with_env_var("KAFKA_LOG_DIRS", format!("{VOLUME}/data"));
        }
        let container = backend::start(request).await;
        let port = container.get_host_port_ipv4(apache::KAFKA_PORT).await.expect("kafka's port is published");
        Kafka { container: Some(container), bootstrap_servers: format!("127.0.0.1:{port}"), login: None, volume }
    }

    /// Brokers that somebody else starts and stops.
    pub(crate) fn at(bootstrap_servers: String) -> Kafka {
        Kafka { container: None, bootstrap_servers, login: None, volume: None }
    }

    /// Brokers that somebody else starts, which let in who has these settings.
    pub(crate) fn that_lets_in(login: KafkaSettings) -> Kafka {
        let servers = login.bootstrap_servers.clone().expect("brokers");
        Kafka { login: Some(Box::new(login)), ..Kafka::at(servers) }
    }

    fn container(&self) -> &ContainerAsync<apache::Kafka> {
        self.container.as_ref().expect("brokers of one's own")
    }

    /// Where clients connect first.
    pub fn bootstrap_servers(&self) -> &str {
        &self.bootstrap_servers
    }

    /// Settings of a client of this broker.
    pub fn client_config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap_servers);
        if let Some(login) = &self.login {
            let file = login.ssl_ca_location.as_ref().expect("the authority");
            config
                .set("security.protocol", login.security_protocol.name())
                .set("sasl.mechanism", login.sasl_mechanism.expect("a mechanism").name())
                .set("sasl.username", login.sasl_username.as_ref().expect("a user"))
                .set("sasl.password", login.sasl_password.as_ref().expect("a password").reveal())
                .set("ssl.ca.location", file.to_string_lossy());
        }
        config
    }

    /// The same for Highwater's own adapter.
    pub fn settings(&self) -> KafkaSettings {
        self.login.as_deref().cloned().unwrap_or_else(|| KafkaSettings::at(&self.bootstrap_servers))
    }

    /// Creates a topic whose name begins with `base` and is nobody else's, and gives the name.
    /// `settings` are Kafka's topic settings.
    pub async fn new_topic(&self, base: &str, partitions: i32, settings: &[(&str, &str)]) -> String {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let name = format!("{base}-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        self.create_topic(&name, partitions, settings).await;
        name
    }

    /// Creates a topic of that very name.
    pub async fn create_topic(&self, name: &str, partitions: i32, settings: &[(&str, &str)]) {
        let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        for (setting, value) in settings {
            topic = topic.set(setting, value);
        }
        let created = self.admin().create_topics(&[topic], &options()).await;
        let created = created.unwrap_or_else(|error| panic!("cannot create topic {name}: {error}"));
        assert!(created.iter().all(Result::is_ok), "cannot create topic {name}: {created:?}");
        self.wait_for_leaders(name, partitions).await;
    }

    /// The controller answers before the brokers lead the partitions of a new topic.
    async fn wait_for_leaders(&self, name: &str, partitions: i32) {
        let consumer: Arc<BaseConsumer> = Arc::new(self.client_config().create().expect("a consumer"));
        let each_is_led = move |name: &str| {
            let ask = |partition| consumer.fetch_watermarks(name, partition, ANSWERS_WITHIN).map(drop);
            (0..partitions).try_for_each(ask).map_err(|error| error.to_string())
        };
        let each_is_led = Arc::new(each_is_led);
        eventually("the brokers to lead a new topic", ANSWERS_WITHIN, || async {
            let (each_is_led, name) = (each_is_led.clone(), name.to_owned());
            tokio::task::spawn_blocking(move || each_is_led(&name)).await.expect("no panic")
        })
        .await;
    }

    /// Gives a topic these settings of its own, instead of all that it had.
    pub async fn alter_topic(&self, name: &str, settings: &[(&str, &str)]) {
        let config = AlterConfig::new(ResourceSpecifier::Topic(name));
        let config = settings.iter().fold(config, |config, (name, value)| config.set(name, value));
        let altered = self.admin().alter_configs([&config], &options()).await;
        let altered = altered.unwrap_or_else(|error| panic!("cannot alter topic {name}: {error}"));
        assert!(altered.iter().all(Result::is_ok), "cannot alter topic {name}: {altered:?}");
    }

    /// Deletes a topic.
    pub async fn delete_topic(&self, name: &str) {
        let deleted = self.admin().delete_topics(&[name], &options()).await;
        let deleted = deleted.unwrap_or_else(|error| panic!("cannot delete topic {name}: {error}"));
        assert!(deleted.iter().all(Result::is_ok), "cannot delete topic {name}: {deleted:?}");
    }

    /// Adds partitions to a topic until it has so many.
    pub async fn add_partitions(&self, name: &str, count: usize) {
        let added = self.admin().create_partitions(&[NewPartitions::new(name, count)], &options()).await;
        let added = added.unwrap_or_else(|error| panic!("cannot add partitions to {name}: {error}"));
        assert!(added.iter().all(Result::is_ok), "cannot add partitions to {name}: {added:?}");
    }

    /// Deletes a partition's records below `offset`: its log starts there afterwards.
    pub async fn delete_records_before(&self, topic: &str, partition: i32, offset: i64) {
        let mut starts = TopicPartitionList::new();
        starts.add_partition_offset(topic, partition, Offset::Offset(offset)).expect("an offset to delete up to");
        let deleted = self.admin().delete_records(&starts, &options()).await;
        let deleted = deleted.unwrap_or_else(|error| panic!("cannot delete records of {topic}: {error}"));
        let wrong = deleted.elements().iter().any(|element| element.error().is_err());
        assert!(!wrong, "cannot delete records of {topic}-{partition} before {offset}: {deleted:?}");
    }

    /// Kills the broker and starts it again; it answers some seconds later.
    pub async fn restart(&self) {
        backend::restart(self.container()).await;
    }

    /// Stops the broker, copies its data folder, and starts it again.
    pub async fn copy_data(&self) {
        self.while_stopped("rm -rf /volume/copy && cp -a /volume/data /volume/copy").await;
    }

    /// Stops the broker, brings back what [`Kafka::copy_data`] copied, and starts it again.
    pub async fn restore_data(&self) {
        self.while_stopped("rm -rf /volume/data && cp -a /volume/copy /volume/data").await;
    }

    async fn while_stopped(&self, command: &str) {
        let volume = self.volume.clone().expect("a broker that was started as one that can be restored");
        self.container().stop_with_timeout(Some(30)).await.expect("kafka can be stopped");
        let command = command.to_owned();
        let done = tokio::task::spawn_blocking(move || backend::with_volume("kafka", &volume, &command)).await;
        done.expect("the data is copied");
        self.container().start().await.expect("kafka can be started again");
        self.answers(STARTS_WITHIN).await.unwrap_or_else(|error| panic!("kafka does not answer again: {error}"));
    }

    /// The broker answers nothing until [`Kafka::unpause`]. Only for a broker of one's own.
    pub fn pause(&self) {
        backend::pause(self.container());
    }

    /// The broker answers again: returns when it has answered a new client.
    pub async fn unpause(&self) {
        backend::resume(self.container());
        if let Err(refusal) = self.answers(ANSWERS_WITHIN).await {
            let said = self.container().stdout_to_vec().await.expect("kafka's output");
            let said = String::from_utf8_lossy(&said[said.len().saturating_sub(4_000)..]).into_owned();
            panic!("kafka does not answer after its pause: {refusal}; it said at last: {said}");
        }
    }

    /// Whether it answers a new client within that time.
    async fn answers(&self, within: Duration) -> Result<(), String> {
        let admin = self.admin();
        let asked = move || admin.inner().fetch_metadata(None, within).map(drop).map_err(|error| error.to_string());
        tokio::task::spawn_blocking(asked).await.expect("asking does not panic")
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.client_config().create().expect("an admin client")
    }
}

fn options() -> AdminOptions {
    let patience = Some(Duration::from_secs(30));
    AdminOptions::new().request_timeout(patience).operation_timeout(patience)
}
