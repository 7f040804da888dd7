//! segment-expirer as a process, and the storage as a witness: what leaves it is judged as it leaves.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use segment_expirer::{Backup, Context, Expire, Limits};
use shared::{
    adapters::memory::faults::{Faults, FaultyObjects, FaultyStore, Odds},
    archive::{self, SegmentEntry},
    chain::{ChainIdentity, Cuts, Floor, Retention, keys},
    ports::{
        clock::Clock,
        objects::{ETag, GetRange, ListPage, ListRequest, Object, Objects, ObjectsError, PutCondition},
        store::Store,
    },
    record::{Millis, Offset},
    runs::RunLog,
    segment::ChainPoint,
};

use super::{
    accidents::Accidents,
    judge, life,
    model::Model,
    unprotected::{FloorLastObjects, PinlessObjects},
    world::{World, keeps},
};

/// When segments expire here.
pub const RETENTION: Retention = Retention { delete_after: Duration::from_secs(40), grace: Duration::from_secs(6) };

/// One process that expires.
pub async fn process(world: Arc<World>, seed: u64) {
    let mut rng = StdRng::seed_from_u64(seed);
    let faults = life::luck(&mut rng, seed);
    let context = context(&world, &faults, life::clock(&world, &mut rng));
    let life = async {
        for _ in 0..rng.random_range(1..4) {
            drop(segment_expirer::handle(Expire::default(), &context).await);
            tokio::time::sleep(Duration::from_millis(rng.random_range(0..15_000))).await;
        }
    };
    life::live(&faults, life).await;
}

fn context(world: &Arc<World>, faults: &Arc<Faults>, clock: Arc<dyn Clock>) -> Context {
    let store: Arc<dyn Store> = Arc::new(FaultyStore::new(world.store.clone(), faults.clone()));
    let mut objects: Arc<dyn Objects> = Arc::new(FaultyObjects::new(world.objects.clone(), faults.clone()));
    if !world.guards.pins {
        objects = Arc::new(PinlessObjects(objects));
    }
    if !world.guards.floor_first {
        objects = Arc::new(FloorLastObjects(objects));
    }
    Context {
        objects,
        clock,
        backups: vec![Backup { name: "main".into(), retention: Some(RETENTION), seals: None }],
        limits: Limits { footers_max: 5, footers_at_once_max: 3, ..Limits::default() },
        store: Some(store.clone()),
        runs: RunLog::new(segment_expirer::NAME, Some(store)),
    }
}

/// So many runs and everything that may expire has.
const LAST_RUNS_MAX: usize = 60;

/// Runs that nothing disturbs, until there is nothing to do: then nothing is left below a floor.
pub async fn last_runs(world: &Arc<World>) -> Result<(), String> {
    let faults = Arc::new(Faults::new(world.seed, Odds::NONE, None));
    let context = context(world, &faults, world.clock.clone());
    tokio::time::sleep(super::readers::LEASE + RETENTION.delete_after).await;
    for run in 0.. {
        tokio::time::sleep(RETENTION.grace + Duration::from_secs(1)).await;
        let report = segment_expirer::handle(Expire::default(), &context).await;
        let report = report.map_err(|error| format!("segment-expirer fails: {error}"))?;
        if !report.is_clean() {
            return Err(format!("segment-expirer cannot look at everything: {report:?}"));
        }
        if report.backups[0].changed.is_empty() {
            break;
        }
        if run == LAST_RUNS_MAX {
            return Err(format!("segment-expirer comes to no end: {report:?}"));
        }
    }
    world.watched.verdict()?;
    judge::swept(world).await
}

/// A storage whose pages are small.
pub struct SmallPages {
    pub inner: Arc<dyn Objects>,
    pub page_max: usize,
}

#[async_trait]
impl Objects for SmallPages {
    async fn put(&self, key: &str, body: Bytes, condition: PutCondition) -> Result<ETag, ObjectsError> {
        self.inner.put(key, body, condition).await
    }

    async fn get(&self, key: &str, range: GetRange) -> Result<Option<Object>, ObjectsError> {
        self.inner.get(key, range).await
    }

    async fn list(&self, request: ListRequest<'_>) -> Result<ListPage, ObjectsError> {
        self.inner.list(ListRequest { limit: request.limit.min(self.page_max), ..request }).await
    }

    async fn delete(&self, key: &str) -> Result<(), ObjectsError> {
        self.inner.delete(key).await
    }
}

