//! What every Kafka must do. Each case is given a cluster that others use as well, and makes its own topics and groups.

mod acls;
mod groups;
mod logs;
mod publishing;
mod reading;
mod transactions;

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use bytes::Bytes;
use shared::{
    ports::{
        records::{Committed, Fetch, Fetched, GroupState, Kafka, LogBounds, RecordsError, Retention, Topic},
        transactions::Transactions,
    },
    record::{Header, Millis, Offset, Record, TimestampType, TopicPartition},
};

pub use self::{acls::*, groups::*, logs::*, publishing::*, reading::*, transactions::*};

/// What a case waits for comes within this time, or never.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A cluster, and what other clients of it do.
#[async_trait]
pub trait Cluster: Send + Sync {
    /// The adapter under test.
    fn kafka(&self) -> &dyn Kafka;

    /// A setting that it takes for no topic.
    fn refused_setting(&self) -> &'static str {
        "no.such.setting"
    }

    /// The same adapter, for those that write in transactions.
    fn transactions(&self) -> &dyn Transactions;

    /// Creates a topic that is nobody else's, and gives its name. `configs` are Kafka's topic settings.
    async fn new_topic(&self, partitions: i32, configs: &[(&str, &str)]) -> Arc<str>;

    /// Deletes a topic.
    async fn delete_topic(&self, topic: &str);

    /// Creates a deleted topic again.
    async fn create_again(&self, topic: &str, partitions: i32);

    /// Appends records byte for byte, whatever offsets they say.
    async fn append(&self, partition: &TopicPartition, records: &[Record]);

    /// Appends a record in a transaction that stays open.
    async fn open_transaction(&self, partition: &TopicPartition, value: &'static str) -> Box<dyn OpenTransaction>;

    /// Deletes the records below an offset, as retention does.
    async fn trim(&self, partition: &TopicPartition, start: Offset);

    /// A partition with 6 records at offsets 0 to 5, of which compaction has left those at 0, 4 and 5.
    async fn compacted(&self) -> TopicPartition;
}

/// A transaction that is not ended yet.
#[async_trait]
pub trait OpenTransaction: Send {
    /// Ends it.
    async fn end(self: Box<Self>, commit: bool);
}

/// A record with a value and nothing else.
pub fn record(value: impl Into<Bytes>) -> Record {
    Record {
        offset: Offset(-1),
        timestamp: Millis(1_600_000_000_000),
        timestamp_type: TimestampType::CreateTime,
        key: None,
        value: Some(value.into()),
        headers: vec![],
    }
}

fn records(count: usize) -> Vec<Record> {
    (0..count).map(|number| record(format!("value {number}"))).collect()
}

fn header(name: &'static [u8], value: Option<&'static [u8]>) -> Header {
    Header { name: Bytes::from_static(name), value: value.map(Bytes::from_static) }
}

/// What was read of a partition, and where its end was told.
#[derive(Debug, Default)]
struct Read {
    records: Vec<Record>,
    end: Option<Offset>,
}

impl Read {
    fn offsets(&self) -> Vec<i64> {
        self.records.iter().map(|record| record.offset.0).collect()
    }
}

/// Reads until the end of each of these partitions was told; what came of others is an error.
async fn read_to_end(fetch: &mut dyn Fetch, partitions: &[TopicPartition]) -> BTreeMap<TopicPartition, Read> {
    let mut all: BTreeMap<_, Read> = partitions.iter().map(|p| (p.clone(), Read::default())).collect();
    let since = Instant::now();
    while all.values().any(|read| read.end.is_none()) {
        assert!(since.elapsed() < PATIENCE, "no end of {partitions:?} within {PATIENCE:?}: {all:?}");
        for fetched in next(fetch).await {
            match fetched {
                Fetched::Records { partition, records, .. } => {
                    assert!(!records.is_empty(), "records are never empty");
                    let read = all.get_mut(&partition).unwrap_or_else(|| panic!("{partition} was not asked for"));
                    assert_eq!(read.end.take(), None, "records after the end");
                    read.records.extend(records);
                }
                Fetched::End { partition, position } => {
                    all.get_mut(&partition).unwrap_or_else(|| panic!("{partition} was not asked for")).end =
                        Some(position);
                }
                other => panic!("{other:?} while reading {partitions:?}"),
            }
        }
    }
    for (partition, read) in &all {
        assert!(read.records.is_sorted_by_key(|record| record.offset), "{partition} came out of order");
    }
    all
}

/// Reads one partition from an offset to its end.
async fn read_from(kafka: &dyn Kafka, partition: &TopicPartition, from: i64) -> Read {
    let mut fetch = fetch(kafka, &[(partition.clone(), Offset(from))]).await;
    let mut all = read_to_end(fetch.as_mut(), std::slice::from_ref(partition)).await;
    all.remove(partition).expect("it was asked for")
}

async fn fetch(kafka: &dyn Kafka, starts: &[(TopicPartition, Offset)]) -> Box<dyn Fetch> {
    kafka.fetch(starts).await.unwrap_or_else(|error| panic!("fetch {starts:?}: {error}"))
}

async fn next(fetch: &mut dyn Fetch) -> Vec<Fetched> {
    fetch.next(Duration::from_millis(500)).await.unwrap_or_else(|error| panic!("next: {error}"))
}

/// Everything that comes, until something of it is wanted.
async fn wait_for(fetch: &mut dyn Fetch, what: &str, wanted: impl Fn(&Fetched) -> bool) -> Fetched {
    let since = Instant::now();
    let mut seen = vec![];
    while since.elapsed() < PATIENCE {
        let came = next(fetch).await;
        if let Some(wanted) = came.iter().find(|fetched| wanted(fetched)) {
            return wanted.clone();
        }
        seen.extend(came);
    }
    panic!("no {what} within {PATIENCE:?}, but {seen:?}");
}

/// Whatever comes within a while in which anything would have come.
async fn for_a_while(fetch: &mut dyn Fetch) -> Vec<Fetched> {
    let (since, mut all) = (Instant::now(), vec![]);
    while since.elapsed() < Duration::from_millis(1_500) {
        all.extend(next(fetch).await);
    }
    all
}

async fn bounds(kafka: &dyn Kafka, partition: &TopicPartition) -> Result<LogBounds, RecordsError> {
    let mut bounds = kafka.bounds(std::slice::from_ref(partition)).await.expect("the cluster answers");
    assert_eq!(bounds.len(), 1);
    // Who leads is no concern of most cases.
    bounds.remove(0).map(|bounds| LogBounds { leader_epoch: None, ..bounds })
}

fn bounds_of(start: i64, stable_end: i64, high_watermark: i64) -> LogBounds {
    let (start, stable_end, high_watermark) = (Offset(start), Offset(stable_end), Offset(high_watermark));
    LogBounds { start, stable_end, high_watermark, leader_epoch: None }
}

async fn topic(kafka: &dyn Kafka, name: &Arc<str>) -> Option<Topic> {
    let mut topics = kafka.topics(Some(std::slice::from_ref(name))).await.expect("the cluster answers");
    assert!(topics.len() <= 1);
    topics.pop()
}
