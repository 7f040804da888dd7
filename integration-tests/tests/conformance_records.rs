//! Every adapter of the Kafka ports passes the ports' one suite.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use async_trait::async_trait;
use bytes::Bytes;
use integration_tests::{
    conformance::records::{self, Cluster, OpenTransaction, PATIENCE, record},
    eventually::eventually,
    kafka::Kafka as Broker,
    kafka_producer::{NewRecord, Producer},
    kafka_wire,
};
use shared::{
    adapters::{
        kafka::{KafkaCluster, mock::MockKafka},
        memory::kafka::{MemoryKafka, Transaction},
        system_clock::SystemClock,
    },
    config::{kafka::KafkaSettings, units::Span},
    ports::{acls::AclAnswer, records::Kafka, transactions::Transactions},
    record::{Millis, Offset, Record, TopicPartition},
};

fn new_name() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(1);
    format!("topic-{}", NUMBER.fetch_add(1, Ordering::Relaxed))
}

/// The adapter that holds everything in memory.
struct InMemory(MemoryKafka);

async fn memory() -> InMemory {
    let kafka = MemoryKafka::new(Arc::new(SystemClock), 42);
    kafka.refuse_setting("no.such.setting");
    InMemory(kafka)
}

#[async_trait]
impl Cluster for InMemory {
    fn kafka(&self) -> &dyn Kafka {
        &self.0
    }

    fn transactions(&self) -> &dyn Transactions {
        &self.0
    }

    async fn new_topic(&self, partitions: i32, configs: &[(&str, &str)]) -> Arc<str> {
        let name = new_name();
        let configs: Vec<_> = configs.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
        self.0.create(&name, partitions, &configs);
        name.into()
    }

    async fn delete_topic(&self, topic: &str) {
        self.0.delete(topic);
    }

    async fn create_again(&self, topic: &str, partitions: i32) {
        self.0.create(topic, partitions, &[]);
    }

    async fn append(&self, partition: &TopicPartition, records: &[Record]) {
        for record in records {
            self.0.append(partition, record.clone());
        }
    }

    async fn open_transaction(&self, partition: &TopicPartition, value: &'static str) -> Box<dyn OpenTransaction> {
        let transaction = self.0.begin();
        self.0.append_in(transaction, partition, record(value));
        Box::new(InMemoryTransaction(self.0.clone(), transaction))
    }

    async fn trim(&self, partition: &TopicPartition, start: Offset) {
        self.0.trim(partition, start);
    }

    async fn compacted(&self) -> TopicPartition {
        let p0 = TopicPartition::new(self.new_topic(1, &[]).await, 0);
        self.append(&p0, &vec![record("x"); 6]).await;
        for offset in 1..4 {
            self.0.compact(&p0, Offset(offset));
        }
        p0
    }
}

struct InMemoryTransaction(MemoryKafka, Transaction);

#[async_trait]
impl OpenTransaction for InMemoryTransaction {
    async fn end(self: Box<Self>, commit: bool) {
        if commit { self.0.commit_transaction(self.1) } else { self.0.abort_transaction(self.1) }
    }
}

/// The real adapter on Apache Kafka.
struct Real {
    broker: &'static Broker,
    kafka: KafkaCluster,
}

async fn kafka() -> Real {
    let broker = Broker::shared().await;
    Real { broker, kafka: connect(broker.bootstrap_servers()).await }
}

async fn connect(bootstrap_servers: &str) -> KafkaCluster {
    let settings = KafkaSettings { session_timeout: Span::seconds(6), ..KafkaSettings::at(bootstrap_servers) };
    KafkaCluster::connect(settings).await.expect("the settings make a client")
}

#[async_trait]
impl Cluster for Real {
    fn kafka(&self) -> &dyn Kafka {
        &self.kafka
    }

    fn transactions(&self) -> &dyn Transactions {
        &self.kafka
    }

    async fn new_topic(&self, partitions: i32, configs: &[(&str, &str)]) -> Arc<str> {
        self.broker.new_topic("conformance", partitions, configs).await.into()
    }

    async fn delete_topic(&self, topic: &str) {
        self.broker.delete_topic(topic).await;
    }

    async fn create_again(&self, topic: &str, partitions: i32) {
        self.broker.create_topic(topic, partitions, &[]).await;
    }

    async fn append(&self, partition: &TopicPartition, records: &[Record]) {
        kafka_wire::produce(self.broker.bootstrap_servers(), partition, records).await;
    }

    async fn open_transaction(&self, partition: &TopicPartition, value: &'static str) -> Box<dyn OpenTransaction> {
        let producer = self.broker.transactional_producer(&new_name()).await;
        producer.begin();
        producer.send(&partition.topic, vec![NewRecord::new(value).partition(partition.partition.0)]).await;
        Box::new(RealTransaction(producer))
    }

    async fn trim(&self, partition: &TopicPartition, start: Offset) {
        self.broker.delete_records_before(&partition.topic, partition.partition.0, start.0).await;
    }

    async fn compacted(&self) -> TopicPartition {
        let configs = [("cleanup.policy", "compact"), ("segment.ms", "1000"), ("min.cleanable.dirty.ratio", "0.01")];
        let p0 = TopicPartition::new(self.new_topic(1, &configs).await, 0);
        let keyed = |key: &'static str, later_ms: i64| {
            let plain = record("x");
            Record {
                key: Some(Bytes::from_static(key.as_bytes())),
                timestamp: Millis(plain.timestamp.0 + later_ms),
                ..plain
            }
        };
        self.append(&p0, &[keyed("a", 0), keyed("b", 0), keyed("b", 0), keyed("b", 0)]).await;
        self.append(&p0, &[keyed("b", 0)]).await;
        // Later than a log segment is long, so that it goes into a new one and the cleaner may have the old.
        self.append(&p0, &[keyed("c", 5_000)]).await;
        eventually("the log to be compacted", PATIENCE, || async {
            let offsets: Vec<_> = self.broker.read(&p0.topic).await[&0].iter().map(|record| record.offset.0).collect();
            if offsets == [0, 4, 5] { Ok(()) } else { Err(format!("it has offsets {offsets:?}")) }
        })
        .await;
        p0
    }
}

