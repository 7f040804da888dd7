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
