//! A function's binary under Lambda's Runtime API, and one function calling another through the Invoke API.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::IntoResponse,
    routing::post,
};
use integration_tests::{
    eventually::eventually,
    runtime_api::{Emulation, Function},
};
use serde_json::{Value, json};
use shared::{
    adapters::{lambda::LambdaInvoker, system_clock::SystemClock},
    ports::{
        clock::Clock as _,
        invoker::{InvokeError, Invoker as _},
    },
};
use tokio::net::TcpListener;

async fn echo() -> Function {
    Function::start("echo_function", &[]).await
}

#[tokio::test]
async fn a_function_answers_one_invocation_after_the_other_from_one_context() {
    let function = echo().await;
    for text in ["one", "two", "ümläut \u{0}"] {
        let answer = function.invoke(json!({"echo": text})).await.expect("an answer");
        assert_eq!((&answer["echo"], &answer["context"]), (&json!(text), &json!(7)));
    }
    let (one, two) = tokio::join!(function.invoke(json!({"echo": "a"})), function.invoke(json!({"sleep_ms": 10})));
    assert_eq!((&one.expect("an answer")["echo"], &two.expect("an answer")["echo"]), (&json!("a"), &json!("slept")));
}

#[tokio::test]
async fn a_handler_is_told_the_deadline_in_milliseconds_since_1970() {
    let function = echo().await;
    let before = SystemClock.now().0;
    let answer = function.invoke_within(Duration::from_secs(30), json!({"echo": "x"})).await.expect("an answer");
    let deadline = answer["deadline"].as_i64().expect("a number");
    assert!((before + 30_000..=SystemClock.now().0 + 30_000).contains(&deadline), "{deadline} after {before}");
}

#[tokio::test]
async fn under_cargo_lambda_a_handler_has_ten_minutes_and_a_failed_invocation_harms_no_other() {
    let function = Function::start_under(Emulation::CargoLambda, "echo_function", &[]).await;
    let before = SystemClock.now().0;
    function.invoke(json!({"fail": "no disk"})).await.expect_err("it fails");
    let answer = function.invoke(json!({"echo": "x"})).await.expect("an answer");
    let deadline = answer["deadline"].as_i64().expect("a number");
    assert!((before + 600_000..=SystemClock.now().0 + 600_000).contains(&deadline), "{deadline} after {before}");
}

#[tokio::test]
async fn a_failed_invocation_is_told_by_type_and_text_and_the_next_one_works() {
    let function = echo().await;
    let failed = function.invoke(json!({"fail": "no disk"})).await.expect_err("it fails");
    assert_eq!(failed.to_string(), "EchoError: asked to fail: no disk");
    let unread = function.invoke(json!({"sing": 1})).await.expect_err("it fails");
    assert_eq!(unread.error_type, "InputError.Permanent");
    assert!(unread.error_message.contains("unknown variant `sing`"), "{unread}");
    let panicked = function.invoke(json!({"panic": "out of luck"})).await.expect_err("it fails");
    assert!(panicked.error_message.contains("out of luck"), "{panicked}");
    assert_eq!(function.invoke(json!({"echo": "still here"})).await.expect("an answer")["echo"], "still here");
}

#[tokio::test]
async fn a_function_that_cannot_start_says_why_and_keeps_what_it_started_with_until_it_fails() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("number");
    let put = |text| std::fs::write(&file, text).expect("the file is written");
    put("many");
    let function = Function::start("echo_function", &[("ECHO_CONTEXT", file.to_str().expect("a path"))]).await;
    let refused = function.invoke(json!({"echo": "x"})).await.expect_err("many is no number");
    assert_eq!(refused.to_string(), "ParseIntError: invalid digit found in string");
    for number in ["8", "9"] {
        put(number);
        assert_eq!(function.invoke(json!({"echo": "x"})).await.expect("an answer")["context"], 8);
    }
    function.invoke(json!({"fail": "no disk"})).await.expect_err("it fails");
    assert_eq!(function.invoke(json!({"echo": "x"})).await.expect("an answer")["context"], 9);
}

