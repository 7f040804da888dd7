use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use shared::{
    adapters::memory::{
        clock::ManualClock,
        store::{Contents, MemoryStore},
    },
    metrics::{
        backbeat::keys::Windows,
        registers::{RegisterKind, Scope, Seen, operations},
        standing::{Ends, Message},
    },
    ports::store::{Advance, Applied, Operation, StoreError, Value},
    record::{Millis, Offset, Partition},
};

use super::*;

const NOW: Millis = Millis(1_700_000_000_000);

/// How a store behaves.
#[derive(Clone, Copy, PartialEq)]
enum Mood {
    Well,
    Down,
    Silent,
}

struct Moody {
    inner: MemoryStore,
    mood: Mood,
    reads: AtomicUsize,
}

#[async_trait]
impl Store for Moody {
    async fn apply(&self, advances: &[Advance], operations: &[Operation]) -> Result<Applied, StoreError> {
        self.inner.apply(advances, operations).await
    }

    async fn read(&self, queries: &[Query]) -> Result<Vec<Value>, StoreError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        match self.mood {
            Mood::Well => self.inner.read(queries).await,
            Mood::Silent => std::future::pending().await,
            Mood::Down => Err(StoreError::Unavailable {
                operation: "read",
                url: "redis://secret-host".into(),
                source: "down".into(),
            }),
        }
    }
}

fn world(mood: Mood, backups: &[&str]) -> (Arc<Moody>, Context) {
    let clock = Arc::new(ManualClock::at(NOW));
    let store = Arc::new(Moody { inner: MemoryStore::new(clock.clone()), mood, reads: AtomicUsize::new(0) });
    let backups = backups.iter().map(|name| (*name).into()).collect();
    let context = Context {
        store: store.clone(),
        clock,
        backups,
        locations: vec![],
        windows: Windows::default(),
        counts_changes: false,
        partition_series_max: 1_000,
        expected: Default::default(),
        guard: Default::default(),
    };
    (store, context)
}

async fn ask(context: &Context, method: &str, target: &str) -> (u16, String) {
    let request = HttpRequest { method: method.into(), target: target.into(), ..HttpRequest::default() };
    let response = handle_exposition(request, context).await;
    (response.status, String::from_utf8(response.body.to_vec()).unwrap())
}

async fn begin(store: &Moody, scope: Scope<'_>) {
    let (step, run) = seen(store, scope).await.begin(scope, NOW).unwrap();
    assert_eq!(store.apply(&[step], &run).await.unwrap(), Applied::Done);
}

async fn seen(store: &Moody, scope: Scope<'_>) -> Seen {
    Seen::read(&mut store.inner.read(&scope.queries()).await.unwrap().into_iter())
}

async fn end(store: &Moody, scope: Scope<'_>) {
    let step = seen(store, scope).await.complete(scope).unwrap();
    assert_eq!(store.apply(&[step], &[]).await.unwrap(), Applied::Done);
}

async fn complete(store: &Moody, scope: Scope<'_>) {
    begin(store, scope).await;
    end(store, scope).await;
}

async fn observe(store: &Moody, backup: &str, topic: &str) {
    let ends = Message::Ends(Ends {
        timestamp: NOW,
        backup: backup.into(),
        topic: topic.into(),
        topic_id: "id".into(),
        partition: Partition(0),
        log_start: Offset(0),
        log_end: Offset(10),
        behind_storage: false,
        oldest: None,
        earlier: None,
        retention: None,
        open_transaction: None,
    });
    store.apply(&[], &operations(&ends)).await.unwrap();
}

#[tokio::test]
async fn a_whole_store_is_shown_from_one_round_trip() {
    let (store, context) = world(Mood::Well, &["main"]);
    observe(&store, "main", "orders").await;
    complete(&store, Scope::Backup("main")).await;

    let (status, page) = ask(&context, "GET", "/metrics?x=1").await;

    assert_eq!((status, store.reads.load(Ordering::SeqCst)), (200, 1));
    assert!(page.contains("\nbackup_topic_progress{topic=\"orders\"} 0\n"), "{page}");
    assert_eq!(ask(&context, "GET", "/readyz").await, (200, "ready\n".to_owned()));
}

