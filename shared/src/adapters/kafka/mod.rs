//! Kafka through librdkafka: the client's configuration in `client`, questions in `admin` and what asks through it,
//! reading in `fetch`, publishing in `publish`. Its C interface is used where the safe one has no topic ids, panics on
//! header names that are not UTF-8, or costs an allocation for each record.

mod acls;
mod admin;
mod bounds;
mod client;
mod configs;
mod configs_change;
mod context;
mod errors;
mod fetch;
mod group_clients;
mod group_list;
mod group_offsets;
mod login;
pub mod mock;
mod msk;
mod native;
mod partitions;
mod produce;
mod publish;
mod topic_deletion;
mod topics;
mod transactions;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use rdkafka::error::KafkaError;
use tokio::sync::OnceCell;

use self::{
    admin::Admin, client::Role, context::ClientState, errors::Errors, fetch::KafkaFetch, group_clients::GroupClients,
    login::Login, publish::Producer, transactions::Transactional,
};
use crate::{
    blocking,
    config::kafka::KafkaSettings,
    ports::acls::{Acl, AclAnswer, AclOperation, Acls},
    ports::records::{
        Committed, Fetch, Groups, ListedGroup, Log, LogBounds, Message, Publisher, RecordsError, Topic, TopicLayout,
        TopicSettings,
    },
    ports::transactions::{ProducerLimits, TransactionError, TransactionalProducer, Transactions},
    record::{Offset, TopicPartition},
};

/// How often members of groups look whether their topics have more partitions, unless told otherwise.
const LOOK_EVERY: Duration = Duration::from_secs(15);
const CONFIGURE: &str = "configure the kafka client";

/// A Kafka cluster.
pub struct KafkaCluster {
    settings: KafkaSettings,
    login: Option<Arc<Login>>,
    errors: Errors,
    admin: Arc<Admin>,
    groups: Arc<GroupClients>,
    /// Made when first needed: a reader needs no permission to write.
    producer: OnceCell<Producer>,
    /// The same for messages that may come twice.
    repeating_producer: OnceCell<Producer>,
    /// How often members of groups look whether their topics have more partitions.
    look_every: Duration,
}

impl KafkaCluster {
    /// A client of the cluster. Nothing is asked of its brokers yet; those of an MSK cluster are looked up.
    ///
    /// # Errors
    /// [`RecordsError::Refused`] when settings are missing or contradict each other.
    pub async fn connect(settings: KafkaSettings) -> Result<Self, RecordsError> {
        if let Some(problem) = settings.contradictions().first() {
            return Err(refused(problem.to_string()));
        }
        unreadable_file(&settings).await?;
        let servers = match (&settings.bootstrap_servers, &settings.msk_cluster_arn) {
            (Some(servers), _) => servers.clone(),
            (None, arn) => msk::bootstrap_servers(arn.as_deref().unwrap_or_default(), &settings).await?,
        };
        let errors = Errors { bootstrap_servers: servers.as_str().into(), request_timeout: settings.request_timeout.0 };
        let login = Login::of(&settings).await.map_err(refused)?;
        let config = client::config(&settings, &servers, Role::Admin);
        let client = config
            .create_with_context(ClientState::new(login.clone()).of_no_group())
            .map_err(|error| not_made(&error))?;
        let admin = Arc::new(Admin::new(client, errors.clone()));
        let groups = Arc::new(GroupClients::new(settings.clone(), login.clone(), errors.clone(), admin.clone()));
        let (producer, repeating_producer) = (OnceCell::new(), OnceCell::new());
        Ok(KafkaCluster {
            settings,
            login,
            errors,
            admin,
            groups,
            producer,
            repeating_producer,
            look_every: LOOK_EVERY,
        })
    }

    /// The same, whose group members look that often whether their topics have more partitions.
    #[must_use]
    pub fn looking_every(self, look_every: Duration) -> Self {
        KafkaCluster { look_every, ..self }
    }

    fn open(&self, role: Role<'_>, topics: Option<&[Arc<str>]>) -> Result<KafkaFetch, RecordsError> {
        let config = client::config(&self.settings, &self.errors.bootstrap_servers, role);
        KafkaFetch::open(&config, self.login.clone(), self.errors.clone(), topics).map_err(|error| not_made(&error))
    }

    fn read(&self, role: Role<'_>, starts: &[(TopicPartition, Offset)]) -> Result<Box<dyn Fetch>, RecordsError> {
        let fetch = self.open(role, None)?;
        for (partition, from) in starts {
            fetch.read_from(partition, *from);
        }
        Ok(Box::new(fetch))
    }

