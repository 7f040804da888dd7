//! The port for Prometheus and for probes: `/metrics`, `/healthz`, `/readyz`.

use axum::{Json, Router, extract::State, response::IntoResponse, response::Response, routing::get};
use http::StatusCode;
use metrics_query::{Context, HttpRequest};
use serde_json::json;

use super::query;
use crate::host::readiness::Readiness;

/// The routes. `/healthz` says that the process lives, `/readyz` that it can work.
pub fn router(context: Context, readiness: Readiness) -> Router {
    Router::new()
        .route("/metrics", get(metrics).with_state(context))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready).with_state(readiness))
        .fallback(async || (StatusCode::NOT_FOUND, "this port serves /metrics, /healthz and /readyz\n"))
}

async fn metrics(State(context): State<Context>) -> Response {
    let question = HttpRequest { method: "GET".to_owned(), target: "/metrics".to_owned(), ..HttpRequest::default() };
    query::response(metrics_query::handle(question, &context).await)
}

async fn ready(State(readiness): State<Readiness>) -> Response {
    let missing = readiness.missing().await;
    let status = if missing.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "ready": missing.is_empty(), "missing": missing }))).into_response()
}
