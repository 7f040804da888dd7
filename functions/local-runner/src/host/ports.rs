//! The ports that the hosted functions need, made from the settings and proven to work.

use std::{future::Future, sync::Arc, time::Duration};

use shared::{
    adapters::{redis::RedisStore, s3::S3Objects, s3::probe, system_clock::SystemClock},
    archive,
    config::Settings,
    ports::{clock::Clock, objects::Objects, records::Kafka, store::Store},
};

use super::hosted::Hosted;
use crate::{connect, failure::Failure};

/// Everything must have answered by then, so that a start that cannot succeed fails within ten seconds.
const CHECK_TIMEOUT: Duration = Duration::from_millis(9_500);

/// The ports; a part that no hosted function needs is absent.
#[derive(Clone)]
pub struct Ports {
    /// Kafka.
    pub kafka: Option<Arc<dyn Kafka>>,
    /// The object storage.
    pub objects: Option<Arc<dyn Objects>>,
    /// The store of figures.
    pub store: Option<Arc<dyn Store>>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl Ports {
    /// Connects to what `hosted` needs and checks each: reachable, let in, and what the chain asks of it.
    ///
    /// # Errors
    /// Everything that is wrong, each with its setting.
    pub async fn connect(settings: &Settings, hosted: &Hosted) -> Result<Self, Failure> {
        let clock = Arc::new(SystemClock);
        let nonce = clock.now().0.unsigned_abs() ^ u64::from(std::process::id());
        let (kafka, objects, store) = tokio::join!(
            checked(hosted.needs_kafka(), "kafka", kafka(settings)),
            checked(hosted.needs_storage(), "storage", storage(settings, nonce)),
            checked(hosted.needs_redis(), "redis", redis(settings)),
        );
        let mut wrong = vec![];
        let mut keep = |error| wrong.push(error);
        let kafka = kafka.map_err(&mut keep).ok().flatten();
        let objects = objects.map_err(&mut keep).ok().flatten();
        let store = store.map_err(&mut keep).ok().flatten();
        let ports = Ports { kafka, objects, store, clock };
        if wrong.is_empty() {
            ports.claim_owners(settings, hosted).await.unwrap_or_else(|error| wrong.push(error));
        }
        if wrong.is_empty() { Ok(ports) } else { Err(Failure::Several(wrong)) }
    }

    /// The prefix of each backup belongs to it and to this cluster, or to nobody yet.
    async fn claim_owners(&self, settings: &Settings, hosted: &Hosted) -> Result<(), Failure> {
        let (Some(kafka), Some(objects)) = (&self.kafka, &self.objects) else { return Ok(()) };
        if !hosted.needs_storage() {
            return Ok(());
        }
        let cluster_id = kafka.cluster_id().await?;
        for name in settings.backups()?.keys() {
            archive::claim_owner(&**objects, name.as_str(), &cluster_id).await?;
        }
        Ok(())
    }
}

async fn checked<T>(
    needed: bool,
    section: &'static str,
    check: impl Future<Output = Result<T, Failure>>,
) -> Result<Option<T>, Failure> {
    if !needed {
        return Ok(None);
    }
    let in_time = tokio::time::timeout(CHECK_TIMEOUT, check).await;
    in_time.unwrap_or(Err(Failure::NoAnswer { section })).map(Some)
}

async fn kafka(settings: &Settings) -> Result<Arc<dyn Kafka>, Failure> {
    let kafka = connect::kafka(settings.kafka()?).await?;
    kafka.cluster_id().await?;
    Ok(kafka)
}

async fn storage(settings: &Settings, nonce: u64) -> Result<Arc<dyn Objects>, Failure> {
    let objects = S3Objects::connect("storage", settings.storage()?).await?;
    probe::probe(&objects, &objects.describe(), nonce).await?;
    Ok(Arc::new(objects))
}

async fn redis(settings: &Settings) -> Result<Arc<dyn Store>, Failure> {
    let store = RedisStore::open(settings.redis()?)?;
    store.check().await?;
    Ok(Arc::new(store))
}
