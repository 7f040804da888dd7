//! AWS Lambda's Invoke API, as `sam local start-lambda` serves it: an SDK or the aws CLI with `--endpoint-url` calls the
//! hosted functions.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Body,
    extract::{Path, State},
    response::{IntoResponse, Response},
    routing::post,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::{Value, json};
use tokio_util::task::TaskTracker;

use super::body::{self, BodyError};
use crate::host::functions::{FunctionError, Functions};

/// Lambda's own limit for a synchronous payload.
const PAYLOAD_BYTES_MAX: usize = 6 * 1024 * 1024;
const INVOCATION_TYPE: &str = "x-amz-invocation-type";
const FUNCTION_ERROR: HeaderName = HeaderName::from_static("x-amz-function-error");
const EXECUTED_VERSION: HeaderName = HeaderName::from_static("x-amz-executed-version");
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");
/// Between the account and the name in a function's ARN.
const ARN_MARK: &str = ":function:";

#[derive(Clone)]
struct Api {
    functions: Arc<Functions>,
    /// Invocations that nobody waits for.
    events: TaskTracker,
}

/// The routes. `events` holds the asynchronous invocations, for whoever stops the process.
pub fn router(functions: Arc<Functions>, events: TaskTracker) -> Router {
    Router::new()
        .route("/2015-03-31/functions/{name}/invocations", post(invoke))
        .fallback(|| async {
            refusal(
                StatusCode::NOT_FOUND,
                "ResourceNotFoundException",
                "this port serves POST /2015-03-31/functions/NAME/invocations".into(),
            )
        })
        .with_state(Api { functions, events })
}

async fn invoke(State(api): State<Api>, Path(name): Path<String>, headers: HeaderMap, body: Body) -> Response {
    let name = plain_name(&name).to_owned();
    if !api.functions.has(&name) {
        let known = api.functions.names().collect::<Vec<_>>().join(", ");
        return refusal(
            StatusCode::NOT_FOUND,
            "ResourceNotFoundException",
            format!("Function not found: {name}. Hosted here: {known}"),
        );
    }
    let bytes = match body::read(body, PAYLOAD_BYTES_MAX).await {
        Ok(bytes) => bytes,
        Err(BodyError::TooLarge(_)) => {
            let message =
                format!("Request must be smaller than {PAYLOAD_BYTES_MAX} bytes for the InvokeFunction operation");
            return refusal(StatusCode::PAYLOAD_TOO_LARGE, "RequestTooLargeException", message);
        }
        Err(BodyError::TooSlow) => {
            return refusal(StatusCode::REQUEST_TIMEOUT, "RequestTimeoutException", BodyError::TooSlow.to_string());
        }
    };
    let payload = match bytes.is_empty() {
        true => Ok(json!({})),
        false => serde_json::from_slice::<Value>(&bytes),
    };
    match payload {
        Ok(payload) => run(api, name, headers.get(INVOCATION_TYPE), payload).await,
        Err(error) => {
            let message = format!("Could not parse request body into json: {error}");
            refusal(StatusCode::BAD_REQUEST, "InvalidRequestContentException", message)
        }
    }
}

async fn run(api: Api, name: String, invocation_type: Option<&HeaderValue>, payload: Value) -> Response {
    match invocation_type.map_or(b"RequestResponse".as_slice(), HeaderValue::as_bytes) {
        b"RequestResponse" => answered(api.functions.call(&name, payload).await),
        b"Event" => {
            api.events.spawn(async move {
                if let Some(Err(error)) = api.functions.call(&name, payload).await {
                    tracing::warn!(
                        function = name,
                        error = &error as &dyn std::error::Error,
                        "an asynchronous invocation failed"
                    );
                }
            });
            StatusCode::ACCEPTED.into_response()
        }
        b"DryRun" => StatusCode::NO_CONTENT.into_response(),
        other => {
            let message = format!(
                "{INVOCATION_TYPE} is {:?}: RequestResponse, Event and DryRun exist",
                String::from_utf8_lossy(other)
            );
            refusal(StatusCode::BAD_REQUEST, "InvalidParameterValueException", message)
        }
    }
}

