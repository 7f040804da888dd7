//! The listeners of functions that answer HTTP. Every request goes to the function as it stands in the request line,
//! nothing decoded and nothing tidied, because keys hold `//`, `%2F` and dots.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{FromRequest, State},
    response::{IntoResponse, Response},
};
use http::Request;
use shared::{
    metrics::backbeat::error::ErrorAnswer,
    web::{HttpRequest, HttpResponse},
};

use super::{answer::response, body};
use crate::host::function::Mount;

/// More than any request to these routes needs.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// Answers each request by the function whose prefix of the target is the longest.
pub fn router(mut mounts: Vec<Mount>) -> Router {
    mounts.sort_by_key(|mount| std::cmp::Reverse(mount.prefix.len()));
    Router::new().fallback(answer).with_state(Arc::from(mounts))
}

async fn answer(State(mounts): State<Arc<[Mount]>>, Question(request): Question) -> Response {
    response(match mounts.iter().find(|mount| request.target.starts_with(mount.prefix)) {
        Some(mount) => (mount.answer)(request).await,
        None => {
            let error = ErrorAnswer::no_such_path(&request.target);
            HttpResponse::to(&request, error.status, "application/json", error.body())
        }
    })
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
            body: body::read(sent, BODY_BYTES_MAX).await.map_err(refused)?,
        }))
    }
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use http::StatusCode;
    use tower::ServiceExt;

    use super::*;
    use crate::host::port::Port;

    /// A function that answers with its name and the target as it got it.
    fn mount(name: &'static str, prefix: &'static str) -> Mount {
        let answer = move |request: HttpRequest| {
            let body = format!("{name} {}", request.target);
            Box::pin(async move { HttpResponse::to(&request, 200, "text/plain", body) }) as _
        };
        Mount { port: Port::Query, prefix, answer: Arc::new(answer) }
    }

    async fn get(mounts: Vec<Mount>, target: &str) -> (StatusCode, String) {
        let request = Request::get(target).body(Body::empty()).unwrap();
        let response = router(mounts).oneshot(request).await.unwrap();
        let status = response.status();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_target_reaches_the_function_as_it_was_sent() {
        for target in ["/_/metrics/crr/site1/progress/b/a//b%2Fc/?versionId=v", "/a/../%2e?x"] {
            assert_eq!(get(vec![mount("all", "")], target).await, (StatusCode::OK, format!("all {target}")));
        }
    }

    #[tokio::test]
    async fn the_longest_prefix_decides_which_function_answers() {
        let mounts = || vec![mount("all", ""), mount("control", "/_/highwater/api/")];
        assert_eq!(get(mounts(), "/_/highwater/api/status").await.1, "control /_/highwater/api/status");
        assert_eq!(get(mounts(), "/_/highwater/status").await.1, "all /_/highwater/status");
    }

    #[tokio::test]
    async fn what_no_function_answers_is_not_found() {
        let (status, body) = get(vec![mount("control", "/_/highwater/api/")], "/elsewhere").await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert!(body.contains("/elsewhere does not exist"), "{body}");
    }
}
