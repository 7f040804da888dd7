//! `highwater serve` on the real servers, with a topic, a bucket, a database and groups of a test's own.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    process::{Command, Output},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use serde_json::Value;
use shared::{
    adapters::{kafka::KafkaCluster, redis::RedisStore, s3::S3Objects},
    archive::{self, ChainEnd},
    chain::ChainIdentity,
    config::{redis::RedisSettings, units::Span},
    metrics::registers::{
        Registers,
        epoch::{queries, snapshots},
    },
    ports::{records::Log as _, store::Store as _},
    record::{Partition, TopicId},
};

use crate::{
    highwater::{highwater, listener},
    http::{self, Answer},
    kafka::Kafka,
    process::Process,
    s3_server::{ACCESS_KEY, REGION, S3Server, SECRET_KEY},
};

/// The replication location that is configured.
pub const LOCATION: &str = "site1";
/// The partitions of the topic.
pub const PARTITIONS: i32 = 4;
/// What an answer of Redis may take on a machine that is busy with tests.
const PATIENCE: Span = Span(Duration::from_secs(10));
const CRASH_POINT: &str = "HIGHWATER_TEST_CRASH_POINT";

/// What `serve` is configured with; any number of processes may run on it, one after the other or at once.
pub struct Serving {
    /// The backup's name, which makes its consumer group.
    pub backup: String,
    /// The topic that is backed up.
    pub topic: String,
    /// Which topics are backed up: a literal name or a pattern.
    pub include: String,
    /// A pattern of topics that are not; empty: none.
    pub exclude: String,
    /// The metrics topic.
    pub metrics_topic: String,
    /// The bucket of the backup.
    pub bucket: String,
    /// Where S3 is, as `serve` sees it.
    pub s3_url: String,
    /// Where Redis is, as `serve` sees it.
    pub redis_url: String,
    /// The time between two looks of lag-monitor, in whole seconds.
    pub refresh: Duration,
    /// When a segment is closed.
    pub segment_bytes_max: String,
    /// More settings of section kafka.
    pub kafka: String,
    /// The settings of the location.
    pub location: String,
    /// Section replication: off, unless a test is about it.
    pub replication: String,
    /// More of the configuration, behind the rest.
    pub more: String,
    bootstrap_servers: String,
    cluster_id: String,
}

/// A process that runs `highwater serve`; killed when dropped.
pub struct Served {
    /// The process.
    pub process: Process,
    metrics: SocketAddr,
    query: SocketAddr,
}

impl Serving {
    /// A new topic on `kafka`, a new bucket on the shared S3 server, and the Redis at `redis_url`. Looks every second.
    pub async fn new(base: &str, kafka: &Kafka, redis_url: &str) -> Serving {
        Serving::of_topic_with(&[], base, kafka, redis_url).await
    }

