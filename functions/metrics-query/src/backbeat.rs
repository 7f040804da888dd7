//! Backbeat's routes: decide what to read, read it in one round trip, write the body.

use shared::{
    metrics::{
        backbeat::{
            answer::{self, ObjectQuestion},
            error::ErrorAnswer,
            figures::SiteQuestion,
            route::{self, Request, Route},
        },
        exposition::CONTENT_TYPE,
        health::{self, Health},
        registers::{Epoch, Scope, Seen},
        replication::counters,
    },
    ports::store::{Query, Value},
    record::Millis,
};

use crate::{
    Context, HttpRequest, exposition,
    http::{self, Answer},
};

/// The function that answers the control routes.
const CONTROL: &str = "backup-control";

/// The answer, or the error answer.
pub(crate) async fn answer(request: &HttpRequest, context: &Context) -> Result<Answer, ErrorAnswer> {
    let line = Request { method: &request.method, target: &request.target, body: &request.body };
    let (windows, now) = (context.windows, context.clock.now());
    match route::route(line, &context.locations)? {
        Route::Site { locations, metrics } => {
            let question = SiteQuestion { metrics: &metrics, windows, now };
            let answers = read(context, question.queries(&locations)).await?;
            Ok(Answer::json(answer::site_body(&question, locations.len(), &answers)))
        }
        Route::Object { object, metric } => {
            let question = ObjectQuestion { object: &object, metric, windows, now };
            Ok(Answer::json(question.body(&read(context, question.queries()).await?)))
        }
        Route::Monitoring => {
            Ok(Answer { status: 200, content_type: CONTENT_TYPE, body: exposition::metrics_page(context).await? })
        }
        Route::Health => Ok(health(context).await),
        Route::Control { tail, .. } => Err(ErrorAnswer::of_another_function(&tail, CONTROL)),
    }
}

/// The state of the topics, the connections and the locations: 200 where all connections are there, else 503, so that a probe
/// needs no body.
async fn health(context: &Context) -> Answer {
    let locations = if context.counts_changes { context.locations.as_slice() } else { &[] };
    let mut queries = vec![Query::Registers(health::KEY.to_owned())];
    queries.extend(locations.iter().map(|location| Query::Longest(counters::missing(location))));
    let answers = exposition::read(&*context.store, &queries).await;
    let held = answers.as_ref().ok().and_then(|answers| match answers.first() {
        Some(Value::Registers(held)) => Some(held.as_slice()),
        _ => None,
    });
    let (refresh, now) = (context.counts_changes.then_some(context.expected.refresh), context.clock.now());
    let mut health = Health::of(held, refresh, now);
    for (location, since) in locations.iter().zip(answers.iter().flatten().skip(1)) {
        let since = if let Value::Text(Some(since)) = since { since.parse().ok().map(Millis) } else { None };
        health.add_location(location, since, now);
    }
    let status = if health.is_good() { 200 } else { 503 };
    let body = serde_json::to_string(&health).expect("names and numbers are valid JSON");
    Answer { status, ..Answer::json(body) }
}

/// Reads the figures, and in the same round trip whether they are whole.
async fn read(context: &Context, mut queries: Vec<Query>) -> Result<Vec<Value>, ErrorAnswer> {
    let figures = queries.len();
    if context.counts_changes {
        queries.extend(Scope::Changes.queries());
    }
    let mut answers = context.store.read(&queries).await.map_err(|error| {
        tracing::warn!(error = &error as &dyn std::error::Error, "a question is answered with 503");
        http::unavailable(&error)
    })?;
    let mut epoch = answers.split_off(figures).into_iter();
    if context.counts_changes && !matches!(Seen::read(&mut epoch).epoch, Epoch::Complete(_)) {
        return Err(ErrorAnswer::unavailable(
            "rebuilding: the store of figures does not hold everything yet; metrics-consumer counts it again",
        ));
    }
    Ok(answers)
}
