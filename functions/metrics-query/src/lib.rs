//! Function metrics-query: HTTP questions about figures, each answered from one round trip to the store.
//!
//! It keeps nothing between questions, so that any number of instances answer alike and a restart changes no figure.

mod backbeat;
mod context;
mod exposition;
mod http;
#[cfg(test)]
mod tests;

pub use self::{
    context::Context,
    exposition::{handle_exposition, metrics_page},
    http::{HttpRequest, HttpResponse},
};

/// Answers a request: Backbeat's metrics routes under `/_/`, and its errors for everything else.
pub async fn handle(request: HttpRequest, context: &Context) -> HttpResponse {
    let answer = backbeat::answer(&request, context).await;
    HttpResponse::json(&request, answer)
}
