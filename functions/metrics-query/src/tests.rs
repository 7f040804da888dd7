//! What the answers say, on a store in memory. The recorded cases of the original are among the integration tests.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use serde_json::json;
use shared::{
    adapters::memory::{clock::ManualClock, store::MemoryStore},
    config::Draft,
    metrics::{
        backbeat::keys::{self, SiteCounter, Windows},
        registers::{Scope, Seen},
    },
    ports::store::{Advance, Applied, Operation, Query, Store, StoreError, Value},
    record::Millis,
    web::guard::Guard,
};

use super::*;

const NOW: Millis = Millis(1_531_432_000_000);

/// Counts calls and keys; may be down.
struct Watched {
    inner: MemoryStore,
    calls: AtomicUsize,
    keys: AtomicUsize,
    down: bool,
}

#[async_trait]
impl Store for Watched {
    async fn apply(&self, advances: &[Advance], operations: &[Operation]) -> Result<Applied, StoreError> {
        self.inner.apply(advances, operations).await
    }

    async fn read(&self, queries: &[Query]) -> Result<Vec<Value>, StoreError> {
        if self.down {
            return Err(StoreError::Unavailable {
                operation: "read",
                url: "redis://secret-host".into(),
                source: "down".into(),
            });
        }
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.keys.fetch_add(queries.len(), Ordering::SeqCst);
        self.inner.read(queries).await
    }
}

fn watched(down: bool) -> (Arc<Watched>, Context) {
    let clock = Arc::new(ManualClock::at(NOW));
    let inner = MemoryStore::new(clock.clone());
    let store = Arc::new(Watched { inner, calls: AtomicUsize::new(0), keys: AtomicUsize::new(0), down });
    let locations = vec!["site1".to_owned(), "site2".to_owned()];
    (
        store.clone(),
        Context {
            store,
            clock,
            backups: vec![],
            locations,
            windows: Windows::default(),
            counts_changes: false,
            partition_series_max: 1_000,
            expected: Default::default(),
            guard: Default::default(),
        },
    )
}

async fn ask(context: &Context, method: &str, target: &str) -> HttpResponse {
    let request = HttpRequest { method: method.into(), target: target.into(), ..HttpRequest::default() };
    handle(request, context).await
}

async fn get(context: &Context, target: &str) -> String {
    let response = ask(context, "GET", target).await;
    String::from_utf8(response.body.to_vec()).unwrap()
}

fn count(context: &Watched, location: &str, counter: SiteCounter, back: usize, value: i64) {
    let interval = Windows::default().latest(NOW, back + 1).last().unwrap();
    context.inner.set(&keys::site(location, counter, interval), &value.to_string());
}

#[tokio::test]
async fn a_question_is_one_round_trip_of_a_fixed_number_of_keys_however_full_the_store_is() {
    let (store, context) = watched(false);
    get(&context, "/_/metrics/crr/all").await;
    assert_eq!((store.calls.load(Ordering::SeqCst), store.keys.load(Ordering::SeqCst)), (1, 44));

    for n in 0..1_000 {
        store.inner.set(&format!("site1:b:k{n}:v:bb:crr:object:bytes:requests:1531431900000"), "1");
        store.inner.set(&format!("removed{n}:bb:crr:opspending"), "1");
    }
    get(&context, "/_/metrics/crr/all").await;
    assert_eq!((store.calls.load(Ordering::SeqCst), store.keys.load(Ordering::SeqCst)), (2, 88));
}

