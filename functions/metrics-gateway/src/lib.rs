//! metrics-gateway: jobs push their progress here, and it goes on the metrics topic.
//!
//! | request | does | answers |
//! |---|---|---|
//! | `POST /namespaces/{namespace}/{kind}/{name}/{uuid}/topics/{topic}/{event}` | publishes what is pushed | `{}` |
//! | `GET /schema.json` | | the JSON schema of a body, with examples |
//!
//! `kind` is one of [`Kind`]'s, `event` is `started`, `progress` or `stopped`. A body may be left out, and so may everything
//! in it ([`shared::metrics::push::Body`]). 200 is answered when the metrics topic has it. Pushing the same again changes
//! nothing. What cannot be taken is 400 with the field; with Kafka away it is 503, and the next push heals that.

mod route;
#[cfg(test)]
mod tests;

use std::{convert::Infallible, sync::Arc};

use serde_json::{Value, json};
use shared::{
    config::Settings,
    metrics::{
        push::{self, AHEAD_MS_MAX, Body, Event, Kind, Push},
        standing::Message,
    },
    ports::{
        clock::Clock,
        records::{Publisher, RecordsError},
    },
    record::Millis,
    web::{HttpAnswer, HttpEvent, HttpRequest, HttpResponse, guard::Guard},
};

use crate::route::{Address, Route};

/// The function's name.
pub const NAME: &str = "metrics-gateway";

/// The function's ports and settings.
#[derive(Clone)]
pub struct Context {
    publisher: Arc<dyn Publisher>,
    clock: Arc<dyn Clock>,
    topic: Arc<str>,
    /// Who may push by an event. The runner's listeners have guards of their own.
    guard: Guard,
}

impl Context {
    /// A context by the settings.
    #[must_use]
    pub fn new(settings: &Settings, publisher: Arc<dyn Publisher>, clock: Arc<dyn Clock>) -> Self {
        let guard = Guard::of_events(&settings.listen);
        Context { publisher, clock, topic: settings.metrics.topic.as_str().into(), guard }
    }
}

/// Why a push was not taken.
#[derive(Debug)]
struct Refusal {
    status: u16,
    /// The error's name, a key of the body.
    name: &'static str,
    description: String,
    field: Option<String>,
}

impl Refusal {
    fn no_such_path(description: String) -> Self {
        Refusal { status: 404, name: "RouteNotFound", description, field: None }
    }

    fn method() -> Self {
        let description = "progress is pushed with POST; GET /schema.json tells what a body may hold".to_owned();
        Refusal { status: 405, name: "MethodNotAllowed", description, field: None }
    }

    fn of(field: &str, description: String) -> Self {
        Refusal { status: 400, name: "InvalidBody", description, field: Some(field.to_owned()) }
    }

    fn unavailable(error: &RecordsError) -> Self {
        let description = format!("the push is not kept: {error}; the next one may be");
        Refusal { status: 503, name: "ServiceUnavailable", description, field: None }
    }

    fn body(&self) -> String {
        let mut body = json!({ "code": self.status, "description": self.description, self.name: true });
        if let Some(field) = &self.field {
            body["field"] = Value::from(field.as_str());
        }
        body.to_string()
    }
}

/// Answers a request.
pub async fn handle(request: HttpRequest, context: &Context) -> HttpResponse {
    let (status, body) = match answer(&request, context).await {
        Ok(body) => (200, body),
        Err(refusal) => (refusal.status, refusal.body()),
    };
    HttpResponse::to(&request, status, "application/json", body)
}

async fn answer(request: &HttpRequest, context: &Context) -> Result<String, Refusal> {
    match (request.method.as_str(), route::route(request.path()).map_err(Refusal::no_such_path)?) {
        ("GET" | "HEAD", Route::Schema) => Ok(push::schema().to_string()),
        ("POST", Route::Push(address)) => {
            let push = read(address, &request.body, context.clock.now())?;
            keep(push, context).await
        }
        _ => Err(Refusal::method()),
    }
}

/// What is pushed, where it can be kept.
fn read(address: Address, body: &[u8], now: Millis) -> Result<Push, Refusal> {
    let body = parse(body)?;
    let timestamp = body.timestamp.unwrap_or(now);
    if timestamp.0 > now.0.saturating_add(AHEAD_MS_MAX) {
        let ahead_s = (timestamp.0 - now.0) / 1_000;
        let why = format!(
            "timestamp is {ahead_s} s ahead of the gateway's clock: correct the sender's clock, or leave it out"
        );
        return Err(Refusal::of("timestamp", why));
    }
    let Address { kind, namespace, name, uuid, topic, event } = address;
    let sequence = body.sequence;
    let body = Body { timestamp: None, sequence: 0, ..body };
    let push = Push { timestamp, sequence, kind, namespace, name, uuid, topic, event, body };
    match push.check() {
        Ok(()) => Ok(push),
        Err(reason) => Err(Refusal::of(reason.field().unwrap_or_default(), reason.to_string())),
    }
}

/// Nothing at all is an empty body.
fn parse(body: &[u8]) -> Result<Body, Refusal> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Body::default());
    }
    // A struct could be read of a list, too.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(Refusal::of("", "the body cannot be read: it is no JSON object".to_owned()));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let parsed = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let field = error.path().to_string();
        // The path of an error that is no field's is "." or "?".
        let field = if matches!(&*field, "." | "?") { "" } else { &field };
        let place = if field.is_empty() { "the body".to_owned() } else { field.to_owned() };
        Refusal::of(field, format!("{place} cannot be read: {}", error.inner()))
    })?;
    let trailing = |error| Refusal::of("", format!("the body cannot be read: {error}"));
    deserializer.end().map_err(trailing)?;
    Ok(parsed)
}

async fn keep(push: Push, context: &Context) -> Result<String, Refusal> {
    let message = Message::Push(push).encode();
    context.publisher.publish(&context.topic, vec![message]).await.map_err(|error| {
        tracing::warn!(error = &error as &dyn std::error::Error, "a push is answered with 503: {error}");
        Refusal::unavailable(&error)
    })?;
    Ok("{}".to_owned())
}

/// Answers a request that came as an event.
///
/// # Errors
/// None: what is wrong is in the answer.
pub async fn handle_event(event: HttpEvent, context: &Context) -> Result<HttpAnswer, Infallible> {
    Ok(match event.admitted(&context.guard) {
        Ok(request) => event.answer(handle(request, context).await),
        Err(refused) => refused,
    })
}
