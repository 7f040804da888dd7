//! What functions work with, made from the settings and proven to work: the same for Lambda and for the runner.
//!
//! One function a service, so that a binary links the clients of those that it names and no others.

use std::{
    future::Future,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use futures::future::BoxFuture;
use tokio::net::TcpStream;

use super::{
    counting::CountingObjects,
    event_gateway::HttpGateway,
    kafka::KafkaCluster,
    lambda::{LambdaInvoker, gateway::InvokedGateway},
    redis::RedisStore,
    registry::HttpRegistry,
    s3::{S3Objects, probe},
    settings::SettingsError,
    system_clock::SystemClock,
    trust::TrustError,
};
use crate::{
    archive::{self, ArchiveError},
    config::{KafkaSettings, Problem, RegistrySettings, Settings, listen::Listen},
    ports::{
        invoker::{InvokeError, Invoker},
        objects::{ListRequest, Objects, ObjectsError, clock_warning},
        records::{Kafka, Log as _, RecordsError},
        registry::Registry,
        store::{Store, StoreError},
        transactions::Target,
    },
    pushing::Pushing,
};

/// Everything must have answered by then, so that a start that cannot succeed fails within ten seconds, which is also
/// what Lambda gives a function to start.
const CHECK_TIMEOUT: Duration = Duration::from_millis(9_500);

/// A process on this machine accepts at once, or is not there.
const NEIGHBOUR_TIMEOUT: Duration = Duration::from_millis(250);

/// What to look at where Kafka does not answer.
pub const KAFKA_REMEDY: &str = "start it, or correct kafka.bootstrap_servers (target.bootstrap_servers where another cluster is restored into) or \
     the security settings beside it";
/// What to look at where the storage does not answer.
pub const STORAGE_REMEDY: &str = "start it, or correct storage.url, storage.endpoint_url or storage.region";
/// What to look at where the store of figures does not answer.
pub const REDIS_REMEDY: &str = "start it, or correct redis.url";

/// Why a program cannot start its work.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The settings are wrong.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// A setting is missing.
    #[error(transparent)]
    Setting(#[from] Problem),
    /// Kafka cannot be used.
    #[error("{0}{remedy}", remedy = behind(.0.retry(), KAFKA_REMEDY))]
    Kafka(#[source] RecordsError),
    /// The storage cannot be used.
    #[error("{0}{remedy}", remedy = behind(.0.retry(), STORAGE_REMEDY))]
    Storage(#[source] ObjectsError),
    /// The store of figures cannot be used.
    #[error("{0}{remedy}", remedy = behind(.0.retry(), REDIS_REMEDY))]
    Redis(#[source] StoreError),
    /// A backup's prefix is another's, or cannot be read.
    #[error(transparent)]
    Owner(#[from] ArchiveError),
    /// Other functions cannot be invoked.
    #[error(transparent)]
    Invoke(#[from] InvokeError),
    /// Something did not answer in time.
    #[error("{what} did not answer within {} s; {remedy}", CHECK_TIMEOUT.as_secs_f32())]
    NoAnswer {
        /// What was asked.
        what: String,
        /// What to do.
        remedy: &'static str,
    },
    /// A server's authority cannot be used.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// Several things are wrong.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Several(Vec<StartError>),
}

impl StartError {
    /// Each thing that is wrong by itself.
    fn each(self) -> Vec<StartError> {
        match self {
            StartError::Several(errors) => errors,
            one => vec![one],
        }
    }
}

fn behind(unreachable: bool, remedy: &str) -> String {
    if unreachable { format!("; {remedy}") } else { String::new() }
}

/// Waits for both, and tells everything that is wrong with either.
///
/// # Errors
/// Those of both.
pub async fn both<A, B>(
    one: impl Future<Output = Result<A, StartError>>,
    other: impl Future<Output = Result<B, StartError>>,
) -> Result<(A, B), StartError> {
    match tokio::join!(one, other) {
        (Ok(one), Ok(other)) => Ok((one, other)),
        (Err(one), Err(other)) => Err(StartError::Several(one.each().into_iter().chain(other.each()).collect())),
        (Err(error), Ok(_)) | (Ok(_), Err(error)) => Err(error),
    }
}

/// Kafka, which lets us in.
///
/// # Errors
/// [`StartError`]
pub async fn kafka(settings: &Settings) -> Result<Arc<dyn Kafka>, StartError> {
    Ok(cluster(settings.kafka()?, look_every(settings)).await?)
}

/// The cluster that a restore writes to, which lets us in.
///
/// # Errors
/// [`StartError`]
pub async fn target(settings: &Settings) -> Result<Arc<dyn Target>, StartError> {
    Ok(cluster(settings.target()?, look_every(settings)).await?)
}

/// How often members of groups look for new partitions: twice a refresh, so that a group has had the time to give them away by the
/// second one.
fn look_every(settings: &Settings) -> Duration {
    Duration::from_secs(settings.metrics.refresh_s.into()) / 2
}

async fn cluster(settings: &KafkaSettings, look_every: Duration) -> Result<Arc<KafkaCluster>, StartError> {
    let place = settings.bootstrap_servers.as_ref().or(settings.msk_cluster_arn.as_ref());
    let connect = async {
        let kafka = KafkaCluster::connect(settings.clone()).await.map_err(StartError::Kafka)?;
        kafka.cluster_id().await.map_err(StartError::Kafka)?;
        Ok(Arc::new(kafka.looking_every(look_every)))
    };
    in_time(&format!("kafka at {}", place.map_or("", |place| place)), KAFKA_REMEDY, Box::pin(connect)).await
}

/// The storage of the backups, which creates an object once only.
///
/// # Errors
/// [`StartError`]
pub async fn storage(settings: &Settings) -> Result<Arc<dyn Objects>, StartError> {
    storage_for(settings, Access::Write).await
}

/// The storage of the backups, for who only reads it: nothing is written, not even to see that it can be.
///
/// # Errors
/// [`StartError`]
pub async fn storage_to_read(settings: &Settings) -> Result<Arc<dyn Objects>, StartError> {
    storage_for(settings, Access::Read).await
}

/// What somebody does with the storage.
#[derive(Debug, Clone, Copy)]
enum Access {
    Read,
    Write,
}

async fn storage_for(settings: &Settings, access: Access) -> Result<Arc<dyn Objects>, StartError> {
    let settings = settings.storage()?;
    let connect = async {
        let objects = S3Objects::connect("storage", settings).await.map_err(StartError::Storage)?;
        let proven = match access {
            Access::Read => objects.list(ListRequest::prefix(probe::FOLDER)).await.map(drop),
            Access::Write => probe::probe(&objects, &objects.describe()).await,
        };
        proven.map_err(StartError::Storage)?;
        if let Some(warning) = clock_warning(objects.clock_ahead_ms()) {
            tracing::warn!("{warning}");
        }
        Ok(Arc::new(CountingObjects::new(Arc::new(objects))) as Arc<dyn Objects>)
    };
    in_time(&format!("the storage {}", settings.url), STORAGE_REMEDY, Box::pin(connect)).await
}

/// The store of figures, which answers.
///
/// # Errors
/// [`StartError`]
pub async fn redis(settings: &Settings) -> Result<Arc<dyn Store>, StartError> {
    let settings = settings.redis()?;
    let connect = async {
        let store = RedisStore::open(settings).map_err(StartError::Redis)?;
        store.check().await.map_err(StartError::Redis)?;
        Ok(Arc::new(store) as Arc<dyn Store>)
    };
    in_time(&format!("redis at {}", settings.shown_url()), REDIS_REMEDY, Box::pin(connect)).await
}

/// Kafka, where it is configured.
///
/// # Errors
/// [`StartError`]
pub async fn kafka_if_configured(settings: &Settings) -> Result<Option<Arc<dyn Kafka>>, StartError> {
    if settings.kafka.is_some() { kafka(settings).await.map(Some) } else { Ok(None) }
}

/// The store of figures, where it is configured.
///
/// # Errors
/// [`StartError`]
pub async fn redis_if_configured(settings: &Settings) -> Result<Option<Arc<dyn Store>>, StartError> {
    if settings.redis.is_some() { redis(settings).await.map(Some) } else { Ok(None) }
}

/// The store of figures, not asked yet: for who answers 503 while it is down.
///
/// # Errors
/// [`StartError`]
pub fn redis_at_need(settings: &Settings) -> Result<Arc<dyn Store>, StartError> {
    Ok(Arc::new(RedisStore::open(settings.redis()?).map_err(StartError::Redis)?))
}

/// The same where it is configured: for who tells of its runs there, and works without it.
///
/// # Errors
/// [`StartError`]
pub fn redis_at_need_if_configured(settings: &Settings) -> Result<Option<Arc<dyn Store>>, StartError> {
    settings.redis.is_some().then(|| redis_at_need(settings)).transpose()
}

/// What invokes the functions that are deployed beside this one.
///
/// # Errors
/// [`StartError`]
pub async fn invoker(settings: &Settings) -> Result<Arc<dyn Invoker>, StartError> {
    let lambda = &settings.lambda;
    let invoker = LambdaInvoker::connect(&lambda.function_prefix, lambda.endpoint_url.as_ref(), SystemClock);
    Ok(Arc::new(invoker.await?))
}

/// Where jobs push their progress; nowhere where that is off, or there is no gateway. `own` is the gateway of this process,
/// where it has one.
///
/// # Errors
/// When the file of its authority cannot be used.
pub fn event_gateway(settings: &Settings, own: Option<SocketAddr>) -> Result<Option<Pushing>, StartError> {
    let gateway = &settings.event_gateway;
    let Some(url) = gateway.address(own.map(reachable)) else { return Ok(None) };
    let client = HttpGateway::new(url, gateway.ca_file.as_deref(), settings.listen.token.clone())?;
    Ok(Some(Pushing { gateway: Arc::new(client), namespace: gateway.namespace().into() }))
}

/// The same for a job that runs as a function: where no address is set, it pushes to the function metrics-gateway that is deployed
/// beside it. That it cannot be invoked stops no job.
///
/// # Errors
/// When the file of the gateway's authority cannot be used.
pub async fn function_gateway(settings: &Settings) -> Result<Option<Pushing>, StartError> {
    let gateway = &settings.event_gateway;
    if !gateway.enabled || gateway.address(None).is_some() {
        return event_gateway(settings, None);
    }
    match invoker(settings).await {
        Ok(invoker) => Ok(Some(Pushing {
            gateway: Arc::new(InvokedGateway::new(invoker, settings.listen.token.clone())),
            namespace: gateway.namespace().into(),
        })),
        Err(error) => {
            tracing::debug!(error = &error as &dyn std::error::Error, "progress is pushed nowhere: {error}");
            Ok(None)
        }
    }
}

/// The schema registries of the settings.
#[derive(Clone)]
pub struct Registries {
    /// The one that is backed up.
    pub source: Option<Arc<dyn Registry>>,
    /// The one that is restored into.
    pub target: Option<Arc<dyn Registry>>,
    /// The name of the first in the storage.
    pub name: String,
}

/// The schema registries; no request is made yet.
///
/// # Errors
/// When the file of an authority cannot be used.
pub fn registries(settings: &Settings) -> Result<Registries, StartError> {
    let client = |section: &str, settings: &RegistrySettings| -> Result<Arc<dyn Registry>, StartError> {
        Ok(Arc::new(HttpRegistry::new(section, settings)?))
    };
    let source = settings.schema_registry.as_ref();
    let target = settings.target_schema_registry().ok();
    Ok(Registries {
        name: source.or(target).map_or("default", |it| &it.name).to_owned(),
        source: source.map(|it| client("schema_registry", it)).transpose()?,
        target: target.map(|it| client("target_schema_registry", it)).transpose()?,
    })
}

/// The event gateway that a `serve` or `dev` of these settings has on this machine, where one listens there.
pub async fn neighbour_gateway(settings: &Settings) -> Option<SocketAddr> {
    let Listen::At(address) = &settings.listen.gateway else { return None };
    let connected = tokio::time::timeout(NEIGHBOUR_TIMEOUT, TcpStream::connect(address)).await;
    connected.ok()?.ok()?.peer_addr().ok()
}

/// A listener on all addresses is reached on the loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => SocketAddr::from((Ipv4Addr::LOCALHOST, v4.port())),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => SocketAddr::from((Ipv6Addr::LOCALHOST, v6.port())),
        other => other,
    }
}

/// The prefix of each backup belongs to it and to this cluster, or to nobody yet.
///
/// # Errors
/// [`StartError`]
pub async fn claim_owners(settings: &Settings, kafka: &dyn Kafka, objects: &dyn Objects) -> Result<(), StartError> {
    owners(settings, kafka, objects, Access::Write).await
}

/// Looks whose each backup is; whoever writes claims those that are nobody's.
async fn owners(
    settings: &Settings,
    kafka: &dyn Kafka,
    objects: &dyn Objects,
    access: Access,
) -> Result<(), StartError> {
    let looks = async {
        let cluster_id = kafka.cluster_id().await.map_err(StartError::Kafka)?;
        for name in settings.backups()?.keys() {
            match access {
                Access::Read => drop(archive::check_owner(objects, name.as_str(), &cluster_id).await?),
                Access::Write => archive::claim_owner(objects, name.as_str(), &cluster_id).await?,
            }
        }
        Ok(())
    };
    in_time("the storage of the backups", STORAGE_REMEDY, Box::pin(looks)).await
}

/// Makes the metrics topic where it is not there. Where that is not possible it is said, and stops nobody: backups need no
/// figures.
pub async fn create_metrics_topic(settings: &Settings, kafka: &dyn Kafka) {
    let metrics = &settings.metrics;
    let retention = [("retention.ms", metrics.retention.0.as_millis().to_string())];
    if let Err(error) = kafka.create_topic(&metrics.topic, metrics.partitions.into(), &retention).await {
        let topic = &*metrics.topic;
        tracing::warn!(
            topic,
            error = &error as &dyn std::error::Error,
            "the metrics topic cannot be created: {error}; backups go on, and figures are missing until it is there"
        );
    }
}

/// Makes the topic of objects to replicate where it is not there.
async fn create_replication_topic(settings: &Settings, kafka: &dyn Kafka) -> Result<(), StartError> {
    let metrics = &settings.metrics;
    let retention = [("retention.ms", metrics.retention.0.as_millis().to_string())];
    let created = kafka.create_topic(&settings.replication.topic, metrics.partitions.into(), &retention).await;
    created.map_err(StartError::Kafka)
}

/// The stores of the locations that Highwater replicates to, by name. Nothing is asked of them yet: one that is down holds up no start.
///
/// # Errors
/// [`StartError`]
pub async fn locations(settings: &Settings) -> Result<Vec<(String, Arc<dyn Objects>)>, StartError> {
    let mut stores: Vec<(String, Arc<dyn Objects>)> = vec![];
    for (name, place) in settings.locations.iter().filter(|_| settings.replication.enabled) {
        let section = format!("locations.{name}");
        let objects = S3Objects::connect(&section, place).await.map_err(StartError::Storage)?;
        stores.push((name.to_string(), Arc::new(objects)));
    }
    Ok(stores)
}

/// Kafka and the storage for whoever writes backups: claimed, and with a topic to say so on.
///
/// # Errors
/// [`StartError`]
pub async fn backups(settings: &Settings) -> Result<(Arc<dyn Kafka>, Arc<dyn Objects>), StartError> {
    backups_for(settings, Access::Write).await
}

/// The same for whoever only looks at them: a backup that nobody claimed has not begun.
///
/// # Errors
/// [`StartError`]
pub async fn backups_to_read(settings: &Settings) -> Result<(Arc<dyn Kafka>, Arc<dyn Objects>), StartError> {
    backups_for(settings, Access::Read).await
}

async fn backups_for(settings: &Settings, access: Access) -> Result<(Arc<dyn Kafka>, Arc<dyn Objects>), StartError> {
    let (kafka, objects) = both(kafka(settings), storage_for(settings, access)).await?;
    both(owners(settings, &*kafka, &*objects, access), create_topics(settings, &*kafka)).await?;
    Ok((kafka, objects))
}

/// Makes the topics that Highwater speaks on, where they are not there.
///
/// # Errors
/// [`StartError`], of the topic of objects to replicate.
pub async fn create_topics(settings: &Settings, kafka: &dyn Kafka) -> Result<(), StartError> {
    create_metrics_topic(settings, kafka).await;
    if settings.replicates() { create_replication_topic(settings, kafka).await } else { Ok(()) }
}

/// Boxed because the clients' futures are deep: what holds several of them would be too deep to be compiled.
async fn in_time<T>(
    what: &str,
    remedy: &'static str,
    check: BoxFuture<'_, Result<T, StartError>>,
) -> Result<T, StartError> {
    let no_answer = |_| Err(StartError::NoAnswer { what: what.to_owned(), remedy });
    tokio::time::timeout(CHECK_TIMEOUT, check).await.unwrap_or_else(no_answer)
}