#[tokio::test]
async fn all_counts_no_removed_location_and_no_object_whose_key_looks_like_a_counter() {
    let (store, context) = watched(false);
    count(&store, "site1", SiteCounter::OpsDone, 0, 3);
    count(&store, "removed", SiteCounter::OpsDone, 0, 1_000);
    store
        .inner
        .set("site1:b:x:bb:crr:opsdone:requests:1531431900000:v:bb:crr:object:bytes:requests:1531431900000", "500");
    store.inner.set("site1:b:site2:bb:crr:opsdone:requests:1531431900000", "500");
    let body = get(&context, "/_/metrics/crr/all/completions").await;
    assert!(body.ends_with(r#""results":{"count":3,"size":0}}}"#), "{body}");
}

#[tokio::test]
async fn a_new_instance_answers_as_the_old_one_did() {
    let (store, context) = watched(false);
    count(&store, "site1", SiteCounter::OpsDone, 2, 900);
    let before = get(&context, "/_/metrics/crr/site1").await;
    assert!(before.contains(r#""count":900"#) && before.contains("the last 900 seconds"), "{before}");
    let restarted = Context { clock: Arc::new(ManualClock::at(NOW)), ..context };
    assert_eq!(get(&restarted, "/_/metrics/crr/site1").await, before);
}

#[tokio::test]
async fn with_the_store_down_the_answer_is_503_and_never_zeros() {
    let (_, context) = watched(true);
    for target in [
        "/_/metrics/crr/site1",
        "/_/backbeat/api/metrics/crr/all/backlog",
        "/_/metrics/crr/site1/progress/b/k?versionId=v",
    ] {
        let response = ask(&context, "GET", target).await;
        let expected = r#"{"code":503,"description":"the store of figures (redis) does not answer: try again","ServiceUnavailable":true}"#;
        assert_eq!((response.status, response.body.as_ref()), (503, expected.as_bytes()), "{target}");
    }
}

#[tokio::test]
async fn counters_that_are_not_all_counted_again_are_503_and_never_zeros() {
    let (store, mut context) = watched(false);
    context.counts_changes = true;
    count(&store, "site1", SiteCounter::OpsDone, 0, 3);
    let targets =
        ["/_/metrics/crr/site1", "/_/metrics/crr/all/backlog", "/_/metrics/crr/site1/progress/b/k?versionId=v"];
    let statuses = async || {
        let answers = targets.map(|target| ask(&context, "GET", target));
        futures::future::join_all(answers).await.iter().map(|answer| answer.status).collect::<Vec<_>>()
    };
    let seen = async || Seen::read(&mut store.inner.read(&Scope::Changes.queries()).await.unwrap().into_iter());

    assert_eq!(statuses().await, [503; 3]);
    assert!(get(&context, targets[0]).await.contains("rebuilding"));
    let (step, run) = seen().await.begin(Scope::Changes, NOW).unwrap();
    store.inner.apply(&[step], &run).await.unwrap();
    assert_eq!(statuses().await, [503; 3]);
    let step = seen().await.complete(Scope::Changes).unwrap();
    store.inner.apply(&[step], &[]).await.unwrap();
    assert_eq!(statuses().await, [200; 3]);
    assert!(get(&context, targets[0]).await.contains(r#""count":3"#));
    let earlier = store.inner.snapshot();
    store.inner.restore(earlier);
    assert_eq!(statuses().await, [503; 3], "a store that started again may have lost what came last");
    assert_eq!(store.calls.load(Ordering::SeqCst), 4 * 3 + 2, "one round trip a question");
}

#[tokio::test]
async fn a_question_that_asks_nothing_is_refused_before_the_store_is_asked() {
    let (_, context) = watched(true);
    for (method, target, status) in [
        ("GET", "/", 404),
        ("GET", "/_/metrics/crr/__proto__/all", 404),
        ("GET", "/_/metrics/__proto__/all", 404),
        ("GET", "/_/metrics/crr/constructor", 404),
        ("PUT", "/_/metrics/crr/site1", 405),
        ("GET", "/_/crr/failed?marker=x", 400),
        ("POST", "/_/crr/failed", 400),
    ] {
        assert_eq!(ask(&context, method, target).await.status, status, "{method} {target}");
    }
}

#[tokio::test]
async fn a_route_of_another_function_says_which() {
    let (_, context) = watched(false);
    let response = ask(&context, "GET", "/_/crr/status").await;
    let expected = r#"{"code":501,"description":"crr/status is answered by function backup-control: send the request there","NotImplemented":true}"#;
    assert_eq!((response.status, response.body.as_ref()), (501, expected.as_bytes()));
}

#[tokio::test]
async fn healthcheck_tells_the_topics_as_they_were_seen_last_and_a_probe_needs_the_status_alone() {
    let (store, mut context) = watched(false);
    context.counts_changes = true;
    context.expected.refresh = std::time::Duration::from_secs(15);
    assert_eq!(ask(&context, "GET", "/_/healthcheck").await.status, 503, "nobody has looked at kafka yet");
    let seen = [shared::metrics::health::seen(&[], NOW), shared::metrics::health::storage_seen(NOW)];
    store.apply(&[], &seen).await.unwrap();
    for target in ["/_/healthcheck", "/_/backbeat/api/healthcheck"] {
        let response = ask(&context, "GET", target).await;
        let expected = format!(
            r#"{{"topics":{{}},"internalConnections":{{"kafka":{{"status":"ok","observedAt":{NOW}}},"redis":{{"status":"ok"}},"storage":{{"status":"ok","observedAt":{NOW}}}}},"locations":{{"site1":{{"status":"ok"}},"site2":{{"status":"ok"}}}}}}"#
        );
        assert_eq!((response.status, response.body.as_ref()), (200, expected.as_bytes()));
    }
    let (_, context) = watched(true);
    let response = ask(&context, "GET", "/_/healthcheck").await;
    let expected = r#"{"topics":{},"internalConnections":{"redis":{"status":"error"}}}"#;
    assert_eq!((response.status, response.body.as_ref()), (503, expected.as_bytes()));
}

#[tokio::test]
async fn monitoring_metrics_is_the_page_of_the_metrics_port() {
    let (_, context) = watched(false);
    let response = ask(&context, "GET", "/_/backbeat/api/monitoring/metrics").await;
    let page = handle_exposition(
        HttpRequest { method: "GET".into(), target: "/metrics".into(), body: Default::default() },
        &context,
    )
    .await;
    assert_eq!((response.status, &response.headers, &response.body), (200, &page.headers, &page.body));
}

#[tokio::test]
async fn head_is_answered_without_a_body() {
    let (_, context) = watched(false);
    let response = ask(&context, "HEAD", "/_/metrics/crr/site1").await;
    assert_eq!((response.status, response.body.len()), (405, 0));
}

#[tokio::test]
async fn answers_are_json_without_charset_and_tell_their_length() {
    let (_, context) = watched(false);
    let response = ask(&context, "GET", "/_/metrics/crr/site1/pending").await;
    let length = response.body.len().to_string();
    assert_eq!(
        response.headers,
        [("content-type".into(), "application/json".to_owned()), ("content-length".into(), length)]
    );
}

#[tokio::test]
async fn who_is_not_allowed_gets_403_before_anything_else() {
    let (_, mut context) = watched(true);
    let settings = Draft::new("[listen]\nallow_addresses = [\"10.0.0.0/8\"]", &Default::default()).unwrap();
    context.guard = Guard::of_events(&settings.settings().unwrap().listen);
    let ask = async |client: &str| {
        let event = json!({"rawPath": "/nothing", "requestContext": {"http": {"method": "PUT", "sourceIp": client}}});
        let answer = handle_event(HttpEvent::try_from(event).unwrap(), &context).await.unwrap();
        let answer = serde_json::to_value(answer).unwrap();
        (answer["statusCode"].clone(), answer["body"].clone())
    };
    for client in ["", "11.0.0.1", "::1"] {
        let expected = r#"{"code":403,"description":"invalid origin ip request","AccessDenied":true}"#;
        assert_eq!(ask(client).await, (json!(403), json!(expected)), "{client:?}");
    }
    assert_eq!(ask("10.1.2.3").await.0, 405);
}

#[tokio::test]
async fn what_writing_refuses_reading_answers_as_unknown_and_never_as_another_object() {
    let (store, context) = watched(false);
    store.inner.set("site1:q:a:b:c:bb:crr:object:bytes:requests:1531431900000", "100");
    let progress = async |target: &str| get(&context, target).await;
    let known = progress("/_/metrics/crr/site1/progress/q/a:b?versionId=c").await;
    assert!(known.contains("\"pending\":100"), "{known}");
    for target in ["progress/q/a?versionId=b:c", "progress/q:a/b?versionId=c"] {
        let unknown = progress(&format!("/_/metrics/crr/site1/{target}")).await;
        assert!(unknown.contains("\"pending\":0,\"completed\":0,\"progress\":\"0%\""), "{target}: {unknown}");
    }
}
