//! `highwater doctor`: looks at everything that Highwater needs, and says what to mend.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use bytes::Bytes;
use serde::Serialize;
use shared::{
    adapters::{
        connect::{self, KAFKA_REMEDY, REDIS_REMEDY, STORAGE_REMEDY, StartError},
        instance,
        s3::probe,
        settings,
        system_clock::SystemClock,
    },
    archive::{self, reading::holdings},
    config::Settings,
    ports::{
        clock::Clock as _,
        objects::{Objects, ObjectsError, PutCondition, clock_warning},
        records::{Kafka, Topic},
        store::{Query, Store},
    },
};

use crate::{
    cli::OutputArgs,
    failure::{Failure, Verdict},
    output::{self, Report, chain},
};

/// How many create the same object at once, to see that one of them succeeds.
const RACERS: usize = 16;
/// A store of figures that takes longer to answer makes pages slow.
const REDIS_SLOW: Duration = Duration::from_millis(100);

/// What was looked at.
#[derive(Debug, Default, Serialize)]
struct Examined {
    version: &'static str,
    findings: Vec<Finding>,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    what: &'static str,
    outcome: Outcome,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Good,
    Warning,
    Wrong,
}

pub(super) async fn run(config: Option<&str>, args: OutputArgs) -> Result<Verdict, Failure> {
    let settings = settings::load(config).await?;
    let mut examined = Examined { version: env!("CARGO_PKG_VERSION"), findings: vec![] };
    configuration(&settings, &mut examined);
    let (kafka, objects, store) =
        tokio::join!(connect::kafka(&settings), connect::storage(&settings), connect::redis(&settings));
    if let Some(kafka) = examined.connected("kafka", kafka, KAFKA_REMEDY) {
        examine_kafka(&settings, &*kafka, &mut examined).await;
        if let Ok(objects) = &objects {
            owners(&settings, &*kafka, &**objects, &mut examined).await;
        }
    }
    if let Some(objects) = examined.connected("storage", objects, STORAGE_REMEDY) {
        race(objects.clone(), &mut examined).await;
        clock(&*objects, &mut examined);
    }
    locations(&settings, &mut examined).await;
    if let Some(store) = examined.connected("redis", store, REDIS_REMEDY) {
        answers_in_time(&*store, &mut examined).await;
    }
    output::print(&examined, args.json)?;
    Ok(if examined.is_good() { Verdict::Good } else { Verdict::Wrong })
}

impl Examined {
    fn is_good(&self) -> bool {
        self.findings.iter().all(|finding| finding.outcome != Outcome::Wrong)
    }

    fn add(&mut self, what: &'static str, outcome: Outcome, detail: impl Into<String>, remedy: Option<&str>) {
        let remedy = remedy.map(str::to_owned);
        self.findings.push(Finding { what, outcome, detail: detail.into(), remedy });
    }

    fn good(&mut self, what: &'static str, detail: impl Into<String>) {
        self.add(what, Outcome::Good, detail, None);
    }

    fn wrong(&mut self, what: &'static str, error: &dyn std::error::Error, remedy: &str) {
        self.add(what, Outcome::Wrong, chain(error), Some(remedy));
    }

    fn connected<T>(&mut self, what: &'static str, port: Result<T, StartError>, remedy: &str) -> Option<T> {
        match port {
            Ok(port) => {
                self.good(what, "answers, and lets us in");
                Some(port)
            }
            Err(error) => {
                self.wrong(what, &error, remedy);
                None
            }
        }
    }
}

fn configuration(settings: &Settings, examined: &mut Examined) {
    for warning in settings.warnings() {
        examined.add("configuration", Outcome::Warning, warning, None);
    }
    match settings.backups() {
        Ok(backups) => examined.good("configuration", format!("{} backups", backups.len())),
        Err(problem) => examined.wrong("configuration", &problem, "name at least one backup"),
    }
}

async fn examine_kafka(settings: &Settings, kafka: &dyn Kafka, examined: &mut Examined) {
    let topics = match kafka.topics(None).await {
        Ok(topics) => topics,
        Err(error) => return examined.wrong("topics", &error, "allow Describe on the topics"),
    };
    selected(settings, &topics, examined);
    metrics_topic(settings, &topics, examined);
    for name in settings.backups.keys() {
        let group = format!("highwater.{name}");
        let partitions: Vec<_> = topics.iter().take(1).flat_map(Topic::each_partition).collect();
        match kafka.committed_offsets(&group, &partitions).await {
            Ok(_) => examined.good("consumer group", format!("{group} can be read")),
            Err(error) => examined.wrong("consumer group", &error, "allow Read on the group"),
        }
    }
}

