//! What the function has at hand.

use std::{collections::HashMap, sync::Arc, time::Duration};

use shared::{
    adapters::s3::probe,
    archive::ChainHint,
    chain::ChainIdentity,
    config::{Problem, Settings},
    ports::{
        clock::Clock,
        objects::{Buckets, Objects, ObjectsError},
        records::Kafka,
        store::Store,
    },
    record::Offset,
    replication::{Queue, SourcePlace, group, outgoing::Outgoing},
    runs::RunLog,
};
use tokio::sync::{Mutex, OnceCell};

use crate::{NAME, ReplicateError};

/// The function's ports and settings.
pub struct Context {
    /// Kafka.
    pub kafka: Arc<dyn Kafka>,
    /// The storage that is copied, and that keeps the statuses.
    pub objects: Arc<dyn Objects>,
    /// Other buckets of its server.
    pub buckets: Arc<dyn Buckets>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Asks for replication and says what came of it.
    pub outgoing: Outgoing,
    /// The locations.
    pub locations: Vec<Location>,
    /// How long and how much.
    pub limits: Limits,
    /// What is told of the runs.
    pub runs: RunLog,
}

/// A location.
pub struct Location {
    /// Its name.
    pub name: String,
    objects: Arc<dyn Objects>,
    /// That it creates an object once only was seen.
    proven: OnceCell<()>,
    /// Where chains ended there when they were looked at last, by their folder. Being wrong it costs requests only.
    pub(crate) hints: Mutex<HashMap<String, ChainHint>>,
    /// Which chain a folder is, as the storage says once and for all.
    pub(crate) chains: Mutex<HashMap<String, ChainIdentity>>,
    /// Up to where chains are complete there, by their folder, as far as this process knows.
    pub(crate) complete: Mutex<HashMap<String, Offset>>,
    /// The owners and claims that are there.
    pub(crate) controls: Mutex<std::collections::HashSet<String>>,
}

/// How long and how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How often a follower looks for what is due to be tried again, and what is paused.
    pub refresh: Duration,
    /// So many objects are copied at once to a location.
    pub at_once: usize,
    /// How many attempts are made by themselves.
    pub attempts_max: u32,
    /// The wait before the second attempt; it doubles.
    pub backoff_min: Duration,
    /// The longest wait between two attempts.
    pub backoff_max: Duration,
    /// How long before its time is over a drain begins nothing new.
    pub margin: Duration,
    /// How long a drain waits for Kafka to send something.
    pub silence_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            refresh: Duration::from_secs(15),
            at_once: 4,
            attempts_max: 20,
            backoff_min: Duration::from_secs(5),
            backoff_max: Duration::from_secs(900),
            margin: Duration::from_secs(20),
            silence_max: Duration::from_secs(30),
        }
    }
}

impl Location {
    /// A location; nothing is asked of it yet.
    #[must_use]
    pub fn new(name: &str, objects: Arc<dyn Objects>) -> Self {
        Location {
            name: name.to_owned(),
            objects,
            proven: OnceCell::new(),
            hints: Mutex::default(),
            chains: Mutex::default(),
            complete: Mutex::default(),
            controls: Mutex::default(),
        }
    }

    /// Its store, once it was seen to create an object once only: two replicators would else overwrite each other.
    pub(crate) async fn objects(&self) -> Result<&dyn Objects, ObjectsError> {
        let store = format!("location {}", self.name);
        self.proven.get_or_try_init(|| probe::probe(&*self.objects, &store)).await?;
        Ok(&*self.objects)
    }
}

impl Context {
    /// A context by the settings. Its runs are counted in `store`, where there is one.
    ///
    /// # Errors
    /// When there is no storage.
    pub fn new(
        settings: &Settings,
        kafka: Arc<dyn Kafka>,
        objects: Arc<dyn Objects>,
        buckets: Arc<dyn Buckets>,
        store: Option<Arc<dyn Store>>,
        clock: Arc<dyn Clock>,
        locations: Vec<Location>,
    ) -> Result<Self, Problem> {
        let outgoing = Outgoing::new(settings, kafka.clone(), objects.clone(), clock.clone())?;
        let refresh = Duration::from_secs(settings.metrics.refresh_s.into());
        let limits = Limits {
            refresh,
            at_once: settings.replication.objects_at_once.into(),
            attempts_max: settings.replication.attempts_max,
            ..Limits::default()
        };
        let runs = RunLog::new(NAME, store);
        Ok(Context { kafka, objects, buckets, clock, outgoing, locations, limits, runs })
    }

    /// The location of that name, or all.
    pub(crate) fn wanted(&self, name: Option<&str>) -> Result<Vec<&Location>, ReplicateError> {
        let wanted: Vec<_> =
            self.locations.iter().filter(|location| name.is_none_or(|name| location.name == name)).collect();
        match (wanted.is_empty(), name) {
            (true, Some(name)) => Err(ReplicateError::UnknownLocation(name.to_owned())),
            _ => Ok(wanted),
        }
    }

    pub(crate) fn queue(&self) -> &Queue {
        &self.outgoing.queue
    }

    /// The topic of the entries.
    pub(crate) fn topic(&self) -> Arc<str> {
        self.queue().topic.clone()
    }

    pub(crate) fn place(&self) -> &SourcePlace {
        &self.outgoing.place
    }

    /// The consumer group of a location.
    pub(crate) fn group(&self, location: &Location) -> String {
        group(&self.queue().storage, &location.name)
    }
}
