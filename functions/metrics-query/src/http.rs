//! Answers with what HTTP needs around them.

use shared::{
    metrics::backbeat::error::ErrorAnswer,
    web::{HttpRequest, HttpResponse},
};

/// A JSON answer as the original sends it: no charset and no newline.
pub(crate) fn json(request: &HttpRequest, answer: Result<String, ErrorAnswer>) -> HttpResponse {
    let (status, body) = match answer {
        Ok(body) => (200, body),
        Err(error) => (error.status, error.body()),
    };
    HttpResponse::to(request, status, "application/json", body)
}