    async fn producer(&self, repeats: bool) -> Result<&Producer, RecordsError> {
        let producer = if repeats { &self.repeating_producer } else { &self.producer };
        let make = async || {
            let config = client::config(&self.settings, &self.errors.bootstrap_servers, Role::Publisher { repeats });
            Producer::new(&config, self.login.clone(), self.errors.clone()).map_err(|error| not_made(&error))
        };
        producer.get_or_try_init(make).await
    }

    async fn send(&self, repeats: bool, topic: &str, messages: Vec<Message>) -> Result<(), RecordsError> {
        if messages.is_empty() {
            return Ok(());
        }
        self.producer(repeats).await?.publish(topic, messages).await
    }
}

/// The C client says that a file cannot be read, but not which.
async fn unreadable_file(settings: &KafkaSettings) -> Result<(), RecordsError> {
    let files = [
        ("ssl_ca_location", &settings.ssl_ca_location),
        ("ssl_certificate_location", &settings.ssl_certificate_location),
        ("ssl_key_location", &settings.ssl_key_location),
    ];
    for (setting, path) in files {
        let Some(path) = path else { continue };
        if let Err(error) = tokio::fs::metadata(path).await {
            return Err(refused(format!("kafka.{setting} {} cannot be read: {error}", path.display())));
        }
    }
    Ok(())
}

fn refused(message: String) -> RecordsError {
    RecordsError::Refused { operation: CONFIGURE, message }
}

fn not_made(error: &KafkaError) -> RecordsError {
    refused(format!("{error}; check the settings of section kafka"))
}

#[async_trait]
impl Log for KafkaCluster {
    async fn cluster_id(&self) -> Result<String, RecordsError> {
        self.admin.ask(topics::cluster_id).await
    }

    async fn topics(&self, names: Option<&[Arc<str>]>) -> Result<Vec<Topic>, RecordsError> {
        let names = names.map(<[_]>::to_vec);
        let describe = move |admin: &Admin| match names {
            Some(names) => topics::describe(admin, &names),
            None => topics::describe(admin, &topics::names(admin)?),
        };
        self.admin.ask(describe).await
    }

    async fn bounds(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<Vec<Result<LogBounds, RecordsError>>, RecordsError> {
        let partitions = partitions.to_vec();
        self.admin.ask(move |admin| bounds::bounds(admin, &partitions)).await
    }

    async fn fetch(&self, starts: &[(TopicPartition, Offset)]) -> Result<Box<dyn Fetch>, RecordsError> {
        self.read(Role::Reader, starts)
    }

    async fn peek(&self, starts: &[(TopicPartition, Offset)]) -> Result<Box<dyn Fetch>, RecordsError> {
        self.read(Role::Peeker, starts)
    }

    async fn layout(&self, topics: &[Arc<str>]) -> Result<Vec<TopicLayout>, RecordsError> {
        let topics = topics.to_vec();
        self.admin.ask(move |admin| topics::layout(admin, &topics)).await
    }

    async fn overrides(&self, topics: &[Arc<str>]) -> Result<Vec<Result<TopicSettings, RecordsError>>, RecordsError> {
        let topics = topics.to_vec();
        self.admin.ask(move |admin| configs::overrides(admin, &topics)).await
    }

    async fn settings(&self, topics: &[Arc<str>]) -> Result<Vec<Result<TopicSettings, RecordsError>>, RecordsError> {
        let topics = topics.to_vec();
        self.admin.ask(move |admin| configs::settings(admin, &topics)).await
    }
}

#[async_trait]
impl Groups for KafkaCluster {
    async fn join(&self, group: &str, topics: &[Arc<str>]) -> Result<Box<dyn Fetch>, RecordsError> {
        let fetch = self.open(Role::Member { group, look_every: self.look_every }, Some(topics))?;
        self.groups.add(group, fetch.client());
        Ok(Box::new(fetch))
    }

    async fn committed(
        &self,
        group: &str,
        partitions: &[TopicPartition],
    ) -> Result<Vec<Option<Committed>>, RecordsError> {
        let (groups, group, partitions) = (self.groups.clone(), group.to_owned(), partitions.to_vec());
        blocking::run(move || group_offsets::committed(&groups, &group, &partitions)).await
    }