fn selected(settings: &Settings, topics: &[Topic], examined: &mut Examined) {
    let names: BTreeSet<&str> = topics.iter().map(|topic| &*topic.name).collect();
    for (backup, wanted) in &settings.backups {
        let count = names.iter().filter(|name| wanted.topics.selects(name, &settings.own_topics())).count();
        let outcome = if count == 0 { Outcome::Warning } else { Outcome::Good };
        examined.add("topics", outcome, format!("backup {backup} selects {count} of {} topics", names.len()), None);
        for missing in wanted.topics.literal_names().filter(|name| !names.contains(name)) {
            let detail = format!("backup {backup} asks for topic {missing:?}, which is not there");
            examined.add("topics", Outcome::Warning, detail, Some("create it, or take it out of topics.include"));
        }
    }
}

fn metrics_topic(settings: &Settings, topics: &[Topic], examined: &mut Examined) {
    let (name, wanted) = (&settings.metrics.topic, i32::from(settings.metrics.partitions));
    match topics.iter().find(|topic| *topic.name == **name) {
        None => examined.add(
            "metrics topic",
            Outcome::Warning,
            format!("{name} is not there yet"),
            Some("highwater serve makes it"),
        ),
        Some(topic) if topic.partitions != wanted => {
            let detail = format!("{name} has {} partitions, and the settings say {wanted}", topic.partitions);
            let remedy = "leave it as it is: set metrics.partitions to that. Changing it moves keys between partitions";
            examined.add("metrics topic", Outcome::Warning, detail, Some(remedy));
        }
        Some(topic) => examined.good("metrics topic", format!("{name} has {} partitions", topic.partitions)),
    }
}

/// Each prefix belongs to its backup in this cluster, or to nobody yet.
async fn owners(settings: &Settings, kafka: &dyn Kafka, objects: &dyn Objects, examined: &mut Examined) {
    let Ok(cluster_id) = kafka.cluster_id().await else { return };
    for backup in settings.backups.keys().map(ToString::to_string) {
        match archive::read_owner(objects, &backup).await {
            Ok(Some(owner)) if owner.cluster_id != cluster_id => {
                let detail = format!("backup {backup} is of cluster {}, and this is {cluster_id}", owner.cluster_id);
                let remedy = "give the backup another name, or the storage another prefix";
                examined.add("owner", Outcome::Wrong, detail, Some(remedy));
            }
            Ok(Some(_)) => match holdings::backups(objects, Some(&backup)).await {
                Ok(_) => examined.good("owner", format!("backup {backup} is this cluster's")),
                Err(error) => examined.wrong("owner", &error, "highwater verify says what is damaged"),
            },
            Ok(None) => examined.good("owner", format!("backup {backup} has not begun")),
            Err(error) => examined.wrong("owner", &error, STORAGE_REMEDY),
        }
    }
}

/// Many create one object at once: one of them must succeed, and all others must be told.
async fn race(objects: Arc<dyn Objects>, examined: &mut Examined) {
    let key: Arc<str> = format!("=probe/race-{}", instance::name(&SystemClock)).into();
    let puts = (0..RACERS).map(|racer| {
        let (objects, key) = (objects.clone(), key.clone());
        async move { objects.put(&key, Bytes::from(racer.to_string()), PutCondition::IfAbsent).await }
    });
    let outcomes = futures::future::join_all(puts).await;
    let cleaned = objects.delete(&key).await;
    let won = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    let lost = |outcome: &Result<_, _>| {
        matches!(outcome, Err(ObjectsError::PreconditionFailed { .. } | ObjectsError::Conflict { .. }))
    };
    let failed = outcomes.iter().find(|outcome| outcome.is_err() && !lost(outcome));
    match (won, failed, cleaned) {
        (_, Some(Err(error)), _) => examined.wrong("conditional writes", error, "see the storage's own health"),
        (1, _, Ok(())) => examined.good("conditional writes", format!("of {RACERS} creates at once one succeeded")),
        (1, _, Err(error)) => examined.wrong("conditional writes", &error, "allow DeleteObject"),
        (won, ..) => {
            let detail = format!("of {RACERS} creates of one object at once {won} succeeded");
            let remedy = "choose a store with atomic If-None-Match, as AWS S3 and MinIO have it: else two writers can overwrite each other";
            examined.add("conditional writes", Outcome::Wrong, detail, Some(remedy));
        }
    }
}

/// Each location that is replicated to answers, and creates an object once only.
async fn locations(settings: &Settings, examined: &mut Examined) {
    let stores = match connect::locations(settings).await {
        Ok(stores) => stores,
        Err(error) => return examined.wrong("location", &error, "correct its section"),
    };
    for (name, objects) in stores {
        let nonce = SystemClock.now().0.unsigned_abs() ^ u64::from(std::process::id());
        match probe::probe(&*objects, &format!("location {name}"), nonce).await {
            Ok(()) => examined.good("location", format!("{name} answers, and creates an object once only")),
            Err(error) => {
                let remedy =
                    format!("start it, or correct section locations.{name}: url, endpoint_url, region, credentials");
                examined.wrong("location", &error, &remedy);
            }
        }
    }
}

