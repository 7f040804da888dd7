//! The ports that the hosted functions need, made from the settings and proven to work.

use std::{future::Future, net::SocketAddr, sync::Arc};

use shared::{
    adapters::{
        connect::{self, Registries, StartError},
        s3::S3Buckets,
        system_clock::SystemClock,
    },
    config::Settings,
    ports::{
        clock::Clock,
        objects::{Buckets, Objects},
        records::Kafka,
        store::Store,
        transactions::Target,
    },
    pushing::Pushing,
};

/// A service that a function needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Section `kafka`.
    Kafka,
    /// Sections `storage` and `backups`.
    Storage,
    /// Section `redis`.
    Redis,
    /// Sections `locations`.
    Locations,
    /// Section `target`, or else `kafka`.
    Target,
}

impl Need {
    /// All of them.
    pub const ALL: [Need; 5] = [Need::Kafka, Need::Storage, Need::Redis, Need::Locations, Need::Target];
}

/// The ports; a part that no hosted function needs is absent.
#[derive(Clone)]
pub struct Ports {
    /// Kafka.
    pub kafka: Option<Arc<dyn Kafka>>,
    /// The object storage.
    pub objects: Option<Arc<dyn Objects>>,
    /// The store of figures.
    pub store: Option<Arc<dyn Store>>,
    /// Where jobs push their progress.
    pub pushing: Option<Pushing>,
    /// The stores of the locations, by name.
    pub locations: Vec<(String, Arc<dyn Objects>)>,
    /// The schema registries.
    pub registries: Registries,
    /// Other buckets of the storage's server.
    pub buckets: Option<Arc<dyn Buckets>>,
    /// The cluster that a restore writes to.
    pub target: Option<Arc<dyn Target>>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl Ports {
    /// Connects to these services and checks each: reachable, let in, and what the chain asks of it. `gateway` is the event
    /// gateway of this process, where it has one.
    ///
    /// # Errors
    /// Everything that is wrong, each with its setting.
    pub async fn connect(settings: &Settings, needs: &[Need], gateway: Option<SocketAddr>) -> Result<Self, StartError> {
        let kafka = when(needs.contains(&Need::Kafka), connect::kafka(settings));
        let storage = when(needs.contains(&Need::Storage), connect::storage(settings));
        let redis = when(needs.contains(&Need::Redis), connect::redis(settings));
        let target = when(needs.contains(&Need::Target), connect::target(settings));
        let ((kafka, objects), (store, target)) =
            connect::both(connect::both(kafka, storage), connect::both(redis, target)).await?;
        let pushing = connect::event_gateway(settings, gateway)?;
        let locations = when(needs.contains(&Need::Locations), connect::locations(settings)).await?;
        let buckets = settings.storage.as_ref().map(|storage| Arc::new(S3Buckets::beside(storage)) as Arc<dyn Buckets>);
        let locations = locations.unwrap_or_default();
        let registries = connect::registries(settings)?;
        Ok(Ports {
            kafka,
            objects,
            store,
            target,
            locations,
            buckets,
            registries,
            pushing,
            clock: Arc::new(SystemClock),
        })
    }
}

async fn when<T>(needed: bool, connect: impl Future<Output = Result<T, StartError>>) -> Result<Option<T>, StartError> {
    if needed { connect.await.map(Some) } else { Ok(None) }
}