    /// The same, with Kafka's settings of the topic.
    pub async fn of_topic_with(settings: &[(&str, &str)], base: &str, kafka: &Kafka, redis_url: &str) -> Serving {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let backup = format!("{base}-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let topic = kafka.new_topic(&backup, PARTITIONS, settings).await;
        let metrics_topic = kafka.new_topic(&format!("{backup}-metrics"), 2, &[]).await;
        let s3 = S3Server::shared().await;
        let cluster = KafkaCluster::connect(kafka.settings()).await.expect("a client");
        Serving {
            include: topic.clone(),
            exclude: String::new(),
            topic,
            metrics_topic,
            bucket: s3.new_bucket(&backup).await,
            backup,
            s3_url: s3.endpoint_url().to_owned(),
            redis_url: redis_url.to_owned(),
            refresh: Duration::from_secs(1),
            segment_bytes_max: "64KiB".to_owned(),
            kafka: String::new(),
            location: format!("url = \"s3://{LOCATION}/\""),
            replication: "enabled = false".to_owned(),
            more: String::new(),
            bootstrap_servers: kafka.bootstrap_servers().to_owned(),
            cluster_id: cluster.cluster_id().await.expect("the cluster's id"),
        }
    }

    /// The configuration: small segments, and the shortest session that a broker allows.
    pub fn config(&self) -> String {
        format!(
            "[kafka]\nbootstrap_servers = {:?}\nsession_timeout = \"6s\"\n{}\
             [storage]\nurl = \"s3://{}/backups\"\nendpoint_url = {:?}\nregion = {REGION:?}\n\
             access_key_id = {ACCESS_KEY:?}\nsecret_access_key = {SECRET_KEY:?}\n\
             [redis]\nurl = {:?}\n\
             [backups.{}]\ntopics = {{ include = [{:?}], exclude = {:?} }}\nsegment = {{ bytes_max = {:?}, age_max = \"2s\" }}\n\
             [locations.{LOCATION}]\n{}\n[replication]\n{}\n\
             [metrics]\ntopic = {:?}\nrefresh_s = {}\n{}",
            self.bootstrap_servers,
            self.kafka,
            self.bucket,
            self.s3_url,
            self.redis_url,
            self.backup,
            self.include,
            Some(&self.exclude).filter(|pattern| !pattern.is_empty()).as_slice(),
            self.segment_bytes_max,
            self.location,
            self.replication,
            self.metrics_topic,
            self.refresh.as_secs(),
            self.more,
        )
    }

    /// Starts `serve` and waits until it listens.
    pub async fn serve(&self) -> Served {
        self.serve_with(&[]).await
    }

    /// The same with more arguments.
    pub async fn serve_with(&self, args: &[&str]) -> Served {
        let args: Vec<&str> = ["serve"].iter().chain(args).copied().collect();
        let process = Process::start(&mut self.command(&args));
        let (metrics, query) = (listener(&process, "metrics").await, listener(&process, "query").await);
        Served { process, metrics, query }
    }

    /// Starts a `serve` that aborts when it passes a crash point for the `times`th time.
    pub fn serve_until(&self, crash_point: &str, times: u32) -> Process {
        self.start_until(&["serve"], crash_point, times)
    }

    /// Starts `highwater` with these arguments, which aborts when it passes a crash point for the `times`th time.
    pub fn start_until(&self, args: &[&str], crash_point: &str, times: u32) -> Process {
        Process::start(self.command(args).env(CRASH_POINT, format!("{crash_point}:{times}")))
    }

    /// Starts `highwater` with these arguments.
    pub fn start(&self, args: &[&str]) -> Process {
        Process::start(&mut self.command(args))
    }

    /// Starts `highwater` with these arguments, and one listener at an address of the test's own.
    pub fn start_at(&self, args: &[&str], listener: &str, address: &str) -> Process {
        Process::start(self.command(args).env(format!("HIGHWATER_LISTEN_{listener}"), address))
    }

    /// What `highwater verify` says.
    pub async fn verify(&self) -> Output {
        self.run(&["verify"]).await
    }

    /// What `highwater` says with these arguments.
    pub async fn run(&self, args: &[&str]) -> Output {
        let mut command = self.command(args);
        tokio::task::spawn_blocking(move || command.output()).await.expect("no panic").expect("highwater starts")
    }

    /// `highwater` with these arguments and this configuration.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = highwater(args.iter().copied());
        command.env("HIGHWATER_CONFIG", self.config());
        command
    }

    /// What Redis holds of the backup.
    pub async fn registers(&self) -> Registers {
        let patient = RedisSettings { timeout: PATIENCE, ..RedisSettings::at(&self.redis_url) };
        let store = RedisStore::open(&patient).expect("a redis url");
        let backups = [Arc::from(self.backup.as_str())];
        let answers = store.read(&queries(&backups)).await.expect("redis answers");
        snapshots(&backups, answers).remove(0).registers
    }

    /// By partition whose owner began after `since_ms`: up to where that owner has consumed by its own word, and the
    /// frontier as the meter has it.
    pub async fn consumed(&self, since_ms: u64) -> Vec<(Partition, i64, i64)> {
        let registers = self.registers().await;
        let chains = registers.topics.get(self.topic.as_str()).into_iter().flat_map(|topic| &topic.chains);
        chains
            .filter_map(|((_, partition), chain)| {
                let (job, head) = (chain.job.as_ref()?, chain.head?);
                (job.owner_epoch >= since_ms).then_some((*partition, job.position.0, head.next.0))
            })
            .collect()
    }