#[tokio::test]
async fn messages_passed_over_are_counted_on_the_page_by_reason() {
    let (store, context) = world(Mood::Well, &["main"]);
    complete(&store, Scope::Backup("main")).await;
    let count = Operation::Add { key: keys::rejected("not_json"), by: 2, expires: None };
    store.apply(&[], &[count]).await.unwrap();
    store.inner.set(&keys::rejected("null"), "junk");
    let (_, page) = ask(&context, "GET", "/metrics").await;
    let name = "highwater_metrics_messages_skipped_total";
    assert!(
        page.contains(&format!("{name}{{reason=\"not_json\"}} 2\n{name}{{reason=\"out_of_range\"}} 0\n")),
        "{page}"
    );
}

#[tokio::test]
async fn messages_passed_over_are_not_on_the_page_while_they_are_counted_again() {
    let (store, context) = world(Mood::Well, &[]);
    let context = Context { counts_changes: true, ..context };
    let shown = async || {
        let (status, page) = ask(&context, "GET", "/metrics").await;
        assert_eq!(status, 200);
        page.contains("highwater_metrics_messages_skipped_total")
    };
    assert!(!shown().await, "nothing was begun");
    begin(&store, Scope::Changes).await;
    assert!(!shown().await, "not everything was counted");
    end(&store, Scope::Changes).await;
    assert!(shown().await);
    assert_eq!(store.reads.load(Ordering::SeqCst), 3, "one round trip for each page");
    let earlier = store.inner.snapshot();
    store.inner.restore(earlier);
    assert!(!shown().await, "a restart may have lost what came last");
}

#[tokio::test]
async fn the_page_says_what_kind_of_text_it_is() {
    let (store, context) = world(Mood::Well, &["main"]);
    complete(&store, Scope::Backup("main")).await;
    let request = HttpRequest { method: "GET".into(), target: "/metrics".into(), ..HttpRequest::default() };
    let response = handle_exposition(request, &context).await;
    let length = response.body.len().to_string();
    let expected = [("content-type".into(), "text/plain; version=0.0.4".to_owned()), ("content-length".into(), length)];
    assert_eq!(response.headers, expected);
}

#[tokio::test]
async fn a_store_that_is_empty_or_being_rebuilt_is_503_and_never_zeros() {
    let (store, context) = world(Mood::Well, &["main"]);
    let rebuilding = r#"{"code":503,"description":"rebuilding: the store of figures does not hold everything of backup main yet; lag-monitor fills it at its next refreshes","ServiceUnavailable":true}"#;
    for target in ["/metrics", "/readyz"] {
        assert_eq!(ask(&context, "GET", target).await, (503, rebuilding.to_owned()));
    }
    begin(&store, Scope::Backup("main")).await;
    observe(&store, "main", "orders").await;
    assert_eq!(ask(&context, "GET", "/metrics").await.0, 503);
    end(&store, Scope::Backup("main")).await;
    assert_eq!(ask(&context, "GET", "/metrics").await.0, 200);
    let earlier = store.inner.snapshot();
    store.inner.restore(earlier);
    assert_eq!(
        ask(&context, "GET", "/metrics").await,
        (503, rebuilding.to_owned()),
        "a restart may have lost what came last"
    );
    store.inner.restore(Contents::default());
    assert_eq!(ask(&context, "GET", "/metrics").await, (503, rebuilding.to_owned()));
}

#[tokio::test]
async fn one_backup_that_is_not_whole_makes_the_page_wrong_and_so_503() {
    let (store, context) = world(Mood::Well, &["main", "other"]);
    complete(&store, Scope::Backup("main")).await;
    let (status, body) = ask(&context, "GET", "/metrics").await;
    assert!(status == 503 && body.contains("backup other"), "{body}");
    complete(&store, Scope::Backup("other")).await;
    assert_eq!(ask(&context, "GET", "/metrics").await.0, 200);
}

