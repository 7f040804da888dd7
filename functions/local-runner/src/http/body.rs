//! Reading a request's body, neither too much of it nor for too long.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use bytes::Bytes;
use http::StatusCode;

/// How long a client may take to send a body: one that stops in the middle must not hold its connection for ever.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It is longer than is allowed, or broke off.
    #[error("a body here has at most {0} bytes")]
    TooLarge(usize),
    /// It did not come in time.
    #[error("a body here comes within {} s", READ_TIMEOUT.as_secs())]
    TooSlow,
}

impl BodyError {
    /// What HTTP has for it.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            BodyError::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            BodyError::TooSlow => StatusCode::REQUEST_TIMEOUT,
        }
    }
}

/// Reads all of a body.
pub async fn read(body: Body, bytes_max: usize) -> Result<Bytes, BodyError> {
    let read = tokio::time::timeout(READ_TIMEOUT, to_bytes(body, bytes_max)).await;
    read.map_err(|_| BodyError::TooSlow)?.map_err(|_| BodyError::TooLarge(bytes_max))
}
