//! Requests and answers, free of any server's types.

use std::net::IpAddr;

use bytes::Bytes;
use shared::metrics::backbeat::error::ErrorAnswer;

/// A request as it came.
#[derive(Debug, Clone, Default)]
pub struct HttpRequest {
    /// The method, upper case.
    pub method: String,
    /// Path and query as they stand in the request line: nothing decoded.
    pub target: String,
    /// Who asks, where it is known.
    pub client: Option<IpAddr>,
    /// The body; its size is limited by who received it.
    pub body: Bytes,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpResponse {
    /// The status.
    pub status: u16,
    /// The headers, names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Bytes,
}

impl HttpResponse {
    /// A text that was asked for; to HEAD no body.
    pub(crate) fn text(request: &HttpRequest, content_type: &str, body: String) -> Self {
        HttpResponse::of(request, 200, content_type, body)
    }

    fn of(request: &HttpRequest, status: u16, content_type: &str, body: String) -> Self {
        let body = if request.method == "HEAD" { Bytes::new() } else { Bytes::from(body) };
        let headers = vec![("content-type", content_type.to_owned()), ("content-length", body.len().to_string())];
        HttpResponse { status, headers, body }
    }

    /// A JSON answer as the original sends it: no charset, no newline, and to HEAD no body.
    pub(crate) fn json(request: &HttpRequest, answer: Result<String, ErrorAnswer>) -> Self {
        let (status, body) = match answer {
            Ok(body) => (200, body),
            Err(error) => (error.status, error.body()),
        };
        HttpResponse::of(request, status, "application/json", body)
    }
}
