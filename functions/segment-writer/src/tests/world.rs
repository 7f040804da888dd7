//! Kafka and a storage in memory, and the function over them.

use super::*;

pub(super) struct World {
    pub(super) kafka: MemoryKafka,
    pub(super) objects: Arc<MemoryObjects>,
    /// The storage as functions meet it, where that is another.
    pub(super) met: Option<Arc<dyn shared::ports::objects::Objects>>,
    /// Kafka as functions meet it, where that is another.
    pub(super) met_kafka: Option<Arc<dyn shared::ports::records::Kafka>>,
    pub(super) clock: Arc<ManualClock>,
}

impl World {
    pub(super) fn new() -> Self {
        let clock = Arc::new(ManualClock::at(Millis(1_700_000_000_000)));
        let kafka = MemoryKafka::new(clock.clone(), 1);
        kafka.create("metrics", 1, &[]);
        World { kafka, objects: Arc::new(MemoryObjects::new(clock.clone())), met: None, met_kafka: None, clock }
    }

    pub(super) fn append(&self, count: usize) {
        for _ in 0..count {
            self.kafka.append(&orders(), record(0));
        }
    }

    /// An event with these offsets' records, and what is stored after it.
    pub(super) async fn event(&self, offsets: std::ops::Range<i64>) -> Vec<i64> {
        let event = Event { arrived: vec![arrived(offsets)], ..Event::default() };
        let Output::Event(report) = handle(Input::Event(event), &self.context(&["main"])).await.unwrap() else {
            panic!("an event is answered by its report")
        };
        assert!(report.failures.is_empty(), "{report:?}");
        self.stored().await
    }

    /// The offsets that the segments hold.
    pub(super) async fn stored(&self) -> Vec<i64> {
        let mut offsets = vec![];
        let listed = self.objects.list(ListRequest::prefix("main/orders/1/")).await.unwrap();
        for object in listed.objects.iter().filter(|object| object.key.ends_with(".kan")) {
            let body = self.objects.get(&object.key, GetRange::Whole).await.unwrap().unwrap().body;
            offsets.extend(shared::segment::decoder::records(body).unwrap().1.iter().map(|record| record.offset.0));
        }
        offsets
    }

    pub(super) fn context(&self, backups: &[&str]) -> Arc<Context> {
        self.context_with(backups, &[])
    }

    pub(super) fn context_with(&self, backups: &[&str], filters: &[(&str, &str)]) -> Arc<Context> {
        let filter =
            |(topics, keep): &(&str, &str)| (topics.parse().unwrap(), Arc::new(Filter::compile(keep).unwrap()));
        let backup = |name: &&str| Backup {
            compression: Compression::None,
            filters: filters.iter().map(filter).collect(),
            ..Backup::new(
                name,
                shared::config::selection::TopicSelection { include: vec!["*".parse().unwrap()], exclude: vec![] },
                Rollover { bytes_max: 1 << 20, age_max: Duration::from_millis(100) },
            )
        };
        let kafka = self.met_kafka.clone().unwrap_or(Arc::new(self.kafka.clone()));
        let objects = self.met.clone().unwrap_or(self.objects.clone());
        let backups = backups.iter().map(backup).collect();
        Context::new(kafka, objects, self.clock.clone(), backups, "metrics", "test", Limits::default())
    }

    /// Backup "main" of the topics that a pattern matches.
    pub(super) fn context_with_topics(&self, include: &str) -> Arc<Context> {
        let mut context = self.context(&["main"]);
        let topics =
            shared::config::selection::TopicSelection { include: vec![include.parse().unwrap()], exclude: vec![] };
        let backup = Backup { topics, ..(*context.backups[0]).clone() };
        Arc::get_mut(&mut context).expect("it is new").backups = vec![Arc::new(backup)];
        context
    }

    /// Backup "main", sealed with this key.
    pub(super) fn context_with_key(&self, key: &str) -> Arc<Context> {
        self.context_with_keys(key, &[])
    }

    pub(super) fn context_with_keys(&self, key: &str, former: &[&str]) -> Arc<Context> {
        let mut context = self.context(&["main"]);
        let backup = Backup {
            seal_key: Some(Arc::new(SealKey::new(key))),
            former_seal_keys: former.iter().map(|key| SealKey::new(key)).collect(),
            ..(*context.backups[0]).clone()
        };
        Arc::get_mut(&mut context).expect("it is new").backups = vec![Arc::new(backup)];
        context
    }

    /// Three records are backed up, and it was said that nine were.
    pub(super) async fn back_up_and_commit_more(&self, context: &Arc<Context>) {
        self.kafka.create("orders", 1, &[]);
        self.append(3);
        assert!(self.drain_in(context).await.complete());
        self.kafka.commit("highwater.main", &[(orders(), Offset(9).into())]).await.unwrap();
    }

    pub(super) async fn drain(&self) -> DrainReport {
        self.drain_in(&self.context(&["main"])).await
    }

    pub(super) async fn drain_in(&self, context: &Arc<Context>) -> DrainReport {
        let drain = Drain::of("main");
        match handle(Input::Drain(drain), context).await.unwrap() {
            Output::Drain(report) => report,
            Output::Event(report) => panic!("{report:?}"),
        }
    }
}

pub(super) fn record(offset: i64) -> Record {
    Record {
        offset: Offset(offset),
        timestamp: Millis(1),
        timestamp_type: TimestampType::CreateTime,
        key: None,
        value: Some("value".into()),
        headers: vec![],
    }
}

pub(super) fn arrived(offsets: std::ops::Range<i64>) -> Arrived {
    Arrived {
        item: "orders-0".into(),
        partition: orders(),
        offsets: Some((Offset(offsets.start), Offset(offsets.end - 1))),
    }
}

pub(super) fn orders() -> TopicPartition {
    TopicPartition::new("orders", 0)
}
