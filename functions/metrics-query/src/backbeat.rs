//! Backbeat's routes: decide what to read, read it in one round trip, write the body.

use std::net::IpAddr;

use shared::{
    metrics::backbeat::{
        answer::{self, ObjectQuestion},
        error::ErrorAnswer,
        figures::SiteQuestion,
        route::{self, Request, Route},
    },
    ports::store::{Query, StoreError, Value},
};

use crate::{Context, HttpRequest};

/// The body of the answer, or the error answer.
pub(crate) async fn answer(request: &HttpRequest, context: &Context) -> Result<String, ErrorAnswer> {
    if !is_allowed(request.client, context) {
        return Err(ErrorAnswer::access_denied());
    }
    let line = Request { method: &request.method, target: &request.target, body: &request.body };
    let (windows, now) = (context.windows, context.clock.now());
    match route::route(line, &context.locations)? {
        Route::Site { locations, metrics } => {
            let question = SiteQuestion { metrics: &metrics, windows, now };
            let answers = read(context, question.queries(&locations)).await?;
            Ok(answer::site_body(&question, locations.len(), &answers))
        }
        Route::Object { object, metric } => {
            let question = ObjectQuestion { object: &object, metric, windows, now };
            Ok(question.body(&read(context, question.queries()).await?))
        }
        Route::Later { tail } => Err(ErrorAnswer::not_implemented(&tail)),
    }
}

/// Who cannot be told is not allowed where not everyone is.
fn is_allowed(client: Option<IpAddr>, context: &Context) -> bool {
    let allowed = &context.allowed;
    allowed.is_empty() || client.is_some_and(|client| allowed.iter().any(|network| network.contains(client)))
}

async fn read(context: &Context, queries: Vec<Query>) -> Result<Vec<Value>, ErrorAnswer> {
    context.store.read(&queries).await.map_err(|error| {
        tracing::warn!(error = &error as &dyn std::error::Error, "a question is answered with 503");
        unavailable(&error)
    })
}

/// An answer is right or it is an error: never zeros. The server's address is for the log only.
pub(crate) fn unavailable(error: &StoreError) -> ErrorAnswer {
    ErrorAnswer::unavailable(match error {
        StoreError::Unavailable { .. } => "the store of figures (redis) does not answer: try again",
        StoreError::Refused { .. } => "the store of figures (redis) refuses: the log says why",
    })
}
