//! Kafka, storage and store in memory, with a writer, a monitor, and what carries messages from the one to the other.

use std::{sync::Arc, time::Duration};

use shared::{
    adapters::memory::{
        clock::ManualClock,
        kafka::MemoryKafka,
        objects::MemoryObjects,
        store::{Contents, MemoryStore},
    },
    config::selection::TopicSelection,
    metrics::{
        backbeat::keys::Windows,
        registers::{
            Epoch, TopicRegisters,
            epoch::{Snapshot, queries, snapshots},
            of_message,
        },
        view::{TopicView, view},
    },
    ports::{
        clock::Clock as _,
        objects::Objects,
        records::{Fetched, Kafka, Log as _},
        store::Store,
    },
    record::{Millis, Offset, Record, TimestampType, TopicPartition},
    rollover::Rollover,
    runs::RunLog,
};

use crate::{Backup, BackupReport, Context, Limits, Refresh};

pub(super) const METRICS: &str = "backbeat-metrics";
const REFRESH_MS: i64 = 15_000;

pub(super) struct World {
    pub clock: Arc<ManualClock>,
    pub kafka: MemoryKafka,
    pub objects: Arc<dyn Objects>,
    pub store: Arc<MemoryStore>,
    /// In which time everything is looked at.
    pub full_look: Duration,
    /// How far the metrics topic was carried into the store.
    carried: Offset,
}

impl World {
    pub fn new() -> World {
        let clock = Arc::new(ManualClock::at(Millis(1_700_000_000_000)));
        let kafka = MemoryKafka::new(clock.clone(), 1);
        kafka.create(METRICS, 1, &[]);
        let objects = Arc::new(MemoryObjects::new(clock.clone()));
        let store = Arc::new(MemoryStore::new(clock.clone()));
        World { clock, kafka, objects, store, full_look: Duration::ZERO, carried: Offset(0) }
    }

    pub fn now(&self) -> Millis {
        self.clock.now()
    }

    pub fn record(&self) -> Record {
        Record {
            offset: Offset(0),
            timestamp: Millis(1),
            timestamp_type: TimestampType::CreateTime,
            key: None,
            value: Some("value".into()),
            headers: vec![],
        }
    }

    /// Appends so many records to a partition.
    pub fn append(&self, topic: &str, partition: i32, records: usize) {
        for _ in 0..records {
            self.kafka.append(&TopicPartition::new(topic, partition), self.record());
        }
    }

    /// Lets segment-writer back up all there is.
    pub async fn drain(&self) {
        let backup = segment_writer::Backup::new(
            "main",
            selection(),
            Rollover { bytes_max: 1 << 20, age_max: Duration::from_secs(60) },
        );
        let context = segment_writer::Context::new(
            Arc::new(self.kafka.clone()),
            self.objects.clone(),
            self.clock.clone(),
            vec![backup],
            METRICS,
            "writer-1",
            segment_writer::Limits::default(),
        );
        let drain = segment_writer::Drain::of("main");
        let output = segment_writer::handle(segment_writer::Input::Drain(drain), &context).await.unwrap();
        let segment_writer::Output::Drain(report) = output else { panic!("a drain answers a drain") };
        assert!(report.complete(), "{report:?}");
    }

    /// Carries what is on the metrics topic into the store, as metrics-consumer and metrics-aggregator do.
    pub async fn carry(&mut self) {
        self.carry_from(self.carried).await;
    }

    /// The same, from an offset of it.
    pub async fn carry_from(&mut self, from: Offset) {
        for message in self.messages_from(from).await {
            self.store.apply(&[], &of_message(&message).unwrap()).await.unwrap();
        }
        self.carried = self.end_of_metrics().await;
    }

    async fn end_of_metrics(&self) -> Offset {
        let bounds = self.kafka.bounds(&[TopicPartition::new(METRICS, 0)]).await.unwrap();
        bounds[0].as_ref().unwrap().high_watermark
    }

