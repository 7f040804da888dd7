//! Answers with what HTTP needs around them.

use shared::{
    metrics::backbeat::error::ErrorAnswer,
    ports::store::StoreError,
    web::{HttpRequest, HttpResponse},
};

/// What is answered where nothing went wrong.
pub(crate) struct Answer {
    pub status: u16,
    pub content_type: &'static str,
    pub body: String,
}

const JSON: &str = "application/json";

impl Answer {
    /// JSON as the original sends it: no charset and no newline.
    pub fn json(body: String) -> Self {
        Answer { status: 200, content_type: JSON, body }
    }
}

/// The answer to a request.
pub(crate) fn response(request: &HttpRequest, answer: Result<Answer, ErrorAnswer>) -> HttpResponse {
    let answer = answer.unwrap_or_else(|error| Answer { status: error.status, ..Answer::json(error.body()) });
    HttpResponse::to(request, answer.status, answer.content_type, answer.body)
}

/// An answer is right or it is an error: never zeros. The server's address is for the log only.
pub(crate) fn unavailable(error: &StoreError) -> ErrorAnswer {
    ErrorAnswer::unavailable(match error {
        StoreError::Unavailable { .. } => "the store of figures (redis) does not answer: try again",
        StoreError::Refused { .. } => "the store of figures (redis) refuses: the log says why",
    })
}
