//! A source cluster, its backup, and a cluster to restore into.

use super::*;

pub(super) const NOW: Millis = Millis(1_800_000_000_000);
pub(super) const PARTITIONS: i32 = 3;

/// A source cluster, its backup, and a cluster to restore into.
pub(super) struct World {
    pub(super) clock: Arc<ManualClock>,
    pub(super) source: MemoryKafka,
    pub(super) target: MemoryKafka,
    pub(super) objects: Arc<MemoryObjects>,
}

/// What a record is, wherever it lies.
pub(super) type Content = (Millis, Option<Bytes>, Option<Bytes>, Vec<Header>);

impl World {
    /// A backup of topic orders with `count` records in each partition, in segments of some records.
    pub(super) async fn with(count: i64) -> World {
        let clock = Arc::new(ManualClock::at(NOW));
        let source = MemoryKafka::new(clock.clone(), 1);
        source.create("orders", PARTITIONS, &[]);
        source.create("metrics", 1, &[]);
        let target = MemoryKafka::new(clock.clone(), 2);
        // Ids are numbered: those of the two clusters must not be the same.
        for _ in 0..2 {
            target.create("gone", 1, &[]);
            target.delete("gone");
        }
        let objects = Arc::new(MemoryObjects::new(clock.clone()));
        let world = World { clock, source, target, objects };
        world.append(0..count);
        world.back_up().await;
        world
    }

    /// Every oddity: null and empty keys and values, header names that are no text, no timestamp, offsets without a record.
    pub(super) fn append(&self, numbers: std::ops::Range<i64>) {
        for (partition, number) in (0..PARTITIONS).flat_map(|partition| numbers.clone().map(move |n| (partition, n))) {
            let at = TopicPartition::new("orders", partition);
            let text = |text: &str| Bytes::from(format!("{text} {partition}-{number}"));
            let header = |name: &'static [u8], value| Header { name: Bytes::from_static(name), value };
            let record = Record {
                offset: Offset(0),
                timestamp: if number % 7 == 0 { Millis(-1) } else { Millis(NOW.0 - 1_000 + number) },
                timestamp_type: TimestampType::CreateTime,
                key: [None, Some(Bytes::new()), Some(text("key"))][number as usize % 3].clone(),
                value: [Some(text("value")), None, Some(Bytes::new()), Some(text("more"))][number as usize % 4].clone(),
                headers: vec![header(b"\xff", None), header(b"a", Some(Bytes::new())), header(b"a", Some("1".into()))],
            };
            self.source.append(&at, record);
            if number % 5 == 0 {
                self.source.skip(&at, 2);
            }
        }
    }

    pub(super) async fn back_up(&self) {
        let backup = Backup::new(
            "main",
            TopicSelection { include: vec!["orders".parse().unwrap()], exclude: vec![] },
            Rollover { bytes_max: 100, age_max: Duration::from_secs(60) },
        );
        let (kafka, objects) = (Arc::new(self.source.clone()), self.objects.clone());
        let limits = segment_writer::Limits::default();
        let context =
            segment_writer::Context::new(kafka, objects, self.clock.clone(), vec![backup], "metrics", "test", limits);
        let drain = Drain { one_shot: true, ..Drain::of("main") };
        segment_writer::handle(Input::Drain(drain), &context).await.unwrap();
    }

    pub(super) fn context(&self) -> Context {
        let limits = Limits { transaction_bytes_max: 150, attempts_max: 2, ..Limits::default() };
        self.context_with(limits)
    }

    pub(super) fn context_with(&self, limits: Limits) -> Context {
        static RUN: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let run = RUN.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let target = Arc::new(self.target.clone());
        Context::limited(self.objects.clone(), target, self.clock.clone(), &format!("run-{run}"), limits)
    }

    pub(super) async fn restore(&self, plan: &str) -> RestoreReport {
        handle(asked(plan), &self.context()).await.unwrap()
    }

    /// One byte of the second segment of partition 1 is another one. Its key.
    pub(super) async fn damage_a_segment(&self) -> String {
        let listed = self.objects.list(ListRequest::prefix("main/orders/1/1/")).await.unwrap();
        let victim = &listed.objects[1];
        let body = self.objects.get(&victim.key, shared::ports::objects::GetRange::Whole).await.unwrap().unwrap().body;
        let mut damaged = body.to_vec();
        damaged[8] ^= 1;
        let condition = shared::ports::objects::PutCondition::IfMatch(victim.etag.clone());
        self.objects.put(&victim.key, damaged.into(), condition).await.unwrap();
        victim.key.clone()
    }

    pub(super) async fn contents(&self, kafka: &MemoryKafka, topic: &str) -> BTreeMap<i32, Vec<Content>> {
        let partitions: Vec<_> = (0..PARTITIONS).map(|partition| TopicPartition::new(topic, partition)).collect();
        let starts: Vec<_> = partitions.iter().map(|partition| (partition.clone(), Offset(0))).collect();
        let mut fetch = kafka.fetch(&starts).await.unwrap();
        let mut found: BTreeMap<i32, Vec<Content>> = BTreeMap::new();
        loop {
            let came = fetch.next(Duration::ZERO).await.unwrap();
            if came.is_empty() {
                return found;
            }
            for fetched in came {
                let Fetched::Records { partition, records, .. } = fetched else { continue };
                let content = records.into_iter().map(|it| (it.timestamp, it.key, it.value, it.headers));
                found.entry(partition.partition.0).or_default().extend(content);
            }
        }
    }

    /// The target holds what the source does, record by record and in its order.
    pub(super) async fn assert_same(&self, topic: &str) {
        let (expected, found) = (self.contents(&self.source, "orders").await, self.contents(&self.target, topic).await);
        assert_eq!(found, expected);
    }
}

pub(super) fn asked(plan: &str) -> Restore {
    Restore { plan: Plan::parse(plan).unwrap(), ..Restore::default() }
}
