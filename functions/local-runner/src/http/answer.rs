//! The functions' answers as the server sends them.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use shared::web::HttpResponse;

/// The answer as the server sends it.
pub fn response(answer: HttpResponse) -> Response {
    let builder = answer
        .headers
        .into_iter()
        .fold(http::Response::builder().status(answer.status), |builder, (name, value)| builder.header(&*name, value));
    builder.body(Body::from(answer.body)).unwrap_or_else(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, "the answer cannot be sent");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    })
}
