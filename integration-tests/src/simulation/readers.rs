//! Readers: with a pin, whatever they do stays readable for as long as the pin holds; without one, for the grace period.

use std::{sync::Arc, time::Duration};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use shared::{
    adapters::memory::faults::FaultyObjects,
    archive::{
        self, ArchiveError, SegmentEntry,
        pins::{Hold, Pin, Pinned},
    },
    chain::{ChainIdentity, keys},
    ports::{clock::Clock as _, objects::GetRange, records::Log as _},
    record::Millis,
};

use super::{
    expiry::RETENTION,
    life,
    world::{TOPICS, World},
};

/// For how long a reader's pin holds here.
pub const LEASE: Duration = Duration::from_secs(12);
/// Readers take their time.
const PAUSE_MS_MAX: u64 = 9_000;

/// One process that reads a topic.
pub async fn process(world: Arc<World>, seed: u64) {
    let mut rng = StdRng::seed_from_u64(seed);
    let faults = life::luck(&mut rng, seed);
    let reader = Reader {
        objects: FaultyObjects::new(world.objects.clone(), faults.clone()),
        topic: TOPICS[rng.random_range(0..TOPICS.len())],
        id: format!("reader-{seed}"),
        world: world.clone(),
    };
    life::live(&faults, reader.run(&mut rng)).await;
}

struct Reader {
    world: Arc<World>,
    objects: FaultyObjects,
    topic: &'static str,
    id: String,
}

/// Why a reader gave up.
enum End {
    /// A call failed, as calls do.
    Fault,
    /// What it read was wrong.
    Wrong(String),
}

impl From<ArchiveError> for End {
    fn from(error: ArchiveError) -> Self {
        if error.retry() { End::Fault } else { End::Wrong(error.to_string()) }
    }
}

impl Reader {
    async fn run(&self, rng: &mut StdRng) {
        let read = if rng.random_bool(0.3) { self.read_all(false, rng).await } else { self.read_pinned(rng).await };
        if let Err(End::Wrong(violation)) = read
            && !self.world.accidents.is_any_shaken()
        {
            self.world.watched.judged(&self.id, Err(violation));
        }
    }

    async fn read_pinned(&self, rng: &mut StdRng) -> Result<(), End> {
        let holds = if rng.random_bool(0.5) { vec![] } else { vec![Hold::topic(self.topic)] };
        let lease_ms = u64::try_from(LEASE.as_millis()).unwrap_or(0);
        let pin = Pin { lease_ms, ..Pin::new("a reader", holds) };
        let pinned = Pinned::create(&self.objects, "main", &self.id, pin).await?;
        // Where the pin was lost nothing is promised: whether it was is asked where something is missing.
        pinned.during(self.read_all(true, rng)).await?
    }

    async fn read_all(&self, is_pinned: bool, rng: &mut StdRng) -> Result<(), End> {
        let cluster = self.world.kafka.cluster_id().await.expect("memory does not fail");
        for chain in archive::chains_of_topic(&self.objects, &cluster, "main", self.topic).await? {
            self.read(&chain, is_pinned, rng).await?;
        }
        Ok(())
    }

    /// Reads what is listed of a chain from its floor on: all of it is there, and each goes on where the one before ended.
    async fn read(&self, chain: &ChainIdentity, is_pinned: bool, rng: &mut StdRng) -> Result<(), End> {
        let began = self.world.clock.now();
        let mut floor = archive::read_floor(&self.objects, chain).await?.floor;
        let folder = keys::chain_folder(chain);
        let cuts = archive::read_accepted_losses(&self.objects, chain).await?.cuts();
        let mut after = keys::before_segment(chain, floor.base);
        loop {
            let (page, next) = archive::chain_objects(&self.objects, chain, &after).await?;
            let segments = page.iter().filter_map(|entry| SegmentEntry::of(&folder, entry));
            for entry in segments.filter(|entry| !entry.is_superseded(&cuts)) {
                tokio::time::sleep(Duration::from_millis(rng.random_range(0..PAUSE_MS_MAX))).await;
                match archive::read_segment(&self.objects, &entry.key).await {
                    Err(ArchiveError::Missing { key }) => return self.missing(&key, is_pinned, began).await,
                    Err(error) => return Err(error.into()),
                    Ok(segment) => {
                        let metadata = segment.metadata();
                        if (metadata.base, metadata.before) != (floor.base, floor.before) {
                            return self.missing(&entry.key, is_pinned, began).await;
                        }
                        self.world.watched.was_read();
                        (floor.base, floor.before) = (metadata.next, metadata.after(entry.size_bytes));
                    }
                }
            }
            match next {
                Some(next) => after = next,
                None => return Ok(()),
            }
        }
    }

    /// Something is missing: that must not be while a pin holds it, nor within the grace period.
    async fn missing(&self, key: &str, is_pinned: bool, began: Millis) -> Result<(), End> {
        let now = self.world.clock.now();
        let age_ms = now.0 - began.0;
        let (what, is_held) = match is_pinned {
            true => ("its pin", pin_holds(&self.world, &self.id).await),
            false => ("the grace period", u128::try_from(age_ms).unwrap_or(0) < RETENTION.grace.as_millis()),
        };
        if is_held {
            Err(End::Wrong(format!("{key} is missing after {age_ms} ms, and {what} holds it")))
        } else {
            Ok(())
        }
    }
}

/// Whether a pin is in force.
pub async fn pin_holds(world: &World, id: &str) -> bool {
    let object = world.stored.get(&keys::pin("main", id), GetRange::Whole).await;
    let Ok(Some(object)) = object else { return false };
    let pin: Pin = serde_json::from_slice(&object.body).expect("a pin is JSON");
    !pin.revoked && world.clock.now().0 <= object.modified.0 + i64::try_from(pin.lease_ms).unwrap_or(0)
}