struct RealTransaction(Producer);

#[async_trait]
impl OpenTransaction for RealTransaction {
    async fn end(self: Box<Self>, commit: bool) {
        if commit { self.0.commit().await } else { self.0.abort().await }
    }
}

/// The real adapter on librdkafka's mock cluster, as `highwater dev` has it.
struct Mock {
    cluster: MockKafka,
    kafka: KafkaCluster,
}

async fn mock() -> Mock {
    let cluster = MockKafka::start(1).expect("the mock cluster starts");
    let kafka = connect(&cluster.bootstrap_servers()).await;
    Mock { cluster, kafka }
}

#[async_trait]
impl Cluster for Mock {
    fn kafka(&self) -> &dyn Kafka {
        &self.kafka
    }

    fn transactions(&self) -> &dyn Transactions {
        &self.kafka
    }

    async fn new_topic(&self, partitions: i32, _: &[(&str, &str)]) -> Arc<str> {
        let name = new_name();
        self.cluster.create_topic(&name, partitions.try_into().expect("a few")).expect("create topic");
        name.into()
    }

    async fn append(&self, partition: &TopicPartition, records: &[Record]) {
        kafka_wire::produce(&self.cluster.bootstrap_servers(), partition, records).await;
    }

    async fn delete_topic(&self, _: &str) {
        unreachable!("the mock cluster does not delete topics");
    }

    async fn create_again(&self, _: &str, _: i32) {
        unreachable!("the mock cluster does not delete topics");
    }

    async fn open_transaction(&self, _: &TopicPartition, _: &'static str) -> Box<dyn OpenTransaction> {
        unreachable!("the mock cluster's logs know no transactions");
    }

    async fn trim(&self, _: &TopicPartition, _: Offset) {
        unreachable!("the mock cluster does not delete records when asked");
    }

    async fn compacted(&self) -> TopicPartition {
        unreachable!("the mock cluster does not compact");
    }
}

macro_rules! conformance {
    ($backend:ident: $($case:ident)+) => {
        mod $backend {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    super::records::$case(&super::$backend().await).await;
                }
            )+
        }
    };
    (all of $($backend:ident)+) => {
        $(conformance! { $backend:
            every_byte_form_comes_as_it_was_written
            timestamps_come_as_they_are
            a_log_append_time_is_told_from_a_create_time
            the_end_comes_again_after_what_was_appended
            the_end_has_passed_trailing_markers_and_aborted_records
            nothing_is_read_past_an_open_transaction
            compacted_offsets_are_passed_over
            an_offset_that_is_not_in_the_log_is_told
            a_start_drops_what_was_fetched_before
            a_start_behind_a_record_that_the_log_still_holds_goes_on
            partitions_are_read_side_by_side
            a_topic_that_is_not_there_is_told_and_others_go_on
            topics_are_told_with_their_ids
            a_topic_created_again_has_another_id
            bounds_are_told_in_the_order_asked_for
            the_end_of_a_log_tells_its_leader_epoch
            retention_is_told_as_the_topic_has_it
            a_peek_brings_the_first_record_of_each_partition
            the_cluster_has_an_id
            offsets_are_committed_without_being_a_member
            a_commit_tells_of_which_topic_it_is_said
            committed_offsets_go_with_their_topic
            a_member_reads_from_where_it_says
            offsets_are_committed_while_the_group_has_members
            offsets_are_committed_after_the_last_member_left
            groups_are_listed_and_only_an_idle_one_takes_commits_of_others
            members_share_the_partitions
            what_is_published_is_in_the_log
            messages_of_a_key_keep_their_order
            publishing_to_what_is_not_there_is_told
            a_topic_is_created_once
            a_topic_is_checked_and_not_created
            a_topics_settings_are_changed
            a_deleted_topic_is_gone
            a_topics_own_settings_are_told_apart
            a_cluster_without_access_rules_has_none
            what_a_transaction_wrote_lies_where_it_is_told
            offsets_of_the_next_transaction_are_behind_the_marker
            what_a_transaction_aborted_is_read_by_nobody
            whoever_takes_over_a_transactional_id_is_the_only_one_who_writes
            a_timestamp_of_zero_is_refused_and_told
        })+
    };
}
conformance! { all of memory kafka }

#[tokio::test]
async fn memory_tells_access_rules_as_they_were_added() {
    let kafka = MemoryKafka::new(Arc::new(SystemClock), 1);
    kafka.set_acls(AclAnswer::Listed(vec![]));
    records::access_rules_are_told_as_they_were_added(&kafka).await;
}

conformance! { mock:
    every_byte_form_comes_as_it_was_written
    timestamps_come_as_they_are
    the_end_comes_again_after_what_was_appended
    a_start_drops_what_was_fetched_before
    partitions_are_read_side_by_side
    topics_are_told_with_their_ids
    the_cluster_has_an_id
    offsets_are_committed_without_being_a_member
    a_commit_tells_of_which_topic_it_is_said
    a_member_reads_from_where_it_says
    offsets_are_committed_while_the_group_has_members
    members_share_the_partitions
    what_is_published_is_in_the_log
    messages_of_a_key_keep_their_order
}
