//! Requests and their answers.

use std::collections::BTreeMap;

use shared::{
    metrics::backbeat::error::ErrorAnswer,
    web::{HttpRequest, HttpResponse},
};

use crate::{
    Action, Context, ControlError, Pausable,
    answer::{json, storage_failed},
    control, replication, status,
};

/// Every path that is asked here begins with this.
pub const PREFIX: &str = "/_/highwater/api/";

/// Answers a request.
pub async fn handle(request: HttpRequest, context: &Context) -> HttpResponse {
    let (status, body) = match answer(&request, context).await {
        Ok(body) => (200, body),
        Err(error) => (error.status, error.body()),
    };
    HttpResponse::to(&request, status, "application/json", body)
}

async fn answer(request: &HttpRequest, context: &Context) -> Result<String, ErrorAnswer> {
    if replication::PREFIXES.iter().any(|prefix| request.target.starts_with(prefix)) {
        return replication::answer(request, context).await;
    }
    let no_such_path = || ErrorAnswer::no_such_path(&request.target);
    let tail = request.path().strip_prefix(PREFIX).ok_or_else(no_such_path)?;
    let segments: Vec<&str> = tail.split('/').collect();
    let target = match segments[1..] {
        [] => None,
        [backup] => Some(Pausable { backup, topic: None }),
        [backup, topic] => Some(Pausable { backup, topic: Some(topic) }),
        _ => return Err(no_such_path()),
    };
    match (request.method.as_str(), segments[0], target) {
        ("POST", "pause", Some(target)) => done(Action::Pause, target, context).await,
        ("POST", "resume", Some(target)) => done(Action::Resume, target, context).await,
        ("GET", "status", None) => all(context).await,
        ("GET", "status", Some(Pausable { backup, topic: None })) => of(&[backup], context).await,
        (_, "pause" | "resume" | "status", _) if !matches!(request.method.as_str(), "GET" | "POST") => {
            Err(ErrorAnswer::method_not_allowed())
        }
        _ => Err(no_such_path()),
    }
}

async fn done(action: Action, target: Pausable<'_>, context: &Context) -> Result<String, ErrorAnswer> {
    control(action, target, context).await.map(|()| "{}".to_owned()).map_err(refused)
}

async fn all(context: &Context) -> Result<String, ErrorAnswer> {
    of(&context.backups().collect::<Vec<_>>(), context).await
}

async fn of(backups: &[&str], context: &Context) -> Result<String, ErrorAnswer> {
    let mut answers = BTreeMap::new();
    for backup in backups {
        answers.insert(*backup, status(backup, context).await.map_err(refused)?);
    }
    Ok(json(&answers))
}

fn refused(error: ControlError) -> ErrorAnswer {
    match error {
        ControlError::Archive(error) => storage_failed(error),
        _ => ErrorAnswer::no_such_route(error.to_string()),
    }
}
