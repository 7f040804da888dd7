//! Restores over the ports in memory, under schedules that a seed decides.
//!
//! One seed is one backup (records, transactions, offsets without a record, several drains) and one plan (ranges, a filter,
//! renames, rehashing, any number of producers). Runs of the restore are killed at any call of their ports, fail, lose answers
//! and are suspended there, two of them at once; the backup grows, the target is wiped. When at last one run is left alone,
//! the target must hold every record that was asked for once and in order, and a consumer group must go on from any offset
//! without missing or repeating one.

mod judge;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use futures::future::join_all;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use segment_restorer::{Context, Limits, Outcome, Restore, RestoreReport};
use segment_writer::{Backup, Drain, Input};
use shared::{
    adapters::memory::{
        clock::ManualClock,
        faults::{Faults, FaultyKafka, FaultyObjects, Odds},
        kafka::MemoryKafka,
        objects::MemoryObjects,
    },
    archive::{self, GroupOffset},
    config::selection::TopicSelection,
    ports::{
        objects::Objects,
        records::{Fetched, Groups as _, Log as _},
        transactions::Target,
    },
    record::{Header, Millis, Offset, Partition, Record, TimestampType, TopicPartition},
    restore::Plan,
    rollover::Rollover,
};

use super::unprotected_target::Without;

const NOW: Millis = Millis(1_800_000_000_000);
const TOPIC: &str = "orders";
const TARGET: &str = "restored";
const GROUP: &str = "shop";
/// What goes wrong with a run.
const ODDS: Odds = Odds { fail_before: 0.02, fail_after: 0.02, delay_ms_max: 20, stall: 0.01, stall_ms_max: 60_000 };
/// A run that was not killed ends within this time.
const RUN_MAX: Duration = Duration::from_secs(3_600);

/// What happened in a history.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Restored {
    /// Records that were checked.
    pub records: usize,
    /// Runs that were killed.
    pub killed: usize,
    /// Runs that were taken over by another.
    pub taken_over: usize,
    /// How often the target was deleted.
    pub wiped: usize,
    /// Offsets of groups that were checked.
    pub group_offsets: usize,
}

/// What a record is, wherever it lies.
type Content = (Millis, Option<Bytes>, Option<Bytes>, Vec<Header>);

/// Runs the history of one seed.
///
/// # Errors
/// The first violation found.
pub fn run(seed: u64) -> Result<Restored, String> {
    run_without(seed, Without::Nothing)
}

/// Runs the history of one seed on a cluster that lacks something, to show that it is needed.
///
/// # Errors
/// The first violation found.
pub fn run_without(seed: u64, without: Without) -> Result<Restored, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime on this thread").block_on(history(seed, without))
}

async fn history(seed: u64, without: Without) -> Result<Restored, String> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut world = World::new(&mut rng, seed, without).await;
    for _ in 0..rng.random_range(1..8) {
        match rng.random_range(0..10) {
            0 => world.wipe().await,
            1 => world.grow(&mut rng).await,
            at_once => {
                let count = if at_once < 7 { rng.random_range(2..4) } else { 1 };
                let mut lucks: Vec<_> = (0..count).map(|_| StdRng::from_rng(&mut rng)).collect();
                let runs = join_all(lucks.iter_mut().map(|luck| world.process(luck))).await;
                for (ended, told) in runs {
                    world.restored = plus(world.restored, told);
                    world.judge_if_done(ended).await?;
                }
            }
        }
    }
    let last = world.well().await?;
    if last.outcome != Outcome::Done {
        return Err(format!("the last run ends with {last:?}"));
    }
    world.restored.records = world.judge().await?;
    world.judge_groups(&mut rng).await?;
    Ok(world.restored)
}

fn plus(all: Restored, one: Restored) -> Restored {
    Restored { killed: all.killed + one.killed, taken_over: all.taken_over + one.taken_over, ..all }
}

/// What is asked, as the test understands it.
#[derive(Debug, Clone)]
struct Asked {
    partitions: i32,
    rehash: bool,
    target_partitions: i32,
    /// Only offsets from one to before another, in partition 0.
    range: Option<(i64, i64)>,
    /// Leaves out every third offset.
    is_filtered: bool,
    workers: u16,
}

