//! What is asked over HTTP, on a storage in memory.

use serde_json::json;
use shared::{
    adapters::memory::{clock::ManualClock, objects::MemoryObjects},
    config::Draft,
    record::Millis,
    web::HttpRequest,
};

use super::*;

fn context(more: &str) -> Context {
    let text = format!(
        "[backups.main]\ntopics = {{ include = [\"orders-*\"] }}\n[backups.other]\ntopics = {{ include = [\"*\"] }}\n{more}"
    );
    let settings = Draft::new(&text, &BTreeMap::new()).unwrap().settings().unwrap();
    let clock = Arc::new(ManualClock::at(Millis(1_700_000_000_000)));
    Context::new(&settings, Arc::new(MemoryObjects::new(clock.clone())), clock)
}

async fn ask(context: &Context, method: &str, target: &str) -> (u16, String) {
    let request = HttpRequest { method: method.to_owned(), target: target.to_owned(), ..HttpRequest::default() };
    let answer = handle(request, context).await;
    (answer.status, String::from_utf8(answer.body.to_vec()).unwrap())
}

#[tokio::test]
async fn a_backup_and_a_topic_are_paused_and_resumed_however_often_it_is_asked() {
    let context = context("");
    let all_enabled = r#"{"main":{"state":"enabled","topics":{}},"other":{"state":"enabled","topics":{}}}"#;
    assert_eq!(ask(&context, "GET", "/_/highwater/api/status").await, (200, all_enabled.into()));
    for path in ["pause/main", "pause/main/orders-eu", "pause/main/orders-eu"] {
        assert_eq!(ask(&context, "POST", &format!("/_/highwater/api/{path}")).await, (200, "{}".into()));
    }
    let paused = r#"{"main":{"state":"paused","since":1700000000000,"topics":{"orders-eu":{"state":"paused","since":1700000000000}}}}"#;
    assert_eq!(ask(&context, "GET", "/_/highwater/api/status/main?x=1").await, (200, paused.into()));
    for path in ["resume/main", "resume/main/orders-eu", "resume/main/orders-eu", "resume/main/not-selected"] {
        assert_eq!(ask(&context, "POST", &format!("/_/highwater/api/{path}")).await, (200, "{}".into()));
    }
    assert_eq!(ask(&context, "GET", "/_/highwater/api/status").await, (200, all_enabled.into()));
}

#[tokio::test]
async fn what_is_not_there_is_404_in_backbeats_form_and_names_what_is() {
    let context = context("");
    for (path, why) in [
        ("pause/nobody", "no backup \\\"nobody\\\" is configured; there are \\\"main\\\", \\\"other\\\""),
        ("pause/main/clicks", "backup \\\"main\\\" does not select topic \\\"clicks\\\""),
        ("pause/other/backbeat-metrics", "does not select topic"),
        ("pause/other/", "\\\"\\\" is no topic: a topic's name has"),
        ("resume/other/=backup", "is no topic"),
        ("pause/other/%2e%2e", "is no topic"),
        ("pause", "path /_/highwater/api/pause does not exist"),
        ("pause/main/orders-eu/0", "does not exist"),
        ("stop/main", "does not exist"),
        ("", "does not exist"),
    ] {
        let (status, body) = ask(&context, "POST", &format!("/_/highwater/api/{path}")).await;
        assert_eq!(status, 404, "{path}: {body}");
        assert!(
            body.starts_with("{\"code\":404,\"description\":\"") && body.ends_with(",\"RouteNotFound\":true}"),
            "{body}"
        );
        assert!(body.contains(why), "{path}: {body}");
    }
    assert_eq!(ask(&context, "GET", "/_/highwater/api/pause/main").await.0, 404);
    assert_eq!(ask(&context, "DELETE", "/_/highwater/api/pause/main").await.0, 405);
    assert_eq!(ask(&context, "PUT", "/_/highwater/api/status").await.0, 405);
}

#[tokio::test]
async fn who_may_not_ask_is_refused() {
    let context = context("[listen]\nallow_addresses = [\"10.0.0.0/8\"]\ntoken = \"0123456789abcdef\"\n");
    let ask = async |source: &str, token: &str| {
        let event = json!({
            "rawPath": "/_/highwater/api/pause/main", "headers": {"authorization": token},
            "requestContext": {"http": {"method": "POST", "sourceIp": source}}
        });
        let answer = handle_event(HttpEvent::try_from(event).unwrap(), &context).await.unwrap();
        serde_json::to_value(answer).unwrap()["statusCode"].clone()
    };
    assert_eq!(ask("11.0.0.1", "Bearer 0123456789abcdef").await, 403);
    assert_eq!(ask("10.0.0.1", "Bearer 0123456789abcdeX").await, 401);
    assert_eq!(ask("10.0.0.1", "Bearer 0123456789abcdef").await, 200);
}

