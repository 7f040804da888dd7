//! Segments come to another S3 server, and the figures are what the statuses in the storage say.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use aws_sdk_s3::Client;
use integration_tests::{
    eventually::eventually,
    kafka::Kafka,
    kafka_producer::NewRecord,
    redis_server::RedisServer,
    s3_server::{ACCESS_KEY, REGION, S3Server, SECRET_KEY},
    serving::{LOCATION, PARTITIONS, Served, Serving},
};
use serde_json::Value;

pub const WITHIN: Duration = Duration::from_secs(120);

/// A backup that is replicated to a bucket on another server.
pub struct Replicated<'a> {
    pub serving: Serving,
    pub location: &'a S3Server,
    /// The location's bucket.
    pub bucket: String,
}

impl Replicated<'_> {
    pub async fn on<'a>(kafka: &Kafka, location: &'a S3Server, base: &str) -> Replicated<'a> {
        let redis = RedisServer::shared().await.new_database().url;
        let bucket = location.new_bucket("location").await;
        let mut serving = Serving::new(base, kafka, &redis).await;
        serving.location = format!(
            "url = \"s3://{bucket}/copy\"\nendpoint_url = {:?}\nregion = {REGION:?}\naccess_key_id = {ACCESS_KEY:?}\nsecret_access_key = {SECRET_KEY:?}",
            location.endpoint_url()
        );
        let mut it = Replicated { serving, location, bucket };
        it.serving.replication = format!("topic = {:?}\nreconcile_every = \"5s\"", it.replication_topic());
        it
    }

    pub fn replication_topic(&self) -> String {
        format!("{}-replication", self.serving.backup)
    }

    pub async fn produce(&self, kafka: &Kafka, records: i32) {
        let records = (0..records).map(|n| NewRecord::new(vec![b'x'; 20_000]).partition(n % PARTITIONS));
        kafka.produce(&self.serving.topic, records.collect()).await;
    }

    /// The backup's objects on one side, without what stays at home.
    async fn backup(&self, client: &Client, bucket: &str, prefix: &str) -> BTreeMap<String, bytes::Bytes> {
        let prefix = format!("{prefix}/{}/", self.serving.backup);
        let mut all = objects(client, bucket, &prefix).await;
        all.retain(|key, _| !["=clock.json", "=pins/", "=pause/"].iter().any(|own| key.starts_with(own)));
        all
    }

    async fn here(&self) -> BTreeMap<String, bytes::Bytes> {
        self.backup(&S3Server::shared().await.client(), &self.serving.bucket, "backups").await
    }

    async fn there(&self) -> BTreeMap<String, bytes::Bytes> {
        self.backup(&self.location.client(), &self.bucket, "copy").await
    }

    /// How many operations are in which state, and the bytes of each.
    pub async fn statuses(&self) -> BTreeMap<String, (u64, u64)> {
        let client = S3Server::shared().await.client();
        let prefix = format!("backups/=replication/{LOCATION}/status/");
        let mut states = BTreeMap::new();
        for body in objects(&client, &self.serving.bucket, &prefix).await.into_values() {
            let status: Value = serde_json::from_slice(&body).expect("a status");
            let state = states.entry(status["state"].as_str().expect("a state").to_owned()).or_insert((0, 0));
            *state = (state.0 + 1, state.1 + status["size_bytes"].as_u64().expect("a size"));
        }
        states
    }

    /// Waits until so many records are stored and everything stored is at the location.
    pub async fn everything_is_there(&self, records: i64) {
        eventually("everything to be stored", WITHIN, || async {
            let stored: i64 = self.serving.frontiers().await.values().sum();
            if stored == records { Ok(()) } else { Err(format!("{stored} of {records}")) }
        })
        .await;
        eventually("everything to be at the location", WITHIN, || async {
            let states = self.statuses().await;
            let missing = self.here().await.len() - self.there().await.len().min(self.here().await.len());
            if missing == 0 && states.keys().all(|state| state == "COMPLETED") {
                return Ok(());
            }
            Err(format!("{missing} objects are missing, and statuses are {states:?}"))
        })
        .await;
        assert_eq!(self.here().await, self.there().await);
    }

    pub async fn figures_are_the_statuses(&self, served: &Served) {
        eventually("the figures to be what the statuses say", WITHIN, || async {
            let states = self.statuses().await;
            let of = |state: &str| states.get(state).copied().unwrap_or((0, 0));
            let completions = figure(served, "completions").await?;
            let pending = figure(served, "pending").await?;
            let failures = figure(served, "failures").await?;
            if completions == of("COMPLETED") && pending == of("PENDING") && failures == of("FAILED") {
                return Ok(());
            }
            Err(format!("{completions:?} completed, {failures:?} failed, {pending:?} pending, and {states:?}"))
        })
        .await;
    }

    pub async fn location_is_a_backup(&self) {
        let verified = self.serving.run(&["verify", "--location", LOCATION, "--deep"]).await;
        assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    }
}

