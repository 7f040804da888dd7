//! A segment-writer against the real servers, and an independent look at what it stored.

use std::{sync::Arc, time::Duration};

use segment_writer::{Arrived, Backup, Context, Drain, DrainReport, Event, EventReport, Input, Limits, Output};
use shared::{
    adapters::{kafka::KafkaCluster, s3::S3Objects, system_clock::SystemClock},
    archive::{self, SegmentEntry},
    chain::{ChainIdentity, keys},
    config::{kafka::KafkaSettings, selection::TopicSelection},
    ports::{objects::Objects, records::Kafka as KafkaPort},
    record::{Offset, Partition, Record, TopicPartition},
    rollover::Rollover,
    segment::SegmentMetadata,
};

use crate::{kafka::Kafka, s3_server::S3Server};

const BACKUP: &str = "main";
const METRICS_TOPIC: &str = "backbeat-metrics";

/// One backup in a bucket of its own.
pub struct TestBackup {
    objects: Arc<dyn Objects>,
    kafka: Arc<dyn KafkaPort>,
    topic: String,
    bytes_max: u64,
}

impl TestBackup {
    /// A backup of one topic, whose segments take so many bytes of records.
    pub async fn of(topic: &str, bytes_max: u64) -> TestBackup {
        let bucket = S3Server::shared().await.new_bucket("backup").await;
        Self::in_bucket(&bucket, topic, bytes_max).await
    }

    /// The same in a bucket that is there.
    pub async fn in_bucket(bucket: &str, topic: &str, bytes_max: u64) -> TestBackup {
        let (broker, server) = (Kafka::shared().await, S3Server::shared().await);
        let storage = server.storage(&format!("s3://{bucket}/prefix"));
        let objects = Arc::new(S3Objects::connect("storage", &storage).await.expect("the settings make a client"));
        let kafka = KafkaCluster::connect(KafkaSettings::at(broker.bootstrap_servers())).await.expect("a kafka client");
        let kafka: Arc<dyn KafkaPort> = Arc::new(kafka);
        kafka.create_topic(METRICS_TOPIC, 4, &[]).await.expect("the metrics topic");
        TestBackup { objects, kafka, topic: topic.to_owned(), bytes_max }
    }

    /// A new instance of the function, that remembers nothing.
    pub fn function(&self) -> Arc<Context> {
        let topics = TopicSelection { include: vec![self.topic.parse().expect("a topic name")], exclude: vec![] };
        let rollover = Rollover { bytes_max: self.bytes_max, age_max: Duration::from_secs(60) };
        let backup = Backup::new(BACKUP, topics, rollover);
        let clock = Arc::new(SystemClock);
        let (kafka, objects) = (self.kafka.clone(), self.objects.clone());
        Context::new(kafka, objects, clock, vec![backup], METRICS_TOPIC, "test", Limits::default())
    }

    /// The last segment's claim of incarnations: how many there are.
    pub async fn incarnations(&self) -> usize {
        archive::claims(&*self.objects, BACKUP, &self.topic).await.expect("the claims").len()
    }

    /// What is stored of a partition of an incarnation, each segment checked to go on where the one before it ended.
    pub async fn stored(&self, incarnation: u32, partition: i32) -> Stored {
        let claims = archive::claims(&*self.objects, BACKUP, &self.topic).await.expect("the claims");
        let claim = claims.iter().find(|claim| claim.incarnation == incarnation).expect("the incarnation is claimed");
        let chain = ChainIdentity {
            cluster_id: self.kafka.cluster_id().await.expect("the cluster's id"),
            backup: BACKUP.into(),
            topic: self.topic.as_str().into(),
            topic_id: claim.topic_id.clone(),
            incarnation,
            partition: Partition(partition),
        };
        let (mut entries, mut more) = archive::chain_objects(&*self.objects, &chain, "").await.expect("a listing");
        while let Some(after) = more {
            let (page, next) = archive::chain_objects(&*self.objects, &chain, &after).await.expect("a listing");
            entries.extend(page);
            more = next;
        }
        let mut stored = Stored { records: vec![], segments: vec![], bodies: vec![] };
        let cuts = archive::read_accepted_losses(&*self.objects, &chain).await.expect("the accepted losses").cuts();
        let segments = entries.iter().filter_map(|entry| SegmentEntry::of(&keys::chain_folder(&chain), entry));
        for segment in segments.filter(|segment| !segment.is_superseded(&cuts)) {
            let reader = archive::read_segment(&*self.objects, &segment.key).await.expect("a readable segment");
            let expected = stored.segments.last().map_or(Offset(0), |before: &SegmentMetadata| before.next);
            assert_eq!(reader.metadata().base, expected, "a segment begins where the one before it ends");
            stored.segments.push(reader.metadata().clone());
            stored.records.extend(reader.row_groups().flat_map(|group| group.expect("a readable row group")));
            let whole = shared::ports::objects::GetRange::Whole;
            stored.bodies.push(self.objects.get(&segment.key, whole).await.expect("a GET").expect("it is there").body);
        }
        stored
    }
}

/// What is stored of a partition.
pub struct Stored {
    /// The records of all segments.
    pub records: Vec<Record>,
    /// What the segments say of themselves.
    pub segments: Vec<SegmentMetadata>,
    /// The files.
    pub bodies: Vec<bytes::Bytes>,
}

/// Drains once.
pub async fn drain(function: &Arc<Context>) -> DrainReport {
    let drain = Drain { one_shot: true, ..Drain::of(BACKUP) };
    match segment_writer::handle(Input::Drain(drain), function).await.expect("a drain") {
        Output::Drain(report) => report,
        Output::Event(_) => panic!("a drain answers as a drain"),
    }
}

/// Hands records over as a Kafka event does.
pub async fn event(function: &Arc<Context>, topic: &str, partition: i32, records: &[Record]) -> EventReport {
    let (first, last) = (&records[0], &records[records.len() - 1]);
    let arrived = Arrived {
        item: format!("{topic}-{partition}"),
        partition: TopicPartition::new(topic, partition),
        offsets: Some((first.offset, last.offset)),
    };
    let event = Event { arrived: vec![arrived], ..Event::default() };
    match segment_writer::handle(Input::Event(event), function).await.expect("an answer") {
        Output::Event(report) => report,
        Output::Drain(_) => panic!("an event answers as an event"),
    }
}
