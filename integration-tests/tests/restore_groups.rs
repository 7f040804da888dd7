//! A consumer group that stops in the middle of a topic is backed up and restored with it, and goes on without missing or
//! repeating a record. The group is of a real client, and knows nothing of Highwater.

use std::{collections::BTreeMap, process::Command, time::Duration};

use integration_tests::{
    highwater::highwater,
    kafka::Kafka,
    kafka_producer::NewRecord,
    process::Process,
    s3_server::{ACCESS_KEY, REGION, S3Server, SECRET_KEY},
};
use rdkafka::{
    Message as _,
    consumer::{BaseConsumer, CommitMode, Consumer as _},
};
use shared::{adapters::kafka::KafkaCluster, config::kafka::KafkaSettings, ports::records::Log as _};

const PARTITIONS: i32 = 3;
const RECORDS: usize = 120;
const ENDS_WITHIN: Duration = Duration::from_secs(120);
const PATIENCE: Duration = Duration::from_secs(60);

/// A topic whose offsets have holes (markers and aborted records), and where its backup lies.
struct Shop {
    kafka: &'static Kafka,
    topic: String,
    group: String,
    config: String,
}

impl Shop {
    async fn new(base: &str) -> Shop {
        let kafka = Kafka::shared().await;
        let topic = kafka.new_topic(base, PARTITIONS, &[]).await;
        let producer = kafka.transactional_producer(&topic).await;
        for (number, part) in numbered(RECORDS).chunks(10).enumerate() {
            producer.begin();
            producer.send(&topic, part.to_vec()).await;
            producer.commit().await;
            if number % 2 == 0 {
                producer.begin();
                producer
                    .send(&topic, (0..PARTITIONS).map(|at| NewRecord::new("aborted").partition(at)).collect())
                    .await;
                producer.abort().await;
            }
        }
        let s3 = S3Server::shared().await;
        let config = format!(
            "[kafka]\nbootstrap_servers = {:?}\n[storage]\nurl = \"s3://{}/groups\"\nendpoint_url = {:?}\nregion = {REGION:?}\n\
             access_key_id = {ACCESS_KEY:?}\nsecret_access_key = {SECRET_KEY:?}\n\
             [backups.main]\ntopics = {{ include = [{topic:?}] }}\nsegment = {{ bytes_max = \"1kB\" }}\ngroups = [\"shop-*\"]\n",
            kafka.bootstrap_servers(),
            s3.new_bucket(base).await,
            s3.endpoint_url(),
        );
        Shop { kafka, group: format!("shop-{topic}"), topic, config }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = highwater(args.iter().copied());
        command.env("HIGHWATER_CONFIG", &self.config);
        command
    }

    async fn run(&self, args: &[&str]) -> (bool, String) {
        let mut process = Process::start(&mut self.command(args));
        let status = process.ended(ENDS_WITHIN).await;
        (status.success(), process.output().join("\n"))
    }

    async fn succeeds(&self, args: &[&str]) -> String {
        let (is_good, output) = self.run(args).await;
        assert!(is_good, "{args:?}: {output}");
        output
    }

    /// What a member of the group reads of a topic until it has so many records, or all that there is. It commits them and
    /// leaves.
    async fn read(&self, topic: &str, count: usize) -> Vec<String> {
        let mut config = self.kafka.client_config();
        config.set("group.id", &self.group).set("enable.auto.commit", "false").set("auto.offset.reset", "earliest");
        config.set("isolation.level", "read_committed").set("enable.auto.offset.store", "true");
        let consumer: BaseConsumer = config.create().expect("a consumer");
        let topic = topic.to_owned();
        tokio::task::spawn_blocking(move || read(&consumer, &topic, count)).await.expect("reading did not panic")
    }
}

fn numbered(count: usize) -> Vec<NewRecord> {
    let record = |number: usize| NewRecord::new(number.to_string()).partition((number as i32 * 7) % PARTITIONS);
    (0..count).map(record).collect()
}

fn read(consumer: &BaseConsumer, topic: &str, count: usize) -> Vec<String> {
    consumer.subscribe(&[topic]).expect("the topic is subscribed");
    let (mut values, since) = (vec![], std::time::Instant::now());
    while values.len() < count {
        assert!(since.elapsed() < PATIENCE, "{} of {count} records of {topic} within {PATIENCE:?}", values.len());
        let Some(message) = consumer.poll(Duration::from_millis(200)) else { continue };
        let message = message.expect("a record");
        values.push(String::from_utf8(message.payload().expect("a value").to_vec()).expect("text"));
    }
    consumer.commit_consumer_state(CommitMode::Sync).expect("the offsets are committed");
    values
}

