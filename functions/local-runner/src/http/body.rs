//! Reading a request's body, neither too much of it nor for too long.

use std::time::Duration;

use axum::body::{Body, HttpBody as _, to_bytes};
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

/// Reads all of a body. One that is announced to be too long is not waited for.
pub async fn read(body: Body, bytes_max: usize) -> Result<Bytes, BodyError> {
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(BodyError::TooLarge(bytes_max));
    }
    let read = tokio::time::timeout(READ_TIMEOUT, to_bytes(body, bytes_max)).await;
    read.map_err(|_| BodyError::TooSlow)?.map_err(|_| BodyError::TooLarge(bytes_max))
}

#[cfg(test)]
mod tests {
    use std::{
        pin::Pin,
        task::{Context, Poll},
    };

    use axum::body::HttpBody;

    use super::*;

    /// A body that was announced and never comes.
    struct Announced(u64);

    impl HttpBody for Announced {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
            Poll::Pending
        }

        fn size_hint(&self) -> http_body::SizeHint {
            http_body::SizeHint::with_exact(self.0)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_is_announced_to_be_too_long_is_refused_at_once() {
        let at_once = tokio::time::timeout(Duration::from_millis(1), read(Body::new(Announced(11)), 10)).await;
        assert_eq!(at_once, Ok(Err(BodyError::TooLarge(10))));
        assert_eq!(read(Body::new(Announced(10)), 10).await, Err(BodyError::TooSlow));
    }
}
