//! What is pushed over HTTP, on a Kafka in memory.

use std::{collections::BTreeMap, time::Duration};

use shared::{
    adapters::memory::{clock::ManualClock, kafka::MemoryKafka},
    config::Draft,
    ports::records::{Fetched, Log as _},
    record::{Offset, TopicPartition},
};

use super::*;

const NOW: Millis = Millis(1_700_000_000_000);
const PATH: &str = "/namespaces/prod/restores/orders-copy/7c1b/topics/orders/progress";

struct World {
    kafka: MemoryKafka,
    context: Context,
}

fn world() -> World {
    let clock = Arc::new(ManualClock::at(NOW));
    let kafka = MemoryKafka::new(clock.clone(), 1);
    kafka.create("backbeat-metrics", 1, &[]);
    let settings = Draft::new("", &BTreeMap::new()).unwrap().settings().unwrap();
    let context = Context::new(&settings, Arc::new(kafka.clone()), clock);
    World { kafka, context }
}

impl World {
    async fn ask(&self, method: &str, target: &str, body: &str) -> (u16, Value) {
        let request =
            HttpRequest { method: method.to_owned(), target: target.to_owned(), body: body.to_owned().into() };
        let answer = handle(request, &self.context).await;
        (answer.status, serde_json::from_slice(&answer.body).unwrap_or_default())
    }

    /// What lies on the metrics topic.
    async fn published(&self) -> Vec<Push> {
        let from = [(TopicPartition::new("backbeat-metrics", 0), Offset(0))];
        let mut fetch = self.kafka.fetch(&from).await.unwrap();
        let mut pushes = vec![];
        loop {
            for fetched in fetch.next(Duration::from_secs(1)).await.unwrap() {
                match fetched {
                    Fetched::Records { records, .. } => pushes.extend(records.iter().map(|record| {
                        let value = serde_json::from_slice(record.value.as_ref().unwrap()).unwrap();
                        match Message::decode(&value).unwrap() {
                            Message::Push(push) => push,
                            other => panic!("a push, not {other:?}"),
                        }
                    })),
                    Fetched::End { .. } => return pushes,
                    other => panic!("records, not {other:?}"),
                }
            }
        }
    }
}

#[tokio::test]
async fn what_is_pushed_lies_on_the_metrics_topic_when_200_is_answered() {
    let world = world();
    let body = r#"{"timestamp":1699999999000,"sequence":4,"state":100,"progress":0.5,"recordsCount":470,"later":1}"#;
    assert_eq!(world.ask("POST", PATH, body).await, (200, json!({})));
    let pushes = world.published().await;
    let [push] = &pushes[..] else { panic!("one push, not {pushes:?}") };
    assert_eq!((push.timestamp, push.sequence), (Millis(1_699_999_999_000), 4));
    assert_eq!(
        (push.kind, push.event, &*push.topic, &*push.name),
        (Kind::Restores, Event::Progress, "orders", "orders-copy")
    );
    assert_eq!((push.body.records_count, push.body.timestamp), (Some(470), None));
}

#[tokio::test]
async fn a_push_without_a_body_says_that_it_happened_now() {
    let world = world();
    for (event, body) in [("started", ""), ("stopped", "{}"), ("stopped", " \n")] {
        let path = format!("/namespaces/prod/backups/main/1/topics/orders/{event}?x=1");
        assert_eq!(world.ask("POST", &path, body).await, (200, json!({})));
    }
    let pushes = world.published().await;
    assert!(pushes.iter().all(|push| push.timestamp == NOW && push.body == Body::default()), "{pushes:?}");
    assert_eq!(pushes.len(), 3);
}

#[tokio::test]
async fn names_are_decoded_and_any_name_can_be_pushed() {
    let world = world();
    let path = "/namespaces/a%2Fb/drills/%3Cb%3E/%22/topics/%F0%9F%90%9F/started";
    assert_eq!(world.ask("POST", path, "").await.0, 200);
    let push = &world.published().await[0];
    assert_eq!([&push.namespace, &push.name, &push.uuid, &push.topic].map(|name| &**name), ["a/b", "<b>", "\"", "🐟"]);
}

#[tokio::test]
async fn a_bad_body_is_400_with_its_field_and_nothing_is_published() {
    let world = world();
    for (body, field, why) in [
        (r#"{"recordsCount":"3"}"#, "recordsCount", "invalid type: string \"3\", expected u64"),
        (r#"{"progress":2}"#, "progress", "2 is not between 0 and 1"),
        (r#"{"state":42}"#, "state", "no job state has the number 42"),
        (r#"{"timestamp":-1}"#, "timestamp", "timestamp is below zero"),
        (r#"{"timestamp":1700003600001}"#, "timestamp", "3600 s ahead of the gateway's clock"),
        ("[]", "", "it is no JSON object"),
        ("{", "", "EOF"),
        ("{} {}", "", "trailing"),
        ("not json", "", "the body cannot be read"),
    ] {
        let (status, answer) = world.ask("POST", PATH, body).await;
        assert_eq!(
            (status, &answer["field"], &answer["InvalidBody"]),
            (400, &json!(field), &json!(true)),
            "{body}: {answer}"
        );
        assert!(answer["description"].as_str().unwrap().contains(why), "{body}: {answer}");
    }
    let long = PATH.replace("orders-copy", &"x".repeat(256));
    assert_eq!(world.ask("POST", &long, "").await.1["field"], "name");
    assert!(world.published().await.is_empty());
}

#[tokio::test]
async fn what_is_no_route_says_what_is() {
    let world = world();
    for (path, why) in [
        ("/", "progress is pushed to /namespaces/"),
        ("/namespaces/n/backup/b/u/topics/t/started", "there are backups, restores, schema-registry-backups"),
        ("/namespaces/n/backups/b/u/topics/t/paused", "there are started, progress and stopped"),
        ("/namespaces/n/backups//u/topics/t/started", "name is empty"),
        ("/namespaces/n/backups/b/%FF/topics/t/started", "is not UTF-8"),
        ("/namespaces/n/backups/b/u/topics/t/started/", "does not exist"),
    ] {
        let (status, answer) = world.ask("POST", path, "").await;
        assert_eq!((status, &answer["RouteNotFound"]), (404, &json!(true)), "{path}");
        assert!(answer["description"].as_str().unwrap().contains(why), "{path}: {answer}");
    }
    assert_eq!(world.ask("GET", PATH, "").await.0, 405);
    assert_eq!(world.ask("DELETE", "/schema.json", "").await.0, 405);
    assert_eq!(world.ask("GET", "/schema.json", "").await.1["title"], "Progress of a job on a topic");
}

#[tokio::test]
async fn with_kafka_away_the_answer_is_503() {
    let mut world = world();
    world.context.topic = "not-there".into();
    let (status, answer) = world.ask("POST", PATH, "").await;
    assert_eq!((status, &answer["ServiceUnavailable"]), (503, &json!(true)), "{answer}");
}
