//! The console's figures, on a store in memory. What they say of each trouble is told by [`shared::metrics::overview`].

use std::sync::Arc;

use serde_json::{Value as Json, json};
use shared::{
    adapters::memory::{clock::ManualClock, store::MemoryStore},
    config::Draft,
    metrics::{
        history::Values,
        registers::{Scope, Seen, operations},
        standing::Message,
    },
    ports::store::Store as _,
    record::Millis,
};

use super::*;
use crate::{Context, HttpRequest, handle};

const NOW: Millis = Millis(1_700_000_000_000);
const STANDING: &str = include_str!("../../../../shared/fixtures/metrics/standing.json");

struct World {
    store: Arc<MemoryStore>,
    context: Context,
}

async fn world() -> World {
    let text = "[backups.main]\ntopics = { include = [\"orders\", \"missing\"] }\n[locations.site1]\nurl = \"s3://b\"";
    let settings = Draft::new(text, &Default::default()).unwrap().settings().unwrap();
    let clock = Arc::new(ManualClock::at(NOW));
    let store = Arc::new(MemoryStore::new(clock.clone()));
    let context = Context::new(&settings, store.clone(), clock);
    World { store, context }
}

impl World {
    /// Begins and completes the epoch of the backup, as lag-monitor does.
    async fn complete(&self) {
        let scope = Scope::Backup("main");
        let seen = async || Seen::read(&mut self.store.read(&scope.queries()).await.unwrap().into_iter());
        let (step, run) = seen().await.begin(scope, NOW).unwrap();
        self.store.apply(&[step], &run).await.unwrap();
        let step = seen().await.complete(scope).unwrap();
        self.store.apply(&[step], &[]).await.unwrap();
    }

    async fn say(&self, message: &Json) {
        let message = Message::decode(message).unwrap();
        self.store.apply(&[], &operations(&message)).await.unwrap();
    }

    async fn get(&self, target: &str) -> (u16, Json) {
        let request = HttpRequest { method: "GET".into(), target: target.into(), ..HttpRequest::default() };
        let answer = handle(request, &self.context).await;
        (answer.status, serde_json::from_slice(&answer.body).unwrap())
    }
}

#[tokio::test]
async fn while_the_store_is_not_whole_there_is_no_overview() {
    let world = world().await;
    let (status, body) = world.get("/_/highwater/figures/overview").await;
    assert_eq!(status, 503);
    assert!(body["description"].as_str().unwrap().starts_with("rebuilding"), "{body}");
}

#[tokio::test]
async fn the_overview_holds_backups_jobs_and_locations() {
    let world = world().await;
    world.complete().await;
    world.say(&serde_json::from_str(STANDING).unwrap()).await;
    world
        .say(&json!({"extension": "backup", "type": "push", "timestamp": NOW, "kind": "restores", "namespace": "n",
            "name": "<b>", "uuid": "u", "topic": "orders", "event": "progress", "body": {"progress": 0.5}}))
        .await;
    world.store.set("site1:bb:crr:opspending", "7");
    let (status, body) = world.get("/_/highwater/figures/overview?x=1").await;
    assert_eq!((status, &body["schema"]), (200, &json!("highwater.overview.v1")));
    assert_eq!(body["backups"][0]["topics"][0]["topic"], "orders");
    assert_eq!((&body["jobs"][0]["name"], &body["jobs"][0]["progress"]), (&json!("<b>"), &json!(0.5)));
    assert_eq!((&body["locations"][0]["name"], &body["locations"][0]["pending_ops"]), (&json!("site1"), &json!("7")));
    let missing = body["findings"].as_array().unwrap().iter().any(|it| it["subjects"][0]["name"] == "missing");
    assert!(missing, "{}", body["findings"]);
}

#[tokio::test]
async fn a_topic_is_told_with_its_partitions_and_another_is_not_there() {
    let world = world().await;
    world.complete().await;
    world.say(&serde_json::from_str(STANDING).unwrap()).await;
    let (status, body) = world.get("/_/highwater/figures/backups/main/topics/or%64ers").await;
    assert_eq!((status, &body["partitions"][0]["last_offset"]), (200, &json!("388")));
    for target in ["backups/main/topics/nothing", "backups/other/topics/orders", "backups/main", "", "overview/x"] {
        assert_eq!(world.get(&format!("/_/highwater/figures/{target}")).await.0, 404, "{target}");
    }
}

#[tokio::test]
async fn nothing_is_changed_here() {
    let world = world().await;
    let request = HttpRequest { method: "POST".into(), target: format!("{PREFIX}overview"), ..HttpRequest::default() };
    assert_eq!(handle(request, &world.context).await.status, 405);
}

#[tokio::test]
async fn what_was_noted_of_a_topic_a_partition_and_a_location_is_told() {
    let world = world().await;
    let values = |gauges: &[f64], counts: &[u64]| Values {
        gauges: gauges.iter().copied().map(Some).collect(),
        counts: counts.iter().copied().map(Some).collect(),
    };
    let partition = Partition(3);
    for (series, values) in [
        (Series::Topic("main", "or/ders"), values(&[0.5, 7.0], &[u64::MAX, 9])),
        (Series::Partition("main", "or/ders", partition), values(&[0.25, 8.0], &[4, 5])),
        (Series::Location("site1"), values(&[1.0, 2.0, 0.5], &[4, 5, 6])),
    ] {
        world.store.apply(&[], &[series.note(Span::Month, &[], &values, NOW)]).await.unwrap();
    }
    let points = async |target: &str| {
        let (status, mut body) = world.get(&format!("{PREFIX}{target}/history/1h")).await;
        (status, body["points"].take())
    };
    let at = NOW.0 / 3_600_000 * 3_600_000;
    let topic = json!([{"at": at, "p": 0.5, "l": 7.0, "r": "18446744073709551615", "b": "9"}]);
    assert_eq!(points("backups/main/topics/or%2Fders").await, (200, topic));
    let of_partition = json!([{"at": at, "p": 0.25, "l": 8.0, "r": "4", "b": "5"}]);
    assert_eq!(points("backups/main/topics/or%2Fders/partitions/3").await, (200, of_partition));
    let location = json!([{"at": at, "l": 1.0, "q": 2.0, "t": 0.5, "d": "4", "b": "5", "f": "6"}]);
    assert_eq!(points("locations/site1").await, (200, location));
    assert_eq!(points("backups/main/topics/or%2Fders/partitions/4").await, (200, json!([])));
    for target in ["locations/site2", "backups/other/topics/orders", "backups/main/topics/orders/partitions/x"] {
        assert_eq!(points(target).await.0, 404, "{target}");
    }
}
