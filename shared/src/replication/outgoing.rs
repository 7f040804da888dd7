//! What is stored is asked for at every configured location.

use std::sync::Arc;

use super::{Known, Queue, QueueError, SourcePlace, Subject, Wanted, operation::version_of};
use crate::{
    config::{Problem, Settings},
    ports::{
        clock::Clock,
        objects::{ETag, Objects},
        records::Publisher,
    },
};

/// Asks for what is stored, for a storage that has locations.
#[derive(Clone)]
pub struct Outgoing {
    /// Asks.
    pub queue: Queue,
    /// Where the storage is.
    pub place: SourcePlace,
    /// The names of its locations.
    pub locations: Vec<String>,
}

/// An object of the storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its key below the storage's prefix.
    pub key: String,
    /// Its entity tag.
    pub etag: ETag,
    /// Its size.
    pub size_bytes: u64,
}

impl Outgoing {
    /// By the settings; `None` where Highwater does not replicate.
    #[must_use]
    pub fn of(
        settings: &Settings,
        kafka: Arc<dyn Publisher>,
        objects: Arc<dyn Objects>,
        clock: Arc<dyn Clock>,
    ) -> Option<Self> {
        let outgoing = Outgoing::new(settings, kafka, objects, clock);
        outgoing.ok().filter(|_| settings.replicates())
    }

    /// By the settings, however many locations there are.
    ///
    /// # Errors
    /// When there is no storage.
    pub fn new(
        settings: &Settings,
        kafka: Arc<dyn Publisher>,
        objects: Arc<dyn Objects>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Problem> {
        let place = SourcePlace::of(settings.storage()?);
        let locations = settings.locations.keys().map(|name| name.as_str().to_owned()).collect();
        let topic = settings.replication.topic.as_str().into();
        let metrics_topic = settings.metrics.topic.as_str().into();
        let queue = Queue { kafka, objects, clock, topic, metrics_topic, storage: place.name().into() };
        Ok(Outgoing { queue, place, locations })
    }

    /// Asks for objects that were just stored, or that nobody may know of yet.
    ///
    /// # Errors
    /// [`QueueError`]; asking for the same again is harmless.
    pub async fn stored(&self, objects: &[Stored]) -> Result<(), QueueError> {
        let each = |location: &String| {
            let wanted = objects.iter().map(|object| self.wanted(location, object, Known::Resend));
            wanted.collect::<Vec<_>>()
        };
        self.queue.enqueue(self.locations.iter().flat_map(each).collect()).await?;
        Ok(())
    }

    /// An object of the storage as it is asked for at a location.
    #[must_use]
    pub fn wanted(&self, location: &str, object: &Stored, known: Known) -> Wanted {
        let subject = Subject {
            location: location.to_owned(),
            bucket: self.place.bucket.clone(),
            key: self.place.whole_key(&object.key),
            version: version_of(&object.etag),
        };
        Wanted { subject, size_bytes: object.size_bytes, known }
    }
}
