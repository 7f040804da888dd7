//! The event gateway as a function beside the one that pushes: invoked, as a function URL would invoke it.

use std::sync::Arc;

use async_trait::async_trait;

use crate::{
    adapters::{
        event_gateway::{body, outcome, path},
        http_client::shown,
    },
    config::secret::Secret,
    metrics::push::Push,
    ports::{
        event_gateway::{EventGateway, PushError},
        invoker::Invoker,
    },
    web::{
        HttpRequest,
        gateway::{event_of, response_of},
    },
};

/// The function that takes pushes.
const FUNCTION: &str = "metrics-gateway";

/// The gateway that another function is.
pub struct InvokedGateway {
    invoker: Arc<dyn Invoker>,
    token: Option<Secret>,
}

impl InvokedGateway {
    /// The function metrics-gateway that `invoker` finds, and the token that it wants (`listen.token`).
    #[must_use]
    pub fn new(invoker: Arc<dyn Invoker>, token: Option<Secret>) -> Self {
        InvokedGateway { invoker, token }
    }
}

#[async_trait]
impl EventGateway for InvokedGateway {
    async fn push(&self, push: &Push) -> Result<(), PushError> {
        let url = || format!("function {FUNCTION}");
        let unavailable = |reason: String| PushError::Unavailable { url: url(), reason };
        let refused = |status, answer| PushError::Refused { url: url(), status, answer };
        let body = body(push).map_err(|error| unavailable(error.to_string()))?.into();
        let request = HttpRequest { method: "POST".to_owned(), target: path(push), body };
        let token = self.token.as_ref().map(|token| format!("Bearer {}", token.reveal()));
        let headers = [("content-type", "application/json"), ("authorization", token.as_deref().unwrap_or_default())];
        let headers = &headers[..1 + usize::from(token.is_some())];
        let answer = self.invoker.invoke(FUNCTION, event_of(&request, headers)).await;
        let answer = answer.map_err(|error| match error.retry() {
            true => unavailable(error.to_string()),
            false => refused(0, error.to_string()),
        })?;
        let answer = response_of(answer).map_err(unavailable)?;
        outcome(url(), answer.status, shown(&answer.body))
    }
}