    async fn committed_once(
        &self,
        group: &str,
        partitions: &[TopicPartition],
    ) -> Result<Vec<Option<Offset>>, RecordsError> {
        let committed = self.committed_offsets(group, partitions).await;
        let (groups, group) = (self.groups.clone(), group.to_owned());
        blocking::run(move || groups.forget(&group)).await;
        committed
    }

    async fn groups(&self) -> Result<Vec<ListedGroup>, RecordsError> {
        self.admin.ask(group_list::list).await
    }

    async fn commit_idle(&self, group: &str, offsets: &[(TopicPartition, Committed)]) -> Result<(), RecordsError> {
        if offsets.is_empty() {
            return Ok(());
        }
        let (groups, group, offsets) = (self.groups.clone(), group.to_owned(), offsets.to_vec());
        blocking::run(move || {
            let outcome = group_offsets::commit_idle(&groups, &group, &offsets);
            groups.forget(&group);
            outcome
        })
        .await
    }

    async fn commit(&self, group: &str, offsets: &[(TopicPartition, Committed)]) -> Result<(), RecordsError> {
        if offsets.is_empty() {
            return Ok(());
        }
        let (groups, group, offsets) = (self.groups.clone(), group.to_owned(), offsets.to_vec());
        blocking::run(move || group_offsets::commit(&groups, &group, &offsets)).await
    }
}

fn owned(configs: &[(&str, String)]) -> Vec<(String, String)> {
    configs.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect()
}

#[async_trait]
impl Publisher for KafkaCluster {
    async fn publish(&self, topic: &str, messages: Vec<Message>) -> Result<(), RecordsError> {
        self.send(false, topic, messages).await
    }

    async fn publish_repeatable(&self, topic: &str, messages: Vec<Message>) -> Result<(), RecordsError> {
        self.send(true, topic, messages).await
    }

    async fn check_topic(&self, name: &str, partitions: i32, configs: &[(&str, String)]) -> Result<(), RecordsError> {
        let (name, configs) = (name.to_owned(), owned(configs));
        self.admin.ask(move |admin| topics::check(admin, &name, partitions, &configs)).await
    }

    async fn create_topic(&self, name: &str, partitions: i32, configs: &[(&str, String)]) -> Result<(), RecordsError> {
        let (name, configs) = (name.to_owned(), owned(configs));
        self.admin.ask(move |admin| topics::create(admin, &name, partitions, &configs)).await
    }

    async fn alter_topic(&self, name: &str, changes: &[(&str, Option<String>)]) -> Result<(), RecordsError> {
        let name = name.to_owned();
        let changes: Vec<_> = changes.iter().map(|(setting, value)| ((*setting).to_owned(), value.clone())).collect();
        self.admin.ask(move |admin| configs_change::alter(admin, &name, &changes)).await
    }

    async fn delete_topic(&self, name: &str) -> Result<(), RecordsError> {
        let name = name.to_owned();
        self.admin.ask(move |admin| topic_deletion::delete(admin, &name)).await
    }
}

#[async_trait]
impl Acls for KafkaCluster {
    async fn acls(&self) -> Result<AclAnswer, RecordsError> {
        self.admin.ask(acls::list).await
    }

    async fn allowed(&self, topic: &str) -> Result<Option<Vec<AclOperation>>, RecordsError> {
        let topic = topic.to_owned();
        self.admin.ask(move |admin| acls::allowed(admin, &topic)).await
    }

    async fn add_acls(&self, acls: &[Acl]) -> Result<(), RecordsError> {
        let acls = acls.to_vec();
        self.admin.ask(move |admin| acls::add(admin, &acls)).await
    }
}

/// The client's own limit of a batch, as its makers have it.
const BATCH_BYTES_MAX: u64 = 1_000_000;

#[async_trait]
impl Transactions for KafkaCluster {
    async fn take_over(
        &self,
        transactional_id: &str,
        limits: ProducerLimits,
    ) -> Result<Box<dyn TransactionalProducer>, TransactionError> {
        let batch_bytes_max = limits.batch_bytes_max.map_or(BATCH_BYTES_MAX, |max| max.clamp(1, BATCH_BYTES_MAX));
        let role = Role::Transactional { id: transactional_id, batch_bytes_max };
        let config = client::config(&self.settings, &self.errors.bootstrap_servers, role);
        Ok(Box::new(
            Transactional::take_over(&config, self.login.clone(), self.errors.clone(), transactional_id).await?,
        ))
    }
}

/// The version of the Kafka client.
#[must_use]
pub fn client_version() -> String {
    rdkafka::util::get_rdkafka_version().1
}