#[tokio::test]
async fn a_register_that_cannot_be_read_is_503_until_it_was_taken_out() {
    let (store, context) = world(Mood::Well, &["main"]);
    complete(&store, Scope::Backup("main")).await;
    let junk =
        Operation::Max { key: RegisterKind::Heads.key("main"), field: "x".into(), order: vec![1], value: "y".into() };
    store.apply(&[], &[junk]).await.unwrap();
    assert_eq!(ask(&context, "GET", "/metrics").await.0, 503);
}

/// Records that are stored, and the log they are of.
async fn back_up(store: &Moody) {
    let standing = include_str!("../../../../shared/fixtures/metrics/standing.json");
    let message = Message::decode(&serde_json::from_str(standing).unwrap()).unwrap();
    store.apply(&[], &operations(&message)).await.unwrap();
}

async fn registers(store: &Moody, key: &str) -> Vec<String> {
    match store.inner.read(&[Query::Registers(key.to_owned())]).await.unwrap().remove(0) {
        Value::Registers(held) => held.into_iter().map(|register| register.field).collect(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_hash_or_a_register_that_was_lost_alone_is_503_and_never_zero() {
    for kind in RegisterKind::ALL {
        let (store, context) = world(Mood::Well, &["main"]);
        complete(&store, Scope::Backup("main")).await;
        back_up(&store).await;
        let (status, page) = ask(&context, "GET", "/metrics").await;
        assert!(status == 200 && page.contains("backup_sink_records_count{"), "{page}");
        let key = kind.key("main");
        let fields = registers(&store, &key).await;
        let single = fields.iter().find(|field| field.contains(',')).cloned();
        store.apply(&[], &[Operation::Remove { key: key.clone(), fields }]).await.unwrap();
        assert_eq!(ask(&context, "GET", "/metrics").await.0, 503, "{kind:?}");

        let (store, context) = world(Mood::Well, &["main"]);
        complete(&store, Scope::Backup("main")).await;
        back_up(&store).await;
        let (Some(single), RegisterKind::Heads | RegisterKind::Floors | RegisterKind::Incarnations) = (single, kind)
        else {
            continue;
        };
        store.apply(&[], &[Operation::Remove { key, fields: vec![single] }]).await.unwrap();
        assert_eq!(ask(&context, "GET", "/metrics").await.0, 503, "{kind:?}");
    }
}

#[tokio::test]
async fn a_store_that_is_down_or_silent_is_503_within_a_second() {
    let expected = r#"{"code":503,"description":"the store of figures (redis) does not answer: try again","ServiceUnavailable":true}"#;
    for (mood, backups) in
        [(Mood::Down, &["main"][..]), (Mood::Silent, &["main"]), (Mood::Down, &[]), (Mood::Silent, &[])]
    {
        let (_, context) = world(mood, backups);
        for target in ["/metrics", "/readyz"] {
            let answer = tokio::time::timeout(Duration::from_secs(1), ask(&context, "GET", target)).await;
            assert_eq!(answer.expect("within a second"), (503, expected.to_owned()));
        }
    }
}

#[tokio::test]
async fn the_process_is_healthy_whatever_the_store_is() {
    for mood in [Mood::Well, Mood::Down, Mood::Silent] {
        let (store, context) = world(mood, &["main"]);
        assert_eq!(ask(&context, "GET", "/healthz").await, (200, "healthy\n".to_owned()));
        assert_eq!(store.reads.load(Ordering::SeqCst), 0);
    }
}

#[tokio::test]
async fn other_paths_and_methods_are_refused_without_asking_the_store() {
    let (store, context) = world(Mood::Well, &["main"]);
    for (method, target, status) in
        [("GET", "/", 404), ("GET", "/metrics/", 404), ("GET", "/_/metrics/crr/all", 404), ("POST", "/metrics", 405)]
    {
        assert_eq!(ask(&context, method, target).await.0, status, "{method} {target}");
    }
    assert_eq!(store.reads.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn head_tells_the_status_without_a_body() {
    let (store, context) = world(Mood::Well, &["main"]);
    assert_eq!(ask(&context, "HEAD", "/metrics").await, (503, String::new()));
    complete(&store, Scope::Backup("main")).await;
    assert_eq!(ask(&context, "HEAD", "/metrics").await, (200, String::new()));
}