/// A storage as a writer meets it that is suspended with a finished segment in its hands, and wakes when others have gone on
/// and all that they wrote has expired.
pub struct Drowsy {
    pub inner: Arc<dyn Objects>,
    pub rng: Mutex<StdRng>,
}

impl Drowsy {
    fn nap(&self) -> Duration {
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
        Duration::from_secs(if rng.random_bool(0.2) { rng.random_range(60..300) } else { 0 })
    }
}

#[async_trait]
impl Objects for Drowsy {
    async fn put(&self, key: &str, body: Bytes, condition: PutCondition) -> Result<ETag, ObjectsError> {
        if key.ends_with(keys::SEGMENT_SUFFIX) {
            tokio::time::sleep(self.nap()).await;
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

/// A storage that looks at every floor that moves and at every segment that goes.
pub struct Watched {
    inner: Arc<dyn Objects>,
    clock: Arc<dyn Clock>,
    model: Arc<Mutex<Model>>,
    accidents: Arc<Accidents>,
    seen: Mutex<Seen>,
    seed: u64,
}

/// What left the storage.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Expired {
    /// How often a floor moved.
    pub floors: usize,
    /// How many segments were deleted.
    pub deleted: usize,
    /// How many were put below a floor.
    pub late: usize,
    /// How many a reader found, one after the other.
    pub read: usize,
    /// How often somebody verified all of it meanwhile.
    pub verified: usize,
    /// How often the end of a chain went missing.
    pub lost: usize,
    /// How many logs went back behind what was stored of them.
    pub diverged: usize,
    /// How many segments were put behind that by who did not know.
    pub superseded: usize,
}

#[derive(Default)]
struct Seen {
    /// The first thing that was wrong.
    violation: Option<String>,
    expired: Expired,
}

impl Watched {
    pub fn new(
        inner: Arc<dyn Objects>,
        clock: Arc<dyn Clock>,
        model: Arc<Mutex<Model>>,
        accidents: Arc<Accidents>,
        seed: u64,
    ) -> Self {
        Watched { inner, clock, model, accidents, seen: Mutex::default(), seed }
    }

    /// What left so far.
    pub fn expired(&self) -> Expired {
        self.seen().expired
    }

    /// A reader has read a segment.
    pub fn was_read(&self) {
        self.seen().expired.read += 1;
    }

    /// The end of a chain went missing.
    pub fn lost(&self) {
        self.seen().expired.lost += 1;
    }

    /// A log was found to have gone back behind what is stored of it.
    pub fn diverged(&self) {
        self.seen().expired.diverged += 1;
    }

    /// Somebody has verified the backup.
    pub fn was_verified(&self) {
        self.seen().expired.verified += 1;
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether everything was right so far.
    pub fn verdict(&self) -> Result<(), String> {
        self.seen().violation.clone().map_or(Ok(()), Err)
    }

    pub fn judged(&self, key: &str, verdict: Result<(), String>) {
        if let Err(violation) = verdict {
            self.seen().violation.get_or_insert(format!("{key}: {violation}"));
        }
    }

    async fn floor(&self, key: &str) -> Option<Floor> {
        let object = self.inner.get(key, GetRange::Whole).await.expect("memory does not fail")?;
        Some(serde_json::from_slice(&object.body).expect("a floor is JSON"))
    }

    /// What a floor has passed was whole, true and old; and it lies where a segment begins.
    async fn floor_moved(&self, folder: &str, from: Option<Floor>, to: Floor) -> Result<(), String> {
        if from.as_ref().map_or(Offset(0), |from| from.base) == to.base && to.losses > 0 {
            return Ok(()); // written anew, since somebody accepts a loss
        }
        let cuts = self.cuts(folder).await;
        let mut entries = self.segments(folder).await;
        entries.retain(|(entry, _)| !entry.is_superseded(&cuts));
        let first = entries.iter().find(|(entry, _)| entry.base == to.base);
        if first.is_none() && self.is_missing(folder).await {
            return Ok(()); // what it lies at went missing since it was read
        }
        let (first, _) = first.ok_or_else(|| format!("the floor is at {}, and nothing lies there", to.base))?;
        let reader = archive::read_segment(&*self.inner, &first.key).await.map_err(|e| e.to_string())?;
        let chain = reader.metadata().chain.clone();
        let start = ChainPoint::start(&chain);
        let from = from.unwrap_or(Floor { format_version: 1, base: Offset(0), before: start, seal: None, losses: 0 });
        if to.base <= from.base {
            return Err(format!("the floor goes from {} to {}", from.base, to.base));
        }
        let expired = judge::read_part(&*self.inner, &chain, &from, to.base).await?;
        if (expired.next, expired.point) != (to.base, to.before) {
            return Err(format!("the floor at {} says another past than the chain has", to.base));
        }
        self.was_true(&chain, &expired)?;
        for (entry, modified) in entries.iter().filter(|(entry, _)| (from.base..to.base).contains(&entry.base)) {
            self.was_old(entry, *modified).await?;
        }
        Ok(())
    }

    fn was_true(&self, chain: &ChainIdentity, expired: &judge::Stored) -> Result<(), String> {
        let mut model = self.model.lock().unwrap_or_else(PoisonError::into_inner);
        judge::compare_with_any(
            |offset| keeps(self.seed, offset),
            expired,
            model.log(&chain.topic, &chain.topic_id, chain.partition),
            false,
        )
    }

    async fn was_old(&self, entry: &SegmentEntry, modified: Millis) -> Result<(), String> {
        let reader = archive::read_segment(&*self.inner, &entry.key).await.map_err(|e| e.to_string())?;
        let records = reader.row_groups().flat_map(|group| group.expect("a row group is readable"));
        let modified = self.accidents.written_at(&entry.key, modified);
        let latest = records.map(|record| record.timestamp).filter(|timestamp| timestamp.0 >= 0).max();
        let time = latest.map_or(modified, |latest| latest.min(modified));
        let age_ms = u128::try_from(self.clock.now().0 - time.0).unwrap_or(0);
        if age_ms > RETENTION.delete_after.as_millis() {
            return Ok(());
        }
        Err(format!("segment {} expires at the age of {age_ms} ms", entry.base))
    }

    async fn segments(&self, folder: &str) -> Vec<(SegmentEntry, Millis)> {
        let page = self.inner.list(ListRequest::prefix(folder)).await.expect("memory does not fail");
        let segment = |entry| Some((SegmentEntry::of(folder, entry)?, entry.modified));
        page.objects.iter().filter_map(segment).collect()
    }

    /// Whether the end of that chain is missing, and nobody has decided about it.
    async fn is_missing(&self, folder: &str) -> bool {
        let accepted = archive::accepted_losses_in(&*self.inner, folder).await.expect("memory does not fail");
        self.accidents.is_closed(folder) || accepted.is_proposed()
    }

    async fn cuts(&self, folder: &str) -> Cuts {
        archive::accepted_losses_in(&*self.inner, folder).await.expect("memory does not fail").cuts()
    }

    async fn is_below_the_floor(&self, folder: &str, key: &str) -> Result<(), String> {
        let keys::ChainKey::Segment(base, known) = keys::parse(folder, key) else { return Ok(()) };
        if self.cuts(folder).await.is_superseded(base, known) {
            return Ok(());
        }
        self.seen().expired.deleted += 1;
        let floor = self.floor(&format!("{folder}=floor.json")).await.map_or(Offset(0), |floor| floor.base);
        if base < floor { Ok(()) } else { Err(format!("it is deleted, and the floor is at {floor}")) }
    }
}

fn folder(key: &str) -> &str {
    &key[..key.rfind('/').map_or(0, |slash| slash + 1)]
}

#[async_trait]
impl Objects for Watched {
    async fn put(&self, key: &str, body: Bytes, condition: PutCondition) -> Result<ETag, ObjectsError> {
        let is_floor = key.ends_with("/=floor.json");
        let before = if is_floor { self.floor(key).await } else { None };
        let etag = self.inner.put(key, body, condition).await?;
        if is_floor && let Some(floor) = self.floor(key).await {
            self.seen().expired.floors += 1;
            self.judged(key, self.floor_moved(folder(key), before, floor).await);
        }
        if let keys::ChainKey::Segment(base, known) = keys::parse(folder(key), key) {
            self.seen().expired.superseded += usize::from(self.cuts(folder(key)).await.is_superseded(base, known));
            let floor = self.floor(&format!("{}=floor.json", folder(key))).await;
            self.seen().expired.late += usize::from(floor.is_some_and(|floor| base < floor.base));
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
        self.judged(key, self.is_below_the_floor(folder(key), key).await);
        self.inner.delete(key).await
    }
}
