//! Requests and answers recorded from Backbeat itself, replayed against both stores and in both path forms.

use std::{collections::BTreeMap, sync::Arc};

use integration_tests::redis_server::{Database, RedisServer};
use metrics_query::{Context, HttpRequest, HttpResponse};
use serde::Deserialize;
use serde_json::Value;
use shared::{
    adapters::{
        memory::{clock::ManualClock, store::MemoryStore},
        redis::RedisStore,
    },
    config::redis::RedisSettings,
    metrics::backbeat::keys::Windows,
    ports::store::Store,
    record::Millis,
};

#[derive(Deserialize)]
struct Recorded {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    id: u32,
    window_seconds: u32,
    now_ms: i64,
    state: BTreeMap<String, Value>,
    method: String,
    path: String,
    status: u16,
    body: String,
}

fn cases() -> Vec<Case> {
    let recorded: Recorded = serde_json::from_str(include_str!("../fixtures/backbeat.json")).unwrap();
    assert_eq!(recorded.cases.len(), 53, "all cases of the fixture are read");
    recorded.cases
}

/// The state as texts; a recorded number stands in Redis as its digits.
fn texts(case: &Case) -> Vec<(&str, String)> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    case.state.iter().map(|(key, value)| (key.as_str(), text(value))).collect()
}

async fn ask(case: &Case, path: String, store: Arc<dyn Store>) -> HttpResponse {
    let context = Context {
        store,
        clock: Arc::new(ManualClock::at(Millis(case.now_ms))),
        backups: Vec::new(),
        locations: vec!["site1".into(), "site2".into()],
        windows: Windows { window_s: case.window_seconds, ..Windows::default() },
        counts_changes: false,
        partition_series_max: 1_000,
        expected: Default::default(),
        guard: Default::default(),
    };
    let request = HttpRequest { method: case.method.clone(), target: path, ..HttpRequest::default() };
    metrics_query::handle(request, &context).await
}

/// As recorded, byte for byte; only that the figures of `all` may end with `pending`, which generation A does not have.
fn check(case: &Case, path: &str, response: &HttpResponse) {
    let body = std::str::from_utf8(&response.body).unwrap();
    let without_pending = match body.split_once(r#","pending":{"description""#) {
        Some((before, _)) if !case.body.contains(r#""pending":"#) => format!("{before}}}"),
        _ => body.to_owned(),
    };
    assert_eq!(
        (response.status, without_pending.as_str()),
        (case.status, case.body.as_str()),
        "case {}: {path}",
        case.id
    );
}

/// The path as it is recorded, inside the cluster, and as the public asks.
fn path_forms(case: &Case) -> Vec<String> {
    let public = case.path.strip_prefix("/_/").map(|tail| format!("/_/backbeat/api/{tail}"));
    [case.path.clone()].into_iter().chain(public).collect()
}

#[tokio::test]
async fn the_recorded_answers_are_given_from_memory() {
    for case in cases() {
        let store = Arc::new(MemoryStore::new(Arc::new(ManualClock::at(Millis(case.now_ms)))));
        texts(&case).iter().for_each(|(key, text)| store.set(key, text));
        for path in path_forms(&case) {
            check(&case, &path, &ask(&case, path.clone(), store.clone()).await);
        }
    }
}

#[tokio::test]
async fn the_recorded_answers_are_given_from_redis() {
    let database: Database = RedisServer::shared().await.new_database();
    let store = Arc::new(RedisStore::open(&RedisSettings::at(&database.url)).unwrap());
    let mut connection = database.connect().await;
    for case in cases() {
        let mut fill = redis::pipe();
        fill.cmd("FLUSHDB");
        texts(&case).iter().for_each(|(key, text)| {
            fill.cmd("SET").arg(key).arg(text);
        });
        let () = fill.query_async(&mut connection).await.unwrap();
        for path in path_forms(&case) {
            check(&case, &path, &ask(&case, path.clone(), store.clone()).await);
        }
    }
}