pub async fn objects(client: &Client, bucket: &str, prefix: &str) -> BTreeMap<String, bytes::Bytes> {
    let (mut all, mut after) = (BTreeMap::new(), String::new());
    loop {
        let listed = client.list_objects_v2().bucket(bucket).prefix(prefix).start_after(&after).send().await;
        let listed = listed.expect("a listing");
        for key in listed.contents().iter().filter_map(|object| object.key()) {
            let object = client.get_object().bucket(bucket).key(key).send().await.expect("an object");
            let body = object.body.collect().await.expect("its bytes").into_bytes();
            all.insert(key.strip_prefix(prefix).expect("the prefix").to_owned(), body);
            after = key.to_owned();
        }
        if listed.is_truncated() != Some(true) {
            return all;
        }
    }
}

async fn figure(served: &Served, name: &str) -> Result<(u64, u64), String> {
    let answer = served.replication(name).await?;
    let body: Value = serde_json::from_str(&answer.body).map_err(|error| format!("{error}: {}", answer.body))?;
    let results = &body[name]["results"];
    let number = |field: &str| results[field].as_u64().ok_or_else(|| format!("{} {}", answer.status, answer.body));
    Ok((number("count")?, number("size")?))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_object_of_a_backup_comes_to_the_location_also_after_it_was_down_and_figures_are_the_statuses() {
    let (kafka, location) = (Kafka::shared().await, S3Server::start().await);
    let it = Replicated::on(kafka, &location, "replicated").await;
    let served = it.serving.serve().await;
    it.produce(kafka, 40).await;
    it.everything_is_there(40).await;
    it.figures_are_the_statuses(&served).await;

    let list = served.get("/_/backbeat/api/crr/failed").await.expect("an answer").body;
    assert_eq!(list, r#"{"IsTruncated":false,"Versions":[]}"#);
    it.location.pause();
    it.produce(kafka, 40).await;
    eventually("failures of a location that does not answer", WITHIN, || async {
        let (failed, _) = figure(&served, "failures").await?;
        if failed > 0 { Ok(()) } else { Err("none".to_owned()) }
    })
    .await;
    let list = served.get("/_/backbeat/api/crr/failed").await.expect("an answer").body;
    assert!(list.contains(&format!(r#""StorageClass":"{LOCATION}""#)), "{list}");
    served.post("/_/backbeat/api/crr/pause").await.expect("an answer");
    it.location.unpause();
    let status = served.get("/_/crr/status").await.expect("an answer").body;
    assert_eq!(status, format!(r#"{{"{LOCATION}":"disabled"}}"#));
    it.figures_are_the_statuses(&served).await;
    assert!(it.statuses().await.keys().any(|state| state != "COMPLETED"));
    served.post("/_/backbeat/api/crr/resume").await.expect("an answer");
    it.everything_is_there(80).await;
    it.figures_are_the_statuses(&served).await;
    let key = it.here().await.keys().find(|key| key.ends_with(".kan")).expect("a segment").clone();
    let key = format!("backups/{}/{key}", it.serving.backup);
    let version = version(&it.serving.bucket, &key).await;
    let path = format!("/progress/{}/{key}?versionId={version}", it.serving.bucket);
    let progress = served.replication(&path[1..]).await.expect("an answer").body;
    assert!(progress.contains(r#""progress":"100%""#), "{progress}");
    served.end().await;
    it.location_is_a_backup().await;
}

/// Operations and bytes, by the state that statuses call so.
type States = BTreeMap<String, (u64, u64)>;

/// What one answer says of all states. What is zero is left out, as it is among statuses.
async fn told(served: &Served) -> Result<States, String> {
    let answer = served.replication("all").await?;
    let body: Value = serde_json::from_str(&answer.body).map_err(|error| format!("{error}: {}", answer.body))?;
    let names = [("completions", "COMPLETED"), ("failures", "FAILED"), ("pending", "PENDING")];
    let mut states = States::new();
    for (name, state) in names {
        let results = &body[name]["results"];
        let number = |field: &str| results[field].as_u64().ok_or_else(|| format!("{} {}", answer.status, answer.body));
        states.insert(state.to_owned(), (number("count")?, number("size")?));
    }
    states.retain(|_, told| *told != (0, 0));
    Ok(states)
}

/// Compares figures and statuses again and again. A status is written before its event, so that figures are never ahead of
/// statuses. Counts how often both were equal.
async fn compare(it: &Replicated<'_>, served: &Served, equal: &AtomicUsize) {
    let all = |states: &States| states.values().map(|(ops, _)| ops).sum::<u64>();
    let completed = |states: &States| states.get("COMPLETED").copied().unwrap_or_default();
    let mut completed_before = (0, 0);
    loop {
        let before = it.statuses().await;
        // 503 until everything is counted that was there at the start.
        let Ok(told) = told(served).await else { continue };
        let after = it.statuses().await;
        assert!(completed(&told) <= completed(&after), "{told:?} is ahead of {after:?}");
        assert!(all(&told) <= all(&after), "{told:?} is ahead of {after:?}");
        assert!(completed(&told) >= completed_before, "{told:?} falls behind {completed_before:?}");
        completed_before = completed(&told);
        if before == after && told == after {
            equal.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn figures_are_never_ahead_of_the_statuses_and_equal_them_whenever_those_stand_still() {
    let (kafka, location) = (Kafka::shared().await, S3Server::start().await);
    let it = Replicated::on(kafka, &location, "compared").await;
    let (served, equal) = (it.serving.serve().await, AtomicUsize::new(0));
    let were_equal = async |times: usize| {
        let wanted = equal.load(Ordering::Relaxed) + times;
        eventually("figures and statuses to be equal", WITHIN, || async {
            let seen = equal.load(Ordering::Relaxed);
            let (told, statuses) = (told(&served).await, it.statuses().await);
            if seen >= wanted { Ok(()) } else { Err(format!("{told:?} and {statuses:?}")) }
        })
        .await;
    };
    let working = async {
        it.produce(kafka, 40).await;
        it.everything_is_there(40).await;
        were_equal(3).await;

        // Failures: the location does not answer.
        it.location.pause();
        it.produce(kafka, 40).await;
        eventually("failures", WITHIN, || async {
            let states = it.statuses().await;
            if states.contains_key("FAILED") { Ok(()) } else { Err(format!("{states:?}")) }
        })
        .await;
        were_equal(2).await;
        // A pause: what failed and what waits stays as it is.
        served.post("/_/backbeat/api/crr/pause").await.expect("an answer");
        it.location.unpause();
        were_equal(5).await;
        it.produce(kafka, 40).await;
        served.post("/_/backbeat/api/crr/resume").await.expect("an answer");
        it.everything_is_there(120).await;
        were_equal(5).await;
    };
    tokio::select! {
        () = compare(&it, &served, &equal) => unreachable!("it has no end"),
        () = working => {}
    }
    served.end().await;
}

async fn version(bucket: &str, key: &str) -> String {
    let head = S3Server::shared().await.client().head_object().bucket(bucket).key(key).send().await.expect("a HEAD");
    head.e_tag().expect("a tag").trim_matches('"').to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_from_before_the_location_comes_along_and_what_is_deleted_there_comes_again() {
    let (kafka, location) = (Kafka::shared().await, S3Server::start().await);
    let mut it = Replicated::on(kafka, &location, "existing").await;
    let replication = std::mem::replace(&mut it.serving.replication, "enabled = false".to_owned());
    it.produce(kafka, 20).await;
    let backed_up = it.serving.run(&["backup"]).await;
    assert!(backed_up.status.success(), "{}", String::from_utf8_lossy(&backed_up.stderr));
    assert!(it.there().await.is_empty());

    it.serving.replication = replication;
    for _ in 0..2 {
        let replicated = it.serving.run(&["replicate", "--existing"]).await;
        let said = String::from_utf8_lossy(&replicated.stdout).into_owned();
        assert!(replicated.status.success(), "{said}{}", String::from_utf8_lossy(&replicated.stderr));
        assert_eq!(it.here().await, it.there().await, "{said}");
        it.location_is_a_backup().await;
        let key = it.there().await.into_keys().find(|key| key.ends_with(".kan")).expect("a segment");
        let key = format!("copy/{}/{key}", it.serving.backup);
        it.location.client().delete_object().bucket(&it.bucket).key(key).send().await.expect("it is deleted");
    }
}