const LOCATIONS: &str = "[locations.paris]\nurl = \"s3://p\"\n[locations.rome]\nurl = \"s3://r\"\n";

async fn failed(context: &Context, version: &str, retry_at: Option<Millis>) -> shared::replication::Status {
    use shared::replication::{ReasonKind, Status, Subject};
    let [location, bucket, key] = ["paris", "b", "a/k"].map(str::to_owned);
    let subject = Subject { location, bucket, key, version: version.to_owned() };
    let status = Status::queued(subject, 7, Millis(1_699_999_999_000));
    let status = status.failed(ReasonKind::Refused, "no".into(), retry_at, Millis(1_700_000_000_000));
    archive::note_failed(&*context.objects, &status).await.unwrap();
    archive::advance_status(&*context.objects, &status).await.unwrap()
}

#[tokio::test]
async fn failed_operations_are_listed_by_pages_and_tried_again_when_it_is_asked() {
    let context = context(LOCATIONS);
    let none = r#"{"IsTruncated":false,"Versions":[]}"#;
    assert_eq!(ask(&context, "GET", "/_/crr/failed").await, (200, none.into()));
    for number in 0..101 {
        failed(&context, &format!("v{number}"), Some(Millis(1_800_000_000_000))).await;
    }
    let (status, body) = ask(&context, "GET", "/_/backbeat/api/crr/failed?sitename=paris").await;
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, body["IsTruncated"].as_bool(), body["NextMarker"].as_u64()), (200, Some(true), Some(100)));
    assert_eq!(body["Versions"].as_array().map(Vec::len), Some(100));
    let (_, rest) = ask(&context, "GET", "/_/crr/failed?marker=100").await;
    assert!(rest.starts_with(r#"{"IsTruncated":false,"Versions":[{"Bucket":"b","Key":"a/k","VersionId":"v"#), "{rest}");
    assert!(
        rest.ends_with(
            r#","StorageClass":"paris","Size":7,"LastModified":"2023-11-14T22:13:20.000Z","Reason":"no","RetryAt":"2027-01-15T08:00:00.000Z"}]}"#
        ),
        "{rest}"
    );
    assert_eq!(ask(&context, "GET", "/_/crr/failed?sitename=rome").await, (200, none.into()));
    let one = ask(&context, "GET", "/_/crr/failed/b/a/k?versionId=v7").await.1;
    assert!(one.contains(r#""VersionId":"v7""#) && !one.contains("v70"), "{one}");

    let body = r#"[{"Bucket":"b","Key":"a/k","VersionId":"v7","StorageClass":"paris"}]"#;
    let request = HttpRequest { method: "POST".to_owned(), target: "/_/crr/failed".to_owned(), body: body.into() };
    let answer = handle(request, &context).await;
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    assert_eq!(answer.status, 200);
    assert!(text.starts_with("[{") && text.ends_with(r#""ReplicationStatus":"PENDING"}]"#), "{text}");
    let (listed, _) = archive::failed_operations(&*context.objects, "paris", "").await.unwrap();
    let due: Vec<_> = listed.iter().filter(|it| it.retry_at <= Some(context.clock.now())).collect();
    assert_eq!((listed.len(), due.len()), (101, 1));
}

#[tokio::test]
async fn locations_are_paused_and_resumed_now_or_later() {
    let context = context(LOCATIONS);
    let enabled = r#"{"paris":"enabled","rome":"enabled"}"#;
    assert_eq!(ask(&context, "GET", "/_/crr/status").await, (200, enabled.into()));
    for _ in 0..2 {
        assert_eq!(ask(&context, "POST", "/_/crr/pause/paris").await, (200, "{}".into()));
    }
    assert_eq!(ask(&context, "GET", "/_/crr/status/all").await.1, r#"{"paris":"disabled","rome":"enabled"}"#);
    assert_eq!(ask(&context, "GET", "/_/crr/resume/paris").await.1, r#"{"paris":"none"}"#);
    assert_eq!(ask(&context, "POST", "/_/crr/resume/paris/schedule").await.0, 200);
    assert_eq!(ask(&context, "GET", "/_/crr/resume").await.1, r#"{"paris":"2023-11-15T04:13:20.000Z","rome":"none"}"#);
    assert_eq!(ask(&context, "DELETE", "/_/crr/resume/paris/schedule").await, (200, "{}".into()));
    assert_eq!(ask(&context, "GET", "/_/crr/resume/paris").await.1, r#"{"paris":"none"}"#);
    assert_eq!(ask(&context, "POST", "/_/crr/resume").await, (200, "{}".into()));
    assert_eq!(ask(&context, "GET", "/_/crr/status").await, (200, enabled.into()));
    assert_eq!(ask(&context, "POST", "/_/crr/pause/nowhere").await.0, 404);
    assert_eq!(ask(&context, "PUT", "/_/crr/pause/paris").await.0, 405);
}