fn counts(values: Vec<String>) -> BTreeMap<usize, usize> {
    values.into_iter().fold(BTreeMap::new(), |mut counts, value| {
        *counts.entry(value.parse().expect("a number")).or_default() += 1;
        counts
    })
}

fn once() -> BTreeMap<usize, usize> {
    (0..RECORDS).map(|number| (number, 1)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_that_stopped_in_the_middle_goes_on_in_the_restored_topic_and_reads_each_record_once() {
    let shop = Shop::new("groups-goes-on").await;
    let mut values = shop.read(&shop.topic, 50).await;
    let output = shop.succeeds(&["backup"]).await;
    assert!(output.contains(&format!("group {} in main: offsets of", shop.group)), "{output}");
    let listed = shop.succeeds(&["groups"]).await;
    assert!(listed.contains(&shop.group), "{listed}");

    shop.kafka.delete_topic(&shop.topic).await;
    // Kafka has forgotten the offsets, and the backup has not, whatever it is asked now.
    shop.succeeds(&["invoke", "cluster-archiver", "{}"]).await;
    let output = shop.succeeds(&["restore", "--topic", &shop.topic, "--groups", &shop.group]).await;
    assert!(output.contains("exact"), "{output}");

    values.extend(shop.read(&shop.topic, RECORDS - 50).await);
    assert_eq!(counts(values), once());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_comes_back_with_its_settings_and_the_partitions_that_never_had_a_record() {
    let shop = Shop::new("groups-settings").await;
    shop.kafka.add_partitions(&shop.topic, 5).await;
    let settings = [("segment.bytes", "1048576"), ("retention.ms", "-1")];
    shop.kafka.alter_topic(&shop.topic, &settings).await;
    shop.succeeds(&["backup"]).await;
    let target = format!("{}-restored", shop.topic);
    shop.succeeds(&["restore", "--topic", &shop.topic, "--target", &target]).await;

    let kafka = KafkaCluster::connect(KafkaSettings::at(shop.kafka.bootstrap_servers())).await.expect("a client");
    let name = std::sync::Arc::from(target.as_str());
    let topics = kafka.topics(Some(std::slice::from_ref(&name))).await.expect("the cluster answers");
    assert_eq!(topics[0].partitions, 5);
    let own = kafka.overrides(&[name]).await.expect("the cluster answers").swap_remove(0).expect("its settings");
    let expected = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(own, expected.into());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_follows_its_topic_under_another_name_and_a_later_commit_comes_alone() {
    let shop = Shop::new("groups-renamed").await;
    let mut values = shop.read(&shop.topic, 31).await;
    shop.succeeds(&["backup"]).await;
    let target = format!("{}-restored", shop.topic);
    let restore = ["restore", "--topic", &shop.topic, "--target", &target, "--groups", &shop.group];
    shop.succeeds(&restore).await;

    // The group goes on at the source, and its offsets are restored once more by themselves.
    values.extend(shop.read(&shop.topic, 40).await);
    shop.succeeds(&["backup"]).await;
    let alone: Vec<_> = restore.iter().copied().chain(["--groups-only"]).collect();
    shop.succeeds(&alone).await;

    values.extend(shop.read(&target, RECORDS - 71).await);
    assert_eq!(counts(values), once());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_with_a_member_is_not_touched_and_an_unknown_one_is_an_error() {
    let shop = Shop::new("groups-refused").await;
    shop.read(&shop.topic, 10).await;
    shop.succeeds(&["backup"]).await;
    let target = format!("{}-restored", shop.topic);
    let mut config = shop.kafka.client_config();
    let member: BaseConsumer = config.set("group.id", &shop.group).create().expect("a consumer");
    member.subscribe(&[&shop.topic]).expect("the topic is subscribed");
    while shop.kafka.members(&shop.group).await.is_empty() {
        member.poll(Duration::from_millis(100));
    }

    let (is_good, output) =
        shop.run(&["restore", "--topic", &shop.topic, "--target", &target, "--groups", &shop.group]).await;
    assert!(!is_good && output.contains("has members in the target cluster"), "{output}");
    let (is_good, output) = shop.run(&["restore", "--topic", &shop.topic, "--groups", "nobody"]).await;
    assert!(!is_good && output.contains("holds no offsets of a group \"nobody\""), "{output}");
    drop(member);
}