#[tokio::test]
async fn a_function_logs_json() {
    let function = echo().await;
    function.invoke(json!({"echo": "logged"})).await.expect("an answer");
    let echoed = eventually("the line that it logs", Duration::from_secs(10), || async {
        let lines = function.output();
        let mut logged = lines.iter().map(|line| serde_json::from_str(line).expect("a line of JSON"));
        logged.find(|line: &Value| line["message"] == "echoed").ok_or_else(|| lines.join("\n"))
    });
    let echoed = echoed.await;
    assert_eq!((&echoed["echo"], &echoed["level"]), (&json!("logged"), &json!("INFO")));
}

/// What the Invoke API was asked.
#[derive(Default)]
struct Requests(Mutex<Vec<(String, HeaderMap, Bytes)>>);

/// An Invoke API that remembers what it was asked; the function's name says what it answers.
async fn invoke_api() -> (SocketAddr, Arc<Requests>) {
    async fn answer(
        State(requests): State<Arc<Requests>>,
        Path(name): Path<String>,
        headers: HeaderMap,
        body: Bytes,
    ) -> impl IntoResponse {
        let failed = [("x-amz-function-error", "Unhandled")];
        let answer = match name.as_str() {
            "hw-adds" => body.clone().into_response(),
            "hw-fails" => (failed, r#"{"errorType":"StoreError","errorMessage":"redis is down"}"#).into_response(),
            "hw-throttled" => (StatusCode::TOO_MANY_REQUESTS, r#"{"Message":"Rate exceeded"}"#).into_response(),
            _ => (StatusCode::NOT_FOUND, r#"{"Message":"Function not found"}"#).into_response(),
        };
        requests.0.lock().expect("no holder panicked").push((name, headers, body));
        answer
    }
    let requests = Arc::new(Requests::default());
    let routes = Router::new().route("/2015-03-31/functions/{name}/invocations", post(answer));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let routes = routes.with_state(Arc::clone(&requests));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    (address, requests)
}

#[tokio::test]
async fn an_invocation_is_signed_and_answers_what_the_function_answers() {
    let (address, requests) = invoke_api().await;
    let endpoint = format!("http://{address}").parse().expect("an endpoint");
    let invoker = LambdaInvoker::connect("hw-", Some(&endpoint), SystemClock).await.expect("an invoker");

    let payload = json!({"increments": [1, 2]});
    assert_eq!(invoker.invoke("adds", payload.clone()).await.expect("an answer"), payload);

    let (name, headers, body) = requests.0.lock().expect("no holder panicked").remove(0);
    assert_eq!((name.as_str(), &body[..]), ("hw-adds", payload.to_string().as_bytes()));
    assert_eq!(headers["x-amz-invocation-type"], "RequestResponse");
    let signature = headers["authorization"].to_str().expect("text");
    assert!(signature.starts_with("AWS4-HMAC-SHA256 Credential=local/"), "{signature}");
    assert!(signature.contains("/us-east-1/lambda/aws4_request, SignedHeaders=content-type;host;"), "{signature}");
}

#[tokio::test]
async fn an_invocation_that_fails_is_told_by_what_failed() {
    let (address, _) = invoke_api().await;
    let endpoint = format!("http://{address}").parse().expect("an endpoint");
    let invoker = LambdaInvoker::connect("hw-", Some(&endpoint), SystemClock).await.expect("an invoker");
    let failed = async |function: &str| invoker.invoke(function, json!({})).await.expect_err("it fails");

    assert_eq!(failed("fails").await.to_string(), "function fails failed with StoreError: redis is down");
    assert!(matches!(failed("throttled").await, InvokeError::Unreachable { .. }));
    assert!(matches!(failed("nobody").await, InvokeError::UnknownFunction(name) if name == "nobody"));
    assert!(matches!(failed("a/b?c").await, InvokeError::UnknownFunction(_)));
}

#[tokio::test]
async fn a_closed_port_cannot_be_reached() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address")).parse().expect("an endpoint");
    drop(listener);
    let invoker = LambdaInvoker::connect("", Some(&endpoint), SystemClock).await.expect("an invoker");
    let error = invoker.invoke("adds", json!({})).await.expect_err("it fails");
    assert!(matches!(error, InvokeError::Unreachable { .. }) && error.retry(), "{error:?}");
}
