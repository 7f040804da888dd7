//! The error answers: status, name and description.

use serde_json::Value;

/// An error answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorAnswer {
    /// The HTTP status, in the body as `code` too.
    pub status: u16,
    /// The error's name, a key of the body.
    pub name: &'static str,
    /// What is wrong.
    pub description: String,
}

impl ErrorAnswer {
    fn new(status: u16, name: &'static str, description: impl Into<String>) -> Self {
        ErrorAnswer { status, name, description: description.into() }
    }

    /// The sender may not ask this.
    #[must_use]
    pub fn access_denied(why: String) -> Self {
        Self::new(403, "AccessDenied", why)
    }

    /// The sender brings no token, or a wrong one.
    #[must_use]
    pub fn unauthorized(why: String) -> Self {
        Self::new(401, "Unauthorized", why)
    }

    /// No route has this method.
    #[must_use]
    pub fn method_not_allowed() -> Self {
        Self::new(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")
    }

    /// There is no such path, location, type or extension.
    #[must_use]
    pub fn no_such_path(path: &str) -> Self {
        Self::new(404, "RouteNotFound", format!("path {path} does not exist"))
    }

    /// The path names something that there is not.
    #[must_use]
    pub fn no_such_route(why: String) -> Self {
        Self::new(404, "RouteNotFound", why)
    }

    /// A bucket without key or version.
    #[must_use]
    pub fn object_incomplete(tail: &str) -> Self {
        Self::new(404, "RouteNotFound", format!("must provide object key and version ID in route: {tail}"))
    }

    /// A metrics route without location.
    #[must_use]
    pub fn no_site() -> Self {
        Self::new(404, "RouteNotFound", "invalid site name provided")
    }

    /// The marker of a listing is no number.
    #[must_use]
    pub fn bad_marker() -> Self {
        Self::new(400, "InvalidQueryParameter", "marker must be a number")
    }

    /// The body of a POST is not what it must be; `why` begins with `: `, or is empty.
    #[must_use]
    pub fn malformed_post(why: &str) -> Self {
        Self::new(400, "MalformedPOSTRequest", format!("The body of your POST request is not well-formed{why}"))
    }

    /// Something broke inside.
    #[must_use]
    pub fn internal() -> Self {
        Self::new(500, "InternalError", "We encountered an internal error. Please try again.")
    }

    /// A route that another function answers: the request should have gone there. The original has no such answer.
    #[must_use]
    pub fn of_another_function(tail: &str, function: &str) -> Self {
        Self::new(501, "NotImplemented", format!("{tail} is answered by function {function}: send the request there"))
    }

    /// The store is down. On purpose not the original's, which answers 500, or zeros.
    #[must_use]
    pub fn unavailable(description: impl Into<String>) -> Self {
        Self::new(503, "ServiceUnavailable", description)
    }

    /// The body: `{"code":404,"description":"...","RouteNotFound":true}`.
    #[must_use]
    pub fn body(&self) -> String {
        let ErrorAnswer { status, name, description } = self;
        format!("{{\"code\":{status},\"description\":{},\"{name}\":true}}", Value::from(description.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_is_compact_json_whatever_the_path_holds() {
        let answer = ErrorAnswer::no_such_path("a\"b\\\n");
        assert_eq!(answer.body(), r#"{"code":404,"description":"path a\"b\\\n does not exist","RouteNotFound":true}"#);
    }
}
