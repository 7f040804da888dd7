//! What running on AWS Lambda asks of the storage, Kafka and Redis: counted with the shipping functions over ports in memory,
//! and compared with the table of docs/cost.md.

use std::{fmt::Write as _, sync::Arc, time::Duration};

use integration_tests::lambda::{EventSource, kafka_event};
use local_runner::host::{Host, ports::Ports, selection::Selection};
use serde_json::{Value, json};
use shared::{
    adapters::{
        connect::Registries,
        counting::CountingObjects,
        memory::{
            clock::ManualClock,
            faults::{Faults, FaultyKafka, FaultyStore, Odds},
            kafka::MemoryKafka,
            objects::MemoryObjects,
            store::MemoryStore,
        },
    },
    archive,
    config::Draft,
    ports::{
        clock::Clock as _,
        objects::{Objects, Operation},
        records::{Kafka, Log as _},
    },
    record::{Millis, Offset, Record, TimestampType, TopicPartition},
};

const COST: &str = include_str!("../../docs/cost.md");
const PARTITIONS_OF_A_TOPIC: i32 = 10;
const MINUTE: Millis = Millis(60_000);
const SETTINGS: &str = "[kafka]\nbootstrap_servers = \"memory\"\n[storage]\nurl = \"s3://memory\"\n[redis]\nurl = \"redis://memory\"\n\
    [metrics]\nrefresh_s = 60\n[backups.main]\ntopics = { include = [\"topic-*\"] }\n";
/// What a schedule of the template invokes every minute, beside what stores.
const EVERY_MINUTE: [&str; 3] = ["metrics-consumer", "cluster-archiver", "lag-monitor"];
/// A third of an hour is like the others where every partition gets records.
const BUSY_MINUTES: u64 = 20;

/// How records come to segment-writer.
#[derive(Clone, Copy)]
enum Path {
    /// A schedule, every minute.
    Drain,
    /// A Kafka mapping, whose events are 30 seconds apart.
    Event,
}

/// An hour of requests.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
struct Requests {
    put: u64,
    list: u64,
    get: u64,
    kafka: u64,
    redis: u64,
    invocations: u64,
}

struct World {
    clock: Arc<ManualClock>,
    kafka: MemoryKafka,
    objects: Arc<CountingObjects>,
    asked: [Arc<Faults>; 2],
    host: Host,
    topics: i32,
    appended: i64,
    invocations: u64,
}

impl World {
    async fn of(partitions: i32) -> World {
        let clock = Arc::new(ManualClock::at(Millis(1_800_000_000_000)));
        let kafka = MemoryKafka::new(clock.clone(), 1);
        let topics = partitions / PARTITIONS_OF_A_TOPIC;
        (0..topics).for_each(|topic| kafka.create(&format!("topic-{topic}"), PARTITIONS_OF_A_TOPIC, &[]));
        kafka.create("backbeat-metrics", 4, &[]);
        let stored = Arc::new(MemoryObjects::new(clock.clone()));
        let cluster = kafka.cluster_id().await.expect("an id");
        archive::claim_owner(&*stored, "main", &cluster).await.expect("nobody has it");
        let objects = Arc::new(CountingObjects::new(stored));
        let asked = [(); 2].map(|()| Arc::new(Faults::new(1, Odds::NONE, None)));
        let cluster: Arc<dyn Kafka> = Arc::new(FaultyKafka::new(Arc::new(kafka.clone()), asked[0].clone()));
        let store = Arc::new(FaultyStore::new(Arc::new(MemoryStore::new(clock.clone())), asked[1].clone()));
        let ports = Ports {
            kafka: Some(cluster),
            objects: Some(objects.clone()),
            store: Some(store),
            pushing: None,
            locations: vec![],
            registries: Registries { source: None, target: None, name: "default".to_owned() },
            buckets: None,
            target: Some(Arc::new(kafka.clone())),
            clock: clock.clone(),
        };
        let settings = Draft::new(SETTINGS, &Default::default()).expect("they are valid").settings().expect("all");
        let host = Host::new(&settings, &Selection::all(), ports);
        let mut world = World { clock, kafka, objects, asked, host, topics, appended: 0, invocations: 0 };
        // The first hour is over: everything was stored once, and looked at.
        for _ in 0..2 {
            world.append();
            world.minute(Path::Drain).await;
        }
        world
    }

    fn append(&mut self) {
        for (topic, partition) in self.partitions() {
            let record = Record {
                offset: Offset(0),
                timestamp: Millis(1_800_000_000_000),
                timestamp_type: TimestampType::CreateTime,
                key: None,
                value: Some("value".into()),
                headers: vec![],
            };
            self.kafka.append(&TopicPartition::new(topic, partition), record);
        }
        self.appended += 1;
    }

    fn partitions(&self) -> impl Iterator<Item = (String, i32)> + use<> {
        let topics = 0..self.topics;
        topics.flat_map(|topic| (0..PARTITIONS_OF_A_TOPIC).map(move |number| (format!("topic-{topic}"), number)))
    }