    /// Deletes an object of the backup, as nobody should.
    pub async fn delete_object(&self, key: &str) {
        let client = S3Server::shared().await.client();
        let key = format!("backups/{key}");
        client.delete_object().bucket(&self.bucket).key(key).send().await.expect("the object is deleted");
    }

    /// The storage of the backup.
    pub async fn objects(&self) -> S3Objects {
        let settings = S3Server::shared().await.storage(&format!("s3://{}/backups", self.bucket));
        S3Objects::connect("storage", &settings).await.expect("a client")
    }

    /// A chain of the backup.
    pub fn chain(&self, topic: &str, topic_id: TopicId, incarnation: u32, partition: i32) -> ChainIdentity {
        ChainIdentity {
            cluster_id: self.cluster_id.clone(),
            backup: self.backup.clone(),
            topic: topic.into(),
            topic_id,
            incarnation,
            partition: Partition(partition),
        }
    }

    /// How far each partition is in the storage, by listing and reading footers.
    pub async fn frontiers(&self) -> BTreeMap<Partition, i64> {
        self.ends().await.into_iter().map(|(partition, end)| (partition, end.frontier.next.0)).collect()
    }

    /// Where each partition's chain begins and ends in the storage.
    pub async fn ends(&self) -> BTreeMap<Partition, ChainEnd> {
        let objects = self.objects().await;
        let claims = archive::claims(&objects, &self.backup, &self.topic).await.expect("the claims");
        let mut ends = BTreeMap::new();
        for (claim, partition) in claims.iter().flat_map(|claim| (0..PARTITIONS).map(move |number| (claim, number))) {
            let chain = self.chain(&self.topic, claim.topic_id.clone(), claim.incarnation, partition);
            let end = archive::chain_end(&objects, &chain, None).await.expect("a readable chain");
            ends.insert(Partition(partition), end);
        }
        ends
    }
}

impl Served {
    /// Asks port 9000.
    pub async fn metrics(&self, path: &str) -> Result<Answer, String> {
        http::get(self.metrics, path).await
    }

    /// Asks port 8900 for a figure of the location.
    pub async fn replication(&self, metric: &str) -> Result<Answer, String> {
        http::get(self.query, &format!("/_/backbeat/api/metrics/crr/{LOCATION}/{metric}")).await
    }

    /// Asks port 8900.
    pub async fn get(&self, path: &str) -> Result<Answer, String> {
        http::get(self.query, path).await
    }

    /// Asks port 8900 to do something.
    pub async fn post(&self, path: &str) -> Result<Answer, String> {
        http::post(self.query, path).await
    }

    /// Pending replication operations and their bytes.
    pub async fn pending(&self) -> Result<(i64, i64), String> {
        let answer = self.replication("pending").await?;
        let body: Value = serde_json::from_str(&answer.body).map_err(|error| format!("{error}: {}", answer.body))?;
        let results = &body["pending"]["results"];
        Some((results["count"].as_i64(), results["size"].as_i64()))
            .and_then(|(count, size)| Some((count?, size?)))
            .ok_or_else(|| format!("{} {}", answer.status, answer.body))
    }

    /// The series of `/metrics`.
    pub async fn series(&self) -> Result<BTreeMap<String, f64>, String> {
        let page = self.metrics("/metrics").await?;
        if page.status == 200 { Ok(series(&page.body)) } else { Err(format!("{} {}", page.status, page.body)) }
    }

    /// Asks it to end, and waits until it has.
    pub async fn end(mut self) {
        self.process.interrupt();
        let status = self.process.ended(Duration::from_secs(30)).await;
        assert!(status.success(), "{status}: {}", self.process.output().join("\n"));
    }
}

/// The series of a page, by name and labels as they stand there.
pub fn series(page: &str) -> BTreeMap<String, f64> {
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.rsplit_once(' '))
        .map(|(name, value)| (name.to_owned(), value.parse().unwrap_or(f64::NAN)))
        .collect()
}
