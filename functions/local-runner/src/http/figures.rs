//! The ports of metrics-query: Backbeat's metrics routes on one, with backup-control's beside them, Prometheus and probes on the other. Every request goes to
//! the function as it stands in the request line, nothing decoded and nothing tidied, because keys hold `//`, `%2F` and dots.

use axum::{
    Router,
    body::Body,
    extract::{FromRequest, State},
    response::{IntoResponse, Response},
};
use http::{Request, StatusCode};
use metrics_query::{Context, HttpRequest, HttpResponse};
use shared::metrics::backbeat::error::ErrorAnswer;

use super::{body, server::Peer};

/// More than any request to these routes needs.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// Backbeat's metrics routes, and those of backup-control beside them; `None` where neither is hosted.
pub fn backbeat(figures: Option<Context>, control: Option<backup_control::Context>) -> Option<Router> {
    figures.as_ref().map(drop).or(control.as_ref().map(drop))?;
    let ask = async |State((figures, control)): State<(Option<Context>, Option<backup_control::Context>)>,
                     Question(question): Question| {
        let controls = question.target.starts_with(backup_control::PREFIX);
        response(match (control.filter(|_| controls), figures) {
            (Some(control), _) => backup_control::handle(question, &control).await,
            (None, Some(figures)) => metrics_query::handle(question, &figures).await,
            (None, None) => {
                let error = ErrorAnswer::no_such_path(&question.target);
                HttpResponse::to(&question, error.status, "application/json", error.body())
            }
        })
    };
    Some(Router::new().fallback(ask).with_state((figures, control)))
}

/// `/metrics`, `/healthz` and `/readyz`.
pub fn exposition(context: Context) -> Router {
    let ask = async |State(context): State<Context>, Question(question): Question| {
        response(metrics_query::handle_exposition(question, &context).await)
    };
    Router::new().fallback(ask).with_state(context)
}

/// A request as the function takes it.
struct Question(HttpRequest);

impl<S: Sync> FromRequest<S> for Question {
    type Rejection = Response;

    async fn from_request(request: Request<Body>, _: &S) -> Result<Self, Response> {
        let (parts, sent) = request.into_parts();
        let refused = |error: body::BodyError| (error.status(), format!("{error}\n")).into_response();
        Ok(Question(HttpRequest {
            method: parts.method.as_str().to_owned(),
            target: parts.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned(),
            client: parts.extensions.get().map(|Peer(address)| address.ip()),
            body: body::read(sent, BODY_BYTES_MAX).await.map_err(refused)?,
        }))
    }
}

/// The function's answer as the server sends it.
fn response(answer: HttpResponse) -> Response {
    let builder = answer
        .headers
        .into_iter()
        .fold(http::Response::builder().status(answer.status), |builder, (name, value)| builder.header(name, value));
    builder.body(Body::from(answer.body)).unwrap_or_else(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, "the answer cannot be sent");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::body::to_bytes;
    use shared::{
        adapters::memory::{clock::ManualClock, store::MemoryStore},
        config::Draft,
        record::Millis,
    };
    use tower::ServiceExt;

    use super::*;

    async fn get(target: &str) -> (StatusCode, String) {
        let settings =
            Draft::new("[locations.site1]\nurl = \"s3://b\"", &Default::default()).unwrap().settings().unwrap();
        let clock = Arc::new(ManualClock::at(Millis(1_531_432_000_000)));
        let store = Arc::new(MemoryStore::new(clock.clone()));
        store.set("site1:b:a//b%2Fc/:v:bb:crr:object:bytes:requests:1531431900000", "100");
        let context = Context::new(&settings, store, clock);
        let response = backbeat(Some(context), None)
            .unwrap()
            .oneshot(Request::get(target).body(Body::empty()).unwrap())
            .await
            .unwrap();
        let status = response.status();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_target_reaches_the_function_as_it_was_sent() {
        let (status, body) = get("/_/metrics/crr/site1/progress/b/a//b%2Fc/?versionId=v").await;
        assert_eq!(status, StatusCode::OK);
        assert!(body.contains("\"pending\":100"), "{body}");
        let (_, body) = get("/_/metrics/crr/site1/progress/b/a/b%2Fc/?versionId=v").await;
        assert!(body.contains("\"pending\":0"), "{body}");
    }

    #[tokio::test]
    async fn what_is_no_route_is_answered_by_the_function_too() {
        let (status, body) = get("/a/../%2e?x").await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert!(body.contains("/a/../%2e?x does not exist"), "{body}");
    }
}