impl Asked {
    fn of(rng: &mut StdRng) -> Asked {
        let partitions = rng.random_range(1..4);
        let rehash = rng.random_bool(0.25);
        let from = rng.random_range(0..20);
        Asked {
            partitions,
            rehash,
            target_partitions: if rehash { rng.random_range(1..4) } else { partitions },
            range: rng.random_bool(0.25).then(|| (from, from + rng.random_range(1..30))),
            is_filtered: rng.random_bool(0.25),
            workers: rng.random_range(1..4),
        }
    }

    fn plan(&self) -> Plan {
        let filter = if self.is_filtered { "filter = \"offset % 3 != 1\"\n" } else { "" };
        let range = |(from, until): (i64, i64)| {
            let others: String = (1..self.partitions).map(|number| format!("{{ number = {number} }},")).collect();
            format!("partitions = [{{ number = 0, from_offset = {from}, until_offset = {until} }},{others}]\n")
        };
        let text = format!(
            "{}workers = {}\nrehash = {}\nmay_repeat = true\nrewind = true\n[[topics]]\nsource = {TOPIC:?}\ntarget = {TARGET:?}\n\
             target_partitions = {}\n{}",
            filter,
            self.workers,
            self.rehash,
            self.target_partitions,
            self.range.map(range).unwrap_or_default(),
        );
        Plan::parse(&text).expect("the plan is right")
    }

    fn takes(&self, partition: i32, record: &Record) -> bool {
        let in_range =
            self.range.is_none_or(|(from, until)| partition != 0 || (from..until).contains(&record.offset.0));
        in_range && !(self.is_filtered && record.offset.0 % 3 == 1)
    }
}

struct World {
    clock: Arc<ManualClock>,
    source: MemoryKafka,
    target: MemoryKafka,
    objects: Arc<MemoryObjects>,
    asked: Asked,
    without: Without,
    restored: Restored,
    next_number: usize,
    next_run: std::cell::Cell<u32>,
}

impl World {
    async fn new(rng: &mut StdRng, seed: u64, without: Without) -> World {
        let clock = Arc::new(ManualClock::at(NOW));
        let (source, target) = (MemoryKafka::new(clock.clone(), seed), MemoryKafka::new(clock.clone(), seed + 1));
        let asked = Asked::of(rng);
        source.create(TOPIC, asked.partitions, &[]);
        source.create("metrics", 1, &[]);
        let objects = Arc::new(MemoryObjects::new(clock.clone()));
        let (restored, next_run) = (Restored::default(), std::cell::Cell::new(0));
        let mut world = World { clock, source, target, objects, asked, without, restored, next_number: 0, next_run };
        for _ in 0..rng.random_range(1..4) {
            world.grow(rng).await;
        }
        // A partition that never had a record is not in the backup, and naming it is refused.
        if read(&world.source, TOPIC, 0, Offset(0)).await.is_empty() {
            world.asked.range = None;
        }
        world
    }

    /// More records, and a drain of them.
    async fn grow(&mut self, rng: &mut StdRng) {
        for _ in 0..rng.random_range(1..40) {
            let at = TopicPartition::new(TOPIC, rng.random_range(0..self.asked.partitions));
            let record = record(rng, self.next_number);
            self.next_number += 1;
            match rng.random_range(0..10) {
                0 => self.source.skip(&at, rng.random_range(1..4)),
                1..3 => {
                    let transaction = self.source.begin();
                    self.source.append_in(transaction, &at, record);
                    match rng.random_bool(0.5) {
                        true => self.source.commit_transaction(transaction),
                        false => self.source.abort_transaction(transaction),
                    }
                }
                _ => drop(self.source.append(&at, record)),
            }
        }
        self.back_up(rng.random_range(20..200)).await;
    }

    async fn back_up(&self, bytes_max: u64) {
        let backup = Backup::new(
            "main",
            TopicSelection { include: vec![TOPIC.parse().expect("a name")], exclude: vec![] },
            Rollover { bytes_max, age_max: Duration::from_secs(60) },
        );
        let (kafka, objects) = (Arc::new(self.source.clone()), self.objects.clone());
        let limits = segment_writer::Limits::default();
        let context =
            segment_writer::Context::new(kafka, objects, self.clock.clone(), vec![backup], "metrics", "writer", limits);
        let drain = Drain { one_shot: true, ..Drain::of("main") };
        segment_writer::handle(Input::Drain(drain), &context).await.expect("the drain runs");
    }

