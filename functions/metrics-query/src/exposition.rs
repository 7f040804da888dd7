//! `GET /metrics`, `/healthz` and `/readyz`: what Prometheus and a supervisor ask on port 9000.

use std::{sync::Arc, time::Duration};

use shared::{
    job::Word,
    metrics::{
        backbeat::error::ErrorAnswer,
        checks::Checks,
        effects::REASONS,
        exposition::{
            CONTENT_TYPE, of_drills, of_processes, of_restores, of_runs, of_schemas, of_verifications, page, skipped,
        },
        keys, processes, push,
        registers::{
            Epoch, Scope, Seen,
            epoch::{Snapshot, queries, snapshots},
        },
        replication::{exposition::of_replication, figures::Question},
        view::view,
    },
    ports::store::{Query, Store, Value},
    record::Millis,
};

use crate::{
    Context, HttpRequest, HttpResponse,
    http::{self, Answer},
    replication,
};

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
        ("GET" | "HEAD", "/metrics") => (CONTENT_TYPE, metrics_page(context).await),
        ("GET" | "HEAD", "/readyz") => ("text/plain", ready(store, backups, context.clock.now()).await),
        ("GET" | "HEAD", "/healthz") => ("text/plain", Ok("healthy\n".to_owned())),
        (_, "/metrics" | "/readyz" | "/healthz") => ("", Err(ErrorAnswer::method_not_allowed())),
        _ => ("", Err(ErrorAnswer::no_such_path(path))),
    };
    http::response(&request, answer.map(|body| Answer { status: 200, content_type, body }))
}

/// The page of all backups now, from one round trip.
///
/// # Errors
/// 503 when the store does not answer in time, or does not hold everything.
pub async fn metrics_page(context: &Context) -> Result<String, ErrorAnswer> {
    let (backups, now, series_max) = (&context.backups, context.clock.now(), context.partition_series_max);
    let mut queries = queries(backups);
    let of_backups = queries.len();
    queries.extend(Scope::Changes.queries());
    queries.extend([processes::KEY, push::RESTORES_KEY].map(|key| Query::Registers(key.to_owned())));
    queries.extend(Checks::queries());
    queries.extend(REASONS.map(|reason| Query::Text(keys::rejected(reason))));
    let replication = Question { windows: context.windows, now };
    queries.extend(context.locations.iter().flat_map(|location| replication::queries(&replication, location)));
    let mut answers = read(&*context.store, &queries).await?;
    let mut others = answers.split_off(of_backups).into_iter();
    let views: Vec<_> = whole(backups, answers)?.into_iter().map(|it| (it.backup, view(&it.registers, now))).collect();
    let epoch = Seen::read(&mut others).epoch;
    let mut registers = || others.next().map(Value::into_registers).unwrap_or_default();
    let (processes, runs) = (processes::live(&registers(), now), push::runs(&registers()));
    let checks = Checks::read(&mut others, backups, now);
    let reasons: Vec<_> = others.by_ref().take(REASONS.len()).collect();
    let mut text = page(&views, series_max);
    text.push_str(&of_processes(&processes));
    text.push_str(&of_verifications(checks.verifications.iter().map(|(last, _)| last)));
    text.push_str(&of_drills(&checks.drills));
    text.push_str(&of_restores(&runs, series_max));
    text.push_str(&of_schemas(&runs));
    text.push_str(&of_runs(&checks.runs));
    // While they are counted again they would be too low: no series is right, and zeros never are.
    if !context.counts_changes || matches!(epoch, Epoch::Complete(_)) {
        text.push_str(&skipped(&passed_over(&reasons)));
        let locations = replication::views(&replication, &context.locations, &mut others);
        text.push_str(&of_replication(&locations, &views, series_max, now));
    }
    Ok(text)
}

/// By reason; what somebody else left at a counter's key is no number and has no series.
fn passed_over(counts: &[Value]) -> Vec<(&'static str, u64)> {
    let count = |value: &Value| match value {
        Value::Text(text) => text.as_deref().map_or(Some(0), |text| text.parse().ok()),
        Value::Registers(_) => None,
    };
    REASONS.into_iter().zip(counts).filter_map(|(reason, value)| Some((reason, count(value)?))).collect()
}

/// Whether everything is there, and which topics wait for a person. Those make nobody unready: all else goes on, and figures are
/// right.
async fn ready(store: &dyn Store, backups: &[Arc<str>], now: Millis) -> Result<String, ErrorAnswer> {
    let mut queries = queries(backups);
    if queries.is_empty() {
        queries.push(Query::Text(PROBE_KEY.to_owned()));
    }
    let mut said = "ready\n".to_owned();
    for Snapshot { backup, registers, .. } in whole(backups, read(store, &queries).await?)? {
        let topics = view(&registers, now);
        for (topic, seen) in topics.iter().filter(|(_, seen)| seen.live && seen.state.word() == Word::Failed) {
            said.push_str(&format!("failed: backup {backup}, topic {topic}: backup_state {}\n", seen.state.code()));
        }
    }
    Ok(said)
}

pub(crate) async fn read(store: &dyn Store, queries: &[Query]) -> Result<Vec<Value>, ErrorAnswer> {
    match tokio::time::timeout(STORE_WAIT_MAX, store.read(queries)).await {
        Ok(answers) => answers.map_err(|error| http::unavailable(&error)),
        Err(_) => Err(ErrorAnswer::unavailable("the store of figures (redis) does not answer: try again")),
    }
}

/// What the store holds of these backups, if that is everything.
pub(crate) fn whole(backups: &[Arc<str>], answers: Vec<Value>) -> Result<Vec<Snapshot>, ErrorAnswer> {
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
    matches!(snapshot.seen.epoch, Epoch::Complete(_)) && snapshot.registers.is_whole()
}

#[cfg(test)]
mod tests;