fn clock(objects: &dyn Objects, examined: &mut Examined) {
    match clock_warning(objects.clock_ahead_ms()) {
        Some(warning) => examined.add("clock", Outcome::Warning, warning, Some("let NTP set this machine's clock")),
        None => examined.good("clock", "this machine's is the storage's"),
    }
}

#[allow(clippy::disallowed_methods, reason = "it measures how long an answer takes")]
async fn answers_in_time(store: &dyn Store, examined: &mut Examined) {
    let since = tokio::time::Instant::now();
    match store.read(&[Query::Text("hw1:probe".to_owned()), Query::Run]).await {
        Err(error) => examined.wrong("redis answers", &error, REDIS_REMEDY),
        Ok(_) => {
            let took = since.elapsed();
            let outcome = if took > REDIS_SLOW { Outcome::Warning } else { Outcome::Good };
            let remedy = (took > REDIS_SLOW).then_some("put it nearer, or make it larger");
            examined.add("redis answers", outcome, format!("within {} ms", took.as_millis()), remedy);
        }
    }
}

impl Report for Examined {
    const SCHEMA: &'static str = "highwater.doctor.v1";

    fn text(&self) -> String {
        let line = |finding: &Finding| {
            let mark = match finding.outcome {
                Outcome::Good => "good   ",
                Outcome::Warning => "warning",
                Outcome::Wrong => "WRONG  ",
            };
            let remedy = finding.remedy.as_ref().map(|remedy| format!("\n         {remedy}")).unwrap_or_default();
            format!("{mark}  {}: {}{remedy}\n", finding.what, finding.detail)
        };
        format!("highwater {}\n", self.version) + &self.findings.iter().map(line).collect::<String>()
    }
}

#[cfg(test)]
mod tests {
    use shared::{
        adapters::memory::{clock::ManualClock, kafka::MemoryKafka, objects::MemoryObjects},
        config::Draft,
        record::Millis,
    };

    use super::*;

    fn world() -> (Settings, MemoryKafka, Arc<MemoryObjects>) {
        let text = "[backups.main]\ntopics = { include = [\"orders\", \"missing\", \"p*\"] }";
        let settings = Draft::new(text, &Default::default()).unwrap().settings().unwrap();
        let clock = Arc::new(ManualClock::at(Millis(1_700_000_000_000)));
        let kafka = MemoryKafka::new(clock.clone(), 1);
        kafka.create("orders", 2, &[]);
        kafka.create("backbeat-metrics", 7, &[]);
        (settings, kafka, Arc::new(MemoryObjects::new(clock)))
    }

    fn told(examined: &Examined) -> Vec<String> {
        let told = |it: &Finding| format!("{:?} {}: {}", it.outcome, it.what, it.detail);
        examined.findings.iter().map(told).collect()
    }

    #[tokio::test]
    async fn topics_that_are_missing_and_a_metrics_topic_of_another_size_are_told() {
        let (settings, kafka, _) = world();
        let mut examined = Examined::default();
        examine_kafka(&settings, &kafka, &mut examined).await;
        assert_eq!(
            told(&examined),
            [
                "Good topics: backup main selects 1 of 2 topics",
                "Warning topics: backup main asks for topic \"missing\", which is not there",
                "Warning metrics topic: backbeat-metrics has 7 partitions, and the settings say 4",
                "Good consumer group: highwater.main can be read",
            ]
        );
        assert!(examined.is_good() && examined.text().contains("set metrics.partitions to that"));
    }

    #[tokio::test]
    async fn a_store_where_one_of_many_creates_wins_is_good_and_nothing_is_left_in_it() {
        let (_, _, objects) = world();
        let mut examined = Examined::default();
        race(objects.clone(), &mut examined).await;
        assert_eq!(told(&examined), ["Good conditional writes: of 16 creates at once one succeeded"]);
        let left = objects.list(shared::ports::objects::ListRequest::prefix("")).await.unwrap();
        assert!(left.objects.is_empty(), "{left:?}");
    }

    #[tokio::test]
    async fn a_prefix_of_another_cluster_is_wrong() {
        let (settings, kafka, objects) = world();
        let mut examined = Examined::default();
        owners(&settings, &kafka, &*objects, &mut examined).await;
        archive::claim_owner(&*objects, "main", "another-cluster").await.unwrap();
        owners(&settings, &kafka, &*objects, &mut examined).await;
        assert!(!examined.is_good());
        let told = told(&examined);
        assert_eq!(told[0], "Good owner: backup main has not begun");
        assert!(
            told[1].starts_with("Wrong owner: backup main is of cluster another-cluster, and this is "),
            "{told:?}"
        );
    }
}