    /// The target is deleted, and what was under way there runs into its time-out.
    async fn wipe(&mut self) {
        self.target.expire_transactions();
        self.target.delete(TARGET);
        self.restored.wiped += 1;
    }

    fn context(&self, target: Arc<dyn Target>, objects: Arc<dyn Objects>, transaction_bytes_max: u64) -> Context {
        let limits = Limits { transaction_bytes_max, attempts_max: 3, ..Limits::default() };
        self.next_run.set(self.next_run.get() + 1);
        let target = self.without.of(target, self.next_run.get());
        Context::limited(objects, target, self.clock.clone(), &format!("run-{}", self.next_run.get()), limits)
    }

    /// A run of the restore with its own luck; `None` when it was killed or failed.
    async fn process(&self, rng: &mut StdRng) -> (Option<RestoreReport>, Restored) {
        let kill_at = rng.random_bool(0.7).then(|| rng.random_range(1..120));
        let faults = Arc::new(Faults::new(rng.random(), ODDS, kill_at));
        let target: Arc<dyn Target> = Arc::new(FaultyKafka::new(Arc::new(self.target.clone()), faults.clone()));
        let objects = Arc::new(FaultyObjects::new(self.objects.clone(), faults.clone()));
        let context = self.context(target, objects, rng.random_range(20..400));
        let input = Restore { plan: self.asked.plan(), ..Restore::default() };
        let mut restored = Restored::default();
        let ended = tokio::select! {
            () = faults.crashed() => {
                restored.killed += 1;
                None
            }
            ended = tokio::time::timeout(RUN_MAX, segment_restorer::handle(input, &context)) => {
                ended.expect("a run ends").ok()
            }
        };
        restored.taken_over += usize::from(ended.as_ref().is_some_and(|it| it.outcome == Outcome::TakenOver));
        (ended, restored)
    }

    /// A run that nothing happens to.
    async fn well(&self) -> Result<RestoreReport, String> {
        self.run_well(Restore { plan: self.asked.plan(), ..Restore::default() }).await
    }

    async fn run_well(&self, input: Restore) -> Result<RestoreReport, String> {
        let context = self.context(Arc::new(self.target.clone()), self.objects.clone(), 200);
        let ended = tokio::time::timeout(RUN_MAX, segment_restorer::handle(input, &context)).await;
        ended.map_err(|_| "the last run does not end".to_owned())?.map_err(|error| format!("the last run: {error}"))
    }

    async fn judge_if_done(&self, ended: Option<RestoreReport>) -> Result<(), String> {
        match ended {
            Some(report) if report.outcome == Outcome::Refused => Err(format!("refused: {report:?}")),
            _ => Ok(()),
        }
    }
}

fn record(rng: &mut StdRng, number: usize) -> Record {
    let header = Header { name: Bytes::from_static(b"\xff"), value: None };
    let key = rng.random_range(0..8);
    Record {
        offset: Offset(0),
        timestamp: if number.is_multiple_of(9) { Millis(-1) } else { Millis(NOW.0 - 1_000 + number as i64) },
        timestamp_type: TimestampType::CreateTime,
        key: if key == 0 { None } else { Some(format!("key {key}").into()) },
        value: [None, Some(Bytes::new()), Some(format!("value {number}").into())][rng.random_range(0..3)].clone(),
        // Each record differs from all others.
        headers: vec![header, Header { name: "number".into(), value: Some(number.to_string().into()) }],
    }
}

fn content(record: Record) -> Content {
    (record.timestamp, record.key, record.value, record.headers)
}

async fn read(kafka: &MemoryKafka, topic: &str, partition: i32, from: Offset) -> Vec<Record> {
    let mut fetch = kafka.fetch(&[(TopicPartition::new(topic, partition), from)]).await.expect("a fetch");
    let mut all = vec![];
    loop {
        let came = fetch.next(Duration::ZERO).await.expect("the cluster answers");
        if came.is_empty() {
            return all;
        }
        for fetched in came {
            let Fetched::Records { records, .. } = fetched else { continue };
            all.extend(records);
        }
    }
}