    /// What was published from an offset on.
    async fn messages_from(&self, from: Offset) -> Vec<serde_json::Value> {
        let mut fetch = self.kafka.fetch(&[(TopicPartition::new(METRICS, 0), from)]).await.unwrap();
        let mut messages = vec![];
        loop {
            for fetched in fetch.next(Duration::from_secs(1)).await.unwrap() {
                match fetched {
                    Fetched::Records { records, .. } => {
                        let values = records.iter().map(|record| record.value.as_deref().unwrap());
                        messages.extend(values.map(|value| serde_json::from_slice(value).unwrap()));
                    }
                    Fetched::End { .. } => return messages,
                    other => panic!("{other:?}"),
                }
            }
        }
    }

    pub fn context(&self) -> Arc<Context> {
        self.context_with(Arc::new(self.kafka.clone()), self.objects.clone(), self.store.clone())
    }

    pub fn context_with(
        &self,
        kafka: Arc<dyn Kafka>,
        objects: Arc<dyn Objects>,
        store: Arc<dyn Store>,
    ) -> Arc<Context> {
        Arc::new(Context {
            kafka,
            objects,
            runs: RunLog::new(crate::NAME, Some(store.clone())),
            store,
            clock: self.clock.clone(),
            backups: vec![Backup { name: "main".into(), topics: selection() }],
            metrics_topic: METRICS.into(),
            own_topics: vec![METRICS.into()],
            locations: vec!["site1".to_owned()],
            windows: Windows::default(),
            partition_series_max: 2_000,
            limits: Limits {
                refresh: Duration::from_millis(REFRESH_MS.unsigned_abs()),
                full_look: self.full_look,
                polls_max: 2,
                poll_wait: Duration::from_millis(1),
                ..Limits::default()
            },
        })
    }

    /// One refresh.
    pub async fn refresh(&self) -> BackupReport {
        refresh(&self.context()).await
    }

    /// One refresh after the time of one; then what writers said is carried into the store.
    pub async fn later_refresh(&mut self) -> BackupReport {
        self.clock.advance(Millis(REFRESH_MS));
        let report = self.refresh().await;
        self.carry().await;
        report
    }

    pub fn wipe(&self) {
        self.store.restore(Contents::default());
    }

    pub async fn snapshot(&self) -> Snapshot {
        let backups = ["main".into()];
        snapshots(&backups, self.store.read(&queries(&backups)).await.unwrap()).remove(0)
    }

    pub async fn epoch(&self) -> Epoch {
        self.snapshot().await.seen.epoch
    }

    /// The registers of a topic without what its owners and programs say of themselves.
    pub async fn facts(&self, topic: &str) -> TopicRegisters {
        let mut facts = self.snapshot().await.registers.topics.remove(topic).unwrap_or_default();
        facts.chains.values_mut().for_each(|chain| chain.job = None);
        facts.ends.values_mut().for_each(|ends| {
            ends.observed_at = Millis(0);
            (ends.oldest, ends.earlier, ends.retention) = (None, None, None);
        });
        facts.instances.clear();
        facts
    }

    pub async fn view_of(&self, topic: &str) -> Option<TopicView> {
        view(&self.snapshot().await.registers, self.now()).remove(topic)
    }
}

/// All topics but those that end in `-tmp`.
fn selection() -> TopicSelection {
    TopicSelection { include: vec!["*".parse().unwrap()], exclude: vec!["*-tmp".parse().unwrap()] }
}

/// One refresh with this context, in a task of its own as a host runs it.
pub(super) async fn refresh(context: &Arc<Context>) -> BackupReport {
    let context = context.clone();
    let run = tokio::spawn(async move { crate::handle(Refresh::default(), &context).await });
    let mut report = run.await.unwrap().unwrap();
    assert_eq!(report.backups.len(), 1);
    report.backups.remove(0)
}