    async fn invoke(&mut self, function: &str, payload: Value) {
        let answer = self.host.functions.call(function, payload).await.expect("it is hosted");
        answer.unwrap_or_else(|error| panic!("{function}: {error}"));
        self.invocations += 1;
    }

    /// What the template's schedules and mappings do in a minute.
    async fn minute(&mut self, path: Path) {
        self.clock.advance(MINUTE);
        match path {
            Path::Drain => self.invoke("segment-writer", json!({ "backup": "main" })).await,
            Path::Event => self.events().await,
        }
        for function in EVERY_MINUTE {
            self.invoke(function, json!({})).await;
        }
        // With a deadline, as on Lambda, it goes on with what is under way, and there is nothing.
        self.invoke("segment-restorer", json!({ "deadline": self.clock.now().0 + 900_000 })).await;
        // Without a location object-replicator asks nothing of what is counted here but one call of Redis.
        self.invocations += 1;
    }

    /// An event for each topic, with the last record of each partition, twice a minute.
    async fn events(&mut self) {
        for half in [2, 1] {
            let offset = Offset(self.appended - half);
            for topic in 0..self.topics {
                let topic = format!("topic-{topic}");
                let records = [Record {
                    offset,
                    timestamp: Millis(1_800_000_000_000),
                    timestamp_type: TimestampType::CreateTime,
                    key: None,
                    value: Some("value".into()),
                    headers: vec![],
                }];
                let each: Vec<_> =
                    (0..PARTITIONS_OF_A_TOPIC).map(|partition| (topic.as_str(), partition, &records[..])).collect();
                self.invoke("segment-writer", kafka_event(EventSource::Msk, &each)).await;
            }
        }
    }

    fn requests(&self) -> Requests {
        let counts = self.objects.counts().expect("it counts").requests;
        let count = |operation| counts.get(&operation).copied().unwrap_or(0);
        Requests {
            put: count(Operation::Put),
            list: count(Operation::List),
            get: count(Operation::Get),
            kafka: self.asked[0].calls(),
            redis: self.asked[1].calls(),
            invocations: self.invocations,
        }
    }

    /// The requests of an hour in which records come as `comes` says.
    async fn hour(&mut self, comes: Option<Path>) -> Requests {
        let (before, minutes) = (self.requests(), if comes.is_some() { BUSY_MINUTES } else { 60 });
        for _ in 0..minutes {
            match comes {
                None => {}
                Some(Path::Drain) => self.append(),
                Some(Path::Event) => (0..2).for_each(|_| self.append()),
            }
            self.minute(comes.unwrap_or(Path::Drain)).await;
        }
        self.requests().since(before).times(60 / minutes)
    }
}

impl Requests {
    fn since(self, before: Requests) -> Requests {
        Requests {
            put: self.put - before.put,
            list: self.list - before.list,
            get: self.get - before.get,
            kafka: self.kafka - before.kafka,
            redis: self.redis - before.redis,
            invocations: self.invocations - before.invocations,
        }
    }

    fn times(self, factor: u64) -> Requests {
        Requests {
            put: self.put * factor,
            list: self.list * factor,
            get: self.get * factor,
            kafka: self.kafka * factor,
            redis: self.redis * factor,
            invocations: self.invocations * factor,
        }
    }

    /// S3 Standard in us-east-1: 0.005 dollars for 1,000 PUT or LIST, 0.0004 for 1,000 GET.
    fn dollars(self) -> f64 {
        (self.put + self.list) as f64 * 0.005 / 1e3 + self.get as f64 * 0.0004 / 1e3
    }
}

/// The next of 1, 2, 5, 10, 20, ...: how often Kafka and Redis are asked hangs on moments, too.
fn at_most(count: u64) -> u64 {
    let steps = (0..12).flat_map(|power| [1, 2, 5].map(|step| step * 10_u64.pow(power)));
    steps.into_iter().find(|step| *step >= count).expect("it is no such number")
}

fn row(table: &mut String, what: &str, partitions: i32, requests: Requests) {
    let Requests { put, list, get, kafka, redis, invocations } = requests;
    let (price, kafka, redis) = (requests.dollars(), at_most(kafka), at_most(redis));
    writeln!(
        table,
        "| {what} | {partitions} | {put} | {list} | {get} | ${price:.3} | {kafka} | {redis} | {invocations} |"
    )
    .expect("a text takes any writing");
}

#[tokio::test(start_paused = true)]
async fn the_table_of_requests_is_what_the_functions_ask() {
    let mut table = String::from(
        "| what | partitions | PUT | LIST | GET | price | calls of Kafka, at most | of Redis | invocations |\n|---|---|---|---|---|---|---|---|---|\n",
    );
    for (what, comes, factor) in [
        ("a day without a record", None, 24),
        ("a million records in an hour, drained", Some(Path::Drain), 1),
        ("a million records in an hour, by events", Some(Path::Event), 1),
    ] {
        for partitions in [10, 100, 1_000] {
            let mut world = World::of(partitions).await;
            let hour = world.hour(comes).await;
            row(&mut table, what, partitions, hour.times(factor));
            tokio::time::advance(Duration::from_secs(1)).await;
        }
    }
    assert!(COST.contains(&table), "docs/cost.md should have this table:\n{table}");
}
