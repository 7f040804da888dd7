//! `GET /metrics`, `/healthz` and `/readyz`: what Prometheus and a supervisor ask on port 9000.

use std::{sync::Arc, time::Duration};

use shared::{
    metrics::{
        backbeat::error::ErrorAnswer,
        effects::REASONS,
        exposition::{CONTENT_TYPE, page, skipped},
        keys,
        registers::{
            Epoch,
            epoch::{Snapshot, queries, snapshots},
        },
        view::view,
    },
    ports::store::{Query, Store, Value},
    record::Millis,
};

use crate::{Context, HttpRequest, HttpResponse, backbeat::unavailable, http};

/// What is asked here.
pub(crate) const PATHS: [&str; 3] = ["/metrics", "/readyz", "/healthz"];
/// A question is answered within a second, also when the store is not heard from.
const STORE_WAIT_MAX: Duration = Duration::from_millis(750);
/// Read where there is no backup to ask for, to know whether the store answers.
const PROBE_KEY: &str = "hw1:probe";

/// Answers a request of port 9000.
pub async fn handle_exposition(request: HttpRequest, context: &Context) -> HttpResponse {
    let path = request.path();
    let (store, backups) = (&*context.store, &context.backups);
    let (content_type, answer) = match (request.method.as_str(), path) {
        ("GET" | "HEAD", "/metrics") => (CONTENT_TYPE, metrics_page(store, backups, context.clock.now()).await),
        ("GET" | "HEAD", "/readyz") => ("text/plain", ready(store, backups).await),
        ("GET" | "HEAD", "/healthz") => ("text/plain", Ok("healthy\n".to_owned())),
        (_, "/metrics" | "/readyz" | "/healthz") => ("", Err(ErrorAnswer::method_not_allowed())),
        _ => ("", Err(ErrorAnswer::no_such_path(path))),
    };
    match answer {
        Ok(body) => HttpResponse::to(&request, 200, content_type, body),
        Err(error) => http::json(&request, Err(error)),
    }
}

/// The page for these backups at `now`, from one round trip.
///
/// # Errors
/// 503 when the store does not answer in time, or does not hold everything.
pub async fn metrics_page(store: &dyn Store, backups: &[Arc<str>], now: Millis) -> Result<String, ErrorAnswer> {
    let mut queries = queries(backups);
    let of_backups = queries.len();
    queries.extend(REASONS.map(|reason| Query::Text(keys::rejected(reason))));
    let mut answers = read(store, &queries).await?;
    let counts = answers.split_off(of_backups);
    let views: Vec<_> = whole(backups, answers)?.into_iter().map(|it| (it.backup, view(&it.registers, now))).collect();
    Ok(page(&views) + &skipped(&passed_over(&counts)))
}

/// By reason; what somebody else left at a counter's key is no number and has no series.
fn passed_over(counts: &[Value]) -> Vec<(&'static str, u64)> {
    let count = |value: &Value| match value {
        Value::Text(text) => text.as_deref().map_or(Some(0), |text| text.parse().ok()),
        Value::Registers(_) => None,
    };
    REASONS.into_iter().zip(counts).filter_map(|(reason, value)| Some((reason, count(value)?))).collect()
}

/// Whether everything is there.
async fn ready(store: &dyn Store, backups: &[Arc<str>]) -> Result<String, ErrorAnswer> {
    let mut queries = queries(backups);
    if queries.is_empty() {
        queries.push(Query::Text(PROBE_KEY.to_owned()));
    }
    whole(backups, read(store, &queries).await?).map(|_| "ready\n".to_owned())
}

async fn read(store: &dyn Store, queries: &[Query]) -> Result<Vec<Value>, ErrorAnswer> {
    match tokio::time::timeout(STORE_WAIT_MAX, store.read(queries)).await {
        Ok(answers) => answers.map_err(|error| unavailable(&error)),
        Err(_) => Err(ErrorAnswer::unavailable("the store of figures (redis) does not answer: try again")),
    }
}

/// What the store holds of these backups, if that is everything.
fn whole(backups: &[Arc<str>], answers: Vec<Value>) -> Result<Vec<Snapshot>, ErrorAnswer> {
    let snapshots = snapshots(backups, answers);
    match snapshots.iter().find(|snapshot| !is_whole(snapshot)) {
        None => Ok(snapshots),
        Some(snapshot) => Err(ErrorAnswer::unavailable(format!(
            "rebuilding: the store of figures does not hold everything of backup {} yet; lag-monitor fills it at its next refreshes",
            snapshot.backup
        ))),
    }
}

fn is_whole(snapshot: &Snapshot) -> bool {
    matches!(snapshot.seen.epoch, Epoch::Complete(_)) && snapshot.registers.unreadable.is_empty()
}

#[cfg(test)]
mod tests;
