//! Measures replication: events with the ids of their operations into Redis, questions about figures, and the copying itself
//! against `aws s3 sync` of the same objects between the same servers.

use std::{
    net::SocketAddr,
    process::Command,
    time::{Duration, Instant},
};

use integration_tests::{
    counting,
    highwater::{highwater, listener},
    kafka::Kafka,
    kafka_producer::NewRecord,
    process::Process,
    programs::python_tool,
    redis_server::{Database, RedisServer},
    s3_server::{ACCESS_KEY, REGION, SECRET_KEY},
};
use metrics_consumer::{Input, handle};
use serde_json::json;
use shared::{
    adapters::{s3::S3Objects, system_clock::SystemClock},
    config::{secret::Secret, storage::StorageSettings},
    ports::{
        clock::Clock as _,
        objects::{Objects as _, PutCondition},
    },
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{
    measured::{self, Measured, median},
    s3::S3,
    usage::Usage,
};

const ROUNDS: usize = 3;
const PARTITIONS: i32 = 4;
const LOCATIONS: usize = 10;
/// So many are handed to the producer at once.
const CHUNK: usize = 50_000;
const CONNECTIONS: usize = 10;
const ASKED_FOR: Duration = Duration::from_secs(5);
/// The store holds so many keys beside those that are asked for.
const KEYS: [usize; 2] = [100, 1_000_000];
const OBJECTS: usize = 64;
const OBJECT_BYTES: usize = 8 << 20;

/// Operations that are queued and completed, each message with its operation's id.
pub async fn count(events: usize) {
    let (kafka, redis) = (Kafka::shared().await, RedisServer::start().await);
    let topic = kafka.new_topic("bench-operations", PARTITIONS, &[]).await;
    for first in (0..events).step_by(CHUNK) {
        let now = SystemClock.now();
        let event = |n: usize| {
            let (id, location) = (format!("{:032x}", n / 2), n / 2 % LOCATIONS);
            let kind = if n.is_multiple_of(2) { "queued" } else { "completed" };
            let text = format!(
                r#"{{"timestamp":{now},"ops":1,"bytes":1024,"extension":"crr","type":"{kind}","site":"location{location}","operationId":"{id}","attempt":1,"queuedAt":{now}}}"#
            );
            NewRecord::new(text).key(id)
        };
        kafka.produce(&topic, (first..events.min(first + CHUNK)).map(event).collect()).await;
    }
    for _ in 0..ROUNDS {
        let database = redis.new_database();
        let (context, _) = counting::on_servers(kafka, &topic, &database).await;
        let (before, since) = (Usage::of(&database).await, Instant::now());
        handle(Input::Drain, &context).await.expect("the topic is counted");
        let (rate, used) = (events as f64 / since.elapsed().as_secs_f64(), Usage::of(&database).await.since(before));
        let pending = counting::counter(&counting::store(&database), "location0:bb:crr:opspending").await;
        assert_eq!(pending, 0, "every operation is counted");
        println!(
            "events with ids, from kafka into redis: {rate:.0} events/s, {}, {:.0} bytes of redis an operation",
            used.per(events, "event"),
            used.memory / (events as f64 / 2.0)
        );
        database.wipe().await;
    }
}

/// Questions over connections that are kept, with few and with many keys in the store.
pub async fn ask() {
    let redis = RedisServer::start().await;
    let locations: String =
        (0..LOCATIONS).map(|n| format!("[locations.location{n}]\nurl = \"s3://location{n}/\"\n")).collect();
    for keys in KEYS {
        let database = redis.new_database();
        fill(&database, keys).await;
        let mut command = highwater(["serve", "--only", "metrics-query"]);
        command.env("HIGHWATER_CONFIG", format!("[redis]\nurl = {:?}\n{locations}", database.url));
        let process = Process::start(&mut command);
        let query = listener(&process, "query").await;
        for target in ["location0/all", "all/all", "location0/progress/b/key0?versionId=v"] {
            let target = format!("/_/backbeat/api/metrics/crr/{target}");
            let before = Usage::of(&database).await;
            let answered = questions(query, &target).await;
            let used = Usage::of(&database).await.since(before);
            let rate = answered as f64 / ASKED_FOR.as_secs_f64();
            println!(
                "{keys} keys: {target}: {rate:.0} requests/s at {CONNECTIONS} connections, {}",
                used.per(answered, "request")
            );
        }
        database.wipe().await;
    }
}

/// Counters of objects, which no question about a location reads.
async fn fill(database: &Database, keys: usize) {
    let mut connection = database.connect().await;
    let interval = SystemClock.now().0 / 300_000 * 300_000;
    for first in (0..keys).step_by(10_000) {
        let mut pipeline = redis::pipe();
        for n in first..keys.min(first + 10_000) {
            pipeline.set(format!("location0:b:key{n}:v:bb:crr:object:bytes:requests:{interval}"), 100).ignore();
        }
        let filled: Result<(), _> = pipeline.query_async(&mut connection).await;
        filled.expect("redis is filled");
    }
}

/// How many were answered.
async fn questions(address: SocketAddr, target: &str) -> usize {
    let request = format!("GET {target} HTTP/1.1\r\nhost: localhost\r\n\r\n");
    let since = Instant::now();
    let asking = (0..CONNECTIONS).map(|_| {
        let request = request.clone();
        tokio::spawn(async move {
            let mut stream = TcpStream::connect(address).await.expect("it listens");
            let (mut answers, mut buffer) = (0, vec![0; 64 * 1024]);
            while since.elapsed() < ASKED_FOR {
                stream.write_all(request.as_bytes()).await.expect("it reads");
                let length = stream.read(&mut buffer).await.expect("it answers");
                assert!(
                    buffer[..length].starts_with(b"HTTP/1.1 200") && buffer[..length].ends_with(b"}"),
                    "a whole answer"
                );
                answers += 1;
            }
            answers
        })
    });
    let mut all = 0;
    for answers in asking.collect::<Vec<_>>() {
        all += answers.await.expect("no panic");
    }
    all
}

/// The same objects from one server to another.
pub async fn copy() {
    let kafka = Kafka::shared().await;
    let source = S3::start("source").await;
    let settings = StorageSettings {
        endpoint_url: Some(source.endpoint_url().parse().expect("an endpoint")),
        region: Some(REGION.to_owned()),
        access_key_id: Some(ACCESS_KEY.to_owned()),
        secret_access_key: Some(Secret::new(SECRET_KEY)),
        ..StorageSettings::new("s3://source/".parse().expect("a url"))
    };
    let objects = S3Objects::connect("storage", &settings).await.expect("a client");
    for n in 0..OBJECTS {
        let body: Vec<u8> = (0..OBJECT_BYTES).map(|byte| (byte.wrapping_mul(n + 7) >> 3) as u8).collect();
        objects.put(&format!("objects/{n}"), body.into(), PutCondition::IfAbsent).await.expect("an object is put");
    }
    let gigabytes = (OBJECTS * OBJECT_BYTES) as f64 / 1e9;
    let (mut ours, mut theirs) = (vec![], vec![]);
    for round in 0..ROUNDS {
        ours.push(replicate(kafka, &source, round).await);
        theirs.push(sync(&source).await);
    }
    for (name, runs) in [("highwater replicate", &ours), ("aws s3 sync", &theirs)] {
        let Measured { wall, cpu, .. } = median(runs);
        println!(
            "{name}: {:.0} MB/s, {:.1} s of CPU per GB ({OBJECTS} objects of {} MiB, median of {ROUNDS}; {})",
            gigabytes * 1e3 / wall.as_secs_f64(),
            cpu.as_secs_f64() / gigabytes,
            OBJECT_BYTES >> 20,
            median(runs)
        );
    }
}

async fn replicate(kafka: &Kafka, source: &S3, round: usize) -> Measured {
    let target = S3::start("location").await;
    let topics = ["entries", "metrics"].map(|name| format!("bench-replication-{round}-{name}"));
    for topic in &topics {
        kafka.create_topic(topic, PARTITIONS, &[]).await;
    }
    let entry = |n: usize| {
        let key = format!("objects/{n}");
        NewRecord::new(json!({"location": "there", "bucket": "source", "key": key}).to_string()).key(key)
    };
    kafka.produce(&topics[0], (0..OBJECTS).map(entry).collect()).await;
    let credentials =
        format!("region = {REGION:?}\naccess_key_id = {ACCESS_KEY:?}\nsecret_access_key = {SECRET_KEY:?}");
    let config = format!(
        "[kafka]\nbootstrap_servers = {:?}\n\
         [storage]\nurl = \"s3://source/storage-{round}\"\nendpoint_url = {:?}\n{credentials}\n\
         [backups.main]\ntopics = {{ include = [\"nothing\"] }}\n\
         [locations.there]\nurl = \"s3://location/copy\"\nendpoint_url = {:?}\n{credentials}\n\
         [replication]\ntopic = {:?}\n[metrics]\ntopic = {:?}\n",
        kafka.bootstrap_servers(),
        source.endpoint_url(),
        target.endpoint_url(),
        topics[0],
        topics[1]
    );
    let (measured, said) = measured::run(highwater(["replicate", "--json"]).env("HIGHWATER_CONFIG", config));
    assert!(said.contains(&format!("\"completed\":{OBJECTS}")), "{said}");
    measured
}

/// By way of the disk: `aws` copies between two servers in no other way.
async fn sync(source: &S3) -> Measured {
    let target = S3::start("location").await;
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path().display();
    let aws = python_tool("aws");
    let aws = aws.display();
    let (from, to) = (source.endpoint_url(), target.endpoint_url());
    let script = format!(
        "{aws} --endpoint-url {from} s3 sync --quiet s3://source/objects {folder} && {aws} --endpoint-url {to} s3 sync --quiet {folder} s3://location/objects"
    );
    let mut command = Command::new("sh");
    command
        .args(["-c", &script])
        .env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
        .env("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
        .env("AWS_REGION", REGION);
    let (measured, _) = measured::run(&mut command);
    measured
}
