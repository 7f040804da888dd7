//! `GET /metrics`, `/healthz` and `/readyz`: what Prometheus and a supervisor ask on port 9000.

use std::{sync::Arc, time::Duration};

use shared::{
    metrics::{
        backbeat::error::ErrorAnswer,
        exposition::{CONTENT_TYPE, page},
        registers::{
            Epoch,
            epoch::{Snapshot, queries, snapshots},
        },
        view::view,
    },
    ports::store::{Query, Store},
    record::Millis,
};

use crate::{Context, HttpRequest, HttpResponse, backbeat::unavailable};

/// A question is answered within a second, also when the store is not heard from.
const STORE_WAIT_MAX: Duration = Duration::from_millis(900);
/// Read where there is no backup to ask for, to know whether the store answers.
const PROBE_KEY: &str = "hw1:probe";

/// Answers a request of port 9000.
pub async fn handle_exposition(request: HttpRequest, context: &Context) -> HttpResponse {
    let path = request.target.split('?').next().unwrap_or_default();
    let (store, backups) = (&*context.store, &context.backups);
    let (content_type, answer) = match (request.method.as_str(), path) {
        ("GET" | "HEAD", "/metrics") => (CONTENT_TYPE, metrics_page(store, backups, context.clock.now()).await),
        ("GET" | "HEAD", "/readyz") => ("text/plain", whole(store, backups).await.map(|_| "ready\n".to_owned())),
        ("GET" | "HEAD", "/healthz") => ("text/plain", Ok("healthy\n".to_owned())),
        (_, "/metrics" | "/readyz" | "/healthz") => ("", Err(ErrorAnswer::method_not_allowed())),
        _ => ("", Err(ErrorAnswer::no_such_path(path))),
    };
    match answer {
        Ok(body) => HttpResponse::text(&request, content_type, body),
        Err(error) => HttpResponse::json(&request, Err(error)),
    }
}

/// The page for these backups at `now`, from one round trip.
///
/// # Errors
/// 503 when the store does not answer in time, or does not hold everything.
pub async fn metrics_page(store: &dyn Store, backups: &[Arc<str>], now: Millis) -> Result<String, ErrorAnswer> {
    let snapshots = whole(store, backups).await?;
    let views: Vec<_> = snapshots.into_iter().map(|it| (it.backup, view(&it.registers, now))).collect();
    Ok(page(&views))
}

/// What the store holds of these backups, if that is everything.
async fn whole(store: &dyn Store, backups: &[Arc<str>]) -> Result<Vec<Snapshot>, ErrorAnswer> {
    let mut queries = queries(backups);
    if queries.is_empty() {
        queries.push(Query::Text(PROBE_KEY.to_owned()));
    }
    let answers = match tokio::time::timeout(STORE_WAIT_MAX, store.read(&queries)).await {
        Ok(answers) => answers.map_err(|error| unavailable(&error))?,
        Err(_) => return Err(ErrorAnswer::unavailable("the store of figures (redis) does not answer: try again")),
    };
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
