//! Backbeat's routes: decide what to read, read it in one round trip, write the body.

use shared::{
    metrics::{
        backbeat::{
            answer::{self, ObjectQuestion},
            error::ErrorAnswer,
            figures::SiteQuestion,
            route::{self, Request, Route},
        },
        registers::{Epoch, Scope, Seen},
    },
    ports::store::{Query, StoreError, Value},
};

use crate::{Context, HttpRequest};

/// The body of the answer, or the error answer.
pub(crate) async fn answer(request: &HttpRequest, context: &Context) -> Result<String, ErrorAnswer> {
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
        Route::Monitoring => Err(ErrorAnswer::not_implemented("monitoring/metrics")),
        Route::Control { tail, .. } | Route::Later { tail } => Err(ErrorAnswer::not_implemented(&tail)),
    }
}

/// Reads the figures, and in the same round trip whether they are whole.
async fn read(context: &Context, mut queries: Vec<Query>) -> Result<Vec<Value>, ErrorAnswer> {
    let figures = queries.len();
    if context.counts_changes {
        queries.extend(Scope::Changes.queries());
    }
    let mut answers = context.store.read(&queries).await.map_err(|error| {
        tracing::warn!(error = &error as &dyn std::error::Error, "a question is answered with 503");
        unavailable(&error)
    })?;
    let mut epoch = answers.split_off(figures).into_iter();
    if context.counts_changes && !matches!(Seen::read(&mut epoch).epoch, Epoch::Complete(_)) {
        return Err(ErrorAnswer::unavailable(
            "rebuilding: the store of figures does not hold everything yet; metrics-consumer counts it again",
        ));
    }
    Ok(answers)
}

/// An answer is right or it is an error: never zeros. The server's address is for the log only.
pub(crate) fn unavailable(error: &StoreError) -> ErrorAnswer {
    ErrorAnswer::unavailable(match error {
        StoreError::Unavailable { .. } => "the store of figures (redis) does not answer: try again",
        StoreError::Refused { .. } => "the store of figures (redis) refuses: the log says why",
    })
}
