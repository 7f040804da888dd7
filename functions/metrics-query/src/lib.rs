//! Function metrics-query: HTTP questions about figures, each answered from one round trip to the store.
//!
//! It keeps nothing between questions, so that any number of instances answer alike and a restart changes no figure.

mod backbeat;
mod context;
mod exposition;
mod figures;
mod http;
mod replication;
#[cfg(test)]
mod tests;

pub use self::{
    context::{Context, Expected},
    exposition::{handle_exposition, metrics_page},
    figures::{PREFIX as FIGURES, overview},
};
pub use shared::web::{HttpRequest, HttpResponse};

use std::convert::Infallible;

use shared::web::{HttpAnswer, HttpEvent};

use self::http::Answer;

/// The function's name.
pub const NAME: &str = "metrics-query";

/// Answers a request: the figures of the console under [`FIGURES`], Backbeat's metrics routes under `/_/`, and its errors for
/// everything else.
pub async fn handle(request: HttpRequest, context: &Context) -> HttpResponse {
    let answer = match request.target.starts_with(FIGURES) {
        true => figures::answer(&request, context).await.map(Answer::json),
        false => backbeat::answer(&request, context).await,
    };
    http::response(&request, answer)
}

/// Answers a request that came as an event: what the runner has on two ports is told apart by its path.
///
/// # Errors
/// None: what is wrong is in the answer.
pub async fn handle_event(event: HttpEvent, context: &Context) -> Result<HttpAnswer, Infallible> {
    let request = match event.admitted(&context.guard) {
        Ok(request) => request,
        Err(refused) => return Ok(refused),
    };
    let response = match exposition::PATHS.contains(&request.path()) {
        true => handle_exposition(request, context).await,
        false => handle(request, context).await,
    };
    Ok(event.answer(response))
}
