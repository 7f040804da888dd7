//! Accidents: the end of a chain goes missing from the storage. A person accepts that some time later, while those live who
//! had opened the chain before, with finished segments in their hands: they wake at the moment in which it is accepted.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use segment_writer::{Context, WriteError};
use shared::{
    adapters::memory::faults::{Faults, Odds},
    archive::{self, ArchiveError, SegmentEntry},
    chain::{ChainIdentity, keys},
    ports::{
        objects::{ETag, GetRange, ListPage, ListRequest, Object, Objects, ObjectsError, PutCondition},
        records::{Committed, Groups as _, Log as _},
    },
    record::{Millis, Offset, TopicId, TopicPartition},
};
use tokio::{sync::Notify, task::JoinSet};

use super::{
    life,
    world::{PARTITIONS, TOPICS, World},
};

const GROUP: &str = "highwater.main";
/// How often a person tries while things go wrong; then they do not any more.
const UNLUCKY_MAX: u32 = 3;
/// So many false alarms may follow one another: commits that came late.
const LOOKS_MAX: u32 = 10;

/// Every third history has accidents.
pub fn may_happen(seed: u64) -> bool {
    seed % 3 == 2
}

/// What is missing.
#[derive(Default)]
pub struct Accidents {
    /// By the folders of the chains.
    gates: Mutex<BTreeMap<String, Gate>>,
    changed: Notify,
    persons: Mutex<JoinSet<()>>,
    /// Topics of which the figures may be those of before.
    shaken: Mutex<BTreeSet<&'static str>>,
    /// When segments that were brought back had been written first, by key. Who had seen them then may go by that.
    first_written: Mutex<BTreeMap<String, Millis>>,
}

/// Whether those may store who opened the chain before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Gate {
    /// They sleep.
    Closed,
    /// They wake.
    Open,
}

impl Accidents {
    fn gates(&self) -> MutexGuard<'_, BTreeMap<String, Gate>> {
        self.gates.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn gate(&self, folder: &str) -> Gate {
        self.gates().get(folder).copied().unwrap_or(Gate::Open)
    }

    fn set(&self, folder: &str, gate: Gate) {
        self.gates().insert(folder.to_owned(), gate);
        self.changed.notify_waiters();
    }