fn answered(answer: Option<Result<Value, FunctionError>>) -> Response {
    let version = (EXECUTED_VERSION, HeaderValue::from_static("$LATEST"));
    match answer {
        Some(Ok(value)) => ([version], Json(value)).into_response(),
        Some(Err(error)) => {
            let failed = (FUNCTION_ERROR, HeaderValue::from_static("Unhandled"));
            let body = json!({ "errorMessage": error.message, "errorType": error.reported_type() });
            ([version, failed], Json(body)).into_response()
        }
        None => refusal(StatusCode::NOT_FOUND, "ResourceNotFoundException", "Function not found".into()),
    }
}

fn refusal(status: StatusCode, error: &'static str, message: String) -> Response {
    let kind = [(ERROR_TYPE, HeaderValue::from_static(error))];
    (status, kind, Json(json!({ "Message": message, "Type": "User" }))).into_response()
}

/// A function may be named by its ARN, in whole or in part, and with a qualifier.
fn plain_name(name: &str) -> &str {
    let after_arn = name.rsplit_once(ARN_MARK).map_or(name, |(_, rest)| rest);
    after_arn.split(':').next().unwrap_or(after_arn)
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use http::Request;
    use tower::ServiceExt;

    use super::*;

    async fn post_to(name: &str, invocation_type: &str, body: impl Into<Body>) -> (StatusCode, HeaderMap, Value) {
        let functions =
            Functions::default().with("echo", |payload| async move { Ok(payload) }).with("fails", |_| async {
                Err(FunctionError { error_type: "Sad".into(), message: "no".into(), retry: true })
            });
        let events = TaskTracker::new();
        let request = Request::post(format!("/2015-03-31/functions/{name}/invocations"));
        let request = request.header(INVOCATION_TYPE, invocation_type).body(body.into()).unwrap();
        let response = router(Arc::new(functions), events.clone()).oneshot(request).await.unwrap();
        events.close();
        events.wait().await;
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        (parts.status, parts.headers, serde_json::from_slice(&body).unwrap_or_default())
    }

    #[tokio::test]
    async fn a_function_answers_under_its_name_and_its_arn() {
        for name in ["echo", "echo:live", "arn:aws:lambda:eu-west-1:123456789012:function:echo:1"] {
            let (status, headers, body) = post_to(name, "RequestResponse", r#"{"a":1}"#).await;
            assert_eq!((status, body), (StatusCode::OK, json!({"a": 1})), "{name}");
            assert!(!headers.contains_key(FUNCTION_ERROR));
        }
        assert_eq!(post_to("echo", "RequestResponse", "").await.2, json!({}));
    }

    #[tokio::test]
    async fn a_functions_error_is_a_success_with_a_mark_as_lambda_has_it() {
        let (status, headers, body) = post_to("fails", "RequestResponse", "{}").await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(headers[FUNCTION_ERROR], "Unhandled");
        assert_eq!(body, json!({"errorMessage": "no", "errorType": "Sad"}));
    }

    #[tokio::test]
    async fn what_cannot_be_invoked_is_refused_by_name() {
        let (status, headers, body) = post_to("missing", "RequestResponse", "{}").await;
        assert_eq!(
            (status, &headers[ERROR_TYPE]),
            (StatusCode::NOT_FOUND, &HeaderValue::from_static("ResourceNotFoundException"))
        );
        assert_eq!(body["Message"], "Function not found: missing. Hosted here: echo, fails");
        assert_eq!(post_to("echo", "RequestResponse", "{").await.0, StatusCode::BAD_REQUEST);
        assert_eq!(post_to("echo", "Later", "{}").await.0, StatusCode::BAD_REQUEST);
        assert_eq!(
            post_to("echo", "RequestResponse", vec![b' '; PAYLOAD_BYTES_MAX + 1]).await.0,
            StatusCode::PAYLOAD_TOO_LARGE
        );
    }

    #[tokio::test]
    async fn an_event_is_accepted_and_a_dry_run_runs_nothing() {
        assert_eq!(post_to("fails", "Event", "{}").await.0, StatusCode::ACCEPTED);
        assert_eq!(post_to("fails", "DryRun", "{}").await.0, StatusCode::NO_CONTENT);
    }
}
