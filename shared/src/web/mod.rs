//! HTTP requests and answers, free of any server's types, and the events in which Lambda gets and gives them.

mod event;
pub mod gateway;
pub mod guard;

pub use event::{HttpAnswer, HttpEvent, HttpEventError};

use std::borrow::Cow;

use bytes::Bytes;

/// A request as it came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HttpRequest {
    /// The method, upper case.
    pub method: String,
    /// Path and query as they stand in the request line: nothing decoded.
    pub target: String,
    /// The body; its size is limited by who received it.
    pub body: Bytes,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpResponse {
    /// The status.
    pub status: u16,
    /// The headers, names in lower case.
    pub headers: Vec<(Cow<'static, str>, String)>,
    /// The body.
    pub body: Bytes,
}

impl HttpRequest {
    /// The target without its query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }
}

impl HttpResponse {
    /// An answer to this request, with its length; to HEAD no body.
    #[must_use]
    pub fn to(request: &HttpRequest, status: u16, content_type: &str, body: String) -> Self {
        let body = if request.method == "HEAD" { Bytes::new() } else { Bytes::from(body) };
        let headers =
            vec![("content-type".into(), content_type.to_owned()), ("content-length".into(), body.len().to_string())];
        HttpResponse { status, headers, body }
    }
}
