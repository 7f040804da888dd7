//! Reading a topic back byte for byte, without the code under test.

use std::{
    collections::BTreeMap,
    ffi::CStr,
    ptr, slice,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rdkafka::{
    Message as _, Offset as KafkaOffset, Timestamp, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::KafkaError,
    message::BorrowedMessage,
};
use rdkafka_sys::{
    RDKafkaErrorCode,
    bindings::{rd_kafka_header_get_all, rd_kafka_message_headers},
};
use shared::record::{Header, Millis, Offset, Record, TimestampType};

use crate::kafka::Kafka;

const PATIENCE: Duration = Duration::from_secs(60);

impl Kafka {
    /// All committed records that a topic holds now, by partition. A partition without records has an empty list.
    pub async fn read(&self, topic: &str) -> BTreeMap<i32, Vec<Record>> {
        let mut config = self.client_config();
        config.set("group.id", "unused").set("enable.auto.commit", "false").set("enable.partition.eof", "true");
        let consumer: BaseConsumer = config.create().expect("a consumer");
        let topic = topic.to_owned();
        let work = move || read_to_the_end(&consumer, &topic);
        tokio::task::spawn_blocking(work).await.expect("reading the topic did not panic")
    }

    /// A consumer group's committed offset in a partition, if it has one.
    pub async fn committed(&self, group: &str, topic: &str, partition: i32) -> Option<i64> {
        let consumer: BaseConsumer = self.client_config().set("group.id", group).create().expect("a consumer");
        let mut asked = TopicPartitionList::new();
        asked.add_partition(topic, partition);
        let work = move || consumer.committed_offsets(asked, PATIENCE);
        let committed =
            tokio::task::spawn_blocking(work).await.expect("asking did not panic").expect("committed offsets");
        committed.elements()[0].offset().to_raw().filter(|offset| *offset >= 0)
    }

    /// Which broker leads each partition of a topic.
    pub async fn leaders(&self, topic: &str) -> BTreeMap<i32, i32> {
        let consumer: BaseConsumer = self.client_config().create().expect("a consumer");
        let topic = topic.to_owned();
        let work = move || {
            let metadata = consumer.fetch_metadata(Some(&topic), PATIENCE).expect("the topic's metadata");
            let partitions = metadata.topics()[0].partitions().iter();
            partitions.map(|partition| (partition.id(), partition.leader())).collect()
        };
        tokio::task::spawn_blocking(work).await.expect("asking did not panic")
    }

    /// The end of a partition's log.
    pub async fn end(&self, topic: &str, partition: i32) -> i64 {
        let consumer: BaseConsumer = self.client_config().create().expect("a consumer");
        let topic = topic.to_owned();
        let work = move || consumer.fetch_watermarks(&topic, partition, PATIENCE).expect("the log's end").1;
        tokio::task::spawn_blocking(work).await.expect("asking did not panic")
    }

    /// The members of a consumer group, each with how many partitions of its first topic it has.
    pub async fn members(&self, group: &str) -> BTreeMap<String, i32> {
        let consumer: BaseConsumer = self.client_config().create().expect("a consumer");
        let group = group.to_owned();
        let work = move || {
            let groups = consumer.fetch_group_list(Some(&group), PATIENCE).expect("the group's members");
            let members = groups.groups().iter().flat_map(|group| group.members());
            members.map(|member| (member.id().to_owned(), partitions_of(member.assignment()))).collect()
        };
        tokio::task::spawn_blocking(work).await.expect("asking did not panic")
    }
}

/// How many partitions of its first topic an assignment has, as members write it: a version (2 bytes), the number of
/// topics (4), the first one's name behind its length (2), the number of its partitions (4).
fn partitions_of(assignment: Option<&[u8]>) -> i32 {
    let number = |at: usize| Some(i32::from_be_bytes(assignment?.get(at..at + 4)?.try_into().ok()?));
    let length = || Some(usize::from(u16::from_be_bytes(assignment?.get(6..8)?.try_into().ok()?)));
    number(2).filter(|topics| *topics > 0).and_then(|_| number(8 + length()?)).unwrap_or(0)
}

fn read_to_the_end(consumer: &BaseConsumer, topic: &str) -> BTreeMap<i32, Vec<Record>> {
    let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).expect("the topic's metadata");
    let mut records: BTreeMap<i32, Vec<Record>> =
        metadata.topics()[0].partitions().iter().map(|partition| (partition.id(), Vec::new())).collect();
    assert!(!records.is_empty(), "no topic {topic}");
    let mut starts = TopicPartitionList::new();
    for partition in records.keys() {
        starts.add_partition_offset(topic, *partition, KafkaOffset::Beginning).expect("an offset to start from");
    }
    consumer.assign(&starts).expect("the partitions can be assigned");
    let (mut ended, since) = (0, Instant::now());
    while ended < records.len() {
        match consumer.poll(PATIENCE) {
            None => panic!("topic {topic} gave nothing for {PATIENCE:?}"),
            Some(Err(KafkaError::PartitionEOF(_))) => ended += 1,
            // A broker that was away: the client connects again by itself.
            Some(Err(KafkaError::MessageConsumption(RDKafkaErrorCode::BrokerTransportFailure)))
                if since.elapsed() < PATIENCE => {}
            Some(Err(error)) => panic!("cannot read topic {topic}: {error}"),
            Some(Ok(message)) => records.entry(message.partition()).or_default().push(record(&message)),
        }
    }
    records
}

fn record(message: &BorrowedMessage<'_>) -> Record {
    let (timestamp_type, timestamp) = match message.timestamp() {
        Timestamp::NotAvailable => (TimestampType::None, -1),
        Timestamp::CreateTime(ms) => (TimestampType::CreateTime, ms),
        Timestamp::LogAppendTime(ms) => (TimestampType::LogAppendTime, ms),
    };
    Record {
        offset: Offset(message.offset()),
        timestamp: Millis(timestamp),
        timestamp_type,
        key: message.key().map(Bytes::copy_from_slice),
        value: message.payload().map(Bytes::copy_from_slice),
        headers: headers(message),
    }
}

/// Through the C client: its safe wrapper panics on a name that is not UTF-8.
fn headers(message: &BorrowedMessage<'_>) -> Vec<Header> {
    let mut list = ptr::null_mut();
    // SAFETY: the message outlives its headers, which stay the client's.
    let code = unsafe { rd_kafka_message_headers(message.ptr(), &raw mut list) };
    match RDKafkaErrorCode::from(code) {
        RDKafkaErrorCode::NoError => {}
        RDKafkaErrorCode::NoEnt => return Vec::new(),
        code => panic!("cannot read the headers at offset {}: {code}", message.offset()),
    }
    let header = |index| {
        let (mut name, mut value, mut value_bytes) = (ptr::null(), ptr::null(), 0);
        // SAFETY: the call sets all three when it succeeds; name ends with a zero byte, value has `value_bytes` bytes.
        unsafe {
            let code = rd_kafka_header_get_all(list, index, &raw mut name, &raw mut value, &raw mut value_bytes);
            (RDKafkaErrorCode::from(code) == RDKafkaErrorCode::NoError).then(|| Header {
                name: Bytes::copy_from_slice(CStr::from_ptr(name).to_bytes()),
                value: (!value.is_null())
                    .then(|| Bytes::copy_from_slice(slice::from_raw_parts(value.cast(), value_bytes))),
            })
        }
    };
    (0..).map_while(header).collect()
}