    fn persons(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.persons.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shaken(&self) -> MutexGuard<'_, BTreeSet<&'static str>> {
        self.shaken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn first_written(&self) -> MutexGuard<'_, BTreeMap<String, Millis>> {
        self.first_written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When a segment was written that its store dates `modified`: earlier, where it was gone and brought back.
    pub fn written_at(&self, key: &str, modified: Millis) -> Millis {
        self.first_written().get(key).map_or(modified, |first| modified.min(*first))
    }

    /// Whether nobody has noted that the end of the chain in this folder is missing.
    pub fn is_closed(&self, folder: &str) -> bool {
        self.gate(folder) == Gate::Closed
    }

    /// Whether something went missing of a topic since the last quiet moment.
    pub fn is_shaken(&self, topic: &str) -> bool {
        self.shaken().contains(topic)
    }

    /// The same of any.
    pub fn is_any_shaken(&self) -> bool {
        !self.shaken().is_empty()
    }
}

/// What is missing of which chain.
struct Accident {
    topic_id: TopicId,
    partition: TopicPartition,
    folder: String,
    /// What was committed.
    witness: Offset,
    /// What is missing.
    gone: Vec<(String, Bytes, Millis)>,
}

/// The last segments of some chain go missing, if so much was committed; somebody is going to accept that.
pub async fn happen(world: &Arc<World>, rng: &mut StdRng) {
    let topic = TOPICS[rng.random_range(0..TOPICS.len())];
    let partition = TopicPartition::new(topic, rng.random_range(0..PARTITIONS));
    let Some(chain) = chain_of(world, &partition).await else { return };
    let folder = keys::chain_folder(&chain);
    let committed = world.kafka.committed(GROUP, std::slice::from_ref(&partition)).await.expect("memory does not fail");
    let stored = committed[0].as_ref().map(|committed| committed.stored.unwrap_or(committed.offset));
    let accepted = archive::read_accepted_losses(&*world.stored, &chain).await.expect("they are readable");
    let floor = archive::read_floor(&*world.stored, &chain).await.expect("it is readable").floor.base;
    let listed = archive::chain_objects(&*world.stored, &chain, "").await.expect("memory does not fail").0;
    let segments: Vec<_> = listed
        .iter()
        .filter_map(|entry| SegmentEntry::of(&folder, entry))
        .filter(|entry| entry.base >= floor && !entry.is_superseded(&accepted.cuts()))
        .collect();
    // The first above a floor stays: else only Kafka's next record would tell that nothing is missing any more.
    let least = usize::from(floor > Offset(0));
    if segments.len() <= least || world.accidents.gate(&folder) != Gate::Open || accepted.is_proposed() {
        return;
    }
    let first = rng.random_range(least..segments.len());
    let Some(witness) = stored.filter(|stored| *stored > segments[first].base) else { return };
    let mut gone = vec![];
    for entry in &segments[first..] {
        let object = world.stored.get(&entry.key, GetRange::Whole).await.expect("memory does not fail");
        let object = object.expect("it was listed");
        let written_at = world.accidents.written_at(&entry.key, object.modified);
        gone.push((entry.key.clone(), object.body, written_at));
        world.stored.delete(&entry.key).await.expect("memory does not fail");
    }
    world.accidents.set(&folder, Gate::Closed);
    world.accidents.shaken().insert(topic);
    world.watched.lost();
    world.meter().points.clear();
    let accident = Accident { topic_id: chain.topic_id, partition, folder, witness, gone };
    world.accidents.persons().spawn(person(world.clone(), accident, rng.random()));
}

async fn chain_of(world: &World, partition: &TopicPartition) -> Option<ChainIdentity> {
    let topic_id = world.id(&partition.topic);
    let claims = archive::claims(&*world.stored, "main", &partition.topic).await.expect("memory does not fail");
    let claim = claims.into_iter().find(|claim| claim.topic_id == topic_id)?;
    Some(ChainIdentity {
        cluster_id: world.kafka.cluster_id().await.expect("memory does not fail"),
        backup: "main".into(),
        topic: partition.topic.clone(),
        topic_id,
        incarnation: claim.incarnation,
        partition: partition.partition,
    })
}

/// Somebody who notices, and accepts it, or brings it back.
async fn person(world: Arc<World>, accident: Accident, seed: u64) {
    let mut rng = StdRng::seed_from_u64(seed);
    let (finds_it, mut is_noted) = (rng.random_bool(0.1), false);
    for attempt in 0.. {
        tokio::time::sleep(Duration::from_millis(rng.random_range(0..20_000))).await;
        let is_gone = world.id(&accident.partition.topic) != accident.topic_id;
        if is_noted && (is_gone || !is_proposed(&world, &accident.folder).await) {
            return;
        }
        // Nobody accepts losses of topics that are gone.
        if !is_noted && (finds_it || is_gone) {
            return bring_back(&world, accident).await;
        }
        let lucky = Arc::new(Faults::new(seed, Odds::NONE, None));
        let faults = if attempt < UNLUCKY_MAX { life::luck(&mut rng, seed + u64::from(attempt)) } else { lucky };
        let (inner, folder) = (world.objects.clone(), accident.folder.clone());
        let objects = Arc::new(Proposing { inner, world: world.clone(), folder });
        let context = life::context_with(&world, objects, &faults, life::clock(&world, &mut rng), 300);
        life::live(&faults, async { drop(accept(&context, &accident.partition).await) }).await;
        is_noted |= !world.accidents.is_closed(&accident.folder);
        if is_noted && !is_proposed(&world, &accident.folder).await {
            return;
        }
        // A late commit that says less makes the loss look like none; the next one says so again.
        let topic_id = Some(accident.topic_id.clone());
        let said = [(accident.partition.clone(), Committed { offset: accident.witness, topic_id, stored: None })];
        if world.accidents.is_closed(&accident.folder) {
            world.kafka.commit(GROUP, &said).await.expect("memory does not fail");
        }
    }
}

/// Whether somebody began to accept a loss there, and nobody decided about it.
async fn is_proposed(world: &World, folder: &str) -> bool {
    archive::accepted_losses_in(&*world.stored, folder).await.expect("memory does not fail").is_proposed()
}

async fn bring_back(world: &World, accident: Accident) {
    for (key, body, written_at) in accident.gone {
        world.accidents.first_written().insert(key.clone(), written_at);
        world.stored.put(&key, body, PutCondition::IfAbsent).await.expect("nobody stores there meanwhile");
    }
    world.accidents.set(&accident.folder, Gate::Open);
}

/// Accepts what is missing of a partition. Whether anything was.
async fn accept(context: &Context, partition: &TopicPartition) -> Result<bool, WriteError> {
    let tails = segment_writer::missing_tails(context, &context.backups[0], std::slice::from_ref(partition)).await?;
    for tail in &tails {
        segment_writer::accept(context, tail).await?;
    }
    Ok(!tails.is_empty())
}

/// Everybody is done: whatever still looks missing is accepted, until nothing does. Then figures must be right again.
pub async fn settle(world: &Arc<World>) -> Result<(), String> {
    if !may_happen(world.seed) {
        return Ok(());
    }
    let mut persons = std::mem::take(&mut *world.accidents.persons());
    life::all_end(&mut persons).await;
    let faults = Arc::new(Faults::new(world.seed, Odds::NONE, None));
    let context = life::context_with(world, world.objects.clone(), &faults, world.clock.clone(), 300);
    for topic in TOPICS {
        decide_about_what_is_gone(world, topic).await.map_err(|error| format!("nobody can decide: {error}"))?;
        for partition in (0..PARTITIONS).map(|partition| TopicPartition::new(topic, partition)) {
            let mut looks = 0;
            while accept(&context, &partition)
                .await
                .map_err(|error| format!("a person cannot accept a loss: {error}"))?
            {
                looks += 1;
                if looks == LOOKS_MAX {
                    return Err(format!("{partition} is missing something again and again"));
                }
            }
        }
    }
    let shaken = std::mem::take(&mut *world.accidents.shaken());
    let of_shaken = |series: &str| shaken.iter().any(|topic| series.contains(&format!("\"{topic}\"")));
    world.meter().shown.retain(|series, _| !of_shaken(series));
    Ok(())
}

/// Losses that somebody began to accept of a topic that was deleted meanwhile: nobody writes it any more, who would decide.
async fn decide_about_what_is_gone(world: &World, topic: &str) -> Result<(), ArchiveError> {
    let cluster = world.kafka.cluster_id().await.expect("memory does not fail");
    for chain in archive::chains_of_topic(&*world.stored, &cluster, "main", topic).await? {
        let accepted = archive::read_accepted_losses(&*world.stored, &chain).await?;
        if chain.topic_id != world.id(topic) && accepted.is_proposed() {
            archive::decide_losses(&*world.stored, &chain, accepted, None).await?;
        }
    }
    Ok(())
}

/// A storage as writers meet it: those who have opened a chain sleep there from an accident on until it is accepted.
pub struct Gated {
    pub inner: Arc<dyn Objects>,
    pub world: Arc<World>,
}

#[async_trait]
impl Objects for Gated {
    async fn put(&self, key: &str, body: Bytes, condition: PutCondition) -> Result<ETag, ObjectsError> {
        let folder = &key[..=key.rfind('/').unwrap_or(0)];
        while key.ends_with(keys::SEGMENT_SUFFIX) {
            let changed = self.world.accidents.changed.notified();
            match self.world.accidents.gate(folder) {
                Gate::Open => break,
                Gate::Closed => changed.await,
            }
        }
        self.inner.put(key, body, condition).await
    }

    async fn get(&self, key: &str, range: GetRange) -> Result<Option<Object>, ObjectsError> {
        self.inner.get(key, range).await
    }

    async fn list(&self, request: ListRequest<'_>) -> Result<ListPage, ObjectsError> {
        self.inner.list(request).await
    }

    async fn delete(&self, key: &str) -> Result<(), ObjectsError> {
        self.inner.delete(key).await
    }
}

/// A storage as a person meets it: when the loss is noted the others wake.
struct Proposing {
    inner: Arc<dyn Objects>,
    world: Arc<World>,
    folder: String,
}

#[async_trait]
impl Objects for Proposing {
    async fn put(&self, key: &str, body: Bytes, condition: PutCondition) -> Result<ETag, ObjectsError> {
        let etag = self.inner.put(key, body, condition).await?;
        if key == keys::accepted_loss_in(&self.folder) {
            self.world.accidents.set(&self.folder, Gate::Open);
        }
        Ok(etag)
    }

    async fn get(&self, key: &str, range: GetRange) -> Result<Option<Object>, ObjectsError> {
        self.inner.get(key, range).await
    }

    async fn list(&self, request: ListRequest<'_>) -> Result<ListPage, ObjectsError> {
        self.inner.list(request).await
    }

    async fn delete(&self, key: &str) -> Result<(), ObjectsError> {
        self.inner.delete(key).await
    }
}
